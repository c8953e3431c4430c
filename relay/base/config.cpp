#include "relay/base/config.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "proto/base/assert.hpp"
#include "relay/base/config_table.hpp"
#include "relay/base/config_values.hpp"

namespace ringlay::base {
namespace {

constexpr std::size_t near_miss_distance = 2;
constexpr std::size_t max_shown_bytes = 100;  // of a value that is quoted in a message

// What a setting was given, and by which name.
struct Given {
    std::string_view value;
    std::string source;
};
using GivenValues = std::map<const Setting*, Given>;

std::unexpected<ConfigError> refuse(std::string text) {
    return std::unexpected(ConfigError{std::move(text)});
}

std::string quoted(std::string_view value) {
    std::string out = "\"";
    for (char c : value.substr(0, max_shown_bytes)) {
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
    }
    return out + (value.size() > max_shown_bytes ? "...\"" : "\"");
}

// Levenshtein, capped: more than a short name's worth of work is never needed.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

// The candidate that `name` was most likely meant to be.
std::optional<std::string> near_miss(std::string_view name, const std::vector<std::string>& names) {
    constexpr std::size_t longest_name = 64;
    std::optional<std::string> best;
    std::size_t best_distance = near_miss_distance + 1;
    if (name.size() > longest_name) return best;
    for (const std::string& candidate : names) {
        std::size_t distance = edit_distance(name, candidate);
        if (distance >= best_distance) continue;
        best = candidate;
        best_distance = distance;
    }
    return best;
}

// Kubernetes tells every pod about every service: a Service called `relay` becomes RELAY_PORT,
// RELAY_SERVICE_HOST, RELAY_PORT_3000_TCP_ADDR and more. Of these, only names that end in _PORT can
// be ours or almost ours, and those have such a value.
bool is_link_value(std::string_view value) {
    return value.starts_with("tcp://") || value.starts_with("udp://") ||
           value.starts_with("sctp://");
}

std::vector<std::string> environment_names() {
    std::vector<std::string> names;
    for (const Setting& setting : config_table()) {
        names.push_back(environment_of(setting));
        names.insert(names.end(), setting.aliases.begin(), setting.aliases.end());
    }
    for (const Translation& translation : translations()) names.emplace_back(translation.name);
    for (const Listener& listener : listeners()) names.emplace_back(listener.name);
    return names;
}

std::vector<std::string> flag_names() {
    std::vector<std::string> names = {"--help", "--version", "--print-config-table",
                                      "--print-settings"};
    for (const Setting& setting : config_table()) {
        if (!setting.is_secret) names.push_back(flag_of(setting));
    }
    return names;
}

// Nothing: not set, or set to a link of Kubernetes.
std::optional<std::string_view> find_value(const Environment& environment, std::string_view name) {
    for (const auto& [key, value] : environment) {
        if (key != name) continue;
        return is_link_value(value) ? std::nullopt : std::optional<std::string_view>(value);
    }
    return std::nullopt;
}

const Setting& setting_named(std::string_view name) {
    auto found = std::ranges::find(config_table(), name, &Setting::name);
    RINGLAY_ASSERT(found != config_table().end());
    return *found;
}

// The first one wins, which is said when they differ.
void take(const Setting& setting, Given value, GivenValues& given,
          std::vector<std::string>& warnings) {
    auto [at, is_first] = given.try_emplace(&setting, value);
    if (is_first || at->second.value == value.value) return;
    warnings.push_back(value.source + " is ignored: " + at->second.source +
                       " is the same setting and has another value");
}

// The canonical name wins over its aliases, which is said when they differ.
void take_environment(const Environment& environment, GivenValues& given,
                      std::vector<std::string>& warnings) {
    for (const Setting& setting : config_table()) {
        std::vector<std::string> names = {environment_of(setting)};
        names.insert(names.end(), setting.aliases.begin(), setting.aliases.end());
        for (const std::string& name : names) {
            auto value = find_value(environment, name);
            if (!value || (value->empty() && !setting.takes_empty)) continue;
            take(setting, {*value, name}, given, warnings);
        }
    }
}

// What others call otherwise; our own names win.
std::expected<void, ConfigError> take_translations(const Environment& environment,
                                                   GivenValues& given,
                                                   std::vector<std::string>& warnings) {
    for (const Translation& translation : translations()) {
        auto value = find_value(environment, translation.name).value_or("");
        if (value.empty()) continue;
        std::string name(translation.name);
        auto is_true = parse_truth(value);
        if (!is_true) {
            return refuse(name + ": " + quoted(value) + " is not valid; it must be true or false");
        }
        std::string_view ours = *is_true ? translation.if_true : translation.if_false;
        if (ours.empty()) continue;
        take(setting_named(translation.setting), {ours, name}, given, warnings);
    }
    for (const Listener& listener : listeners()) {
        auto value = find_value(environment, listener.name).value_or("");
        if (value.empty()) continue;
        std::string name(listener.name);
        std::size_t colon = value.rfind(':');
        if (colon == value.npos) {
            return refuse(name + ": " + quoted(value) +
                          " is not valid; it must be address:port or :port");
        }
        std::string_view address = colon == 0 ? "*" : value.substr(0, colon);
        take(setting_named(listener.address_setting), {address, name}, given, warnings);
        take(setting_named(listener.port_setting), {value.substr(colon + 1), name}, given,
             warnings);
    }
    return {};
}

std::expected<void, ConfigError> check_names(const Environment& environment,
                                             std::vector<std::string>& warnings) {
    const std::vector<std::string> ours = environment_names();
    std::vector<std::string> foreign;
    for (const auto& [name, value] : environment) {
        if (value.empty()) continue;
        bool is_ours = std::ranges::find(ours, name) != ours.end();
        bool is_link = is_link_value(value);
        bool is_known = std::ranges::find(foreign_names(), name) != foreign_names().end();
        bool is_relay_name = name.starts_with("RELAY_");
        if ((is_ours && !is_link) || (!is_known && !is_relay_name)) continue;
        if (!is_link && !is_known) {
            if (auto meant = near_miss(name, ours)) {
                return refuse("environment variable " + name + " is not a setting; did you mean " +
                              *meant + "?");
            }
        }
        foreign.push_back(name);
    }
    if (foreign.empty()) return {};
    std::ranges::sort(foreign);
    std::string text = "ignored environment variables, no settings of this program:";
    for (const std::string& name : foreign) text += " " + name;
    warnings.push_back(std::move(text));
    return {};
}

const Setting* setting_with_flag(std::string_view flag) {
    for (const Setting& setting : config_table()) {
        if (!setting.is_secret && flag_of(setting) == flag) return &setting;
    }
    return nullptr;
}

std::expected<Invocation::Action, ConfigError> take_flags(
    std::span<const std::string_view> arguments, GivenValues& given) {
    using Action = Invocation::Action;
    Action action = Action::run;
    for (std::size_t at = 0; at < arguments.size(); ++at) {
        std::string_view argument = arguments[at];
        if (argument == "--help" || argument == "-h") {
            action = Action::help;
            continue;
        }
        if (argument == "--version" || argument == "--print-config-table") {
            action = argument == "--version" ? Action::version : Action::print_config_table;
            continue;
        }
        if (argument == "--print-settings") {
            if (action == Action::run) action = Action::print_settings;
            continue;
        }
        if (!argument.starts_with("--")) {
            return refuse("unexpected argument " + quoted(argument) + "; see --help");
        }
        std::size_t equals = argument.find('=');
        std::string flag(argument.substr(0, equals));
        const Setting* setting = setting_with_flag(flag);
        if (flag == "--admin-password") {
            return refuse(
                "admin_password has no flag, which every user of this machine could "
                "see; use RELAY_ADMIN_PASSWORD or --admin-password-file");
        }
        if (setting == nullptr) {
            auto meant = near_miss(flag, flag_names());
            return refuse("flag " + quoted(flag) + " is not known; " +
                          (meant ? "did you mean " + *meant + "?" : "see --help"));
        }
        bool value_follows = equals == std::string_view::npos;
        if (value_follows && at + 1 == arguments.size()) {
            return refuse("flag " + flag + " lacks a value: " + std::string(setting->name) +
                          " must be " + valid_values(*setting));
        }
        std::string_view value = value_follows ? arguments[++at] : argument.substr(equals + 1);
        given[setting] = Given{value, "flag " + flag};
    }
    return action;
}

std::expected<void, ConfigError> assign_all(Config& config, const GivenValues& given) {
    for (const Setting& setting : config_table()) {
        auto at = given.find(&setting);
        if (at == given.end()) continue;
        if (auto why_not = assign(config, setting, at->second.value)) {
            std::string value = setting.is_secret ? "the value" : quoted(at->second.value);
            return refuse(std::string(setting.name) + ": " + value + " (" + at->second.source +
                          ") is not valid; it must be " + *why_not);
        }
    }
    return {};
}

bool is_any_address(std::string_view bind) {
    return bind == "::" || bind == "0.0.0.0";
}

// What the rows cannot say about each other.
std::expected<void, ConfigError> check_together(const Config& config) {
    bool is_one_address = config.bind == config.http_bind || is_any_address(config.bind) ||
                          is_any_address(config.http_bind);
    if (config.port == config.http_port && config.port != 0 && is_one_address) {
        return refuse("port and http_port are both " + std::to_string(config.port) +
                      "; they must differ, or be bound to different addresses");
    }
    const std::uint32_t workers_needed =
        (config.max_hosts + max_hosts_of_a_worker - 1) / max_hosts_of_a_worker;
    if (config.workers < workers_needed) {
        return refuse("max_hosts is " + std::to_string(config.max_hosts) +
                      "; a worker has room for " + std::to_string(max_hosts_of_a_worker) +
                      " hosts, so workers must be at least " + std::to_string(workers_needed) +
                      ", not " + std::to_string(config.workers));
    }
    if (config.retention_bytes != 0 && config.retention_bytes / 2 < config.segment_bytes) {
        return refuse("retention_bytes is " + std::to_string(config.retention_bytes) +
                      "; it must be 0 or at least twice segment_bytes (" +
                      std::to_string(config.segment_bytes) + "), because whole files are removed");
    }
    return {};
}

Config default_config(unsigned cpu_count) {
    Config config;
    for (const Setting& setting : config_table()) {
        if (setting.default_value.empty()) continue;
        auto why_not = assign(config, setting, setting.default_value);
        RINGLAY_ASSERT(!why_not);
    }
    config.workers = 3 * std::clamp(cpu_count, 1u, 16u) - 1;
    config.shards = std::clamp(cpu_count, 1u, 256u);
    return config;
}

// In the form that the program uses where it has one (72h is 72), else as it was given.
std::string value_in_force(const Config& config, const Setting& setting, std::string_view given) {
    if (auto* text = std::get_if<std::string Config::*>(&setting.target)) return config.**text;
    if (auto* port = std::get_if<std::uint16_t Config::*>(&setting.target)) {
        return std::to_string(config.**port);
    }
    if (auto* half = std::get_if<std::uint32_t Config::*>(&setting.target)) {
        return std::to_string(config.**half);
    }
    if (auto* wide = std::get_if<std::uint64_t Config::*>(&setting.target)) {
        return std::to_string(config.**wide);
    }
    if (auto* texts = std::get_if<std::vector<std::string> Config::*>(&setting.target)) {
        std::string joined;
        for (const std::string& text : config.**texts) joined += (joined.empty() ? "" : ",") + text;
        return joined;
    }
    return std::string(given);
}

std::vector<SettingInForce> settings_in_force(const Config& config, const GivenValues& given) {
    std::vector<SettingInForce> all;
    for (const Setting& setting : config_table()) {
        if (setting.is_secret) continue;
        auto at = given.find(&setting);
        const bool is_given = at != given.end();
        all.push_back(
            {std::string(setting.name),
             value_in_force(config, setting, is_given ? at->second.value : setting.default_value),
             is_given ? at->second.source : "default"});
    }
    return all;
}

std::string default_words(const Setting& setting) {
    return std::string(setting.default_words.empty() ? setting.default_value
                                                     : setting.default_words);
}

// Breaks at spaces.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
    std::string out(indent, ' ');
    std::size_t column = indent;
    while (!text.empty()) {
        std::size_t end = std::min(text.find(' '), text.size());
        if (column > indent && column + 1 + end > width) {
            out += '\n' + std::string(indent, ' ');
            column = indent;
        }
        if (column > indent) {
            out += ' ';
            ++column;
        }
        out += text.substr(0, end);
        column += end;
        text.remove_prefix(std::min(text.size(), end + 1));
    }
    return out + '\n';
}

std::string in_markdown(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

}  // namespace

std::expected<Invocation, ConfigError> parse_config(std::span<const std::string_view> arguments,
                                                    const Environment& environment,
                                                    unsigned cpu_count) {
    Invocation invocation;
    invocation.config = default_config(cpu_count);
    GivenValues by_flag;
    auto action = take_flags(arguments, by_flag);
    if (!action) return std::unexpected(std::move(action.error()));
    invocation.action = *action;
    // Help must come out of a broken environment, too.
    const bool needs_settings = invocation.action == Invocation::Action::run ||
                                invocation.action == Invocation::Action::print_settings;
    if (!needs_settings) return invocation;

    auto names = check_names(environment, invocation.warnings);
    if (!names) return std::unexpected(std::move(names.error()));
    GivenValues given;
    take_environment(environment, given, invocation.warnings);
    auto translated = take_translations(environment, given, invocation.warnings);
    if (!translated) return std::unexpected(std::move(translated.error()));
    for (auto& [setting, value] : by_flag) given[setting] = std::move(value);

    auto applied = assign_all(invocation.config, given);
    if (!applied) return std::unexpected(std::move(applied.error()));
    // Who names hosts means these, unless he says more.
    bool names_upstream = given.contains(&setting_named("upstream"));
    if (!names_upstream && !invocation.config.hosts.empty()) invocation.config.upstream.clear();
    invocation.config.shards = std::min(invocation.config.shards, invocation.config.workers);
    auto together = check_together(invocation.config);
    if (!together) return std::unexpected(std::move(together.error()));
    invocation.settings = settings_in_force(invocation.config, given);
    return invocation;
}

std::string help_text() {
    std::string out =
        "Usage: ringlay [--SETTING VALUE | --SETTING=VALUE]...\n"
        "\n"
        "An AT Protocol relay: subscribes to hosts, stores what they send, serves one firehose.\n"
        "Flags win over environment variables, those over defaults. An empty variable counts as\n"
        "unset, but for RELAY_UPSTREAM.\n"
        "\n"
        "  --help                 this text\n"
        "  --version              the version\n"
        "  --print-settings       what holds: each setting, its value, and who set it\n"
        "  --print-config-table   the settings below, as a Markdown table\n"
        "\n"
        "Settings:\n";
    for (const Setting& setting : config_table()) {
        std::string flag = flag_of(setting);
        out += "\n  " + (flag.empty() ? flag : flag + "   ") + environment_of(setting);
        for (std::string_view alias : setting.aliases) out += ", " + std::string(alias);
        out += '\n';
        out += wrapped(setting.help, 6, 90);
        out += wrapped(
            "Default: " + default_words(setting) + ". Valid: " + valid_values(setting) + ".", 6,
            90);
    }
    return out;
}

std::string config_table_markdown() {
    std::string out =
        "| flag | environment | default | valid | meaning |\n"
        "|---|---|---|---|---|\n";
    for (const Setting& setting : config_table()) {
        std::string names = '`' + environment_of(setting) + '`';
        for (std::string_view alias : setting.aliases) names += ", `" + std::string(alias) + '`';
        std::string flag = flag_of(setting);
        out += "| " + (flag.empty() ? "none" : '`' + flag + '`') + " | " + names + " | " +
               in_markdown(default_words(setting)) + " | " + in_markdown(valid_values(setting)) +
               " | " + in_markdown(setting.help) + " |\n";
    }
    return out;
}

std::string settings_text(std::span<const SettingInForce> settings) {
    std::string out;
    for (const SettingInForce& setting : settings) {
        out += setting.name + '\t' + setting.value + '\t' + setting.source + '\n';
    }
    return out;
}

}  // namespace ringlay::base
