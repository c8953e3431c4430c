#include "bench/fleet/options.hpp"

#include <optional>

namespace ringlay::bench {
namespace {

template <class Options>
struct Flag {
    std::string_view name;
    std::uint64_t Options::* target;
    std::uint64_t min;
    std::uint64_t max;
    std::string_view help;
};

template <class Options>
struct Switch {
    std::string_view name;
    bool Options::* target;
    std::string_view help;
};

template <class Options>
struct Text {
    std::string_view name;
    std::string Options::* target;
    std::string_view help;
};

constexpr std::uint64_t most = (std::uint64_t{1} << 53) - 1;

constexpr Flag<FleetOptions> fleet_flags[] = {
    {"--hosts", &FleetOptions::hosts, 1, 10'000, "fake hosts"},
    {"--accounts", &FleetOptions::accounts, 1, 10'000, "accounts on each host"},
    {"--rate", &FleetOptions::rate, 0, 1'000'000,
     "events per second of all hosts; 0: all of --events are there from the start"},
    {"--events", &FleetOptions::events, 0, 10'000'000,
     "events of all hosts, beyond the first three of each account; 0: without end"},
    {"--records", &FleetOptions::records, 0, 1'000'000, "records that each account begins with"},
    {"--seed", &FleetOptions::seed, 0, most, "of accounts and events"},
    {"--base-port", &FleetOptions::base_port, 0, 65'535,
     "of the first host, the others count on; 0: any free ports"},
    {"--plc-port", &FleetOptions::plc_port, 0, 65'535, "of the PLC directory; 0: any free port"},
    {"--workers", &FleetOptions::workers, 1, 64, "threads that hosts are spread over"},
    {"--window-mib", &FleetOptions::window_mib, 1, 1'048'576,
     "memory for the events that all hosts keep; the oldest go"},
    {"--busy", &FleetOptions::busy, 0, 10'000,
     "hosts that have 95 of 100 events, as on the network; 0: all are alike"},
};

constexpr Switch<FleetOptions> fleet_switches[] = {
    {"--print-hosts", &FleetOptions::prints_hosts,
     "prints one line of JSON with all URLs once everything listens"},
    {"--tls", &FleetOptions::is_tls, "hosts are https://localhost:PORT"},
    {"--ledger", &FleetOptions::keeps_ledger, "remembers all that is sent, for drain --ledger"},
};

constexpr Text<FleetOptions> fleet_texts[] = {
    {"--ca-out", &FleetOptions::ca_out,
     "FILE  where the certificate of --tls is put, for RELAY_CA_BUNDLE"},
};
constexpr Text<DrainOptions> drain_texts[] = {
    {"--ledger", &DrainOptions::ledger,
     "URL  of a fleet's directory: compares with what its hosts sent"},
};

constexpr Flag<DrainOptions> drain_flags[] = {
    {"--consumers", &DrainOptions::consumers, 1, 10'000, "connections"},
    {"--events", &DrainOptions::events, 0, most, "that each takes; 0: without end"},
    {"--cursor", &DrainOptions::cursor, 0, most, "where each begins; without it: live"},
};

std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::uint64_t number = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
}

template <class Options>
std::string names_of(std::span<const Flag<Options>> flags) {
    std::string text;
    for (const auto& flag : flags) (text += text.empty() ? "" : ", ") += flag.name;
    return text;
}

// Takes a flag and its number, `--flag N` or `--flag=N`, and moves `at` behind them.
template <class Options>
std::expected<const Flag<Options>*, std::string> take_flag(
    Options& options, std::span<const Flag<Options>> flags,
    std::span<const std::string_view> arguments, std::size_t& at) {
    std::string_view name = arguments[at++], value;
    std::size_t equals = name.find('=');
    bool has_value = equals != name.npos;
    if (has_value) {
        value = name.substr(equals + 1);
        name = name.substr(0, equals);
    }
    for (const auto& flag : flags) {
        if (flag.name != name) continue;
        if (!has_value && at < arguments.size()) value = arguments[at++];
        auto number = parse_number(value);
        if (!number || *number < flag.min || *number > flag.max) {
            return std::unexpected(std::string(name) + ": not valid: \"" + std::string(value) +
                                   "\" (valid: an integer from " + std::to_string(flag.min) +
                                   " to " + std::to_string(flag.max) + ")");
        }
        options.*flag.target = *number;
        return &flag;
    }
    return std::unexpected("unknown: " + std::string(name) + " (valid: " + names_of(flags) + ")");
}

std::optional<std::string> contradiction(const FleetOptions& options) {
    std::uint64_t hosts = options.hosts + options.hostile.size();
    if (options.base_port != 0 && options.base_port + hosts - 1 > 65'535) {
        return "--base-port: " + std::to_string(options.base_port) + " is too high for " +
               std::to_string(hosts) + " hosts (valid: 0 to " + std::to_string(65'536 - hosts) +
               ")";
    }
    if (options.busy > options.hosts) {
        return "--busy: there are only " + std::to_string(options.hosts) + " hosts";
    }
    return std::nullopt;
}

// `--flag TEXT` or `--flag=TEXT`; moves `at` behind it. False: it is not this flag.
bool take_text(std::string_view name, std::string& target,
               std::span<const std::string_view> arguments, std::size_t& at) {
    std::string_view argument = arguments[at];
    if (argument == name && at + 1 < arguments.size()) {
        target = arguments[at + 1];
        at += 2;
        return true;
    }
    if (!argument.starts_with(name) || argument.substr(name.size(), 1) != "=") return false;
    target = argument.substr(name.size() + 1);
    ++at;
    return true;
}

template <class Options>
bool take_any_text(Options& options, std::span<const Text<Options>> texts,
                   std::span<const std::string_view> arguments, std::size_t& at) {
    for (const auto& text : texts) {
        if (take_text(text.name, options.*text.target, arguments, at)) return true;
    }
    return false;
}

bool take_switch(FleetOptions& options, std::string_view argument) {
    for (const auto& flag : fleet_switches) {
        if (flag.name == argument) return options.*flag.target = true;
    }
    return false;
}

// A comma list, or `all`.
std::expected<std::vector<Hostility>, std::string> parse_hostile(std::string_view list) {
    if (list == "all") return all_hostilities();
    std::vector<Hostility> hostile;
    while (!list.empty()) {
        std::size_t end = std::min(list.find(','), list.size());
        std::string_view name = list.substr(0, end);
        auto hostility = parse_hostility(name);
        if (!hostility) {
            std::string valid = "all";
            for (Hostility one : all_hostilities()) (valid += ", ") += name_of(one);
            return std::unexpected("--hostile: not valid: \"" + std::string(name) +
                                   "\" (valid: " + valid + ")");
        }
        hostile.push_back(*hostility);
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return hostile;
}

}  // namespace

std::expected<FleetOptions, std::string> parse_fleet_options(
    std::span<const std::string_view> arguments) {
    FleetOptions options;
    for (std::size_t at = 0; at < arguments.size();) {
        if (take_switch(options, arguments[at])) {
            ++at;
            continue;
        }
        std::string hostile;
        if (take_text("--hostile", hostile, arguments, at)) {
            auto parsed = parse_hostile(hostile);
            if (!parsed) return std::unexpected(std::move(parsed.error()));
            options.hostile = std::move(*parsed);
            continue;
        }
        if (take_any_text<FleetOptions>(options, fleet_texts, arguments, at)) continue;
        auto flag = take_flag<FleetOptions>(options, fleet_flags, arguments, at);
        if (!flag) return std::unexpected(std::move(flag.error()));
    }
    if (auto wrong = contradiction(options)) return std::unexpected(std::move(*wrong));
    return options;
}

std::expected<DrainOptions, std::string> parse_drain_options(
    std::span<const std::string_view> arguments) {
    DrainOptions options;
    for (std::size_t at = 0; at < arguments.size();) {
        if (!arguments[at].starts_with("-")) {
            if (!options.url.empty()) return std::unexpected("drain wants one URL");
            options.url = arguments[at++];
            continue;
        }
        if (take_any_text<DrainOptions>(options, drain_texts, arguments, at)) continue;
        auto flag = take_flag<DrainOptions>(options, drain_flags, arguments, at);
        if (!flag) return std::unexpected(std::move(flag.error()));
        options.has_cursor = options.has_cursor || (*flag)->target == &DrainOptions::cursor;
    }
    if (options.url.empty()) {
        return std::unexpected("drain wants a URL such as ws://127.0.0.1:3000");
    }
    return options;
}

std::string help_text() {
    std::string text =
        "Fake hosts and a PLC directory on 127.0.0.1, with valid signed events.\n\n"
        "  ringlay-fleet [FLAGS]              serve until SIGTERM\n"
        "  ringlay-fleet drain URL [FLAGS]    subscribe to a firehose and count\n"
        "  ringlay-fleet shape                what the frames are like\n\n";
    auto describe = [&](const auto& flag, std::optional<std::uint64_t> absent) {
        std::string line = "  " + std::string(flag.name) + " N";
        line.resize(std::max<std::size_t>(line.size() + 1, 20), ' ');
        line += flag.help;
        if (absent) line += " (" + std::to_string(*absent) + ")";
        text += line + "\n";
    };
    FleetOptions defaults;
    for (const auto& flag : fleet_flags) describe(flag, defaults.*flag.target);
    auto say = [&](std::string_view name, std::string_view help) {
        std::string line = "  " + std::string(name);
        line.resize(std::max<std::size_t>(line.size() + 1, 20), ' ');
        text += line + std::string(help) + "\n";
    };
    for (const auto& flag : fleet_switches) say(flag.name, flag.help);
    for (const auto& flag : fleet_texts) say(flag.name, flag.help);
    say("--hostile", "NAMES  hosts that do harm, a comma list or all:");
    for (Hostility one : all_hostilities()) say("", name_of(one));
    text += "\nOf drain:\n";
    for (const auto& flag : drain_flags) describe(flag, std::nullopt);
    for (const auto& flag : drain_texts) say(flag.name, flag.help);
    return text;
}

}  // namespace ringlay::bench
