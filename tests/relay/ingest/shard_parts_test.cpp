// The parts of a shard that are pure.

#include <catch2/catch.hpp>

#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "relay/ingest/account_pace.hpp"
#include "relay/ingest/alarms.hpp"
#include "relay/ingest/clock_judge.hpp"
#include "relay/ingest/first_looks.hpp"
#include "relay/ingest/hosts_met.hpp"
#include "relay/ingest/identity_rate.hpp"
#include "relay/ingest/late_events.hpp"
#include "relay/ingest/parking.hpp"
#include "relay/ingest/recently.hpp"
#include "relay/ingest/rewrite.hpp"
#include "relay/ingest/shard.hpp"
#include "relay/ingest/status_asker.hpp"
#include "relay/ingest/watermark.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;
using event_log::FactsKind;

// ----- alarms ---------------------------------------------------------------------------------

TEST_CASE("alarms ring in the order of their times, those of one time in the order of setting") {
    Alarms alarms;
    CHECK(alarms.next() == Nanos::max());
    alarms.set(30ms, Alarm::Kind::parked, "c");
    alarms.set(10ms, Alarm::Kind::late, "a");
    alarms.set(30ms, Alarm::Kind::parked, "d");
    alarms.set(20ms, Alarm::Kind::parked, "b");
    CHECK(alarms.next() == 10ms);
    CHECK_FALSE(alarms.take_due(9ms).has_value());
    std::string order;
    while (auto alarm = alarms.take_due(30ms)) order += alarm->did;
    CHECK(order == "abcd");
    CHECK(alarms.next() == Nanos::max());
}

TEST_CASE("an alarm carries what it is for") {
    Alarms alarms;
    alarms.set(10ms, Alarm::Kind::late, "did:plc:a");
    auto alarm = alarms.take_due(10ms);
    REQUIRE(alarm.has_value());
    CHECK(alarm->at == 10ms);
    CHECK(alarm->kind == Alarm::Kind::late);
    CHECK(alarm->did == "did:plc:a");
}

// ----- recently -------------------------------------------------------------------------------

TEST_CASE("a pair is remembered for its time, and only that pair") {
    Recently recently(60s, 100);
    recently.add("did:plc:a", 1, 0s);
    CHECK(recently.contains("did:plc:a", 1, 59s));
    CHECK_FALSE(recently.contains("did:plc:a", 1, 60s));
    CHECK_FALSE(recently.contains("did:plc:a", 2, 1s));
    CHECK_FALSE(recently.contains("did:plc:b", 1, 1s));
}

TEST_CASE("a pair that is added again lives on from then") {
    Recently recently(60s, 100);
    recently.add("a", 1, 0s);
    recently.add("a", 1, 50s);
    recently.add("b", 1, 61s);  // looks at the age of the first
    CHECK(recently.contains("a", 1, 109s));
    CHECK_FALSE(recently.contains("a", 1, 110s));
}

TEST_CASE("forgetting a DID forgets all its numbers and nothing else") {
    Recently recently(60s, 100);
    for (std::uint32_t number : {0u, 1u, UINT32_MAX}) recently.add("b", number, 0s);
    recently.add("a", 1, 0s);
    recently.add("ba", 1, 0s);
    recently.forget("b");
    for (std::uint32_t number : {0u, 1u, UINT32_MAX})
        CHECK_FALSE(recently.contains("b", number, 1s));
    CHECK(recently.contains("a", 1, 1s));
    CHECK(recently.contains("ba", 1, 1s));
}

TEST_CASE("above the bound the oldest pair goes") {
    Recently recently(60s, 3);
    for (std::uint32_t number = 0; number < 5; ++number) recently.add("a", number, 0s);
    CHECK(recently.size() == 3);
    CHECK_FALSE(recently.contains("a", 1, 0s));
    CHECK(recently.contains("a", 2, 0s));
    CHECK(recently.contains("a", 4, 0s));
}

TEST_CASE("what has expired takes no room") {
    Recently recently(60s, 100);
    recently.add("a", 1, 0s);
    recently.add("b", 1, 60s);
    CHECK(recently.size() == 1);
    CHECK(recently.contains("b", 1, 60s));
}

// ----- watermark ------------------------------------------------------------------------------

TEST_CASE("pushes are folded when the fold has applied the seq that the log had then") {
    Watermark watermark;
    CHECK_FALSE(watermark.is_behind());
    CHECK(watermark.push(true) == 1);
    CHECK(watermark.push(true) == 2);
    CHECK(watermark.is_behind());
    CHECK(watermark.look(0, 0, 50) == 0);    // nothing is in the log
    CHECK(watermark.look(1, 100, 99) == 0);  // the first is, at 100 or before
    CHECK(watermark.look(2, 110, 100) == 1);
    CHECK(watermark.look(2, 110, 109) == 1);
    CHECK(watermark.is_behind());
    CHECK(watermark.look(2, 110, 110) == 2);
    CHECK_FALSE(watermark.is_behind());
}

TEST_CASE("a fact without a frame is folded when the fold is beyond the event before it") {
    Watermark watermark;
    watermark.push(false);
    CHECK(watermark.look(1, 100, 100) == 0);
    CHECK(watermark.look(1, 100, 101) == 1);
    watermark.push(true);
    CHECK(watermark.look(2, 102, 102) == 2);  // an event again
    watermark.push(false);
    watermark.push(true);
    CHECK(watermark.look(4, 110, 110) == 2);  // one of them had none
    CHECK(watermark.look(4, 110, 111) == 4);
}

// ----- identity rate --------------------------------------------------------------------------

TEST_CASE("an account has so many #identity events a minute, a host sixty times as many") {
    IdentityRate rate(2);
    CHECK(rate.take_of_account("a", 0s));
    CHECK(rate.take_of_account("a", 1s));
    CHECK_FALSE(rate.take_of_account("a", 59s));
    CHECK(rate.take_of_account("b", 59s));
    CHECK(rate.take_of_account("a", 60s));

    for (int i = 0; i < 120; ++i) CHECK(rate.take_of_host(1, 61s));
    CHECK_FALSE(rate.take_of_host(1, 61s));
    CHECK(rate.take_of_host(2, 61s));
    CHECK(rate.take_of_host(1, 121s));
}

// ----- clock ----------------------------------------------------------------------------------

TEST_CASE("our clock is behind when more than half of ten hosts or more live in the future") {
    ClockJudge judge;
    auto all_say = [&](std::uint32_t hosts, std::uint32_t in_future, Nanos now) {
        for (std::uint32_t id = 1; id <= hosts; ++id)
            judge.saw(id, id <= in_future ? 6min : 0min, now);
        judge.saw(hosts, hosts <= in_future ? 6min : 0min, now + 2s);  // lets it judge
        return judge.is_behind();
    };
    CHECK_FALSE(all_say(9, 9, 10s));
    CHECK_FALSE(all_say(10, 5, 100s));
    CHECK(all_say(10, 6, 200s));
    CHECK_FALSE(all_say(10, 0, 300s));  // a minute later nobody does any more
    CHECK(all_say(40, 21, 400s));
    CHECK(judge.hosts() == 40);
    CHECK(judge.hosts_in_future() == 21);
}

TEST_CASE("a host that lived in the future within the last minute still counts as one") {
    ClockJudge judge;
    for (std::uint32_t id = 1; id <= 10; ++id) judge.saw(id, 6min, 10s);
    for (std::uint32_t id = 1; id <= 10; ++id) judge.saw(id, -1min, 70s);
    CHECK(judge.is_behind());
    for (std::uint32_t id = 1; id <= 10; ++id) judge.saw(id, -1min, 72s);
    CHECK_FALSE(judge.is_behind());
}

TEST_CASE("how far our clock is behind is the median of those who say so") {
    ClockJudge judge;
    CHECK(judge.behind_by() == 0s);
    judge.saw(1, 10000h, 0s);
    judge.saw(2, 300min, 0s);
    judge.saw(3, 5min + 1s, 0s);
    for (std::uint32_t id = 4; id <= 9; ++id) judge.saw(id, 6min + id * 1s, 0s);
    judge.saw(10, -72h, 0s);  // sends what is old
    CHECK(judge.saw(11, 6min, 2s));
    REQUIRE(judge.is_behind());
    CHECK(judge.behind_by() >= 6min);
    CHECK(judge.behind_by() <= 6min + 9s);
    for (std::uint32_t id = 1; id <= 11; ++id) judge.saw(id, 0s, 90s);
    judge.saw(11, 0s, 92s);
    CHECK(judge.behind_by() == 0s);
}

// ----- late events ----------------------------------------------------------------------------

namespace {

LateEvent late_commit(std::uint32_t host_id, std::uint64_t rev,
                      FactsKind kind = FactsKind::commit) {
    LateEvent event;
    event.kind = kind;
    event.host_id = host_id;
    event.rev = rev;
    return event;
}

}  // namespace

TEST_CASE("late events come back in their order, once") {
    LateEvents late(100);
    CHECK(late.add("a", late_commit(1, 10)).is_first);
    CHECK_FALSE(late.add("a", late_commit(1, 11)).is_first);
    CHECK(late.add("b", late_commit(1, 5)).is_first);
    CHECK(late.size() == 3);
    auto events = late.take("a");
    REQUIRE(events.size() == 2);
    CHECK(events[0].rev == 10);
    CHECK(events[1].rev == 11);
    CHECK(late.take("a").empty());
    CHECK(late.search("a") == nullptr);
    CHECK(late.search("b") != nullptr);
    CHECK(late.size() == 1);
    CHECK(late.accounts() == 1);
}

TEST_CASE("a repeat is known by its host and rev; a #sync may have the rev of a commit") {
    LateEvents late(100);
    late.add("a", late_commit(1, 10));
    CHECK(late.is_known("a", 1, FactsKind::commit, 10));
    CHECK(late.is_known("a", 1, FactsKind::commit, 9));
    CHECK(late.is_known("a", 1, FactsKind::sync, 9));
    CHECK_FALSE(late.is_known("a", 1, FactsKind::commit, 11));
    CHECK_FALSE(late.is_known("a", 2, FactsKind::commit, 10));
    CHECK_FALSE(late.is_known("b", 1, FactsKind::commit, 10));
    CHECK_FALSE(late.is_known("a", 1, FactsKind::sync, 10));
    late.add("a", late_commit(1, 10, FactsKind::sync));
    CHECK(late.is_known("a", 1, FactsKind::sync, 10));
    LateEvent standing;
    standing.kind = FactsKind::account;
    standing.host_id = 3;
    standing.rev = 99;
    late.add("a", standing);
    CHECK_FALSE(late.is_known("a", 3, FactsKind::commit, 1));
}

TEST_CASE("the oldest late event of an account goes when it has sixteen") {
    LateEvents late(100);
    for (std::uint64_t rev = 1; rev <= 16; ++rev) {
        CHECK_FALSE(late.add("a", late_commit(1, rev)).has_forgotten);
    }
    auto added = late.add("a", late_commit(1, 17));
    CHECK(added.has_forgotten);
    CHECK_FALSE(added.emptied.has_value());
    auto events = late.take("a");
    REQUIRE(events.size() == 16);
    CHECK(events.front().rev == 2);
    CHECK(events.back().rev == 17);
}

TEST_CASE("a host that fills the late events makes its own forgotten, not those of others") {
    LateEvents late(8);
    late.add("honest", late_commit(1, 1));
    for (std::uint64_t i = 0; i < 50; ++i) {
        late.add("invented-" + std::to_string(i), late_commit(9, 1));
    }
    CHECK(late.size() == 8);
    CHECK(late.take("honest").size() == 1);
    CHECK(late.take("invented-42").empty());
    CHECK(late.take("invented-43").size() == 1);
}

TEST_CASE("a host that speaks of an account often makes its own events of it forgotten") {
    LateEvents late(100);
    late.add("a", late_commit(1, 1));
    for (std::uint64_t rev = 1; rev <= 30; ++rev) late.add("a", late_commit(9, rev));
    auto events = late.take("a");
    REQUIRE(events.size() == 16);
    CHECK(events[0].host_id == 1);
    CHECK(events[1].rev == 16);
}

TEST_CASE("the oldest late event of all goes at the bound, and its account with the last one") {
    LateEvents late(3);
    late.add("a", late_commit(1, 1));
    late.add("b", late_commit(1, 1));
    late.add("b", late_commit(1, 2));
    auto added = late.add("c", late_commit(1, 1));
    CHECK(added.has_forgotten);
    CHECK(added.emptied == "a");
    added = late.add("c", late_commit(1, 2));
    CHECK(added.has_forgotten);
    CHECK_FALSE(added.emptied.has_value());
    CHECK(late.take("b").size() == 1);
    CHECK(late.size() == 2);
}

// ----- parking --------------------------------------------------------------------------------

TEST_CASE("parked events of an account stay in line, also when the first goes back") {
    Event events[4];
    Parking parking;
    CHECK(parking.find("a") == nullptr);
    Parked& parked = parking.open("a");
    for (Event& event : events) parking.append(parked, event, 7ms);
    CHECK(parking.events() == 4);
    CHECK(parking.find("a") == &parked);
    CHECK(parking.find("b") == nullptr);
    CHECK(events[3].parked_at == 7ms);
    Event& first = parking.take_first(parked);
    CHECK(&first == &events[0]);
    CHECK(parking.events() == 3);
    parking.put_back(parked, first);
    for (Event& event : events) CHECK(&parking.take_first(parked) == &event);
    parking.put_back(parked, events[3]);  // alone
    parking.append(parked, events[0], 8ms);
    CHECK(&parking.take_first(parked) == &events[3]);
    CHECK(&parking.take_first(parked) == &events[0]);
    CHECK(parked.first == nullptr);
    parking.close(parked);
    CHECK(parking.accounts() == 0);
    CHECK(parking.events() == 0);
}

TEST_CASE("everything that is parked can be taken out") {
    Event events[3];
    Parking parking;
    parking.append(parking.open("a"), events[0], 0s);
    parking.append(*parking.find("a"), events[1], 0s);
    parking.append(parking.open("b"), events[2], 0s);
    std::size_t count = 0;
    while (parking.take_any() != nullptr) ++count;
    CHECK(count == 3);
    CHECK(parking.accounts() == 0);
    CHECK(parking.events() == 0);
}

// ----- the pace of statuses -------------------------------------------------------------------

TEST_CASE("an account's status may be said ten times at once, then once a second") {
    AccountPace pace;
    for (int i = 0; i < 10; ++i) CHECK(pace.take("a", 5s));
    CHECK_FALSE(pace.take("a", 5s));
    CHECK(pace.next("a") == 6s);
    CHECK(pace.take("b", 5s));
    CHECK_FALSE(pace.take("a", 5999ms));
    CHECK(pace.take("a", 6s));
    CHECK_FALSE(pace.take("a", 6s));
    for (int i = 0; i < 3; ++i) CHECK(pace.take("a", 9s));
    CHECK_FALSE(pace.take("a", 9s));
    for (int i = 0; i < 10; ++i) CHECK(pace.take("a", 60s));
    CHECK_FALSE(pace.take("a", 60s));
}

TEST_CASE("accounts are forgotten when they may be said as often as any other") {
    AccountPace pace;
    for (int i = 0; i < 20; ++i) pace.take("a", 0s);
    for (int i = 0; i < 100; ++i) pace.take("b" + std::to_string(i), 0s);
    CHECK(pace.size() == 101);
    for (int i = 0; i < 200; ++i) pace.take("c", 11s + i * 1s);
    CHECK(pace.size() == 1);
}

TEST_CASE("when too many accounts are counted, others pass at once") {
    AccountPace pace;
    for (std::size_t i = 0; i < AccountPace::max_accounts; ++i) pace.take(std::to_string(i), 0s);
    for (int i = 0; i < 20; ++i) CHECK(pace.take("a", 1s));
    CHECK(pace.size() == AccountPace::max_accounts);
}

// ----- first looks ----------------------------------------------------------------------------

TEST_CASE("look-ups that are not in vain cost nothing") {
    FirstLooks looks(2, 60);
    for (int i = 0; i < 10; ++i) {
        CHECK(looks.take(1, 0s));
        CHECK(looks.take(1, 0s));
        CHECK_FALSE(looks.take(1, 0s));  // two are under way
        looks.ended(1, true, false, 0s);
        looks.ended(1, true, false, 0s);
    }
    CHECK(looks.hosts() == 0);
}

TEST_CASE("who has none left waits in line, first come first served, one after the other") {
    FirstLooks looks(2, 60);
    for (int i = 0; i < 2; ++i) {
        CHECK(looks.take(1, 0s));
        looks.ended(1, true, true, 0s);
    }
    CHECK(looks.is_spent(1, 0s));
    CHECK_FALSE(looks.is_spent(2, 0s));
    for (const char* did : {"a", "b", "c"}) looks.wait_in_line(1, did, 0s);
    CHECK(looks.in_line() == 3);
    CHECK_FALSE(looks.take_due(999ms).has_value());
    for (auto [did, at] :
         {std::pair("a", 1001ms), std::pair("b", 2001ms), std::pair("c", 3001ms)}) {
        CHECK_FALSE(looks.take_due(at - 2ms).has_value());
        CHECK(looks.next_due() <= at);
        CHECK_FALSE(looks.take(1, at));  // others are before it
        auto turn = looks.take_due(at);
        REQUIRE(turn.has_value());
        CHECK(turn->did == did);
        CHECK(turn->host_id == 1);
        looks.ended(1, true, true, at);
    }
    CHECK(looks.next_due() == Nanos::max());
    CHECK(looks.in_line() == 0);
}

TEST_CASE("what is given back lets the next in line go; what was not taken is owed") {
    FirstLooks looks(1, 1);
    CHECK(looks.take(1, 0s));
    looks.wait_in_line(1, "a", 0s);
    CHECK_FALSE(looks.take_due(1s).has_value());
    looks.ended(1, true, false, 1s);
    CHECK(looks.take_due(1s).has_value());
    looks.ended(1, false, true, 1s);
    looks.ended(1, true, true, 1s);
    looks.wait_in_line(1, "b", 1s);
    CHECK_FALSE(looks.take_due(119s).has_value());
    CHECK(looks.take_due(122s).has_value());
}

// ----- other words ----------------------------------------------------------------------------

namespace {

constexpr std::string_view did = "did:plc:abcdefghijklmnopqrstuvwx";

Bytes payload(const Buffer& frame) {
    return proto::payload_of(frame, proto::peek(frame).value());
}

Buffer identity_frame(std::optional<std::string_view> handle) {
    proto::IdentityEvent event;
    event.seq = 77;
    event.did = did;
    event.time = "2026-01-01T00:00:00Z";
    event.handle = handle;
    return proto::encode_frame(event);
}

}  // namespace

TEST_CASE("an #identity loses its handle and nothing else") {
    CHECK(identity_without_handle(payload(identity_frame("a.example"))).value() ==
          identity_frame(std::nullopt));
    CHECK(identity_without_handle(payload(identity_frame(std::nullopt))).value().empty());
    CHECK_FALSE(identity_without_handle(Bytes()).has_value());
}

TEST_CASE("an #account gets another standing, its word or none") {
    proto::AccountEvent event;
    event.seq = 77;
    event.did = did;
    event.time = "2026-01-01T00:00:00Z";
    event.is_active = true;
    Buffer active = proto::encode_frame(event);
    event.is_active = false;
    event.status = "takendown";
    Buffer taken_down = proto::encode_frame(event);
    CHECK(
        account_with_standing(payload(active), {false, proto::AccountStatus::takendown}).value() ==
        taken_down);
    CHECK(account_with_standing(payload(taken_down), {}).value() == active);
    CHECK_FALSE(account_with_standing(Bytes(), {}).has_value());
}

TEST_CASE("an #account of our own is one in order") {
    Buffer frame = account_frame(did, {}, WallMillis(1'767'225'600'123));
    auto peeked = proto::peek(frame);
    REQUIRE(peeked.has_value());
    CHECK_FALSE(peeked->needs_repair);
    auto event = proto::parse_account_event(payload(frame));
    REQUIRE(event.has_value());
    CHECK(event->did == did);
    CHECK(event->is_active);
    CHECK_FALSE(event->status.has_value());
    CHECK(event->time == "2026-01-01T00:00:00.123Z");
}

TEST_CASE("times are written in full") {
    CHECK(datetime_text(WallMillis(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(datetime_text(WallMillis(951'827'696'007)) == "2000-02-29T12:34:56.007Z");
}

// ----- questions to hosts ---------------------------------------------------------------------

TEST_CASE("an account's host is asked at once, then after 10 s, 1 min, 5 min, 5 min") {
    QuestionBook book;
    Nanos now = 100s;
    auto ask = [&] {
        REQUIRE(book.may_ask("a", 1, now));
        book.begin("a", 1, now);
        book.end("a", 1, false);
    };
    ask();
    for (Nanos pause : {Nanos(10s), Nanos(1min), Nanos(5min), Nanos(5min)}) {
        CHECK_FALSE(book.may_ask("a", 1, now + pause - 1ns));
        now += pause;
        ask();
    }
    CHECK(book.may_ask("b", 1, now));
}

TEST_CASE("an account that was found active may be asked for at once again") {
    QuestionBook book;
    book.begin("a", 1, 0s);
    book.end("a", 1, true);
    CHECK(book.may_ask("a", 1, 0s));
}

TEST_CASE("two questions at once go to a host, sixteen in all") {
    QuestionBook book;
    book.begin("a", 1, 0s);
    CHECK(book.may_ask("b", 1, 0s));
    book.begin("b", 1, 0s);
    CHECK_FALSE(book.may_ask("c", 1, 0s));
    CHECK(book.may_ask("c", 2, 0s));
    for (std::uint32_t host = 2; host < 16; ++host) {
        book.begin("d" + std::to_string(host), host, 0s);
    }
    CHECK(book.under_way() == 16);
    CHECK_FALSE(book.may_ask("e", 99, 0s));
    book.end("a", 1, false);
    CHECK(book.may_ask("e", 99, 0s));
    CHECK(book.may_ask("c", 1, 0s));
}

TEST_CASE("accounts that were asked for long ago make room") {
    QuestionBook book;
    for (std::size_t i = 0; i < QuestionBook::max_accounts; ++i) {
        std::string its_did = std::to_string(i);
        book.begin(its_did, 1, 100s);
        book.end(its_did, 1, false);
    }
    CHECK_FALSE(book.may_ask("new", 1, 101s));
    CHECK_FALSE(book.may_ask("new", 1, 409s));
    CHECK_FALSE(book.may_ask("new", 1, 411s));  // 10 s after it was last looked for room
    CHECK(book.may_ask("new", 1, 420s));
    CHECK(book.may_ask("17", 1, 420s));
}

TEST_CASE("a status answer must be about this account and say whether it is active") {
    auto read = [](std::string_view json) { return read_repo_status(json, "did:plc:a"); };
    CHECK(read(R"({"did":"did:plc:a","active":true,"rev":"3"})") == HostAnswer::active);
    CHECK(read(R"({"did":"did:plc:a","active":false,"status":"x"})") == HostAnswer::inactive);
    CHECK(read(R"({"did":"did:plc:b","active":true})") == HostAnswer::none);
    CHECK(read(R"({"active":true})") == HostAnswer::none);
    CHECK(read(R"({"did":"did:plc:a","active":"true"})") == HostAnswer::none);
    CHECK(read(R"({"did":"did:plc:a"})") == HostAnswer::none);
    CHECK(read(R"(["did:plc:a",true])") == HostAnswer::none);
    CHECK(read("") == HostAnswer::none);
    CHECK(read("<html>") == HostAnswer::none);
}

// ----- hosts ----------------------------------------------------------------------------------

TEST_CASE("hosts that were met have numbers of their own, all others one together") {
    HostsMet hosts;
    hosts.meet(1, "one.example");
    hosts.meet(2, "two.example");
    hosts.meet(1, "one.example");
    std::uint32_t one = hosts.number_of_pds("one.example");
    std::uint32_t two = hosts.number_of_pds("two.example");
    std::uint32_t other = hosts.number_of_pds("three.example");
    CHECK(one != two);
    CHECK(other != one);
    CHECK(other != two);
    CHECK(other != 0);
    CHECK(hosts.number_of_pds("four.example") == other);
    CHECK(hosts.number_of_pds("") == 0);
    CHECK(hosts.name(one) == "one.example");
    CHECK(hosts.name(other) != "three.example");
    CHECK(hosts.name(0).empty());
    hosts.meet(3, "three.example");
    CHECK(hosts.name(hosts.number_of_pds("three.example")) == "three.example");
}

// ----- who has which account ------------------------------------------------------------------

TEST_CASE("accounts are spread evenly over shards, in another way with another key") {
    // Nothing is asked of the shards but where they are.
    std::array<std::uint64_t, 4> places{};
    std::vector<Shard*> shards;
    for (auto& place : places) shards.push_back(reinterpret_cast<Shard*>(&place));
    Shards one(shards, 1), two(shards, 2);
    std::map<Shard*, int> count;
    int moved = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string its_did = "did:plc:" + std::to_string(i);
        Shard* shard = &one.of(its_did);
        CHECK(shard == &one.of(its_did));
        ++count[shard];
        if (shard != &two.of(its_did)) ++moved;
    }
    for (Shard* shard : shards) {
        CHECK(count[shard] > 850);
        CHECK(count[shard] < 1150);
    }
    CHECK(moved > 2800);
}
