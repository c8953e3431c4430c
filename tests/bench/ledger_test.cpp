#include "bench/fleet/ledger.hpp"

#include <catch2/catch.hpp>

#include "bench/fleet/repo.hpp"
#include "proto/frame.hpp"

using namespace ringlay;
using namespace ringlay::bench;

namespace {

constexpr std::uint64_t now_micros = 1'767'225'600'000'000;  // 2026-01-01

Repo account(std::uint64_t number) {
    return Repo(invented_did(1, number), invented_key(crypto::Curve::k256, 1, number), nullptr);
}

Ledger ledger_of(std::string_view text) {
    Ledger ledger;
    REQUIRE(ledger.read(text));
    return ledger;
}

// `1 2 3` as events of one account.
Ledger events(std::initializer_list<int> numbers) {
    std::string text = "did:plc:a";
    for (int number : numbers) text += " 000000000000000" + std::to_string(number);
    return ledger_of(text);
}

}  // namespace

TEST_CASE("an event is the same with another seq and without its handle, and no other is") {
    Repo repo = account(1);
    std::vector<Buffer> frames{
        repo.identity_frame(1, now_micros, "a.example.com"),
        repo.identity_frame(1, now_micros + 1000, "a.example.com"),
        repo.account_frame(1, now_micros, true, std::nullopt),
        repo.account_frame(1, now_micros, false, "deactivated"),
        repo.sync_frame(1, now_micros),
        repo.commit_frame(1, now_micros, {}),
        repo.commit_frame(1, now_micros, {}),
    };
    Ledger sent, passed_on;
    for (const Buffer& frame : frames) {
        sent.add(frame);
        auto seen = proto::peek(frame).value();
        Buffer other(proto::splice_size_bytes(frame, seen, 123'456'789));
        proto::splice_into(other, frame, seen, 123'456'789);
        if (seen.kind == proto::FrameKind::identity) {
            bool is_first = frame == frames[0];
            other = repo.identity_frame(7, now_micros + (is_first ? 0 : 1000), "");
        }
        passed_on.add(other);
    }
    CHECK(sent.text() == passed_on.text());
    LedgerVerdict verdict = compare(sent, passed_on);
    CHECK(verdict.is_exact());
    CHECK(verdict.matched == frames.size());
    sent.add(Buffer{0xff});
    CHECK(sent.event_count() == frames.size());

    Ledger other;
    other.add(account(2).identity_frame(1, now_micros, "a.example.com"));
    verdict = compare(sent, other);
    CHECK(verdict.strangers == 1);
    CHECK(verdict.missing_head == frames.size());
    CHECK_FALSE(verdict.is_exact());
}

TEST_CASE("a comparison tells what is missing, doubled, misplaced or was never sent") {
    const Ledger sent = events({1, 2, 3, 4, 3});
    auto verdict = [&](std::initializer_list<int> got) { return compare(sent, events(got)); };
    CHECK(verdict({1, 2, 3, 4, 3}).is_exact());
    CHECK(verdict({1, 2, 3, 4, 3}) == LedgerVerdict{.sent = 5, .matched = 5});
    CHECK(verdict({1, 2, 4}) == LedgerVerdict{.sent = 5, .matched = 3, .missing = 2});
    CHECK(verdict({3, 4, 3}) == LedgerVerdict{.sent = 5, .matched = 3, .missing_head = 2});
    CHECK(verdict({}) == LedgerVerdict{.sent = 5, .missing_head = 5});
    CHECK(verdict({1, 2, 2, 3, 4, 3, 3}) == LedgerVerdict{.sent = 5, .matched = 5, .doubled = 2});
    CHECK(verdict({2, 1, 3, 4, 3}) == LedgerVerdict{.sent = 5, .matched = 5, .misplaced = 1});
    CHECK(verdict({1, 2, 3, 9, 4, 3}) == LedgerVerdict{.sent = 5, .matched = 5, .unexpected = 1});
    for (auto wrong : {verdict({1, 2, 4}), verdict({2, 1, 3, 4, 3}), verdict({1, 2, 3, 9, 4, 3}),
                       verdict({1, 1, 2, 3, 4, 3}), verdict({3, 4, 3})}) {
        CHECK_FALSE(wrong.is_exact());
    }
}

TEST_CASE("a ledger is read back from its text, and refused if it is cut") {
    Ledger ledger = ledger_of("did:plc:a 0000000000000001 00000000000000ff\ndid:plc:b\n");
    CHECK(ledger.accounts().at("did:plc:a") == Ledger::Events{1, 255});
    CHECK(ledger.accounts().at("did:plc:b").empty());
    CHECK(ledger_of(ledger.text()).accounts() == ledger.accounts());
    for (std::string_view bad : {"did:plc:a 00", "did:plc:a 000000000000000g",
                                 "did:plc:a 0000000000000001x0000000000000001"}) {
        CHECK_FALSE(Ledger().read(bad).has_value());
    }
}
