// The rows behind config.hpp, and how the text of a value becomes a value. Private to relay/base.
//
// A row says everything about a setting once. Its names are derived: `data_dir` is --data-dir and
// RELAY_DATA_DIR; aliases are further environment names for the same setting.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "relay/base/config.hpp"

namespace ringlay::base {

enum class SettingType : std::uint8_t {
    path,
    address,  // an IP address to serve at; `localhost`, `*`
    hosts,    // a comma list of URLs, names, host:port
    relays,   // a comma list of names and http(s) URLs; `none`
    private_hosts,
    domains,    // a comma list of names and `*.name`; `none`
    networks,   // a comma list of addresses and networks
    passwords,  // a comma list that is never shown
    request_crawl,
    count,       // digits
    hours,       // digits, or a Go duration of whole hours: 72h
    size_bytes,  // digits and an optional suffix: 512M, 4GiB
    log_level,
    log_format,
    url,  // http://host[:port] or https://host[:port]
    unverified,
    identity_handle,
};

using SettingTarget =
    std::variant<std::string Config::*, std::uint16_t Config::*, std::uint32_t Config::*,
                 std::uint64_t Config::*, std::vector<HostAddress> Config::*,
                 std::vector<std::string> Config::*, std::vector<Network> Config::*,
                 PrivateHosts Config::*, LogLevel Config::*, LogFormat Config::*,
                 Unverified Config::*, IdentityHandle Config::*, RequestCrawl Config::*>;

struct Setting {
    std::string_view name;
    SettingType type;
    SettingTarget target;
    std::string_view default_value = {};  // empty: see default_words
    std::string_view default_words = {};  // for people, where default_value alone does not say it
    std::string_view help = {};
    std::uint64_t min = 0;
    std::uint64_t max = 0;
    std::span<const std::string_view> aliases = {};
    bool takes_empty = false;  // an empty variable is a value
    bool is_secret = false;    // has no flag, which all users of the machine could see; never shown
};

std::span<const Setting> config_table();

// Variables of other relays that say in their own words what a setting of ours says.
struct Translation {
    std::string_view name;
    std::string_view setting;
    std::string_view if_true;   // the value for ours
    std::string_view if_false;  // empty: leaves ours alone
};
std::span<const Translation> translations();

// Variables of other relays that are an address and a port in one: `:2470`, `[::]:2470`.
struct Listener {
    std::string_view name;
    std::string_view address_setting;
    std::string_view port_setting;
};
std::span<const Listener> listeners();

// Environment names that other relays and their tools use and this program does not.
std::span<const std::string_view> foreign_names();

std::string flag_of(const Setting& setting);         // --data-dir; empty: it has none
std::string environment_of(const Setting& setting);  // RELAY_DATA_DIR
std::string valid_values(const Setting& setting);    // completes "must be "

// Stores the value; nothing if all is well, otherwise why not: a text that completes "must be ".
std::optional<std::string> assign(Config& config, const Setting& setting, std::string_view text);

}  // namespace ringlay::base
