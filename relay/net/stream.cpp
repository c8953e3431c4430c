#include "relay/net/stream.hpp"

#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::net {
namespace {

constexpr std::size_t max_joined_bytes = 64 * 1024;

// Parts that leave together go into one record, if they are several. They are copied for that.
Buffer joined(std::span<const Bytes> parts) {
    Buffer all;
    for (Bytes part : parts) {
        Bytes fitting = part.first(std::min(part.size(), max_joined_bytes - all.size()));
        all.insert(all.end(), fitting.begin(), fitting.end());
    }
    return all;
}

}  // namespace

struct Stream::Tls {
    explicit Tls(crypto::TlsEngine started) : engine(std::move(started)) {}

    // What has come is plain now: at least one byte; nothing: more has to come; an empty chunk: the
    // peer has said goodbye.
    Result<std::optional<StreamChunk>> decrypt();

    crypto::TlsEngine engine;
    // The engine has bytes that it was not asked to decrypt, or an end to tell of.
    bool has_more = false;
    std::size_t encrypted_bytes = 0;  // of what was offered and is not yet said to be taken
    bool is_sending = false;  // a fiber is with the socket: what it sends must stay in order
};

Result<std::optional<StreamChunk>> Stream::Tls::decrypt() {
    std::size_t room = std::max<std::size_t>(engine.readable_bytes(), 1);
    auto plain = std::make_shared_for_overwrite<std::uint8_t[]>(room);
    auto size = engine.read({plain.get(), room});
    has_more = size && (*size == room || !engine.failure().empty());
    if (size && *size == 0) return std::nullopt;
    if (size) return StreamChunk(std::move(plain), *size);
    if (engine.was_cut()) return fail(Errc::closed, "tls: the peer hung up without a goodbye");
    if (size.error().code == Errc::closed) return StreamChunk();
    return std::unexpected(size.error());
}

Stream::Stream() = default;
Stream::Stream(env::Socket socket) : socket_(std::move(socket)) {}
Stream::Stream(Stream&& other) noexcept = default;
Stream& Stream::operator=(Stream&& other) noexcept = default;
Stream::~Stream() = default;

Result<void> Stream::start_tls(crypto::TlsEngine engine, Deadline deadline) {
    RINGLAY_ASSERT(tls_ == nullptr);
    tls_ = std::make_unique<Tls>(std::move(engine));
    env::Chunk chunk;
    for (;;) {
        auto finished = tls_->engine.handshake();
        chunk = env::Chunk();
        // After a failure, too: the peer is told why.
        for (;;) {
            auto flushed = flush_now();
            if (finished && !flushed) return std::unexpected(flushed.error());
            if (!finished || *flushed) break;
            auto writable = socket_.wait_writable(deadline);
            if (!writable) return writable;
        }
        if (!finished) return std::unexpected(finished.error());
        if (*finished) break;
        auto received = socket_.receive(deadline);
        if (!received) return std::unexpected(received.error());
        chunk = std::move(*received);
        if (chunk.empty()) {
            tls_->engine.received_end();
        } else if (auto taken = tls_->engine.received(chunk.bytes()); !taken) {
            return taken;
        }
    }
    tls_->has_more = true;
    return {};
}

std::string_view Stream::tls_failure() const {
    return tls_ == nullptr ? std::string_view() : tls_->engine.failure();
}

Result<StreamChunk> Stream::receive(Deadline deadline) {
    if (tls_ != nullptr) return receive_tls(deadline);
    auto received = socket_.receive(deadline);
    if (!received) return std::unexpected(received.error());
    return StreamChunk(std::move(*received));
}

Result<StreamChunk> Stream::receive_tls(Deadline deadline) {
    if (!is_open()) return fail(Errc::closed, "socket: closed");
    for (;;) {
        env::Chunk chunk;
        if (!tls_->has_more) {
            auto received = socket_.receive(deadline);
            if (!received) return std::unexpected(received.error());
            chunk = std::move(*received);
            if (chunk.empty()) {
                tls_->engine.received_end();
            } else if (auto taken = tls_->engine.received(chunk.bytes()); !taken) {
                return std::unexpected(taken.error());
            }
        }
        auto plain = tls_->decrypt();
        chunk = env::Chunk();
        // The engine may have something to answer. What does not leave now goes with the next data.
        static_cast<void>(flush_now());
        if (!plain) return std::unexpected(plain.error());
        if (*plain) return std::move(**plain);
    }
}

// What the socket takes at once of what the engine has for it. True: there is no more.
Result<bool> Stream::flush_now() {
    if (tls_->is_sending) return false;
    tls_->is_sending = true;
    Result<bool> result = true;
    while (result && *result) {
        const Bytes left = tls_->engine.to_send();
        if (left.empty()) break;
        auto sent = socket_.send_now(std::span(&left, 1));
        if (!sent) result = std::unexpected(sent.error());
        if (sent && *sent == 0) result = false;
        if (sent) tls_->engine.take_sent(*sent);
    }
    tls_->is_sending = false;
    return result;
}

Result<std::size_t> Stream::send_now(std::span<const Bytes> parts) {
    return tls_ == nullptr ? socket_.send_now(parts) : send_tls_now(parts);
}

// Bytes are said to be taken once all of the records that hold them have left.
Result<std::size_t> Stream::send_tls_now(std::span<const Bytes> parts) {
    auto flushed = flush_now();
    if (!flushed) return std::unexpected(flushed.error());
    if (!*flushed) return 0;
    if (tls_->encrypted_bytes > 0) return std::exchange(tls_->encrypted_bytes, 0);
    while (parts.size() > 1 && parts.front().empty()) parts = parts.subspan(1);
    auto taken =
        parts.size() == 1 ? tls_->engine.write(parts.front()) : tls_->engine.write(joined(parts));
    if (!taken) return taken;
    tls_->encrypted_bytes = *taken;
    flushed = flush_now();
    if (!flushed) return std::unexpected(flushed.error());
    return *flushed ? std::exchange(tls_->encrypted_bytes, 0) : 0;
}

Result<void> Stream::wait_writable(Deadline deadline) {
    return socket_.wait_writable(deadline);
}

Result<void> Stream::send(Bytes bytes, Deadline deadline) {
    while (!bytes.empty()) {
        auto sent = send_now(std::span(&bytes, 1));
        if (!sent) return std::unexpected(sent.error());
        bytes = bytes.subspan(*sent);
        if (*sent > 0) continue;
        auto writable = wait_writable(deadline);
        if (!writable) return writable;
    }
    return {};
}

void Stream::shutdown() {
    if (tls_ != nullptr && is_open()) {
        fiber::CancelBlocker blocker;
        tls_->engine.say_goodbye();
        static_cast<void>(flush_now());
    }
    socket_.shutdown();
}

void Stream::close() {
    socket_.close();
}

}  // namespace ringlay::net
