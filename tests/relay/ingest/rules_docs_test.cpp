// docs/verdicts.md says what is true: each check and each counter has its place there, and each
// failure of others names a test that exists.
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

#include "relay/base/metrics.hpp"
#include "relay/ingest/ingest_metrics.hpp"
#include "relay/ingest/rules.hpp"

using namespace ringlay;
using namespace ringlay::ingest;

namespace {

std::string read(const std::string& path) {
    std::ifstream in(std::string(RINGLAY_SOURCE_ROOT "/") + path, std::ios::binary);
    CAPTURE(path);
    REQUIRE(in);
    std::ostringstream content;
    content << in.rdbuf();
    return std::move(content).str();
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> all;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) all.push_back(line);
    return all;
}

// The cells of a row, without the spaces around them.
std::vector<std::string> cells(const std::string& row) {
    std::vector<std::string> all;
    std::istringstream in(row.substr(1));
    for (std::string cell; std::getline(in, cell, '|');) {
        auto begin = cell.find_first_not_of(' ');
        auto end = cell.find_last_not_of(' ');
        all.push_back(begin == cell.npos ? "" : cell.substr(begin, end - begin + 1));
    }
    return all;
}

// The rows of the table in this section, without its two first lines.
std::vector<std::vector<std::string>> table_of(const std::string& page, const std::string& title) {
    std::vector<std::vector<std::string>> rows;
    bool is_inside = false;
    for (const std::string& line : lines(page)) {
        if (line.starts_with("## ")) is_inside = line == "## " + title;
        if (is_inside && line.starts_with("|")) rows.push_back(cells(line));
    }
    REQUIRE(rows.size() > 2);
    rows.erase(rows.begin(), rows.begin() + 2);
    return rows;
}

std::string between(const std::string& text, char first, char last) {
    auto begin = text.find(first);
    auto end = text.rfind(last);
    REQUIRE((begin != text.npos && end > begin));
    return text.substr(begin + 1, end - begin - 1);
}

}  // namespace

TEST_CASE("the page of verdicts has the checks of the table, in their order") {
    auto rows = table_of(read("docs/verdicts.md"), "The checks");
    REQUIRE(rows.size() == check_count);
    for (std::size_t i = 0; i < check_count; ++i) {
        CHECK(rows[i].at(0) == std::to_string(i + 1));
        CHECK(rows[i].at(1) == "`" + std::string(check_table()[i].name) + "`");
    }
}

TEST_CASE("the page of verdicts names every counter and each value of its label") {
    const std::string page = read("docs/verdicts.md");
    base::Metrics metrics(1);
    IngestMetrics ingest(metrics, 1);
    std::size_t count = 0;
    for (const std::string& line : lines(metrics.expose())) {
        if (line.starts_with("#") || line.starts_with("relay_queue_bound")) continue;
        std::string series = line.substr(0, line.rfind(' '));
        std::string name = series.substr(0, series.find('{'));
        CAPTURE(series);
        CHECK(page.find(name) != page.npos);
        if (name != series) {
            std::string value = between(series, '"', '"');
            bool is_named = page.find("\"" + value + "\"") != page.npos ||
                            page.find("`" + value + "`") != page.npos;
            CHECK(is_named);
        }
        ++count;
    }
    CHECK(count > check_count + 10);
}

TEST_CASE("each failure of others has a test, and the test exists") {
    auto rows = table_of(read("docs/verdicts.md"), "Failures of others that cannot happen here");
    std::set<std::string> failures;
    for (const auto& row : rows) {
        REQUIRE(row.size() == 3);
        CAPTURE(row[0]);
        CHECK(failures.insert(row[0]).second);
        std::string file = between(row[2], '`', '`');
        std::string test = between(row[2], '"', '"');
        // A name may be written in pieces over two lines.
        std::string source;
        for (const std::string& line : lines(read(file))) {
            auto begin = line.find_first_not_of(' ');
            if (begin != line.npos) source += line.substr(begin);
        }
        for (auto at = source.find("\"\""); at != source.npos; at = source.find("\"\"", at)) {
            source.erase(at, 2);
        }
        CHECK(source.find("(\"" + test + "\")") != source.npos);
    }
}
