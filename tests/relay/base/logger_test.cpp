#include "relay/base/logger.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <thread>
#include <vector>

using namespace ringlay::base;

namespace {

constexpr std::uint64_t noon_ms = 1'738'324'800'123;  // 2025-01-31T12:00:00.123Z

std::vector<std::string> flushed(Logger& logger) {
    std::vector<std::string> lines;
    logger.flush([&](std::string_view line) { lines.emplace_back(line); });
    return lines;
}

std::string one_line(LogFormat format, LogLevel level, std::string_view event, LogFields fields,
                     std::uint64_t unix_ms = noon_ms) {
    Logger logger(LogLevel::debug, format, 2);
    logger.log(level, unix_ms, event, fields);
    std::vector<std::string> lines = flushed(logger);
    REQUIRE(lines.size() == 1);
    return lines[0];
}

std::string text_value(LogValue value) {
    std::string line = one_line(LogFormat::text, LogLevel::info, "e", {{"k", value}});
    std::size_t at = line.find(" k=");
    REQUIRE(at != std::string::npos);
    return line.substr(at + 3, line.size() - at - 4);
}

std::string json_value(LogValue value) {
    std::string line = one_line(LogFormat::json, LogLevel::info, "e", {{"k", value}});
    std::size_t at = line.find(",\"k\":");
    REQUIRE(at != std::string::npos);
    return line.substr(at + 5, line.size() - at - 7);
}

}  // namespace

TEST_CASE("a text line is time, level, event and key=value pairs") {
    CHECK(one_line(LogFormat::text, LogLevel::info, "host connected",
                   {{"host", "pds.example"}, {"seq", 42u}, {"new", true}}) ==
          "2025-01-31T12:00:00.123Z info  host connected host=pds.example seq=42 new=true\n");
    CHECK(one_line(LogFormat::text, LogLevel::error, "stop", {}) ==
          "2025-01-31T12:00:00.123Z error stop\n");
}

TEST_CASE("a JSON line is one object with time, level and event first") {
    CHECK(one_line(LogFormat::json, LogLevel::warn, "host lost",
                   {{"host", "pds.example"}, {"after_ms", -1}, {"rate", 0.5}}) ==
          "{\"time\":\"2025-01-31T12:00:00.123Z\",\"level\":\"warn\",\"event\":\"host lost\","
          "\"host\":\"pds.example\",\"after_ms\":-1,\"rate\":0.5}\n");
    CHECK(one_line(LogFormat::json, LogLevel::debug, "x", {}) ==
          "{\"time\":\"2025-01-31T12:00:00.123Z\",\"level\":\"debug\",\"event\":\"x\"}\n");
}

TEST_CASE("times are UTC from 1970 to the year 9999, to the millisecond") {
    auto time = [](std::uint64_t unix_ms) {
        return one_line(LogFormat::text, LogLevel::info, "e", {}, unix_ms).substr(0, 24);
    };
    CHECK(time(0) == "1970-01-01T00:00:00.000Z");
    CHECK(time(951'782'400'000 - 1) == "2000-02-28T23:59:59.999Z");
    CHECK(time(951'782'400'000) == "2000-02-29T00:00:00.000Z");
    CHECK(time(1'767'225'599'090) == "2025-12-31T23:59:59.090Z");
    CHECK(time(UINT64_MAX) == "9999-12-31T23:59:59.999Z");
}

TEST_CASE("lines below the level are not written") {
    Logger logger(LogLevel::warn, LogFormat::text, 8);
    logger.log(LogLevel::debug, noon_ms, "a");
    logger.log(LogLevel::info, noon_ms, "b");
    CHECK(flushed(logger).empty());
    logger.log(LogLevel::warn, noon_ms, "c");
    logger.log(LogLevel::error, noon_ms, "d");
    CHECK(flushed(logger).size() == 2);
    LogLimit limit(1);
    logger.log(limit, LogLevel::info, noon_ms, "e");
    CHECK(flushed(logger).empty());
}

TEST_CASE("text values are quoted when they hold what separates fields") {
    CHECK(text_value("plain-1.2:3/4") == "plain-1.2:3/4");
    CHECK(text_value("") == "\"\"");
    CHECK(text_value("a b") == "\"a b\"");
    CHECK(text_value("a=b") == "\"a=b\"");
    CHECK(text_value("a\"b") == "\"a\\\"b\"");
    CHECK(text_value("a\\b") == "\"a\\\\b\"");
    CHECK(text_value("gr\xc3\xbc\xc3\x9f") == "\"gr\xc3\xbc\xc3\x9f\"");
}

TEST_CASE("no value can break the line or steer a terminal") {
    CHECK(text_value("a\nb\r\t\x1b[31m\x7f") == "\"a\\u000ab\\u000d\\u0009\\u001b[31m\\u007f\"");
    CHECK(text_value("\xc2\x9b") == "\"\\u009b\"");   // C1: the one-byte CSI
    CHECK(text_value("\xc2\xa0") == "\"\xc2\xa0\"");  // just above
    CHECK(json_value("a\n\"\\\xc2\x85") == R"("a\u000a\"\\\u0085")");
    CHECK(json_value(std::string_view("\0", 1)) == R"("\u0000")");
}

TEST_CASE("bytes that are no UTF-8 become the replacement character") {
    const std::string r = "\xef\xbf\xbd";
    auto quoted = [](const std::string& text) { return '"' + text + '"'; };
    CHECK(json_value("\xff") == quoted(r));
    CHECK(json_value("a\x80z") == quoted("a" + r + "z"));
    CHECK(json_value("\xc3") == quoted(r));                          // cut
    CHECK(json_value("\xc0\xaf") == quoted(r + r));                  // overlong
    CHECK(json_value("\xc1\xbf") == quoted(r + r));                  // overlong
    CHECK(json_value("\xe0\x9f\xbf") == quoted(r + r + r));          // overlong
    CHECK(json_value("\xed\xa0\x80") == quoted(r + r + r));          // surrogate
    CHECK(json_value("\xf0\x8f\xbf\xbf") == quoted(r + r + r + r));  // overlong
    CHECK(json_value("\xf4\x90\x80\x80") == quoted(r + r + r + r));  // above U+10FFFF
    CHECK(json_value("\xf5\x80\x80\x80") == quoted(r + r + r + r));
    for (std::string sound : {"\xc2\xa2", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80",
                              "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        CHECK(json_value(sound) == quoted(sound));
    }
}

TEST_CASE("numbers keep their value, and JSON has no infinity") {
    CHECK(json_value(UINT64_MAX) == "18446744073709551615");
    CHECK(json_value(INT64_MIN) == "-9223372036854775808");
    CHECK(json_value(0.1) == "0.1");
    CHECK(json_value(1.0 / 0.0) == "null");
    CHECK(text_value(-1.0 / 0.0) == "none");
    CHECK(json_value(false) == "false");
}

TEST_CASE("a long value is cut at the edge of a character") {
    std::string exact(Logger::max_value_bytes, 'a');
    CHECK(text_value(exact) == exact);
    CHECK(text_value(exact + "b") == exact + "...");
    std::string before_edge(Logger::max_value_bytes - 1, 'a');
    CHECK(text_value(before_edge + "\xc3\xbc") == '"' + before_edge + "...\"");
}

TEST_CASE("fields that do not fit are left out, the others stay, and the line says truncated") {
    std::string long_value(Logger::max_value_bytes, '\x01');  // six bytes each when escaped
    std::string json =
        one_line(LogFormat::json, LogLevel::info, "e", {{"a", 1}, {"big", long_value}, {"b", 2}});
    CHECK(json.ends_with("\"event\":\"e\",\"a\":1,\"b\":2,\"truncated\":true}\n"));
    std::string text =
        one_line(LogFormat::text, LogLevel::info, "e", {{"a", 1}, {"big", long_value}, {"b", 2}});
    CHECK(text.ends_with("e a=1 b=2 truncated=true\n"));
}

TEST_CASE("a line never exceeds its slot, whatever its fields") {
    for (std::size_t size = 0; size < 1000; ++size) {
        CAPTURE(size);
        std::string value(size % 401, 'x'), other((size * 7) % 401, '"');
        for (LogFormat format : {LogFormat::text, LogFormat::json}) {
            std::string line = one_line(format, LogLevel::info, "e",
                                        {{"a", value}, {"b", other}, {"c", value}, {"d", other}});
            REQUIRE(line.size() <= Logger::line_bytes);
            REQUIRE(line.ends_with(format == LogFormat::json ? "}\n" : "\n"));
        }
    }
}

TEST_CASE("a full ring drops the newest, counts them, and the next line says how many") {
    Logger logger(LogLevel::debug, LogFormat::text, 4);
    for (int i = 0; i < 7; ++i) logger.log(LogLevel::info, noon_ms, "e", {{"i", i}});
    CHECK(logger.dropped_total() == 3);
    std::vector<std::string> lines = flushed(logger);
    REQUIRE(lines.size() == 4);
    CHECK(lines[0].ends_with(" e i=0\n"));
    CHECK(lines[3].ends_with(" e i=3\n"));
    logger.log(LogLevel::info, noon_ms, "e", {{"i", 7}});
    logger.log(LogLevel::info, noon_ms, "e", {{"i", 8}});
    lines = flushed(logger);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].ends_with(" e dropped=3 i=7\n"));
    CHECK(lines[1].ends_with(" e i=8\n"));
    CHECK(logger.dropped_total() == 3);
}

TEST_CASE("the ring goes round many times without losing or repeating a line") {
    Logger logger(LogLevel::debug, LogFormat::text, 4);
    int next = 0;
    for (int i = 0; i < 1000; ++i) {
        logger.log(LogLevel::info, noon_ms, "e", {{"i", i}});
        if (i % 3 != 2) continue;
        for (const std::string& line : flushed(logger)) {
            REQUIRE(line.ends_with(" i=" + std::to_string(next++) + "\n"));
        }
    }
    CHECK(next == 999);
    CHECK(logger.dropped_total() == 0);
}

TEST_CASE("producers on several threads lose nothing but what is counted") {
    constexpr int threads = 4, lines_each = 5000;
    Logger logger(LogLevel::debug, LogFormat::text, 64);
    std::vector<std::thread> producers;
    std::atomic<int> running{threads};
    for (int t = 0; t < threads; ++t) {
        producers.emplace_back([&, t] {
            for (int i = 0; i < lines_each; ++i) {
                logger.log(LogLevel::info, noon_ms, "e", {{"t", t}, {"i", i}});
            }
            running.fetch_sub(1);
        });
    }
    std::map<int, int> last;
    std::uint64_t received = 0, said_dropped = 0;
    bool in_order = true;
    auto take = [&](std::string_view line) {
        ++received;
        int t = 0, i = 0;
        unsigned long dropped = 0;
        std::string text(line);
        std::size_t at = text.find(" dropped=");
        if (at != std::string::npos) dropped = std::stoul(text.substr(at + 9));
        said_dropped += dropped;
        t = std::stoi(text.substr(text.find(" t=") + 3));
        i = std::stoi(text.substr(text.find(" i=") + 3));
        if (last.contains(t) && i <= last[t]) in_order = false;
        last[t] = i;
    };
    while (running.load() > 0) logger.flush(take);
    for (std::thread& producer : producers) producer.join();
    while (logger.flush(take) > 0) {
    }
    CHECK(in_order);
    CHECK(received + logger.dropped_total() == threads * lines_each);
    CHECK(said_dropped <= logger.dropped_total());
    logger.log(LogLevel::info, noon_ms, "e", {{"t", 0}, {"i", lines_each}});
    logger.flush(take);
    CHECK(said_dropped == logger.dropped_total());
}

TEST_CASE("a limited call site passes its burst and then says what it suppressed") {
    Logger logger(LogLevel::debug, LogFormat::text, 16);
    LogLimit limit(2, 1000);
    for (int i = 0; i < 5; ++i) logger.log(limit, LogLevel::info, 5000, "e", {{"i", i}});
    CHECK(flushed(logger).size() == 2);
    logger.log(limit, LogLevel::info, 5999, "e");
    CHECK(flushed(logger).empty());
    logger.log(limit, LogLevel::info, 6000, "e");
    logger.log(limit, LogLevel::info, 6000, "e");
    std::vector<std::string> lines = flushed(logger);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].ends_with(" e suppressed=4\n"));
    CHECK(lines[1].ends_with(" e\n"));
}

TEST_CASE("a clock that is set back does not silence a limited call site") {
    LogLimit limit(1, 1000);
    CHECK(limit.pass(1'000'000) == 0);
    CHECK_FALSE(limit.pass(1'000'000));
    CHECK(limit.pass(5) == 1);
    CHECK_FALSE(limit.pass(6));
}
