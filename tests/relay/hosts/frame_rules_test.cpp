#include "relay/hosts/frame_rules.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "proto/base/hex.hpp"
#include "proto/event.hpp"

using namespace ringlay;
using namespace ringlay::hosts;

namespace {

Buffer identity(std::uint64_t seq) {
    return proto::encode_frame(proto::IdentityEvent{.seq = seq,
                                                    .did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
                                                    .time = "2024-01-01T00:00:00.000Z",
                                                    .handle = std::nullopt});
}

Buffer hex(std::string_view text) {
    return from_hex(text).value();
}

}  // namespace

TEST_CASE("an event passes if its seq is above the last one of its host") {
    CHECK(rule(identity(120), 119).outcome == Outcome::passed);
    CHECK(rule(identity(120), 0).outcome == Outcome::passed);
    CHECK(rule(identity(120), 120).outcome == Outcome::stale);
    CHECK(rule(identity(120), 121).outcome == Outcome::stale);
}

TEST_CASE("an event in a sloppy envelope is written anew, not dropped") {
    Buffer trailing = identity(7);
    trailing.push_back(0xf6);
    CHECK(rule(trailing, 0).outcome == Outcome::repaired);
    CHECK(rule(trailing, 7).outcome == Outcome::stale);
}

TEST_CASE("an event must fit with the longest seq, whatever seq it came with") {
    CHECK(fits_with_any_seq(5'000'000, 9));
    CHECK_FALSE(fits_with_any_seq(5'000'001, 9));
    CHECK(fits_with_any_seq(5'000'000 - 8, 1));
    CHECK_FALSE(fits_with_any_seq(5'000'000 - 7, 1));
}

TEST_CASE("what is no event has an outcome of its own") {
    CHECK(rule(hex("a261746523696e666f626f7001a1646e616d656e4f75746461746564437572736f72"), 0)
              .outcome == Outcome::info);
    CHECK(rule(hex("a1626f7020a1656572726f726c467574757265437572736f72"), 0).outcome ==
          Outcome::error);
    CHECK(rule(hex("a1626f7005a0"), 0).outcome == Outcome::unknown);
    Ruling broken = rule(hex("ff"), 0);
    CHECK(broken.outcome == Outcome::malformed);
    CHECK_FALSE(broken.why.empty());
    CHECK(rule({}, 0).outcome == Outcome::malformed);
}

TEST_CASE("an event without a seq or a DID is refused alone, under its check") {
    const std::string header = "a2617469236964656e74697479626f7001";
    Ruling faulty = rule(hex(header + "a16373657101"), 0);
    CHECK(faulty.outcome == Outcome::faulty);
    CHECK(faulty.frame.seq == 1);
    Ruling bad_did = rule(hex(header + "a2636469646378797a6373657101"), 0);
    CHECK(bad_did.outcome == Outcome::bad_did);
    for (const Ruling& ruling : {faulty, bad_did}) {
        CHECK_FALSE(row_of(ruling.outcome).ends_connection);
        CHECK_FALSE(row_of(ruling.outcome).is_passed);
        CHECK_FALSE(ruling.why.empty());
    }
    CHECK(row_of(Outcome::faulty).fails == ingest::Check::fields);
    CHECK(row_of(Outcome::bad_did).fails == ingest::Check::did);
    CHECK(row_of(Outcome::oversized).fails == ingest::Check::size);
    CHECK(row_of(Outcome::stale).fails == ingest::Check::seq);
    CHECK(row_of(Outcome::malformed).fails == ingest::Check::fields);
    CHECK_FALSE(row_of(Outcome::passed).fails.has_value());
    CHECK_FALSE(row_of(Outcome::repeated).fails.has_value());
}

TEST_CASE("every outcome has its row, its own name and a meaning") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < outcome_table.size(); ++i) {
        CHECK(static_cast<std::size_t>(outcome_table[i].outcome) == i);
        CHECK(names.insert(outcome_table[i].name).second);
        CHECK_FALSE(outcome_table[i].meaning.empty());
        CHECK_FALSE((outcome_table[i].is_passed && outcome_table[i].ends_connection));
    }
    CHECK(row_of(Outcome::malformed).ends_connection);
    CHECK(row_of(Outcome::error).ends_connection);
    CHECK(row_of(Outcome::text).ends_connection);
    CHECK_FALSE(row_of(Outcome::unknown).ends_connection);
    CHECK_FALSE(row_of(Outcome::stale).ends_connection);
}
