#include "relay/event_log/check.hpp"

#include "proto/base/crc32c.hpp"
#include "tests/relay/event_log/one_log.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;

namespace {

constexpr std::string_view first_wire = "00000000000000000000.wire";
constexpr std::string_view first_facts = "00000000000000000000.facts";
constexpr std::string_view first_seal = "00000000000000000000.seal";

struct Checked {
    Checked() {
        one.run([&] {
            auto log = one.open();
            append_host(*log, "pds.example");
            for (std::uint64_t i = 1; i <= 40; ++i) {
                append_one(*log, 1, i, 300);
                REQUIRE(fiber::sleep_for(20ms).has_value());
            }
            log->close();
        });
    }

    CheckReport check(bool verify = false) {
        CheckReport report;
        one.run([&] {
            std::map<std::string, Buffer> before;
            for (const std::string& name : one.names()) before[name] = one.content(name);
            auto result = verify ? verify_log(one.env, "/log") : check_log(one.env, "/log");
            REQUIRE(result.has_value());
            report = *result;
            // It looks, and touches nothing.
            REQUIRE(one.names().size() == before.size());
            for (const auto& [name, bytes] : before) REQUIRE(one.content(name) == bytes);
        });
        return report;
    }

    void change(std::string_view name, const std::function<void(Buffer&)>& how) {
        Buffer file = one.content(name);
        how(file);
        one.put(name, file);
    }

    std::string last(std::string_view suffix) {
        std::string found;
        one.run([&] {
            for (const std::string& name : one.names()) {
                if (name.ends_with(suffix)) found = name;
            }
        });
        return found;
    }

    // The first event's record, rewritten with a right checksum.
    void rewrite_first_event(const std::function<void(Facts&)>& how) {
        change(first_facts, [&](Buffer& file) {
            std::size_t at = segment_header_bytes;
            auto decoded = decode_facts(Bytes(file).subspan(at));
            while (!is_event(decoded->facts.kind)) {
                at += decoded->size_bytes;
                decoded = decode_facts(Bytes(file).subspan(at));
            }
            Facts facts = decoded->facts;
            std::string text(facts.text);
            facts.text = text;
            how(facts);
            Buffer record;
            append_facts(record, facts);
            REQUIRE(record.size() == decoded->size_bytes);
            std::ranges::copy(record, file.begin() + static_cast<std::ptrdiff_t>(at));
        });
    }

    OneLog one;
};

}  // namespace

TEST_CASE("a sound log is found sound, and counted") {
    Checked log;
    for (bool verify : {false, true}) {
        CheckReport report = log.check(verify);
        CHECK(report.is_sound());
        CHECK(report.unfinished == 0);
        CHECK(report.findings.empty());
        CHECK(report.events == 40);
        CHECK(report.first_seq == 1000);
        CHECK(report.last_seq == 1039);
        CHECK(report.segments > 2);
        CHECK(report.sealed_segments == report.segments - 1);
        CHECK(report.facts_only == report.segments);  // the host, named once in each
        CHECK(report.wire_bytes > 40 * 250);
    }
}

TEST_CASE("any one byte changed in any file of the log is found") {
    Checked log;
    std::vector<std::string> names;
    log.one.run([&] { names = log.one.names(); });
    for (const std::string& name : names) {
        if (!parse_segment_file_name(name)) continue;
        const Buffer whole = log.one.content(name);
        for (std::size_t at = 0; at < whole.size(); at += 61) {
            CAPTURE(name, at);
            log.change(name, [&](Buffer& file) { file[at] ^= 0x10; });
            log.one.run([&] {
                auto report = check_log(log.one.env, "/log");
                if (report) CHECK(report->damages + report->unfinished > 0);
            });
            log.one.put(name, whole);
        }
    }
    CHECK(log.check().is_sound());
}

TEST_CASE("a torn end is unfinished in the newest segment, and damage in any other") {
    Checked log;
    auto tear = [](Buffer& file) { file.resize(file.size() - 10); };
    SECTION("newest") {
        log.change(log.last(".wire"), tear);
        CheckReport report = log.check();
        CHECK(report.is_sound());
        CHECK(report.unfinished == 1);
        CHECK(report.findings[0].what == "wire: frame is cut");
    }
    SECTION("sealed") {
        log.change(first_wire, tear);
        CheckReport report = log.check();
        CHECK_FALSE(report.is_sound());
    }
    SECTION("half made") {
        log.one.put("00000000000009000000.wire", {});
        log.one.put("clean.new", {});
        CheckReport report = log.check();
        CHECK(report.is_sound());
        CHECK(report.unfinished == 2);
    }
}

TEST_CASE("a seal that says otherwise than the facts is found") {
    Checked log;
    auto reseal = [&](const std::function<void(Seal&)>& how) {
        log.change(first_seal, [&](Buffer& file) {
            Seal seal = decode_seal(file).value();
            how(seal);
            file = encode_seal(seal);
        });
    };
    SECTION("count") {
        reseal([](Seal& seal) { seal.extent.events += 1; });
        CHECK(log.check().findings.at(0).what == "seal: does not fit the facts");
    }
    SECTION("size") {
        reseal([](Seal& seal) { seal.extent.wire_bytes += 1; });
        CHECK(log.check().findings.at(0).what == "seal: does not fit the files");
    }
    SECTION("index") {
        reseal([](Seal& seal) {
            SeqIndex other;
            other.add(seal.extent.first_seq, segment_header_bytes + 1);
            other.add(seal.extent.last_seq, segment_header_bytes + 2);
            seal.index = other;
        });
        CHECK(log.check().findings.at(0).what == "index: does not fit the facts");
    }
}

TEST_CASE("segments that do not join are found") {
    Checked log;
    SECTION("a missing one") {
        std::string second;
        log.one.run([&] {
            for (const std::string& name : log.one.names()) {
                if (second.empty() && name.ends_with(".wire") && name != first_wire) second = name;
            }
            auto directory = log.one.env.disk.open_directory("/log").value();
            const Position base = parse_segment_file_name(second)->base;
            REQUIRE(remove_segment_files(directory, base).has_value());
        });
        CheckReport report = log.check();
        CHECK(report.damages == 2);  // position and seq
        CHECK(report.findings[0].what == "does not begin where the one before ends");
    }
    SECTION("another log's") {
        auto rename = [](Buffer& file) {
            SegmentHeader header = decode_segment_header(file).value();
            header.log_id += 1;
            std::ranges::copy(encode_segment_header(header), file.begin());
        };
        log.change(log.last(".wire"), rename);
        log.change(log.last(".facts"), rename);
        CheckReport report = log.check();
        CHECK(report.damages == 1);
        CHECK(report.findings[0].what == "another log's segment");
    }
}

TEST_CASE("verify finds facts that say otherwise than their frame") {
    Checked log;
    std::string expected;
    SECTION("kind") {
        log.rewrite_first_event([](Facts& facts) { facts.kind = FactsKind::account; });
        expected = "kind";
    }
    SECTION("DID") {
        log.rewrite_first_event(
            [](Facts& facts) { facts.text = "did:plc:bbbbbbbbbbbbbbbbbbbb1001"; });
        expected = "DID";
    }
    CHECK(log.check(false).is_sound());
    CheckReport report = log.check(true);
    CHECK_FALSE(report.is_sound());
    CHECK(report.differences == 1);
    REQUIRE(report.findings.size() == 1);
    CHECK(report.findings[0].kind == Finding::Kind::difference);
    CHECK(report.findings[0].what == expected);
    CHECK(report.findings[0].seq == 1000);
    CHECK(report.findings[0].file == first_facts);
}

TEST_CASE("verify finds a frame with another seq than its facts, and one that is no message") {
    Checked log;
    const bool is_seq = GENERATE(true, false);
    log.change(first_wire, [&](Buffer& file) {
        const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
        const std::size_t seq_at = text.find("cseq") + 4;
        if (is_seq) {
            file[seq_at + 2] ^= 1;
        } else {
            file[segment_header_bytes] = 0x81;
        }
    });
    log.rewrite_first_event([&](Facts& facts) {
        Buffer file = log.one.content(first_wire);
        facts.wire_crc = crc32c(Bytes(file).subspan(segment_header_bytes, facts.wire_length));
    });
    CheckReport report = log.check(true);
    REQUIRE(report.differences == 1);
    CHECK(report.findings[0].what == (is_seq ? "seq" : "frame is not one whole WebSocket message"));
}
