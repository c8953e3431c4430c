#include "proto/tid.hpp"

#include <catch2/catch.hpp>
#include <random>

using namespace ringlay::proto;

TEST_CASE("a TID is 13 digits of five bits, the first of which has four") {
    CHECK(Tid::parse("2222222222222").value().value() == 0);
    CHECK(Tid::parse("2222222222223").value().value() == 1);
    CHECK(Tid::parse("222222222222z").value().value() == 31);
    CHECK(Tid::parse("2222222222232").value().value() == 32);
    CHECK(Tid::parse("bzzzzzzzzzzzz").value().value() == UINT64_MAX >> 1);
    CHECK(Tid::parse("c222222222222").value().value() == std::uint64_t{1} << 63);
    CHECK(Tid::parse("jzzzzzzzzzzzz").value().value() == UINT64_MAX);
}

TEST_CASE("a TID holds microseconds since 1970 and ten bits of a clock") {
    // 2024-01-01T00:00:00Z is second 1704067200.
    Tid tid = Tid::of_micros(1'704'067'200'000'000, 9);
    CHECK(tid.micros() == 1'704'067'200'000'000);
    CHECK((tid.value() & 1023) == 9);
    CHECK(tid.to_text() == "3khuwc44c222d");
    CHECK(Tid::parse("222222d7n7i22").value().micros() < 86'400'000'000);  // seen: 1970
    CHECK(Tid::parse("3khuwc52sm22b").value().micros() == 1'704'067'201'000'000);
}

TEST_CASE("TIDs are ordered alike as texts and as numbers, and come back from their text") {
    std::mt19937_64 random(7);
    for (int i = 0; i < 1000; ++i) {
        Tid a(random() >> (random() % 64)), b(random() >> (random() % 64));
        REQUIRE(Tid::parse(a.to_text()).value() == a);
        REQUIRE((a < b) == (a.to_text() < b.to_text()));
    }
}

TEST_CASE("what is no TID is refused by name") {
    const struct {
        std::string_view text, refused_as;
    } bad[] = {
        {"", "tid: length"},
        {"222222222222", "tid: length"},
        {"22222222222222", "tid: length"},
        {"k222222222222", "tid: first character"},
        {"zzzzzzzzzzzzz", "tid: first character"},
        {"2222222222221", "tid: character"},
        {"1222222222222", "tid: character"},
        {"2222228222222", "tid: character"},
        {"222222A222222", "tid: character"},
        {"222222-222222", "tid: character"},
        {"222222{222222", "tid: character"},
        {"222222`222222", "tid: character"},
    };
    for (const auto& [text, refused_as] : bad) {
        CAPTURE(text);
        auto tid = Tid::parse(text);
        REQUIRE_FALSE(tid.has_value());
        CHECK(tid.error().what == refused_as);
        CHECK_FALSE(is_tid(text));
    }
    CHECK(is_tid("3jzfcijpj2z2a"));
}
