#include "tests/sim/truth_history.hpp"

#include <algorithm>
#include <chrono>

namespace ringlay::support {

using namespace std::chrono_literals;
using event_log::FactsKind;

namespace {

// Longer than a relay remembers that it was refused, plus what it waits for an answer.
constexpr Nanos memory = 150s;
// A directory that has failed is left alone for a while.
constexpr Nanos recovery = 100s;
// Until what was published is surely synced.
constexpr Nanos synced = 1s;

bool has_proof(const Emission& emission) {
    return emission.kind == FactsKind::commit || emission.kind == FactsKind::sync;
}

Nanos later(Nanos at, Nanos by) {
    return at == Nanos::max() ? at : at + by;
}

}  // namespace

struct Judge::Window {
    const Emission& emission;
    const SimAccount& account;
    const Binding& binding;
    Nanos begin;
    Nanos end;
};

const Binding& Judge::binding_at(const SimAccount& account, Nanos at) const {
    const Binding* latest = &account.bindings.front();
    for (const Binding& one : account.bindings) {
        if (one.at <= at) latest = &one;
    }
    return *latest;
}

bool Judge::was_directory_bad(Nanos begin, Nanos end) const {
    auto is_in_it = [&](const Span& span) {
        return Span{span.from, later(span.to, recovery)}.overlaps(begin, end);
    };
    return std::ranges::any_of(history_.directory_bad, is_in_it);
}

bool Judge::has_crash(Nanos begin, Nanos end) const {
    return std::ranges::any_of(history_.crashes,
                               [&](Nanos at) { return begin <= at && at <= end; });
}

std::optional<std::string_view> Judge::excuse(const Emission& emission) const {
    if (!emission.is_honest) return "a lie";
    const SimAccount& account = network_.account(emission.account);
    const Binding& binding = binding_at(account, emission.at);
    if (binding.host != emission.host) return "the directory named another host";
    if (has_proof(emission) && binding.key != emission.signed_by) {
        return "the directory named another key";
    }
    Nanos end = Nanos::max();
    auto quiet = std::ranges::find_if(history_.quiet, [&](Nanos at) { return at > emission.at; });
    if (quiet != history_.quiet.end()) end = *quiet;
    auto seen = history_.seen.find(emission.number);
    if (seen != history_.seen.end()) end = std::min(end, seen->second);
    Window window{emission, account, binding, emission.at, end};

    for (const Binding& one : account.bindings) {
        if (one.at > emission.at && one.at <= end) return "the directory has changed since";
    }
    if (auto why = excuse_of_host(window)) return why;
    if (auto why = excuse_of_identity(window)) return why;
    return excuse_of_account(window);
}

// ----- its host -------------------------------------------------------------------------------

// After a restore the relay first has to notice; what is said meanwhile is not asked for.
bool Judge::is_cursor_trusted(const Emission& emission) const {
    if (emission.host_life == 0) return true;
    for (const auto& [number, seen] : history_.seen) {
        const Emission& other = network_.ledger()[number];
        if (other.host != emission.host || other.host_life != emission.host_life) continue;
        if (seen + synced <= emission.at && !has_crash(seen, seen + synced)) return true;
    }
    return false;
}

std::optional<std::string_view> Judge::excuse_of_host(const Window& window) const {
    const Emission& emission = window.emission;
    if (auto restores = history_.restores.find(emission.host);
        restores != history_.restores.end()) {
        for (Nanos at : restores->second) {
            if (at >= window.begin && at <= window.end) return "its host has lost it";
        }
    }
    if (!is_cursor_trusted(emission)) return "its host was restored a moment ago";
    for (const Emission& other : network_.ledger()) {
        if (other.host != emission.host || other.account != emission.account) continue;
        if (other.at + memory < window.begin || other.at > window.end) continue;
        if (binding_at(window.account, other.at).host != other.host) {
            return "its host had no authority a moment ago";
        }
    }
    return std::nullopt;
}

// ----- who it is ------------------------------------------------------------------------------

// Whether the relay has shown that it knows this key, and has not lost that since.
bool Judge::is_key_known(const Window& window) const {
    for (const Emission& other : network_.ledger()) {
        if (other.account != window.emission.account || !has_proof(other)) continue;
        if (other.host != window.binding.host || other.signed_by != window.binding.key) continue;
        if (other.at < window.binding.at) continue;
        auto seen = history_.seen.find(other.number);
        if (seen == history_.seen.end() || seen->second > window.begin) continue;
        if (!has_crash(seen->second, window.end)) return true;
    }
    return false;
}

std::optional<std::string_view> Judge::excuse_of_identity(const Window& window) const {
    const bool is_bad = was_directory_bad(window.begin, window.end);
    if (is_bad && !history_.passes_unverified) return "the directory was down";
    for (const Span& lag : history_.directory_lags) {
        const bool is_in_it = lag.overlaps(window.binding.at, window.binding.at);
        if (is_in_it && window.begin <= later(lag.to, memory)) {
            return "the directory did not show it yet";
        }
    }
    if (is_key_known(window)) return std::nullopt;
    const bool is_first = &window.binding == &window.account.bindings.front();
    if (!is_first && is_bad) return "the directory was down after a change";
    std::size_t doubtful = 0;
    for (const Emission& other : network_.ledger()) {
        if (other.host != window.emission.host || other.at + memory < window.begin ||
            other.at > window.end) {
            continue;
        }
        if (!other.is_honest) ++doubtful;
        if (!is_first && !other.is_honest && other.account == window.emission.account) {
            return "its host has sent wrong signatures a moment ago";
        }
    }
    if (doubtful > 40) return "its host may have used up its look-ups";
    return std::nullopt;
}

// ----- the account's state --------------------------------------------------------------------

std::optional<std::string_view> Judge::excuse_of_account(const Window& window) const {
    const Emission& emission = window.emission;
    std::size_t identities = 0;
    bool was_inactive = false, spoke_while_inactive = false;
    const Emission* told = nullptr;  // the latest that a relay may believe of its standing
    for (const Emission& other : network_.ledger()) {
        if (other.account != emission.account || other.number == emission.number) continue;
        if (other.at > window.end) break;
        const bool is_before = other.number < emission.number;
        if (other.kind == FactsKind::identity && other.is_honest && is_before &&
            other.at + 130s >= window.begin) {
            ++identities;
        }
        if (other.kind == FactsKind::account && !other.standing.is_active) was_inactive = true;
        if (other.kind == FactsKind::account && is_before &&
            window.account.has_lived_at(other.host)) {
            told = &other;
        }
        if (has_proof(other) && !other.standing.is_active) spoke_while_inactive = true;
        if (!has_proof(other) || !has_proof(emission)) continue;
        const bool is_rival =
            other.rev > emission.rev || (other.rev == emission.rev && !other.is_honest);
        if (is_rival && other.is_sound && (is_before || other.host != emission.host)) {
            return "a later rev may have come before";
        }
    }
    if (emission.kind == FactsKind::identity) {
        if (identities >= 9) return "more #identity than are taken";
        return std::nullopt;
    }
    if (!has_proof(emission)) return std::nullopt;
    if (!emission.standing.is_active) return "the account was inactive";
    if (!was_inactive) return std::nullopt;
    const bool was_told = told != nullptr && told->host == emission.host &&
                          told->standing.is_active && !excuse(*told);
    if (was_told) return std::nullopt;
    // It may have to be asked for whether it is active again.
    if (spoke_while_inactive) return "the host may have been asked a moment ago";
    auto bad = history_.status_bad.find(emission.host);
    if (bad == history_.status_bad.end()) return std::nullopt;
    for (const Span& span : bad->second) {
        if (Span{span.from, later(span.to, 400s)}.overlaps(window.begin, window.end)) {
            return "the host could not be asked whether it is active";
        }
    }
    return std::nullopt;
}

}  // namespace ringlay::support
