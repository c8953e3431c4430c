// The command line of the fleet. One table says what there is, for reading and for the help text.
//
// Errors   a sentence that names the flag and what is valid.
#pragma once

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/hostile.hpp"

namespace ringlay::bench {

struct FleetOptions {
    std::uint64_t hosts = 1;
    std::uint64_t accounts = 10;  // of each host
    std::uint64_t rate = 100;     // events per second, all hosts together
    std::uint64_t events = 0;     // all hosts together, the accounts' first ones not counted
    std::uint64_t records = 4000;
    std::uint64_t seed = 1;
    std::uint64_t base_port = 0;
    std::uint64_t plc_port = 0;
    std::uint64_t workers = 1;
    std::uint64_t window_mib = 1024;  // all hosts together
    std::uint64_t busy = 0;           // hosts that have 95 of 100 events; 0: all are alike
    bool prints_hosts = false;
    bool is_tls = false;
    bool keeps_ledger = false;  // of what is sent, for drain --ledger
    std::string ca_out;         // file for the certificate; empty: none
    std::vector<Hostility> hostile;
};

std::expected<FleetOptions, std::string> parse_fleet_options(
    std::span<const std::string_view> arguments);

struct DrainOptions {
    std::string url;
    std::uint64_t consumers = 1;
    std::uint64_t events = 0;  // of each consumer; 0: until it ends
    std::uint64_t cursor = 0;
    bool has_cursor = false;
    std::string ledger;  // URL of the directory of a fleet that keeps one; empty: only count
};

std::expected<DrainOptions, std::string> parse_drain_options(
    std::span<const std::string_view> arguments);

std::string help_text();

}  // namespace ringlay::bench
