#include "relay/base/config_table.hpp"

#include "proto/base/assert.hpp"
#include "relay/base/config_values.hpp"

namespace ringlay::base {
namespace {

constexpr std::uint64_t kibi = 1024, mebi = 1024 * kibi, gibi = 1024 * mebi, tebi = 1024 * gibi;

constexpr std::string_view http_port_aliases[] = {"RELAY_METRICS_PORT"};
constexpr std::string_view retention_aliases[] = {"RELAY_REPLAY_WINDOW",
                                                  "RELAY_EVENT_PLAYBACK_TTL"};
constexpr std::string_view initial_seq_aliases[] = {"RELAY_INITIAL_SEQ_NUMBER"};
constexpr std::string_view plc_aliases[] = {"RELAY_PLC_HOST", "ATP_PLC_HOST"};
constexpr std::string_view cached_accounts_aliases[] = {"RELAY_IDENT_CACHE_SIZE"};
constexpr std::string_view log_level_aliases[] = {"LOG_LEVEL"};

const Setting table[] = {
    {.name = "data_dir",
     .type = SettingType::path,
     .target = &Config::data_dir,
     .default_value = "./data",
     .help = "Where the event log is kept. Created if missing; one process at a time."},
    {.name = "port",
     .type = SettingType::count,
     .target = &Config::port,
     .default_value = "3000",
     .help = "Port of the firehose and of XRPC. 0 takes any free port.",
     .min = 0,
     .max = 65535},
    {.name = "http_port",
     .type = SettingType::count,
     .target = &Config::http_port,
     .default_value = "3001",
     .help = "Port of metrics and administration; answers what `port` answers, too. 0 takes any "
             "free port.",
     .min = 0,
     .max = 65535,
     .aliases = http_port_aliases},
    {.name = "bind",
     .type = SettingType::loopback,
     .target = &Config::bind,
     .default_value = "127.0.0.1",
     .help = "Address of `port`. This version takes loopback addresses only."},
    {.name = "http_bind",
     .type = SettingType::loopback,
     .target = &Config::http_bind,
     .default_value = "127.0.0.1",
     .help = "Address of `http_port`. This version takes loopback addresses only."},
    {.name = "hosts",
     .type = SettingType::hosts,
     .target = &Config::hosts,
     .default_words = "none",
     .help = "The hosts to subscribe to, separated by commas."},
    {.name = "workers",
     .type = SettingType::count,
     .target = &Config::workers,
     .default_words = "3 x CPUs - 1, at most 47",
     .help = "Worker threads for hosts and consumers.",
     .min = 1,
     .max = 256},
    {.name = "shards",
     .type = SettingType::count,
     .target = &Config::shards,
     .default_words = "one for each CPU, at most `workers`",
     .help = "Parts into which accounts are divided; each is checked on one worker.",
     .min = 1,
     .max = 256},
    {.name = "plc_url",
     .type = SettingType::url,
     .target = &Config::plc_url,
     .default_value = "https://plc.directory",
     .help = "The directory of did:plc identities. This version speaks plain HTTP only.",
     .aliases = plc_aliases},
    {.name = "key_wait_ms",
     .type = SettingType::count,
     .target = &Config::key_wait_ms,
     .default_value = "2000",
     .help =
         "How long an event waits for its account's key before `unverified` decides. 0 does not "
         "wait.",
     .min = 0,
     .max = 60'000},
    {
        .name = "unverified",
        .type = SettingType::unverified,
        .target = &Config::unverified,
        .default_value = "pass",
        .help = "What becomes of an event whose account's key could not be found out: pass (it is "
                "checked later, and changes no state before that) or drop (after 60 s).",
    },
    {.name = "identity_handle",
     .type = SettingType::identity_handle,
     .target = &Config::identity_handle,
     .default_value = "strip",
     .help = "Whether #identity events keep the handle that their host claims: strip or keep."},
    {.name = "cached_accounts",
     .type = SettingType::count,
     .target = &Config::cached_accounts,
     .default_value = "1000000",
     .help = "Accounts kept in memory, at about 170 bytes each; the others are read when needed.",
     .min = 1000,
     .max = 1'000'000'000,
     .aliases = cached_accounts_aliases},
    {.name = "retention_hours",
     .type = SettingType::hours,
     .target = &Config::retention_hours,
     .default_value = "72",
     .help = "How long events can be replayed, if `retention_bytes` allows.",
     .min = 1,
     .max = 8784,
     .aliases = retention_aliases},
    {.name = "retention_bytes",
     .type = SettingType::size_bytes,
     .target = &Config::retention_bytes,
     .default_value = "0",
     .default_words = "0: half of the free space, at most 100 GB",
     .help = "How much of the disk the event log may take.",
     .min = 0,
     .max = 1024 * tebi},
    {.name = "segment_bytes",
     .type = SettingType::size_bytes,
     .target = &Config::segment_bytes,
     .default_value = "256MiB",
     .help = "Size of one file of the event log; retention removes whole files.",
     .min = mebi,
     .max = 2 * gibi},
    {.name = "tail_bytes",
     .type = SettingType::size_bytes,
     .target = &Config::tail_bytes,
     .default_value = "64MiB",
     .help = "Newest part of the event log that is also kept in memory.",
     .min = 16 * mebi,
     .max = 16 * gibi},
    {.name = "sync_interval_ms",
     .type = SettingType::count,
     .target = &Config::sync_interval_ms,
     .default_value = "100",
     .help = "How often the event log is forced to disk: what a power loss may take.",
     .min = 1,
     .max = 60'000},
    {.name = "initial_seq",
     .type = SettingType::count,
     .target = &Config::initial_seq,
     .default_value = "0",
     .default_words = "0: unix time in ms x 100",
     .help = "First sequence number of an empty data directory.",
     .min = 0,
     .max = (1ull << 53) - 1,
     .aliases = initial_seq_aliases},
    {.name = "consumer_stall_seconds",
     .type = SettingType::count,
     .target = &Config::consumer_stall_seconds,
     .default_value = "600",
     .help = "A consumer that takes nothing for so long while events wait is disconnected.",
     .min = 1,
     .max = 86'400},
    {.name = "max_consumers",
     .type = SettingType::count,
     .target = &Config::max_consumers,
     .default_value = "1000",
     .help = "Firehose consumers at the same time.",
     .min = 1,
     .max = 100'000},
    {.name = "max_consumers_per_address",
     .type = SettingType::count,
     .target = &Config::max_consumers_per_address,
     .default_value = "50",
     .help = "Firehose consumers at the same time from one address.",
     .min = 1,
     .max = 100'000},
    {.name = "log_level",
     .type = SettingType::log_level,
     .target = &Config::log_level,
     .default_value = "info",
     .help = "Lines below this level are not written.",
     .aliases = log_level_aliases},
    {.name = "log_format",
     .type = SettingType::log_format,
     .target = &Config::log_format,
     .default_value = "auto",
     .help = "Form of log lines; auto is text on a terminal and json elsewhere."},
};

// Exact names, because some of them are one letter away from ours.
constexpr std::string_view foreign[] = {
    "FRAME_WORKERS",
    "GOMEMLIMIT",
    "RELAY_ADMIN_KEY",
    "RELAY_ADMIN_PASSWORD",
    "RELAY_ALLOW_INSECURE_HOSTS",
    "RELAY_API_BIND",
    "RELAY_DEFAULT_ACCOUNT_LIMIT",
    "RELAY_DISABLE_REQUEST_CRAWL",
    "RELAY_HOST",
    "RELAY_HOST_CONCURRENCY",
    "RELAY_LENIENT_SYNC_VALIDATION",
    "RELAY_METRICS_LISTEN",
    "RELAY_NEW_HOSTS_PER_DAY_LIMIT",
    "RELAY_SIBLING_RELAYS",
    "RELAY_TRUSTED_DOMAINS",
    "RELAY_UPSTREAM",
    "RESOLVER_THREADS",
    "VALIDATOR_CACHE_SIZE",
};

std::string in_words(std::uint64_t bytes) {
    const struct {
        std::uint64_t unit;
        std::string_view suffix;
    } units[] = {{tebi, "TiB"}, {gibi, "GiB"}, {mebi, "MiB"}, {kibi, "KiB"}};
    for (const auto& [unit, suffix] : units) {
        if (bytes != 0 && bytes % unit == 0) {
            return std::to_string(bytes / unit).append(suffix);
        }
    }
    return std::to_string(bytes);
}

std::optional<std::uint64_t> number_of(SettingType type, std::string_view text) {
    switch (type) {
        case SettingType::count:
            return parse_count(text);
        case SettingType::hours:
            return parse_hours(text);
        case SettingType::size_bytes:
            return parse_size_bytes(text);
        default:
            return std::nullopt;
    }
}

std::optional<std::string> assign_hosts(std::vector<HostAddress>& hosts, std::string_view text) {
    auto parsed = parse_hosts(text);
    if (!parsed) return std::move(parsed.error());
    hosts = std::move(*parsed);
    return std::nullopt;
}

// Each of these is for settings of one kind: false for another kind, and for an invalid value.
template <class Word>
bool assign_word(Config& config, const Setting& setting, std::string_view text,
                 std::optional<Word> (*parse)(std::string_view)) {
    auto* target = std::get_if<Word Config::*>(&setting.target);
    if (target == nullptr) return false;
    auto parsed = parse(text);
    if (parsed) config.** target = *parsed;
    return parsed.has_value();
}

bool assign_text(Config& config, const Setting& setting, std::string_view text) {
    auto* target = std::get_if<std::string Config::*>(&setting.target);
    if (target == nullptr) return false;
    std::optional<std::string> value;
    if (setting.type == SettingType::path && !text.empty()) value = text;
    if (setting.type == SettingType::url) value = parse_base_url(text);
    if (setting.type == SettingType::loopback) value = parse_loopback(text);
    if (value) config.** target = std::move(*value);
    return value.has_value();
}

bool assign_number(Config& config, const Setting& setting, std::string_view text) {
    auto number = number_of(setting.type, text);
    if (!number || *number < setting.min || *number > setting.max) return false;
    if (auto* wide = std::get_if<std::uint64_t Config::*>(&setting.target)) {
        config.** wide = *number;
    } else if (auto* half = std::get_if<std::uint32_t Config::*>(&setting.target)) {
        RINGLAY_ASSERT(setting.max <= UINT32_MAX);
        config.** half = static_cast<std::uint32_t>(*number);
    } else if (auto* port = std::get_if<std::uint16_t Config::*>(&setting.target)) {
        RINGLAY_ASSERT(setting.max <= UINT16_MAX);
        config.** port = static_cast<std::uint16_t>(*number);
    }
    return true;
}

}  // namespace

std::span<const Setting> config_table() {
    return table;
}

std::span<const std::string_view> foreign_names() {
    return foreign;
}

std::string flag_of(const Setting& setting) {
    std::string flag = "--";
    for (char c : setting.name) flag += c == '_' ? '-' : c;
    return flag;
}

std::string environment_of(const Setting& setting) {
    std::string name = "RELAY_";
    for (char c : setting.name) name += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return name;
}

std::string valid_values(const Setting& setting) {
    std::string from = std::to_string(setting.min), to = std::to_string(setting.max);
    switch (setting.type) {
        case SettingType::path:
            return "a path";
        case SettingType::loopback:
            return "a loopback address: 127.0.0.1, another in 127.0.0.0/8, or ::1";
        case SettingType::hosts:
            return "a comma list of http://host:port, ws://host:port or host:port";
        case SettingType::count:
            return "a number from " + from + " to " + to;
        case SettingType::hours:
            return "a number of hours from " + from + " to " + to +
                   ", or a duration of whole hours such as 72h";
        case SettingType::size_bytes:
            return "a size from " + in_words(setting.min) + " to " + in_words(setting.max) +
                   ": bytes, or with a suffix (K, M, G, T: powers of 1000; KiB, MiB, GiB, TiB: "
                   "powers of 1024)";
        case SettingType::url:
            return "http://host[:port] or https://host[:port]";
        case SettingType::unverified:
            return "pass or drop";
        case SettingType::identity_handle:
            return "strip or keep";
        case SettingType::log_level:
            return "debug, info, warn or error";
        case SettingType::log_format:
            return "auto, text or json";
    }
    return {};
}

std::optional<std::string> assign(Config& config, const Setting& setting, std::string_view text) {
    if (auto* hosts = std::get_if<std::vector<HostAddress> Config::*>(&setting.target)) {
        return assign_hosts(config.**hosts, text);
    }
    bool is_valid = assign_text(config, setting, text) ||
                    assign_word(config, setting, text, parse_log_level) ||
                    assign_word(config, setting, text, parse_log_format) ||
                    assign_word(config, setting, text, parse_unverified) ||
                    assign_word(config, setting, text, parse_identity_handle) ||
                    assign_number(config, setting, text);
    if (is_valid) return std::nullopt;
    std::string refused = valid_values(setting);
    if (setting.type == SettingType::loopback) {
        refused += " (hosts are reached by plain HTTP only, so this version serves loopback only)";
    }
    return refused;
}

}  // namespace ringlay::base
