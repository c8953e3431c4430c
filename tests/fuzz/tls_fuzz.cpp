// Both ends of TLS: bytes of a stranger instead of a handshake, and a peer's own bytes that were
// changed, cut or repeated on their way. Nothing may crash, no byte that the peer has not written
// may come out, and what is held keeps to its bounds. The first byte says which, and who is fed.
#include <algorithm>

#include "tests/support/tls_pair.hpp"

using namespace ringlay;
using crypto::TlsEngine;
using support::take_all;

namespace {

constexpr std::size_t max_held_bytes = 256 * 1024;
constexpr std::string_view said = "what the peer has written";

const support::TlsParty& party() {
    static const support::TlsParty made({"a.example"});
    return made;
}

// What comes out of an engine behind its handshake.
void read(TlsEngine& engine, std::string& out) {
    Buffer room(64);
    for (;;) {
        auto size = engine.read(room);
        RINGLAY_ASSERT(size || !engine.failure().empty());
        if (!size || *size == 0) return;
        out.append(room.begin(), room.begin() + static_cast<std::ptrdiff_t>(*size));
    }
}

// Gives bytes to an engine in two pieces that do not outlive the call.
void give(TlsEngine& engine, Bytes bytes, std::size_t cut, std::string& out) {
    cut = std::min(cut, bytes.size());
    for (Bytes part : {bytes.first(cut), bytes.subspan(cut)}) {
        if (part.empty()) continue;
        Buffer own(part.begin(), part.end());
        if (!engine.received(own)) return;
        auto done = engine.handshake();
        RINGLAY_ASSERT(done || !engine.failure().empty());
        if (done && *done) read(engine, out);
        RINGLAY_ASSERT(engine.to_send().size() <= max_held_bytes);
        RINGLAY_ASSERT(engine.readable_bytes() <= max_held_bytes);
    }
}

// Changes the bytes of one flight as the input says.
void spoil(Buffer& flight, Bytes& input) {
    if (input.size() < 4 || flight.empty()) return;
    std::size_t at = (input[1] * 256u + input[2]) % flight.size();
    switch (input[0] % 4) {
        case 0:
            break;
        case 1:
            flight[at] ^= static_cast<std::uint8_t>(input[3] | 1);
            break;
        case 2:
            flight.resize(at);
            break;
        default: {
            Buffer again(flight.begin() + static_cast<std::ptrdiff_t>(at), flight.end());
            flight.insert(flight.end(), again.begin(), again.end());
        }
    }
    input = input.subspan(4);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const bool feeds_server = (data[0] & 1) != 0, is_stranger = (data[0] & 2) != 0;
    const std::size_t cut = data[1];
    Bytes input(data + 2, size - 2);
    TlsEngine client = party().client->connect("a.example"), server = party().server->accept();
    static_cast<void>(client.handshake());
    std::string at_client, at_server;
    if (is_stranger) {
        TlsEngine& fed = feeds_server ? server : client;
        give(fed, input, cut, at_client);
        fed.received_end();
        RINGLAY_ASSERT(!fed.handshake() && at_client.empty());
        return 0;
    }
    for (int turn = 0; turn < 4; ++turn) {
        Buffer there = take_all(client);
        if (feeds_server) spoil(there, input);
        give(server, there, cut, at_server);
        if (server.handshake().value_or(false) && turn == 1) {
            static_cast<void>(server.write({reinterpret_cast<const std::uint8_t*>(said.data()),  //
                                            said.size()}));
        }
        Buffer back = take_all(server);
        if (!feeds_server) spoil(back, input);
        give(client, back, cut, at_client);
    }
    RINGLAY_ASSERT(at_client.empty() || at_client == said);
    RINGLAY_ASSERT(at_server.empty());
    return 0;
}
