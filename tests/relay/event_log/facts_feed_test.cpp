#include "relay/event_log/facts_feed.hpp"

#include <algorithm>

#include "relay/event_log/check.hpp"
#include "tests/relay/event_log/one_log.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;

namespace {

// A record again as bytes, so that nothing of it is overlooked.
struct Got {
    Buffer record;
    FactsPoint behind;

    bool operator==(const Got&) const = default;
};

FactsFeed open_feed(Log& log, FactsPoint from = {}) {
    auto feed = FactsFeed::open(log, from);
    INFO((feed ? "" : feed.error().what));
    REQUIRE(feed.has_value());
    return std::move(*feed);
}

// Until there is nothing new.
std::vector<Got> drain(FactsFeed& feed, std::size_t max = 1024) {
    std::vector<Got> all;
    for (;;) {
        auto items = feed.read(max);
        INFO((items ? "" : items.error().what));
        REQUIRE(items.has_value());
        if (items->empty()) return all;
        REQUIRE(items->size() <= max);
        for (const FactsFeed::Item& item : *items) {
            Got& got = all.emplace_back(Buffer(), item.behind);
            append_facts(got.record, item.facts);
        }
        REQUIRE(feed.point() == all.back().behind);
    }
}

std::vector<Got> from(Log& log, FactsPoint point = {}, std::size_t max = 1024) {
    FactsFeed feed = open_feed(log, point);
    return drain(feed, max);
}

// What the facts files say, read without the log.
std::vector<Got> on_disk(OneLog& one) {
    std::vector<Got> all;
    for (const std::string& name : one.names()) {
        if (!name.ends_with(".facts")) continue;
        const Buffer file = one.content(name);
        for (std::size_t at = segment_header_bytes; at < file.size();) {
            auto decoded = decode_facts(Bytes(file).subspan(at));
            REQUIRE(decoded.has_value());
            Got& got = all.emplace_back();
            append_facts(got.record, decoded->facts);
            at += decoded->size_bytes;
            got.behind = {parse_segment_file_name(name)->base, at};
        }
    }
    return all;
}

void append_events(Log& log, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) {
        append_one(log, 1, i, 300);
        if (i % 3 == 0) REQUIRE(fiber::sleep_for(20ms).has_value());
    }
}

LogOptions small_window() {
    LogOptions options = small_log();
    options.space.retention_bytes = 6'000;
    options.keeps_facts = true;
    return options;
}

std::size_t count_files(OneLog& one, std::string_view suffix) {
    auto names = one.names();
    return static_cast<std::size_t>(
        std::ranges::count_if(names, [&](const auto& name) { return name.ends_with(suffix); }));
}

// More segments than the window holds, all synced.
void overfill(OneLog& one, Log& log) {
    append_host(log, "pds.example");
    append_events(log, 1, 150);
    REQUIRE(fiber::sleep_for(1s).has_value());
    REQUIRE(log.counters().segments_removed.load() > 5);
    REQUIRE(count_files(one, ".facts") > count_files(one, ".wire") + 5);
}

}  // namespace

TEST_CASE(
    "a feed that gets no descriptor for the next segment has nothing new, and goes on later") {
    OneLog one;
    one.run([&] {
        auto log = one.open(small_log());
        append_host(*log, "pds.example");
        append_events(*log, 1, 60);
        REQUIRE(fiber::sleep_for(1s).has_value());
        REQUIRE(log->counters().segments.load() > 3);
        const std::vector<Got> expected = from(*log);
        FactsFeed feed = open_feed(*log);
        std::vector<Got> got;
        for (int rounds = 0; got.size() < expected.size(); ++rounds) {
            REQUIRE(rounds < 100);
            one.machine.disk().fail(fiber::Op::Kind::open, 2, EMFILE);  // each second segment
            for (Got& each : drain(feed)) got.push_back(std::move(each));
        }
        CHECK(got == expected);
        log->close();
    });
}

TEST_CASE("a feed gives every record once and in order, whatever its pace and wherever it begins") {
    OneLog one;
    std::vector<Got> expected;
    auto check = [&](Log& log) {
        for (std::size_t max : {1ul, 3ul, 1024ul}) CHECK(from(log, {}, max) == expected);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            std::vector<Got> rest(expected.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                                  expected.end());
            REQUIRE(from(log, expected[i].behind) == rest);
        }
        CHECK_FALSE(open_feed(log).began_with_gap());
    };
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_events(*log, 1, 60);
        CHECK(log->counters().segments.load() > 4);
        REQUIRE(fiber::sleep_for(100ms).has_value());
        expected = on_disk(one);
        CHECK(expected.size() > 64);
        check(*log);
        CHECK(log->synced_facts() == expected.back().behind);
    });  // ends without a word
    one.run([&] {
        auto log = one.open();
        CHECK(log->opened_facts() == expected.back().behind);
        CHECK(log->synced_facts() == expected.back().behind);
        check(*log);
        FactsFeed feed = open_feed(*log, expected.back().behind);
        CHECK(drain(feed).empty());
        // Followed live, from the old segment into new ones.
        std::vector<Got> more;
        for (std::uint64_t i = 61; i <= 92; ++i) {
            append_one(*log, 1, i, 300);
            if (i % 4 == 0) REQUIRE(log->sync_now().has_value());
            auto got = drain(feed);
            more.insert(more.end(), got.begin(), got.end());
        }
        std::vector<Got> all = on_disk(one);
        CHECK(std::equal(more.begin(), more.end(),
                         all.begin() + static_cast<std::ptrdiff_t>(expected.size()), all.end()));
        log->close();
    });
}

TEST_CASE("a feed gives nothing that is not synced") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_log();
        options.sync_interval = 1h;
        auto log = one.open(options);
        const FactsPoint opened = log->opened_facts();
        CHECK(opened == FactsPoint{0, segment_header_bytes});
        FactsFeed feed = open_feed(*log);
        append_host(*log, "pds.example");
        std::size_t got = 0;
        for (std::uint64_t i = 1; i <= 30; ++i) {
            append_one(*log, 1, i, 300);
            const FactsPoint before = log->synced_facts();
            CHECK(drain(feed).empty());
            CHECK(log->synced_facts() == before);
            if (i % 10 != 0) continue;
            REQUIRE(log->sync_now().has_value());
            got += drain(feed).size();
            CHECK(got == on_disk(one).size());
        }
        CHECK(log->opened_facts() == opened);
        log->close();
    });
}

TEST_CASE("a feed that has come to the end has come to where the log ended when it was opened") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_log();
        auto log = one.open(options);
        append_host(*log, "pds.example");
        append_events(*log, 1, 30);
        log->close();
    });
    // The newest segment goes: the one before it is sealed, and a new one begins behind it.
    for (SegmentFile which : {SegmentFile::wire, SegmentFile::facts}) {
        one.run([&] {
            std::string newest;
            for (const std::string& name : one.names()) {
                auto parsed = parse_segment_file_name(name);
                if (parsed && parsed->which == which) newest = name;
            }
            auto directory = one.env.disk.open_directory("/log").value();
            REQUIRE(directory.remove(newest).has_value());
            REQUIRE(directory.sync().has_value());
        });
    }
    one.run([&] {
        auto log = one.open();
        const FactsPoint opened = log->opened_facts();
        CHECK(opened.offset == segment_header_bytes);
        CHECK(opened.segment_base > 0);
        FactsFeed feed = open_feed(*log);
        CHECK(drain(feed).back().behind < opened);
        CHECK(feed.point() == opened);
        log->close();
    });
}

TEST_CASE("what a sender says of an event, and of an account, is in the facts") {
    OneLog one;
    const Buffer rev(13, 'r'), data(36, 1), commit(36, 2), statuses{3, 4}, delta(300'000, 7);
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        OwnedEntry event(1, 50, 300);
        event.entry.host_ack = 47;
        auto field = [](Entry& entry, FactsField which, const Buffer& bytes) {
            entry.fields[static_cast<std::size_t>(which)] = bytes;
        };
        field(event.entry, FactsField::rev, rev);
        field(event.entry, FactsField::data_cid, data);
        field(event.entry, FactsField::commit_cid, commit);
        field(event.entry, FactsField::index_delta, delta);
        OwnedEntry own(1, 50, 300);
        own.entry.upstream_seq = own.entry.host_ack = 0;
        Entry late;
        late.kind = FactsKind::late_verification;
        late.host_id = 1;
        late.text = event.did;
        field(late, FactsField::rev, rev);
        field(late, FactsField::data_cid, data);
        Entry standing;
        standing.kind = FactsKind::account_standing;
        standing.host_id = 1;
        standing.text = event.did;
        field(standing, FactsField::statuses, statuses);
        Entry* batch[] = {&event.entry, &own.entry, &late, &standing};
        REQUIRE(log->append(batch).has_value());
        CHECK(event.entry.seq == 1000);
        CHECK(late.seq == 0);
        REQUIRE(log->sync_now().has_value());

        FactsFeed feed = open_feed(*log);
        auto items = feed.read(100);
        REQUIRE(items.has_value());
        REQUIRE(items->size() == 1);  // the name; then more than one look takes
        items = feed.read(100);
        REQUIRE(items.has_value());
        REQUIRE(items->size() == 4);
        auto has = [&](std::size_t i, FactsField which, const Buffer& bytes) {
            return std::ranges::equal((*items)[i].facts.field(which), bytes);
        };
        CHECK(has(0, FactsField::rev, rev));
        CHECK(has(0, FactsField::data_cid, data));
        CHECK(has(0, FactsField::commit_cid, commit));
        CHECK(has(0, FactsField::index_delta, delta));
        CHECK(host_ack_of((*items)[0].facts) == 47);
        CHECK((*items)[1].facts.upstream_seq == 0);
        CHECK((*items)[2].facts.kind == FactsKind::late_verification);
        CHECK((*items)[2].facts.text == event.did);
        CHECK(has(2, FactsField::rev, rev));
        CHECK((*items)[3].facts.kind == FactsKind::account_standing);
        CHECK(has(3, FactsField::statuses, statuses));
        CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", 47, {50}}});
        log->close();
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", 47, {50}}});
        log->close();
    });
}

TEST_CASE(
    "an event that overtook others is known above its host's cursor, in later segments, too") {
    OneLog one;
    LogOptions options = small_log();
    options.space.retention_bytes = 6'000;
    const std::vector<Host> expected{{1, "slow.example", 9, {14, 20}}, {2, "other.example", 150}};
    one.run([&] {
        auto log = one.open(options);
        append_host(*log, "slow.example");
        append_host(*log, "other.example");
        for (std::uint64_t seq : {20ul, 14ul}) {
            OwnedEntry overtaking(1, seq, 300);
            overtaking.entry.host_ack = 9;
            Entry* batch[] = {&overtaking.entry};
            REQUIRE(log->append(batch).has_value());
        }
        for (std::uint64_t i = 1; i <= 150; ++i) {
            append_one(*log, 2, i, 300);
            REQUIRE(fiber::sleep_for(20ms).has_value());
        }
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(log->counters().segments_removed.load() > 5);
        CHECK(log->hosts() == expected);
    });
    one.run([&] {
        auto log = one.open(options);
        CHECK(log->hosts() == expected);
        log->close();
    });
}

TEST_CASE("facts outlive their frames until they are no longer needed, also through a restart") {
    OneLog one;
    std::vector<Got> everything;
    one.run([&] {
        auto log = one.open(small_window());
        overfill(one, *log);
        CHECK(log->counters().facts_only_bytes.load() > 0);
        everything = on_disk(one);
        CHECK(from(*log) == everything);
        CHECK_FALSE(open_feed(*log).began_with_gap());
        log->close();
        auto report = check_log(one.env, "/log");
        REQUIRE(report.has_value());
        CHECK(report->is_sound());
        CHECK(report->unfinished == 0);
        CHECK(report->facts_only_segments ==
              count_files(one, ".facts") - count_files(one, ".wire"));
    });
    one.run([&] {
        auto log = one.open(small_window());
        CHECK(log->recovery().facts_kept > 5);
        CHECK(log->recovery().leftovers_removed == 0);
        CHECK(from(*log) == everything);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(from(*log) == everything);

        // A point at the very end of a segment must still be found there.
        auto ends_segment = [&](std::size_t i) {
            return everything[i].behind.segment_base != everything[i + 1].behind.segment_base;
        };
        std::size_t last = 3;
        while (!ends_segment(last)) ++last;
        const FactsPoint point = everything[last].behind;
        log->facts_needed_from(point);
        REQUIRE(fiber::sleep_for(1s).has_value());
        std::vector<Got> rest(everything.begin() + static_cast<std::ptrdiff_t>(last) + 1,
                              everything.end());
        FactsFeed feed = open_feed(*log, point);
        CHECK_FALSE(feed.began_with_gap());
        CHECK(drain(feed) == rest);
        const bool is_first = point.segment_base == everything[0].behind.segment_base;
        CHECK(open_feed(*log).began_with_gap() == !is_first);

        log->facts_needed_from(everything.back().behind);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(count_files(one, ".facts") == count_files(one, ".wire"));
        CHECK(log->counters().facts_only_bytes.load() == 0);
        FactsFeed late = open_feed(*log, point);
        CHECK(late.began_with_gap());
        auto left = drain(late);
        CHECK(std::equal(left.rbegin(), left.rend(), everything.rbegin()));
        log->close();
    });
}

TEST_CASE("facts that nobody needs go with their frames, and a feed says what it lacks") {
    OneLog one;
    one.run([&] {
        LogOptions options = small_window();
        options.keeps_facts = false;
        auto log = one.open(options);
        append_host(*log, "pds.example");
        FactsFeed slow = open_feed(*log);
        append_events(*log, 1, 150);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(count_files(one, ".facts") == count_files(one, ".wire"));
        CHECK(log->counters().facts_only_bytes.load() == 0);
        FactsFeed feed = open_feed(*log);
        CHECK(feed.began_with_gap());
        CHECK(drain(feed) == on_disk(one));
        // It holds the file of its segment; the next one is gone.
        for (;;) {
            auto items = slow.read(100);
            if (items && !items->empty()) continue;
            REQUIRE_FALSE(items.has_value());
            CHECK(items.error().code == Errc::not_found);
            break;
        }
        log->close();
    });
}

TEST_CASE("old facts that nobody needs any more go when the log is opened without need of them") {
    OneLog one;
    one.run([&] {
        auto log = one.open(small_window());
        overfill(one, *log);
        log->close();
    });
    one.run([&] {
        LogOptions options = small_window();
        options.keeps_facts = false;
        auto log = one.open(options);
        CHECK(log->recovery().facts_kept > 5);
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(count_files(one, ".facts") == count_files(one, ".wire"));
        CHECK(open_feed(*log).began_with_gap());
        log->close();
    });
}

TEST_CASE("a point that the log does not have is refused") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_events(*log, 1, 20);
        REQUIRE(log->sync_now().has_value());
        const FactsPoint end = log->synced_facts();
        for (FactsPoint point :
             {FactsPoint{1, 64}, FactsPoint{end.segment_base + 1, 64},
              FactsPoint{end.segment_base, end.offset + 1}, FactsPoint{0, 1 << 20}}) {
            auto feed = FactsFeed::open(*log, point);
            REQUIRE_FALSE(feed.has_value());
            CHECK(feed.error().code == Errc::not_found);
        }
        CHECK(FactsFeed::open(*log, end).has_value());
        log->close();
    });
}

TEST_CASE("a damaged record is corrupt, and stays so; what comes before it is given") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        append_one(*log, 1, 2);
        REQUIRE(log->sync_now().has_value());
        FactsFeed feed = open_feed(*log);
        FactsFeed other = open_feed(*log);
        const std::vector<Got> whole = on_disk(one);
        Buffer file = one.content("00000000000000000000.facts");
        SECTION("a wrong byte") {
            file[whole[1].behind.offset + 20] ^= 1;
        }
        SECTION("a length that leads beyond the end") {
            file[whole[1].behind.offset + 5] = 9;
        }
        auto opened = one.env.disk.open_directory("/log").value().open("00000000000000000000.facts",
                                                                       env::OpenMode::write);
        REQUIRE(opened->write_at(0, Bytes(file)).has_value());
        CHECK(feed.read(100).value().size() == 2);
        for (int i = 0; i < 2; ++i) {
            auto items = feed.read(100);
            REQUIRE_FALSE(items.has_value());
            CHECK(items.error().code == Errc::corrupt);
            CHECK(feed.point() == whole[1].behind);
        }
        REQUIRE(opened->truncate(whole[0].behind.offset + 30).has_value());
        auto cut = other.read(100);
        REQUIRE_FALSE(cut.has_value());
        CHECK(cut.error().code == Errc::corrupt);
        log->close();
    });
}

TEST_CASE("old facts that do not join what follows are removed, and their loss is seen") {
    OneLog one;
    one.run([&] {
        auto log = one.open(small_window());
        overfill(one, *log);
        log->close();
    });
    std::vector<std::string> old;
    one.run([&] {
        for (const std::string& name : one.names()) {
            auto parsed = parse_segment_file_name(name);
            if (!parsed || parsed->which != SegmentFile::facts) continue;
            if (!one.has(segment_file_name(parsed->base, SegmentFile::wire))) old.push_back(name);
        }
    });
    REQUIRE(old.size() > 5);
    std::uint64_t damages = 0;
    std::uint64_t unfinished = 0;
    SECTION("a hole") {
        one.run([&] {
            auto directory = one.env.disk.open_directory("/log").value();
            REQUIRE(directory.remove(old[2]).has_value());
            REQUIRE(directory.sync().has_value());
        });
        unfinished = 1;
    }
    SECTION("a wrong byte") {
        Buffer file = one.content(old[2]);
        file[segment_header_bytes + 12] ^= 1;
        one.put(old[2], file);
        damages = 1;
    }
    SECTION("a cut end") {
        Buffer file = one.content(old[2]);
        std::size_t end = segment_header_bytes;
        for (std::size_t at = end; at < file.size();) {
            end = at;
            at += decode_facts(Bytes(file).subspan(at))->size_bytes;
        }
        file.resize(end);
        one.put(old[2], file);
        unfinished = 1;
    }
    SECTION("another log's") {
        Buffer file = one.content(old[2]);
        SegmentHeader header = decode_segment_header(file).value();
        header.log_id += 1;
        std::ranges::copy(encode_segment_header(header), file.begin());
        one.put(old[2], file);
        unfinished = 2;
    }
    one.run([&] {
        auto report = check_log(one.env, "/log");
        REQUIRE(report.has_value());
        CHECK(report->damages == damages);
        CHECK(report->unfinished == unfinished);
        auto log = one.open(small_window());
        CHECK(log->recovery().facts_kept == old.size() - 3);
        CHECK(log->recovery().segments_dropped == 0);
        CHECK_FALSE(one.has(old[0]));
        CHECK(one.has(old[3]));
        FactsFeed feed = open_feed(*log);
        CHECK(feed.began_with_gap());
        CHECK(drain(feed).size() > 20);
        log->close();
    });
}
