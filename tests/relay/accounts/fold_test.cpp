#include "relay/accounts/fold.hpp"

#include "tests/relay/accounts/fold_rig.hpp"

using namespace ringlay;
using namespace ringlay::accounts;
using namespace ringlay::accounts::test;
using event_log::Facts;

namespace {

// Fields of a fact, with their memory.
struct Sample {
    std::string rev = "3jqfcqzm3fo2j";
    proto::Cid data;
    proto::Cid commit;
    std::array<std::uint8_t, 2> standings{};
    Facts facts;

    explicit Sample(FactsKind kind) {
        std::mt19937_64 random(1);
        data = support::random_cid(random);
        commit = support::random_cid(random);
        standings = {proto::AccountStanding{false, proto::AccountStatus::takendown}.to_byte(),
                     proto::AccountStanding{false, proto::AccountStatus::deleted}.to_byte()};
        facts.kind = kind;
        facts.host_id = 5;
        facts.seq = 100;
        facts.text = "did:plc:a";
        field(FactsField::rev) = {reinterpret_cast<const std::uint8_t*>(rev.data()), rev.size()};
        field(FactsField::data_cid) = data.bytes();
        field(FactsField::commit_cid) = commit.bytes();
        field(FactsField::statuses) = standings;
    }
    Sample(const Sample&) = delete;
    Sample& operator=(const Sample&) = delete;

    Bytes& field(FactsField which) { return facts.fields[static_cast<std::size_t>(which)]; }
};

std::string_view refusal(const Facts& facts) {
    auto change = change_of(facts, 100);
    if (change) return "";
    CHECK(change.error().code == Errc::corrupt);
    return change.error().what;
}

}  // namespace

TEST_CASE("what was verified says where the repository is, and nothing of standings") {
    for (auto kind : {FactsKind::commit, FactsKind::sync, FactsKind::late_verification}) {
        Sample sample(kind);
        auto change = change_of(sample.facts, 70);
        REQUIRE((change && *change));
        CHECK((*change)->did == "did:plc:a");
        CHECK((*change)->seq == 70);
        CHECK((*change)->host_id == 5);
        REQUIRE((*change)->repo);
        CHECK((*change)->repo->rev == proto::Tid::parse(sample.rev).value().value());
        CHECK((*change)->repo->data == sample.data);
        CHECK((*change)->repo->commit == sample.commit);
        CHECK_FALSE((*change)->local);
        CHECK_FALSE((*change)->upstream);
    }
}

TEST_CASE("an account's standings are told apart, and nothing is said of its repository") {
    for (auto kind : {FactsKind::account, FactsKind::account_standing}) {
        Sample sample(kind);
        auto change = change_of(sample.facts, 70);
        REQUIRE((change && *change));
        CHECK((*change)->did == "did:plc:a");
        CHECK((*change)->seq == 70);
        CHECK((*change)->host_id == 5);
        CHECK_FALSE((*change)->repo);
        CHECK((*change)->local->status == proto::AccountStatus::takendown);
        CHECK((*change)->upstream->status == proto::AccountStatus::deleted);
    }
}

TEST_CASE("what nobody has verified, identities and hosts change no account") {
    for (auto kind : {FactsKind::commit, FactsKind::sync, FactsKind::account}) {
        Sample sample(kind);
        sample.facts.verdicts = event_log::verdict_unverified;
        auto change = change_of(sample.facts, 70);
        REQUIRE(change.has_value());
        CHECK_FALSE(change->has_value());
        sample.facts.fields = {};
        CHECK(change_of(sample.facts, 70).has_value());
    }
    for (auto kind : {FactsKind::identity, FactsKind::host_name, FactsKind::host_cursor}) {
        Sample sample(kind);
        auto change = change_of(sample.facts, 70);
        REQUIRE(change.has_value());
        CHECK_FALSE(change->has_value());
    }
}

TEST_CASE("a fact without what its kind must say is corrupt, not passed over") {
    for (auto kind : {FactsKind::commit, FactsKind::sync, FactsKind::late_verification}) {
        for (auto field : {FactsField::rev, FactsField::data_cid, FactsField::commit_cid}) {
            Sample sample(kind);
            sample.field(field) = {};
            CHECK(refusal(sample.facts).starts_with("fact: its "));
        }
        Sample sample(kind);
        sample.rev = "3jqfcqzm3fo21";  // no such letter
        CHECK(refusal(sample.facts) == "fact: its rev is no TID");
    }
    for (auto kind : {FactsKind::account, FactsKind::account_standing}) {
        Sample sample(kind);
        sample.field(FactsField::statuses) = Bytes(sample.standings).first(1);
        CHECK(refusal(sample.facts) == "fact: it has no two standings");
        sample.field(FactsField::statuses) = {};
        CHECK(refusal(sample.facts) == "fact: it has no two standings");
        for (std::size_t which : {0u, 1u}) {
            Sample wrong(kind);
            wrong.standings[which] = 16;
            CHECK(refusal(wrong.facts) == "fact: a standing that is none");
        }
    }
    Sample unknown(static_cast<FactsKind>(99));
    CHECK(refusal(unknown.facts) == "fact: of an unknown kind");
}

TEST_CASE("a row is from the future between the log's end and the first seq of this life") {
    event_log::RecoveryReport log;
    log.head_seq = 100;
    log.first_seq = 200;
    index::AccountRow row;
    for (std::uint64_t seq : {0u, 99u, 100u, 200u, 300u}) {
        row.last_seq = seq;
        CHECK_FALSE(is_from_the_future(row, log));
    }
    for (std::uint64_t seq : {101u, 150u, 199u}) {
        row.last_seq = seq;
        CHECK(is_from_the_future(row, log));
    }
}
