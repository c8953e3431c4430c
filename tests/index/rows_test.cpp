#include "index/rows.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "crypto/did_key.hpp"

using namespace ringlay;
using namespace ringlay::index;

namespace {

proto::Cid cid_of(std::uint8_t byte) {
    std::array<std::uint8_t, proto::Cid::digest_bytes> digest;
    digest.fill(byte);
    return proto::Cid::of_digest(digest);
}

const AccountRow bare{0x1122334455667788,
                      {},
                      0xaabbccdd,
                      {false, proto::AccountStatus::takendown},
                      {true, proto::AccountStatus::throttled}};

AccountRow full() {
    AccountRow row = bare;
    row.repo = {0xfeffffffffffffff, cid_of(7), cid_of(9)};
    return row;
}

const auto k256 =
    crypto::parse_multikey("zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc").value();
const auto p256 =
    crypto::parse_multikey("zDnaembgSGUhZULN2Caob4HLJPaxBh92N7rtH21TErzqf8HQo").value();

template <class Decode>
void check_refused(Decode decode, const Buffer& value, Errc code, std::string_view why) {
    CAPTURE(std::string(why));
    auto row = decode(value);
    REQUIRE_FALSE(row.has_value());
    CHECK(row.error().code == code);
    CHECK(row.error().what == why);
}

}  // namespace

TEST_CASE("an account row comes back as it was, in 16 bytes or 88") {
    CHECK(encode(bare).size() == 16);
    CHECK(encode(full()).size() == 88);
    for (const AccountRow& row : {bare, full(), AccountRow{}}) {
        CHECK(decode_account(encode(row)).value() == row);
    }
    AccountRow half = bare;  // not seen in practice: data without a rev
    half.repo.data = cid_of(3);
    CHECK(decode_account(encode(half)).value() == half);
}

TEST_CASE("an account row of any other length or content is refused") {
    const Buffer value = encode(full());
    for (std::size_t size = 0; size < value.size(); ++size) {
        CAPTURE(size);
        auto row = decode_account(Bytes(value).first(size));
        REQUIRE_FALSE(row.has_value());
        CHECK(row.error().code == Errc::corrupt);
    }
    auto changed = [&](std::size_t at, std::uint8_t byte) {
        Buffer bad = value;
        bad[at] = byte;
        return bad;
    };
    Buffer longer = value;
    longer.push_back(0);
    check_refused(decode_account, {}, Errc::corrupt, "account row: empty");
    check_refused(decode_account, longer, Errc::corrupt, "account row: length");
    check_refused(decode_account, changed(0, 0), Errc::corrupt, "account row: format");
    check_refused(decode_account, changed(0, 2), Errc::unsupported, "account row: newer format");
    check_refused(decode_account, changed(1, 0), Errc::corrupt, "account row: length");
    check_refused(decode_account, changed(1, 2), Errc::corrupt, "account row: flags");
    check_refused(decode_account, changed(2, 16), Errc::corrupt, "account row: standing");
    check_refused(decode_account, changed(3, 16), Errc::corrupt, "account row: standing");
}

TEST_CASE("an identity comes back as it was: with either key, without one, without a host") {
    const IdentityRow rows[] = {
        {k256, "pds.example", 1'700'000'000'000},
        {p256, "pds.example", -1},
        {std::nullopt, "pds.example", 0},
        {k256, "", INT64_MAX},
        {std::nullopt, "", INT64_MIN},
    };
    for (const IdentityRow& row : rows) CHECK(decode_identity(encode(row)).value() == row);
    CHECK(encode(rows[0]).size() == 10 + 33 + 11);
}

TEST_CASE("an identity that cannot be read is refused by name") {
    const Buffer value = encode(IdentityRow{k256, "", 1});
    auto changed = [&](std::size_t at, std::uint8_t byte) {
        Buffer bad = value;
        bad[at] = byte;
        return bad;
    };
    for (std::size_t size = 0; size < value.size(); ++size) {
        CAPTURE(size);
        REQUIRE_FALSE(decode_identity(Bytes(value).first(size)).has_value());
    }
    check_refused(decode_identity, {}, Errc::corrupt, "identity row: empty");
    check_refused(decode_identity, changed(0, 0), Errc::corrupt, "identity row: format");
    check_refused(decode_identity, changed(0, 2), Errc::unsupported, "identity row: newer format");
    check_refused(decode_identity, changed(1, 3), Errc::corrupt, "identity row: kind of key");
    check_refused(decode_identity, changed(10, 5), Errc::corrupt, "identity row: key");
    check_refused(decode_identity, Buffer(value.begin(), value.end() - 1), Errc::corrupt,
                  "identity row: too short");
}

TEST_CASE("the state comes back as it was; a newer format is unsupported, whatever its length") {
    const State state{{1, 2, 3, 4}, 5};
    const Buffer value = encode(state);
    CHECK(decode_state(value).value() == state);
    for (std::size_t size = 0; size < value.size(); ++size) {
        auto cut = decode_state(Bytes(value).first(size));
        REQUIRE_FALSE(cut.has_value());
        CHECK(cut.error().code == Errc::corrupt);
    }
    Buffer other = value;
    other[0] = 0;
    check_refused(decode_state, other, Errc::corrupt, "index: format");
    other[0] = 2;
    check_refused(decode_state, other, Errc::unsupported, "index: newer format");
    other.push_back(0);
    check_refused(decode_state, other, Errc::unsupported, "index: newer format");
    other[0] = 1;
    check_refused(decode_state, other, Errc::corrupt, "index: length of state");
}
