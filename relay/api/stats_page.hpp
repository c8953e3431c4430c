// /_stats: the state of everything in one page of JSON, made at most once a second, however often
// it is asked for. Beyond max_hosts_listed hosts it has no list of them but sums: by state, the
// busiest, and why the others are not connected.
//
// Owner    Router.
// Thread   the worker that serves HTTP; get() may wait for other workers.
// Bound    one page; a number for each host.
// Source   docs/operations.md, "/_stats", has the fields.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "relay/api/relay_status.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::api {

inline constexpr std::size_t max_hosts_listed = 500;
inline constexpr std::size_t max_hosts_in_top = 20;

// Events a second by host, in the order of `status.hosts`.
std::string stats_page(const RelayStatus& status, const std::vector<double>& host_rates);

class StatsPage {
  public:
    static constexpr Nanos max_age = std::chrono::seconds(1);

    explicit StatsPage(std::function<RelayStatus()> status) : status_(std::move(status)) {}

    std::shared_ptr<const std::string> get();

  private:
    void make();
    std::vector<double> rates(const RelayStatus& status);

    const std::function<RelayStatus()> status_;
    std::shared_ptr<const std::string> page_;
    Nanos made_{};
    bool is_making_ = false;
    fiber::Event first_;  // has been made
    // As they were when the page was made; since the start, before that.
    std::unordered_map<std::string, std::uint64_t> events_;
    WallMillis events_at_{};
};

}  // namespace ringlay::api
