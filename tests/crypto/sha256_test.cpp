#include "crypto/sha256.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string_view>

#include "proto/base/hex.hpp"

using namespace ringlay;
using namespace ringlay::crypto;

namespace {

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_CASE("sha-256 gives the answers of FIPS 180") {
    CHECK(to_hex(sha256(bytes_of(""))) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(to_hex(sha256(bytes_of("abc"))) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(to_hex(sha256(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    CHECK(to_hex(sha256(Buffer(1'000'000, 'a'))) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("bytes in pieces have the digest of the bytes in one, however they are cut") {
    std::mt19937_64 random(1);
    for (int round = 0; round < 200; ++round) {
        Buffer bytes(random() % 400);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        std::vector<Bytes> parts;
        Sha256 running;
        for (Bytes rest = bytes; !rest.empty();) {
            Bytes part = rest.first(std::min(rest.size(), random() % 130));
            rest = rest.subspan(part.size());
            parts.push_back(part);
            running.update(part);
        }
        Digest whole = sha256(bytes);
        CHECK(sha256(parts) == whole);
        CHECK(running.finish() == whole);
    }
}

TEST_CASE("a running hash can be copied, and starts again after it has finished") {
    Sha256 first;
    first.update(bytes_of("ab"));
    Sha256 second = first;
    CHECK(first.update(bytes_of("c")).finish() == sha256(bytes_of("abc")));
    CHECK(second.update(bytes_of("d")).finish() == sha256(bytes_of("abd")));
    CHECK(first.finish() == sha256(bytes_of("")));
}
