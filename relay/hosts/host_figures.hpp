// What the log and the database know of each host: up to where its stream is acknowledged, and how
// many accounts it has. A snapshot, made anew when it is asked for and older than max_age.
//
// Owner    Relay.
// Thread   the main worker; get() may wait.
// Bound    one entry for each host that the log has a number for.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "relay/env/env.hpp"
#include "relay/event_log/host_table.hpp"
#include "relay/hosts/host_row.hpp"

namespace ringlay::hosts {

struct HostFigure {
    // Of the host's own counting: all its events up to here are in the log, or refused. 0: none.
    std::uint64_t seq = 0;
    std::uint64_t accounts = 0;
    bool operator==(const HostFigure&) const = default;
};
using HostFigures = std::map<std::string, HostFigure, std::less<>>;  // by name

// Nothing is known of a host without an entry.
HostFigure figure_of(const HostFigures& figures, std::string_view name);

// From where the host is read next, which is what its own operator wants to know: acknowledged of
// its stream, unless ours has ordered otherwise. 0: live, or from the beginning.
std::uint64_t next_seq_of(const HostRow& row, const HostFigure& figure);

struct FigureSources {
    std::function<std::vector<event_log::Host>()> log_hosts;
    // By name. Asked each second while anybody looks: no scan of the database.
    std::function<std::map<std::string, std::uint64_t, std::less<>>()> accounts;
};

class FigureBook {
  public:
    static constexpr Nanos max_age = std::chrono::seconds(1);

    FigureBook(env::Env& env, FigureSources sources) : env_(env), sources_(std::move(sources)) {}

    std::shared_ptr<const HostFigures> get();

  private:
    void refresh();

    env::Env& env_;
    FigureSources sources_;
    std::shared_ptr<const HostFigures> figures_ = std::make_shared<HostFigures>();
    bool is_refreshing_ = false;
    bool has_figures_ = false;
    Nanos refreshed_{};
    fiber::Event first_;  // has come
};

}  // namespace ringlay::hosts
