// The settings of the program: one table (config_table.cpp) from which flags, environment names,
// defaults, checks, --help and the table in README.md are made, so that they cannot disagree.
//
// Flags win over the environment, the environment over defaults. A wrong value, and a name that is
// almost one of ours, end the start; a RELAY_* name that is somebody else's (Kubernetes service
// links, settings of other relays) is ignored and named in one warning.
//
// Owner    main; everybody else gets values, or `const Config&`, in a constructor.
// Thread   pure functions; a Config is constant once parsed.
// Errors   text for a person, naming setting, value, source and what would be valid; main prints
//          it and exits with config_exit_code.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/network.hpp"
#include "relay/base/private_hosts.hpp"

namespace ringlay::base {

enum class LogLevel : std::uint8_t { debug, info, warn, error };
enum class LogFormat : std::uint8_t { automatic, text, json };
// What becomes of an event whose account's key could not be found out in time.
enum class Unverified : std::uint8_t { pass, drop };
enum class IdentityHandle : std::uint8_t { strip, keep };
enum class RequestCrawl : std::uint8_t { on, off };

// How a host is reached. `name` is lower-case; an IPv6 address has no brackets.
struct HostAddress {
    std::string name;
    std::uint16_t port = 0;
    bool is_tls = false;
    bool operator==(const HostAddress&) const = default;
};

// Each has a fiber, and a worker has room for 32,768, of which consumers need some, too.
inline constexpr std::uint32_t max_hosts_of_a_worker = 24 * 1024;

// Defaults are in the table, not here: only parse_config() makes a Config with meaning.
struct Config {
    std::string data_dir;
    std::uint16_t port = 0;       // 0: any free port
    std::uint16_t http_port = 0;  // 0: any free port
    std::string bind;             // an IPv4 or IPv6 address, without brackets
    std::string http_bind;        // likewise
    std::vector<HostAddress> hosts;
    std::vector<std::string>
        upstream;           // http(s)://host[:port] of relays whose hosts are taken over
    std::string ca_bundle;  // a PEM file; empty: found by itself
    PrivateHosts allow_private_hosts;
    std::vector<std::string> trusted_domains;  // a name, or `*.name` for all below it
    std::uint32_t max_hosts = 0;
    std::uint32_t max_hosts_per_address = 0;
    std::uint32_t new_hosts_per_day = 0;
    std::uint32_t host_events_per_second = 0;
    RequestCrawl request_crawl = RequestCrawl::on;
    std::vector<Network> trusted_proxies;
    std::vector<std::string> admin_passwords;  // none: no administration
    std::string admin_password_file;           // main reads it into admin_passwords
    std::uint32_t workers = 0;
    std::uint32_t shards = 0;
    std::string plc_url;  // http(s)://host[:port]
    std::uint64_t key_wait_ms = 0;
    Unverified unverified = Unverified::pass;
    IdentityHandle identity_handle = IdentityHandle::strip;
    std::uint64_t cached_accounts = 0;
    std::uint64_t retention_hours = 0;
    std::uint64_t retention_bytes = 0;  // 0: half of the free space, at most 100 GB
    std::uint64_t reserve_bytes = 0;    // 0: by the volume
    std::uint64_t segment_bytes = 0;
    std::uint64_t tail_bytes = 0;
    std::uint64_t sync_interval_ms = 0;
    std::uint64_t initial_seq = 0;  // 0: unix time in ms times 100
    std::uint64_t consumer_stall_seconds = 0;
    std::uint32_t max_consumers = 0;
    std::uint32_t max_consumers_per_address = 0;
    std::string log_file;  // empty: standard error
    LogLevel log_level = LogLevel::info;
    LogFormat log_format = LogFormat::automatic;
};

struct ConfigError {
    std::string text;
};
inline constexpr int config_exit_code = 2;

// A setting as it holds, for people and scripts; secret ones are never among them.
struct SettingInForce {
    std::string name;
    std::string value;
    std::string source;  // `default`, `flag --port`, the name of a variable
};

struct Invocation {
    enum class Action : std::uint8_t { run, help, version, print_config_table, print_settings };
    Action action = Action::run;
    Config config;                         // meaningful for run and print_settings, like the next
    std::vector<SettingInForce> settings;  // in the order of the table
    std::vector<std::string> warnings;     // log them once the logger exists
};

using Environment = std::vector<std::pair<std::string, std::string>>;

// `arguments` without the program's name; `cpu_count` 0: unknown.
std::expected<Invocation, ConfigError> parse_config(std::span<const std::string_view> arguments,
                                                    const Environment& environment,
                                                    unsigned cpu_count);

std::string help_text();
std::string config_table_markdown();
// A line each: name, value and source, with tabs between.
std::string settings_text(std::span<const SettingInForce> settings);

}  // namespace ringlay::base
