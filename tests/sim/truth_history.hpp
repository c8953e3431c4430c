// What was done to a simulated network and to a relay in it, and what follows for an emission: must
// it be in the relay's log, or may it be missing, and why.
//
// Fates are found afterwards, from the whole history. An emission that nothing was in the way of
// must be there; every excuse names what was in the way. Excuses are wide on purpose, since a
// simulation must not know how fast a relay is; that they are not too wide is seen by the number of
// emissions that must pass (truth_test.cpp).
//
// Thread   plain values.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "tests/support/sim_network.hpp"

namespace ringlay::support {

struct Span {
    Nanos from{};
    Nanos to = Nanos::max();  // still going on

    bool overlaps(Nanos begin, Nanos end) const { return from <= end && begin <= to; }
};

struct History {
    bool passes_unverified = true;
    std::vector<Span> directory_bad;   // slow, failing or mute
    std::vector<Span> directory_lags;  // and shows what was true before
    std::vector<Nanos> crashes;        // of the relay
    std::vector<Nanos> quiet;          // moments by which all before them has been dealt with
    std::map<std::size_t, std::vector<Span>> status_bad;  // of a host: it does not answer questions
    std::map<std::size_t, std::vector<Nanos>> restores;   // of a host
    std::map<std::size_t, Nanos> seen;  // emissions, when a consumer was first sent them
};

class Judge {
  public:
    Judge(const SimNetwork& network, const History& history)
        : network_(network), history_(history) {}

    // Nothing: it must be in the log. Otherwise why it may be missing.
    std::optional<std::string_view> excuse(const Emission& emission) const;

    // The directory's words at this time.
    const Binding& binding_at(const SimAccount& account, Nanos at) const;
    bool was_directory_bad(Nanos begin, Nanos end) const;

  private:
    struct Window;  // from an emission to when it was seen, or must have been

    std::optional<std::string_view> excuse_of_identity(const Window& window) const;
    std::optional<std::string_view> excuse_of_host(const Window& window) const;
    std::optional<std::string_view> excuse_of_account(const Window& window) const;
    bool is_cursor_trusted(const Emission& emission) const;
    bool is_key_known(const Window& window) const;
    bool has_crash(Nanos begin, Nanos end) const;

    const SimNetwork& network_;
    const History& history_;
};

}  // namespace ringlay::support
