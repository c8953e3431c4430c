// Reads the relay's pages; takes what it knows and is not surprised by the rest.
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "relay/watch_panel.hpp"

namespace ringlay::watching {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t max_depth = 64;

class Page {
  public:
    std::optional<object> parse(std::string_view json) {
        object page;
        element root;
        if (json.empty() || parser_.allocate(json.size(), max_depth) != simdjson::SUCCESS ||
            parser_.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
            root.get(page) != simdjson::SUCCESS) {
            return std::nullopt;
        }
        return page;
    }

  private:
    simdjson::dom::parser parser_;
};

std::optional<std::uint64_t> number(object from, std::string_view name) {
    std::uint64_t value = 0;
    if (from.at_key(name).get(value) != simdjson::SUCCESS) return std::nullopt;
    return value;
}

std::string text(object from, std::string_view name) {
    std::string_view value;
    if (from.at_key(name).get(value) != simdjson::SUCCESS) return {};
    return std::string(value);
}

template <class Use>
void each_object(object from, std::string_view name, Use use) {
    array list;
    if (from.at_key(name).get(list) != simdjson::SUCCESS) return;
    for (element entry : list) {
        object one;
        if (entry.get(one) == simdjson::SUCCESS) use(one);
    }
}

template <class Use>
void with_object(object from, std::string_view name, Use use) {
    object one;
    if (from.at_key(name).get(one) == simdjson::SUCCESS) use(one);
}

void add_busy(Reading& reading, object host) {
    const std::uint64_t rate = number(host, "events_per_second").value_or(0);
    if (rate > 0) reading.busiest.push_back({text(host, "hostname"), rate});
}

void read_hosts(object page, Reading& reading) {
    std::map<std::string, FailureReason> by_words;
    each_object(page, "hosts", [&](object host) {
        add_busy(reading, host);
        const std::string words = text(host, "failure");
        if (words.empty() || text(host, "state") == "connected") return;
        FailureReason& reason =
            by_words.try_emplace(words, FailureReason{words, 0, text(host, "hostname")})
                .first->second;
        ++reason.hosts;
    });
    for (auto& [words, reason] : by_words) reading.failures.push_back(std::move(reason));
    each_object(page, "busiest_hosts", [&](object host) { add_busy(reading, host); });
    each_object(page, "host_failures", [&](object reason) {
        reading.failures.push_back(
            {text(reason, "reason"), number(reason, "hosts").value_or(0), text(reason, "example")});
    });
    std::ranges::sort(reading.busiest, [](const Host& a, const Host& b) {
        if (a.events_per_second != b.events_per_second) {
            return a.events_per_second > b.events_per_second;
        }
        return a.name < b.name;
    });
    std::ranges::sort(reading.failures, [](const FailureReason& a, const FailureReason& b) {
        return a.hosts != b.hosts ? a.hosts > b.hosts : a.words < b.words;
    });
}

void read_log(object log, Reading& reading) {
    reading.head_seq = number(log, "head_seq");
    reading.events = number(log, "events");
    reading.oldest_received_ms = number(log, "oldest_received_ms");
    reading.disk_bytes = number(log, "disk_bytes");
    reading.budget_bytes = number(log, "budget_bytes");
}

// The value of a metric without labels: `NAME VALUE`, at the begin of a line.
std::optional<std::uint64_t> metric(std::string_view page, std::string_view name) {
    const std::string start = "\n" + std::string(name) + " ";
    const std::size_t at = page.find(start);
    if (at == page.npos) return std::nullopt;
    const std::string_view rest = page.substr(at + start.size());
    double value = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc() || !(value >= 0) || value > 1e18) return std::nullopt;
    return static_cast<std::uint64_t>(value);
}

}  // namespace

bool read_stats(std::string_view json, Reading& reading) {
    Page parser;
    const auto page = parser.parse(json);
    if (!page) return false;
    reading.version = text(*page, "version");
    reading.uptime_seconds = number(*page, "uptime_seconds");
    with_object(*page, "log", [&](object log) { read_log(log, reading); });
    with_object(*page, "fold",
                [&](object fold) { reading.accounts = number(fold, "accounts_estimate"); });
    with_object(*page, "hosts_by_state", [&](object states) {
        for (auto [state, count] : states) {
            std::uint64_t hosts = 0;
            if (count.get(hosts) == simdjson::SUCCESS) {
                reading.hosts_by_state.emplace_back(state, hosts);
            }
        }
    });
    array consumers;
    if (page->at_key("consumers").get(consumers) == simdjson::SUCCESS) {
        reading.consumers = consumers.size();
    }
    read_hosts(*page, reading);
    return true;
}

bool read_health(std::string_view json, Reading& reading) {
    Page parser;
    const auto page = parser.parse(json);
    if (!page) return false;
    const std::string status = text(*page, "status");
    if (!status.empty()) reading.is_ok = status == "ok";
    array reasons;
    if (page->at_key("reasons").get(reasons) == simdjson::SUCCESS) {
        for (element reason : reasons) {
            std::string_view words;
            if (reason.get(words) == simdjson::SUCCESS) reading.reasons.emplace_back(words);
        }
    }
    with_object(*page, "ingest", [&](object ingest) {
        reading.ingest_state = text(ingest, "state");
        reading.fold_percent = number(ingest, "fold_percent");
        reading.hosts_known = number(ingest, "hosts_known");
        reading.hosts_connected = number(ingest, "hosts_connected");
        reading.events_per_second = number(ingest, "events_per_second");
        reading.verified_percent = number(ingest, "verified_percent");
    });
    return true;
}

void read_metrics(std::string_view text, Reading& reading) {
    reading.memory_bytes = metric(text, "relay_process_rss_bytes");
    const auto wire = metric(text, "relay_log_wire_bytes_total");
    const auto facts = metric(text, "relay_log_facts_bytes_total");
    if (wire && facts) reading.written_bytes = *wire + *facts;
}

}  // namespace ringlay::watching
