#include "relay/event_log/recovery.hpp"

#include "proto/base/crc32c.hpp"
#include "relay/event_log/check.hpp"
#include "tests/relay/event_log/one_log.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;

namespace {

constexpr std::string_view first_wire = "00000000000000000000.wire";
constexpr std::string_view first_facts = "00000000000000000000.facts";

// Ten events of one segment; then an end without a word.
struct TenEvents {
    explicit TenEvents(std::uint64_t count = 10, LogOptions options = small_log()) {
        one.run([&] {
            auto log = one.open(options);
            append_host(*log, "pds.example");
            for (std::uint64_t i = 1; i <= count; ++i) {
                frames.push_back(append_one(*log, 1, i, 300));
                extend(stream, frames.back());
                // So that what is rolled is sealed.
                REQUIRE(fiber::sleep_for(20ms).has_value());
            }
            REQUIRE(fiber::sleep_for(1s).has_value());
        });
    }

    // Opens it: what comes out must be a prefix of what went in, of `count` events, also the second
    // time, and usable.
    RecoveryReport recovers(std::size_t count) {
        Buffer prefix;
        for (std::size_t i = 0; i < count; ++i) extend(prefix, frames[i]);
        RecoveryReport report;
        one.run([&] {
            auto log = one.open();
            report = log->recovery();
            CHECK(read_all(*log) == prefix);
            CHECK(log->hosts() == std::vector<Host>{{1, "pds.example", count}});
            CHECK(report.first_seq > 1000 + count);
            if (count > 0) extend(prefix, append_one(*log, 1, 500));
        });
        one.run([&] {
            auto log = one.open();
            CHECK_FALSE(log->recovery().cut_anything());
            CHECK(read_all(*log) == prefix);
            log->close();
            auto check = check_log(one.env, "/log");
            REQUIRE(check.has_value());
            CHECK(check->is_sound());
        });
        return report;
    }

    // Where the n-th event's facts begin.
    std::size_t facts_offset(std::size_t n) {
        Buffer file = one.content(first_facts);
        std::size_t at = segment_header_bytes;
        for (std::size_t seen = 0;;) {
            auto decoded = decode_facts(Bytes(file).subspan(at));
            if (is_event(decoded->facts.kind) && seen++ == n) return at;
            at += decoded->size_bytes;
        }
    }
    std::size_t wire_offset(std::size_t n) {
        std::size_t at = segment_header_bytes;
        for (std::size_t i = 0; i < n; ++i) at += frames[i].size();
        return at;
    }

    OneLog one;
    std::vector<Buffer> frames;
    Buffer stream;
};

void flip(OneLog& one, std::string_view name, std::size_t at) {
    Buffer file = one.content(name);
    file.at(at) ^= 0x40;
    one.put(name, file);
}

void cut(OneLog& one, std::string_view name, std::size_t size) {
    Buffer file = one.content(name);
    REQUIRE(size <= file.size());
    file.resize(size);
    one.put(name, file);
}

std::string last_with(OneLog& one, std::string_view suffix, std::size_t from_the_end = 0) {
    std::vector<std::string> found;
    one.run([&] {
        for (const std::string& name : one.names()) {
            if (name.ends_with(suffix)) found.push_back(name);
        }
    });
    REQUIRE(found.size() > from_the_end);
    return found[found.size() - 1 - from_the_end];
}

}  // namespace

TEST_CASE("an intact log comes back whole") {
    TenEvents log;
    RecoveryReport report = log.recovers(10);
    CHECK_FALSE(report.cut_anything());
    CHECK_FALSE(report.was_clean);
    CHECK(report.head_seq == 1009);
    CHECK(report.oldest_seq == 1000);
    CHECK(report.head_position == log.stream.size());
    CHECK(report.hosts == 1);
}

TEST_CASE("a torn facts file ends the log before the torn record, and the frames go with it") {
    TenEvents log;
    const std::size_t whole = log.one.content(first_facts).size();
    const std::size_t size = GENERATE(Catch::Generators::range<std::size_t>(1, 60, 7));
    cut(log.one, first_facts, whole - size);
    RecoveryReport report = log.recovers(9);
    CHECK(report.wire_bytes_cut == log.frames[9].size());
    CHECK(report.facts_bytes_cut > 0);
}

TEST_CASE("a torn wire file ends the log before the torn frame, and its facts go with it") {
    TenEvents log;
    cut(log.one, first_wire, log.wire_offset(8) + 1);
    RecoveryReport report = log.recovers(8);
    CHECK(report.wire_bytes_cut == 1);
    CHECK(report.records_cut == 2);
}

TEST_CASE("a wrong byte in a record or in a frame ends the log there") {
    SECTION("facts") {
        TenEvents log;
        flip(log.one, first_facts, log.facts_offset(6) + 30);
        CHECK(log.recovers(6).wire_bytes_cut > 0);
    }
    SECTION("frame") {
        TenEvents log;
        flip(log.one, first_wire, log.wire_offset(6) + 100);
        CHECK(log.recovers(6).records_cut == 4);
    }
    SECTION("a hole of zeros in the frames") {
        TenEvents log;
        Buffer file = log.one.content(first_wire);
        std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(log.wire_offset(3)) + 20, 200, 0);
        log.one.put(first_wire, file);
        log.recovers(3);
    }
    SECTION("a hole of zeros in the facts") {
        TenEvents log;
        Buffer file = log.one.content(first_facts);
        std::fill_n(file.begin() + static_cast<std::ptrdiff_t>(log.facts_offset(3)), 91, 0);
        log.one.put(first_facts, file);
        log.recovers(3);
    }
}

TEST_CASE("bytes behind the last record are cut, from both files") {
    TenEvents log;
    Buffer wire = log.one.content(first_wire);
    wire.resize(wire.size() + 1000, 7);
    log.one.put(first_wire, wire);
    SECTION("wire alone") {
        CHECK(log.recovers(10).wire_bytes_cut == 1000);
    }
    SECTION("both") {
        Buffer facts = log.one.content(first_facts);
        facts.resize(facts.size() + 500);
        log.one.put(first_facts, facts);
        CHECK(log.recovers(10).facts_bytes_cut == 500);
    }
}

TEST_CASE("a record that repeats an older seq, or points elsewhere, ends the log") {
    TenEvents log;
    Buffer facts = log.one.content(first_facts);
    Buffer copy(facts.begin() + static_cast<std::ptrdiff_t>(log.facts_offset(9)), facts.end());
    auto decoded = decode_facts(copy).value();
    Facts forged = decoded.facts;
    // A second frame with the same bytes, and facts that fit it but for one thing.
    Buffer wire = log.one.content(first_wire);
    forged.wire_offset = static_cast<std::uint32_t>(wire.size() - segment_header_bytes);
    extend(wire, log.frames[9]);
    SECTION("seq") {}
    SECTION("offset") {
        forged.seq += 1;
        forged.wire_offset -= 1;
    }
    SECTION("host") {
        forged.seq += 1;
        forged.host_id = 9;
    }
    append_facts(facts, forged);
    log.one.put(first_wire, wire);
    log.one.put(first_facts, facts);
    CHECK(log.recovers(10).records_cut == 1);
}

TEST_CASE("files that a crash has left half made are removed") {
    TenEvents log;
    const std::string name = "00000000000000" + std::to_string(100'000 + log.stream.size());
    SECTION("a wire file alone") {
        log.one.put(name + ".wire", log.one.content(first_wire));
    }
    SECTION("both, without headers") {
        log.one.put(name + ".wire", {});
        log.one.put(name + ".facts", Buffer(segment_header_bytes));
    }
    SECTION("a seal that was being written") {
        log.one.put("00000000000000000000.seal.new", Buffer(100));
    }
    CHECK(log.recovers(10).leftovers_removed > 0);
    CHECK_FALSE(log.one.has(name + ".wire"));
    CHECK_FALSE(log.one.has("00000000000000000000.seal.new"));
}

TEST_CASE("a file that is not ours is left alone") {
    TenEvents log;
    log.one.put("notes.txt", Buffer{1, 2, 3});
    log.recovers(10);
    CHECK(log.one.has("notes.txt"));
}

TEST_CASE("a damaged last segment of many is cut, the sealed ones before it stay") {
    TenEvents log(40);
    const std::string facts = last_with(log.one, ".facts");
    const std::string wire = last_with(log.one, ".wire");
    const std::uint64_t base = parse_segment_file_name(wire)->base;
    std::size_t before = 0;
    for (std::uint64_t at = 0; at < base; ++before) at += log.frames[before].size();
    REQUIRE(before < 40);
    SECTION("its frames") {
        flip(log.one, wire, segment_header_bytes + 5);
        log.recovers(before);
    }
    SECTION("its header: it was being made") {
        flip(log.one, wire, 3);
        log.recovers(before);
    }
    SECTION("gone") {
        cut(log.one, facts, 0);
        log.recovers(before);
    }
}

TEST_CASE("a segment that does not go on from the last seq before it is another life's, and goes") {
    TenEvents log(40);
    const std::string wire = last_with(log.one, ".wire");
    const std::uint64_t base = parse_segment_file_name(wire)->base;
    std::size_t before = 0;
    for (std::uint64_t at = 0; at < base; ++before) at += log.frames[before].size();
    for (const std::string& name : {wire, last_with(log.one, ".facts")}) {
        Buffer file = log.one.content(name);
        SegmentHeader header = decode_segment_header(file).value();
        CHECK(header.floor_seq == 999 + before);
        header.floor_seq -= 1;
        std::ranges::copy(encode_segment_header(header), file.begin());
        log.one.put(name, file);
    }
    CHECK(log.recovers(before).segments_cut == 1);
}

TEST_CASE("without its seal a segment is read whole, and sealed again") {
    TenEvents log(40);
    const std::string seal = last_with(log.one, ".seal", 1);
    SECTION("missing") {
        log.one.run(
            [&] { REQUIRE(log.one.env.disk.open_directory("/log")->remove(seal).has_value()); });
    }
    SECTION("damaged") {
        flip(log.one, seal, 80);
    }
    CHECK(log.recovers(40).seals_rebuilt == 1);
    CHECK(decode_seal(log.one.content(seal)).has_value());
}

TEST_CASE("damage in a segment that was sealed costs the older side, never the newer") {
    TenEvents log(60);
    const std::string wire = last_with(log.one, ".wire", 3);
    const std::uint64_t base = parse_segment_file_name(wire)->base;
    const std::uint64_t next = parse_segment_file_name(last_with(log.one, ".wire", 2))->base;
    REQUIRE(base > 0);
    SECTION("a file is shorter than its seal says") {
        cut(log.one, wire, 500);
    }
    SECTION("a file is gone") {
        log.one.run(
            [&] { REQUIRE(log.one.env.disk.open_directory("/log")->remove(wire).has_value()); });
    }
    log.one.run([&] {
        auto opened = log.one.open();
        CHECK(opened->recovery().segments_dropped > 0);
        Buffer rest = read_all(*opened);
        CHECK(rest.size() == log.stream.size() - next);
        CHECK(std::equal(rest.rbegin(), rest.rend(), log.stream.rbegin()));
        CHECK(opened->hosts() == std::vector<Host>{{1, "pds.example", 60}});
        // What a consumer has missed it is told.
        CHECK(opened->find_cursor(1001)->kind == Log::Place::Kind::outdated);
        opened->close();
    });
}

TEST_CASE("damage in the newest sealed segment costs the older side, too") {
    TenEvents log(60);
    const std::string wire = last_with(log.one, ".wire");
    const std::uint64_t last_base = parse_segment_file_name(wire)->base;
    const std::string facts = last_with(log.one, ".facts", 1);
    flip(log.one, facts, log.one.content(facts).size() - 20);
    log.one.run([&] {
        auto opened = log.one.open();
        CHECK(opened->recovery().segments_dropped > 3);
        Buffer rest = read_all(*opened);
        CHECK(rest.size() == log.stream.size() - last_base);
        CHECK(std::equal(rest.rbegin(), rest.rend(), log.stream.rbegin()));
        CHECK(opened->hosts() == std::vector<Host>{{1, "pds.example", 60}});
        opened->close();
    });
}

TEST_CASE("a loss of power while damage is dropped costs nothing newer") {
    for (std::uint64_t events = 1; events < 150; ++events) {
        CAPTURE(events);
        TenEvents log(30);
        const Position last_base = parse_segment_file_name(last_with(log.one, ".wire"))->base;
        const std::string facts = last_with(log.one, ".facts", 1);
        flip(log.one, facts, log.one.content(facts).size() - 20);
        log.one.machine.start_worker({.name = "log"}, [&] {
            auto opened = log.one.try_open();
            static_cast<void>(fiber::sleep_for(1s));
        });
        log.one.world.run_to_event(log.one.world.event_count() + events);
        log.one.machine.crash(env::CrashMode::power_loss);
        REQUIRE_FALSE(log.one.world.run().has_value());
        log.one.run([&] {
            auto opened = log.one.open();
            Buffer rest = read_all(*opened);
            REQUIRE(rest.size() == log.stream.size() - last_base);
            CHECK(std::equal(rest.rbegin(), rest.rend(), log.stream.rbegin()));
        });
    }
}

TEST_CASE("a log of a newer format is refused, and not a byte of it is touched") {
    TenEvents log(40);
    const std::string wire = last_with(log.one, ".wire");
    SECTION("segment") {
        Buffer file = log.one.content(wire);
        file[8] = 2;
        log.one.put(wire, file);
    }
    SECTION("record") {
        const std::string facts = last_with(log.one, ".facts");
        Buffer file = log.one.content(facts);
        auto first = decode_facts(Bytes(file).subspan(segment_header_bytes));
        REQUIRE(first.has_value());
        Bytes record = Bytes(file).subspan(segment_header_bytes, first->size_bytes);
        file[segment_header_bytes + 15] = 0x80;  // a presence bit
        std::uint32_t crc = crc32c(record.subspan(4));
        std::memcpy(&file[segment_header_bytes], &crc, sizeof crc);
        log.one.put(facts, file);
    }
    std::map<std::string, Buffer> before;
    log.one.run([&] {
        for (const std::string& name : log.one.names()) before[name] = log.one.content(name);
        auto opened = log.one.try_open();
        REQUIRE_FALSE(opened.has_value());
        CHECK(opened.error().code == Errc::unsupported);
        for (const std::string& name : log.one.names())
            CHECK(before[name] == log.one.content(name));
    });
}

TEST_CASE("an empty directory becomes a log, also after a start that came to nothing") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        CHECK(log->head_seq() == 0);
        CHECK(log->recovery().first_seq == 1000);
        CHECK(read_all(*log).empty());
        one.machine.crash(env::CrashMode::power_loss);
    });
    one.run([&] {
        auto log = one.open();
        CHECK(log->recovery().first_seq >= 1000);
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        CHECK(seqs_of(read_all(*log)).size() == 1);
        log->close();
    });
}

TEST_CASE("a host registered after a crash in the middle of a snapshot is not forgotten") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        for (int i = 0; i < 20; ++i) append_host(*log, "host" + std::to_string(i) + ".example");
        for (std::uint64_t i = 1; i <= 30; ++i) {
            append_one(*log, 5, i, 300);
            REQUIRE(fiber::sleep_for(20ms).has_value());
        }
        REQUIRE(fiber::sleep_for(1s).has_value());
    });
    // The last segment: its header and a part of its snapshot.
    const std::string facts = last_with(one, ".facts");
    cut(one, facts, segment_header_bytes + 300);
    cut(one, last_with(one, ".wire"), segment_header_bytes);
    LogOptions options = small_log();
    options.space.retention_bytes = 6000;
    one.run([&] {
        auto log = one.open(options);
        for (std::uint64_t i = 31; i <= 80; ++i) {
            append_one(*log, 5, i, 300);
            REQUIRE(fiber::sleep_for(20ms).has_value());
        }
        REQUIRE(fiber::sleep_for(1s).has_value());
        CHECK(log->counters().segments_removed.load() > 2);
    });
    one.run([&] {
        auto log = one.open(options);
        CHECK(log->hosts().size() == 20);
        CHECK(log->hosts()[4].upstream_seq == 80);
        log->close();
    });
}
