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
constexpr std::string_view ca_bundle_aliases[] = {"SSL_CERT_FILE"};
constexpr std::string_view new_hosts_aliases[] = {"RELAY_NEW_HOSTS_PER_DAY_LIMIT"};
constexpr std::string_view admin_password_aliases[] = {"RELAY_ADMIN_KEY"};
constexpr std::string_view cached_accounts_aliases[] = {"RELAY_IDENT_CACHE_SIZE"};
constexpr std::string_view log_level_aliases[] = {"LOG_LEVEL"};

const Setting table[] = {
    {.name = "data_dir",
     .type = SettingType::path,
     .target = &Config::data_dir,
     .default_value = "./data",
     .help = "Where all data is kept: event log, index, hosts. Created if missing; one process at "
             "a time."},
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
     .type = SettingType::address,
     .target = &Config::bind,
     .default_value = "127.0.0.1",
     .help = "Address of `port`. What is served is plain HTTP: for the world, put a proxy that "
             "speaks TLS before it. RELAY_API_BIND, of other relays, is both: :2470."},
    {.name = "http_bind",
     .type = SettingType::address,
     .target = &Config::http_bind,
     .default_value = "127.0.0.1",
     .help = "Address of `http_port`. RELAY_METRICS_LISTEN, of other relays, is both: :2471."},
    {.name = "hosts",
     .type = SettingType::hosts,
     .target = &Config::hosts,
     .default_words = "none",
     .help = "Hosts to subscribe to, besides those that are found. A name without a port is https; "
             "with one it is plain HTTP, unless the scheme says otherwise. They may be private."},
    {.name = "upstream",
     .type = SettingType::relays,
     .target = &Config::upstream,
     .default_value = "bsky.network",
     .default_words = "bsky.network; none if `hosts` names hosts",
     .help = "Relays whose lists of hosts are taken over, every 20 minutes. Unlike other "
             "variables, an empty one is a value here and means none.",
     .takes_empty = true},
    {.name = "ca_bundle",
     .type = SettingType::path,
     .target = &Config::ca_bundle,
     .default_words = "found by itself",
     .help = "PEM file of the certificate authorities that are believed.",
     .aliases = ca_bundle_aliases},
    {.name = "allow_private_hosts",
     .type = SettingType::private_hosts,
     .target = &Config::allow_private_hosts,
     .default_words = "none",
     .help =
         "What may be dialled although it is not on the public internet, and without TLS. Those "
         "in `hosts`, `upstream` and `plc_url` may be. RELAY_ALLOW_INSECURE_HOSTS=true, of "
         "other relays, means all."},
    {.name = "trusted_domains",
     .type = SettingType::domains,
     .target = &Config::trusted_domains,
     .default_value = "*.host.bsky.network",
     .help = "Hosts whose limits are ten times as high."},
    {.name = "max_hosts",
     .type = SettingType::count,
     .target = &Config::max_hosts,
     .default_value = "20000",
     .help =
         "Hosts at most that are known and dialled; a small number gives a taste of the network.",
     .min = 1,
     .max = 100'000},
    {.name = "max_hosts_per_address",
     .type = SettingType::count,
     .target = &Config::max_hosts_per_address,
     .default_value = "64",
     .help = "Hosts connected at one IP address; not of `hosts` and `trusted_domains`.",
     .min = 1,
     .max = 65'535},
    {.name = "new_hosts_per_day",
     .type = SettingType::count,
     .target = &Config::new_hosts_per_day,
     .default_value = "1000",
     .help = "Hosts that strangers may add in a day (requestCrawl).",
     .min = 0,
     .max = 1'000'000,
     .aliases = new_hosts_aliases},
    {.name = "host_events_per_second",
     .type = SettingType::count,
     .target = &Config::host_events_per_second,
     .default_value = "50",
     .help = "Events a second that a small host may send for long; grows with its accounts.",
     .min = 1,
     .max = 1'000'000},
    {.name = "request_crawl",
     .type = SettingType::request_crawl,
     .target = &Config::request_crawl,
     .default_value = "on",
     .help = "Whether hosts may announce themselves. RELAY_DISABLE_REQUEST_CRAWL=true, of other "
             "relays, means off."},
    {.name = "trusted_proxies",
     .type = SettingType::networks,
     .target = &Config::trusted_proxies,
     .default_words = "none",
     .help = "Proxies whose X-Forwarded-For is believed: it says from where a client really came."},
    {.name = "admin_password",
     .type = SettingType::passwords,
     .target = &Config::admin_passwords,
     .default_words = "none: no administration",
     .help = "Passwords of the administration, each as good as the others.",
     .aliases = admin_password_aliases,
     .is_secret = true},
    {.name = "admin_password_file",
     .type = SettingType::path,
     .target = &Config::admin_password_file,
     .default_words = "none",
     .help = "A file with more such passwords, one a line."},
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
     .help = "The directory of did:plc identities.",
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
    {.name = "reserve_bytes",
     .type = SettingType::size_bytes,
     .target = &Config::reserve_bytes,
     .default_value = "0",
     .default_words = "0: a tenth of the free space, at least 2 GiB, at most a quarter",
     .help = "How much of the volume stays free for the database and others. Below it the event "
             "log takes no events.",
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
     .help = "A consumer that takes less than 64 KiB of what waits in so long is disconnected.",
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
    {.name = "log_file",
     .type = SettingType::path,
     .target = &Config::log_file,
     .default_words = "none: standard error",
     .help =
         "A file for log lines, and for all else that goes to standard error. At 100 MB it gets "
         "`.1` behind its name, and a new one begins."},
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

constexpr Translation translated[] = {
    {"RELAY_ALLOW_INSECURE_HOSTS", "allow_private_hosts", "all", ""},
    {"RELAY_DISABLE_REQUEST_CRAWL", "request_crawl", "off", "on"},
};

constexpr Listener listening[] = {
    {"RELAY_API_BIND", "bind", "port"},
    {"RELAY_METRICS_LISTEN", "http_bind", "http_port"},
};

// Exact names, because some of them are one letter away from ours.
constexpr std::string_view foreign[] = {
    "FRAME_WORKERS",
    "GOMEMLIMIT",
    "RELAY_DEFAULT_ACCOUNT_LIMIT",
    "RELAY_HOST",
    "RELAY_HOST_CONCURRENCY",
    "RELAY_LENIENT_SYNC_VALIDATION",
    "RELAY_SIBLING_RELAYS",
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

// Whether it is a list at all, and if so, what is wrong with it.
struct ListOutcome {
    bool is_list = false;
    std::optional<std::string> why_not;
};

template <class T>
ListOutcome store(T& into, std::expected<T, std::string> parsed) {
    if (!parsed) return {true, std::move(parsed.error())};
    into = std::move(*parsed);
    return {true, std::nullopt};
}

ListOutcome assign_list(Config& config, const Setting& setting, std::string_view text) {
    if (auto* hosts = std::get_if<std::vector<HostAddress> Config::*>(&setting.target)) {
        return store(config.**hosts, parse_hosts(text));
    }
    if (auto* networks = std::get_if<std::vector<Network> Config::*>(&setting.target)) {
        return store(config.**networks, parse_networks(text));
    }
    if (auto* allowed = std::get_if<PrivateHosts Config::*>(&setting.target)) {
        return store(config.**allowed, PrivateHosts::parse(text));
    }
    auto* texts = std::get_if<std::vector<std::string> Config::*>(&setting.target);
    if (texts == nullptr) return {};
    if (setting.type == SettingType::relays) return store(config.**texts, parse_relays(text));
    if (setting.type == SettingType::domains) return store(config.**texts, parse_domains(text));
    RINGLAY_ASSERT(setting.type == SettingType::passwords);
    return store(config.**texts, parse_passwords(text));
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
    if (setting.type == SettingType::address) value = parse_bind_address(text);
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

std::span<const Translation> translations() {
    return translated;
}

std::span<const Listener> listeners() {
    return listening;
}

std::span<const std::string_view> foreign_names() {
    return foreign;
}

std::string flag_of(const Setting& setting) {
    if (setting.is_secret) return {};
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
        case SettingType::address:
            return "an IP address, localhost, or * for every address";
        case SettingType::hosts:
            return std::string(hosts_form);
        case SettingType::relays:
            return std::string(relays_form);
        case SettingType::private_hosts:
            return std::string(PrivateHosts::form);
        case SettingType::domains:
            return std::string(domains_form);
        case SettingType::networks:
            return std::string(networks_form);
        case SettingType::passwords:
            return std::string(passwords_form);
        case SettingType::request_crawl:
            return "on or off";
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
    if (ListOutcome outcome = assign_list(config, setting, text); outcome.is_list) {
        return std::move(outcome.why_not);
    }
    bool is_valid = assign_text(config, setting, text) ||
                    assign_word(config, setting, text, parse_log_level) ||
                    assign_word(config, setting, text, parse_log_format) ||
                    assign_word(config, setting, text, parse_unverified) ||
                    assign_word(config, setting, text, parse_identity_handle) ||
                    assign_word(config, setting, text, parse_request_crawl) ||
                    assign_number(config, setting, text);
    if (is_valid) return std::nullopt;
    return valid_values(setting);
}

}  // namespace ringlay::base
