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
    loopback,    // an address of this machine that no other machine can reach
    hosts,       // a comma list of http://host:port, ws://host:port, host:port
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
                 std::uint64_t Config::*, std::vector<HostAddress> Config::*, LogLevel Config::*,
                 LogFormat Config::*, Unverified Config::*, IdentityHandle Config::*>;

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
};

std::span<const Setting> config_table();

// Environment names that other relays and their tools use and this program does not.
std::span<const std::string_view> foreign_names();

std::string flag_of(const Setting& setting);         // --data-dir
std::string environment_of(const Setting& setting);  // RELAY_DATA_DIR
std::string valid_values(const Setting& setting);    // completes "must be "

// Stores the value; nothing if all is well, otherwise why not: a text that completes "must be ".
std::optional<std::string> assign(Config& config, const Setting& setting, std::string_view text);

}  // namespace ringlay::base
