// What must be true of a relay's log and rows, given everything that was said to it.

#include <algorithm>
#include <set>

#include "proto/tid.hpp"
#include "tests/sim/truth_world.hpp"

namespace ringlay::support {

using event_log::FactsField;
using event_log::FactsKind;
using proto::AccountStanding;

namespace {

bool has_proof(FactsKind kind) {
    return kind == FactsKind::commit || kind == FactsKind::sync;
}

// What an account's records add up to.
struct Row {
    std::uint64_t rev = 0;
    proto::Cid data;
    proto::Cid commit;
    std::optional<std::size_t> host;
    AccountStanding standing;
    std::size_t binding = 0;  // the newest that a verified proof has shown
    Nanos binding_shown{};
};

class Auditor {
  public:
    Auditor(const TruthWorld& world, const Findings& findings)
        : world_(world),
          network_(world.network),
          findings_(findings),
          judge_(network_, world.history) {}

    std::optional<std::string> audit() {
        if (findings_.failure) return findings_.failure;
        for (const LogRecord& record : findings_.records) {
            if (auto wrong = take(record)) return describe(record) + ": " + *wrong;
        }
        if (auto wrong = check_missing()) return wrong;
        for (std::size_t i = 0; i < network_.account_count(); ++i) {
            if (auto wrong = check_account(i)) return describe_account(i) + ": " + *wrong;
        }
        if (findings_.rows.size() > rows_.size()) return "rows of accounts that nobody has";
        if (world_.power_losses == 0 && findings_.consumer_repeats > 0) {
            return "the consumer was sent something twice";
        }
        return std::nullopt;
    }

    Strictness measure() const {
        Strictness all;
        for (const Emission& emission : network_.ledger()) {
            auto excuse = judge_.excuse(emission);
            if (!emission.is_honest) {
                ++all.lies;
            } else if (excuse) {
                ++all.may;
                ++all.excuses[std::string(*excuse)];
            } else {
                ++all.must;
            }
        }
        for (const LogRecord& record : findings_.records) {
            if (record.is_unverified) ++all.unverified;
        }
        return all;
    }

  private:
    using Problem = std::optional<std::string>;

    // ----- the log, record by record --------------------------------------------------------

    Problem take(const LogRecord& record) {
        if (record.kind == FactsKind::host_name || record.kind == FactsKind::host_cursor) return {};
        auto account = network_.account_named(record.text);
        if (!account) return "of nobody's account";
        if (record.kind == FactsKind::late_verification ||
            record.kind == FactsKind::account_standing) {
            return take_late(record, *account);
        }
        if (!record.number) return take_own(record, *account);
        if (*record.number >= network_.ledger().size()) return "of an unknown number";
        const Emission& emission = network_.ledger()[*record.number];
        if (auto wrong = check_origin(record, emission)) return wrong;
        if (auto wrong = check_order(emission)) return wrong;
        if (auto wrong = check_state(record, emission)) return wrong;
        if (record.is_unverified) return take_unverified(record, emission);
        return take_verified(record, emission);
    }

    Problem check_origin(const LogRecord& record, const Emission& emission) {
        if (!emission.is_sound) return "it is broken, and was passed";
        if (record.kind != emission.kind) return "of another kind than it was";
        if (network_.account(emission.account).did() != record.text) return "of another account";
        if (host_of(record) != emission.host) return "of another host than its own";
        if (record.upstream_seq != emission.host_seq) return "of another seq of its host";
        if (has_proof(record.kind) && record.content != frame_without_seq(emission.frame)) {
            return "with another content than it was sent with";
        }
        return {};
    }

    // Each once, and those of a host about an account in their order. But one that was refused
    // while its key could not be found out is sent again after a crash, if that came before the log
    // said that it was finished: then it passes behind what has overtaken it. What is signed has a
    // rev that says whether it is still news; an #account has not (docs/verdicts.md says so).
    Problem check_order(const Emission& emission) {
        if (!logged_.insert(emission.number).second) return "for the second time";
        std::size_t& last = last_[{emission.host, emission.account}];
        const bool was_refused_before = has_crash_since(emission.at);
        if (last > emission.number && !was_refused_before) {
            return "after number " + std::to_string(last);
        }
        last = std::max(last, emission.number);
        return {};
    }

    Problem check_state(const LogRecord& record, const Emission& emission) {
        if (!has_proof(record.kind)) return {};
        const Row& row = rows_[emission.account];
        if (!row.standing.is_active) return "although the account is inactive";
        bool is_stale =
            record.kind == FactsKind::commit ? emission.rev <= row.rev : emission.rev < row.rev;
        if (is_stale) return "although its rev is an old one";
        return {};
    }

    Problem take_unverified(const LogRecord& record, const Emission& emission) {
        if (!world_.setup.passes_unverified) return "unverified, which is not allowed";
        Nanos until = seen_at(emission);
        if (!judge_.was_directory_bad(emission.at, until)) {
            return "unverified, although the directory was well";
        }
        const Row& row = rows_[emission.account];
        if (row.host && *row.host != emission.host) return "unverified, from another host";
        if (!record.fields.contains(FactsField::rev) &&
            !record.fields.contains(FactsField::data_cid) &&
            !record.fields.contains(FactsField::commit_cid) &&
            !record.fields.contains(FactsField::statuses)) {
            unverified_.insert(emission.number);
            return {};
        }
        return "unverified, and with facts";
    }

    // The newest binding under which it was right; nothing: none.
    std::optional<std::size_t> binding_for(const Emission& emission, Nanos until) const {
        const auto& all = network_.account(emission.account).bindings;
        for (std::size_t i = all.size(); i-- > 0;) {
            bool is_it = all[i].host == emission.host && all[i].at <= until &&
                         (!has_proof(emission.kind) || all[i].key == emission.signed_by);
            if (is_it) return i;
        }
        return std::nullopt;
    }

    Problem take_verified(const LogRecord& record, const Emission& emission) {
        auto binding = binding_for(emission, seen_at(emission));
        if (!binding) return "verified, and was never right";
        Row& row = rows_[emission.account];
        if (*binding < row.binding && !has_crash_since(row.binding_shown)) {
            return "verified by a key or a host that was known to be outdated";
        }
        row.host = emission.host;
        if (has_proof(record.kind)) {
            if (*binding >= row.binding) row.binding_shown = seen_at(emission);
            row.binding = std::max(row.binding, *binding);
            set_repo(row, emission);
            if (!has_repo_fields(record, emission)) return "with facts that are not its own";
        }
        if (record.kind == FactsKind::account) {
            row.standing = emission.standing;
            if (auto wrong = check_statuses(record, row)) return wrong;
        }
        return {};
    }

    Problem check_statuses(const LogRecord& record, const Row& row) {
        auto statuses = record.fields.find(FactsField::statuses);
        const Buffer expected{AccountStanding().to_byte(), row.standing.to_byte()};
        if (statuses == record.fields.end() || statuses->second != expected) {
            return "with another standing";
        }
        return {};
    }

    static void set_repo(Row& row, const Emission& emission) {
        row.rev = emission.rev;
        row.data = emission.data;
        row.commit = emission.commit;
    }

    static bool has_repo_fields(const LogRecord& record, const Emission& emission) {
        auto is = [&](FactsField which, Bytes bytes) {
            auto found = record.fields.find(which);
            return found != record.fields.end() && std::ranges::equal(found->second, bytes);
        };
        std::string rev = proto::Tid(emission.rev).to_text();
        return is(FactsField::rev, Bytes(reinterpret_cast<const std::uint8_t*>(rev.data()), 13)) &&
               is(FactsField::data_cid, emission.data.bytes()) &&
               is(FactsField::commit_cid, emission.commit.bytes());
    }

    // An event that was passed unverified is found to have been right.
    Problem take_late(const LogRecord& record, std::size_t account) {
        Row& row = rows_[account];
        auto host = host_of(record);
        for (std::size_t number : unverified_) {
            const Emission& emission = network_.ledger()[number];
            if (emission.account != account || emission.host != host) continue;
            if (!binding_for(emission, Nanos::max())) continue;
            if (record.kind == FactsKind::account_standing) {
                if (emission.kind != FactsKind::account) continue;
                const Buffer said{AccountStanding().to_byte(), emission.standing.to_byte()};
                auto statuses = record.fields.find(FactsField::statuses);
                if (statuses == record.fields.end() || statuses->second != said) continue;
                row.standing = emission.standing;
            } else {
                if (!has_proof(emission.kind) || !has_repo_fields(record, emission)) continue;
                if (emission.rev < row.rev) return "late, and of an old rev";
                set_repo(row, emission);
            }
            row.host = emission.host;
            return {};
        }
        return "late, and of nothing that was passed and right";
    }

    // Only that an account is active again, if its host has said so when it was asked.
    Problem take_own(const LogRecord& record, std::size_t account) {
        if (record.kind != FactsKind::account) return "of the relay's own making";
        auto host = host_of(record);
        if (!host || !network_.account(account).has_lived_at(*host)) {
            return "learned from a host that never had the account";
        }
        Row& row = rows_[account];
        if (row.standing.is_active) return "said again that it is active";
        row.standing = {};
        row.host = host;
        return check_statuses(record, row);
    }

    // ----- what is missing, and what it adds up to -------------------------------------------

    Problem check_missing() {
        for (const Emission& emission : network_.ledger()) {
            auto excuse = judge_.excuse(emission);
            if (excuse && emission.number >= world_.settled && emission.is_honest) {
                return describe(emission) + ": has an excuse at the end: " + std::string(*excuse);
            }
            if (excuse) continue;
            if (!logged_.contains(emission.number)) {
                return describe(emission) + ": is not in the log";
            }
            if (!world_.history.seen.contains(emission.number)) {
                return describe(emission) + ": was not sent to the consumer";
            }
        }
        return {};
    }

    Problem check_account(std::size_t number) {
        const SimAccount& account = network_.account(number);
        const Row& row = rows_[number];
        auto found = findings_.rows.find(account.did());
        if (found == findings_.rows.end()) {
            return row.host ? Problem("has no row") : std::nullopt;
        }
        const index::AccountRow& its = found->second;
        if (its.repo.rev != row.rev) return "row: another rev than the log's";
        if (row.rev != 0 && its.repo.data != row.data) return "row: another data";
        if (row.rev != 0 && its.repo.commit != row.commit) return "row: another commit";
        if (its.upstream != row.standing) return "row: another standing than the log's";
        if (its.local != AccountStanding()) return "row: a standing of our own";
        auto host = findings_.hosts.find(its.host_id);
        if (host == findings_.hosts.end()) return "row: of no host";
        if (network_.host_named(host->second) != row.host) return "row: another host";
        // And that is the truth, once everybody has said it again.
        if (row.standing != account.standing) return "another standing than its host's";
        if (row.host != account.home) return "another host than its own";
        if (account.standing.is_active && row.rev != account.rev) return "another rev than its own";
        return check_answer(account, row);
    }

    Problem check_answer(const SimAccount& account, const Row& row) {
        auto found = findings_.statuses.find(account.did());
        if (found == findings_.statuses.end()) return "was not asked for";
        const std::string& answer = found->second;
        auto says = [&](std::string_view text) { return answer.find(text) != std::string::npos; };
        std::string status(proto::account_status_name(row.standing.status));
        bool is_right =
            says("\"did\":\"" + account.did() + "\"") &&
            says(row.standing.is_active ? "\"active\":true" : "\"active\":false") &&
            (status.empty() ? !says("\"status\"") : says("\"status\":\"" + status + "\"")) &&
            (!row.standing.is_active || says("\"rev\":\"" + proto::Tid(row.rev).to_text() + "\""));
        return is_right ? std::nullopt : Problem("getRepoStatus says " + answer);
    }

    // ----- words ----------------------------------------------------------------------------

    std::optional<std::size_t> host_of(const LogRecord& record) const {
        auto name = findings_.hosts.find(record.host_id);
        if (name == findings_.hosts.end()) return std::nullopt;
        return network_.host_named(name->second);
    }

    Nanos seen_at(const Emission& emission) const {
        auto seen = world_.history.seen.find(emission.number);
        return seen == world_.history.seen.end() ? Nanos::max() : seen->second;
    }

    bool has_crash_since(Nanos at) const {
        return std::ranges::any_of(world_.history.crashes,
                                   [&](Nanos crash) { return crash >= at; });
    }

    std::string describe(const Emission& emission) const {
        return "#" + std::to_string(emission.number) + " " + std::string(emission.what) +
               " of account " + std::to_string(emission.account) + " by host " +
               std::to_string(emission.host) + " at " + millis(emission.at) + " (seen " +
               millis(seen_at(emission)) + ")";
    }

    std::string describe(const LogRecord& record) const {
        std::string text = "record seq " + std::to_string(record.seq);
        if (record.is_unverified) text += " unverified";
        if (record.number && *record.number < network_.ledger().size()) {
            return text + ", " + describe(network_.ledger()[*record.number]);
        }
        return text + " kind " + std::to_string(static_cast<int>(record.kind)) + " of " +
               record.text;
    }

    std::string describe_account(std::size_t number) const {
        std::string text =
            "account " + std::to_string(number) + " " + network_.account(number).did() + ", bound";
        for (const Binding& binding : network_.account(number).bindings) {
            text += " to host " + std::to_string(binding.host) + " key " +
                    std::to_string(binding.key) + " at " + millis(binding.at);
        }
        return text;
    }

    static std::string millis(Nanos at) {
        if (at == Nanos::max()) return "never";
        return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(at).count()) +
               " ms";
    }

    const TruthWorld& world_;
    const SimNetwork& network_;
    const Findings& findings_;
    const Judge judge_;
    std::map<std::size_t, Row> rows_;
    std::set<std::size_t> logged_;
    std::set<std::size_t> unverified_;
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> last_;
};

}  // namespace

std::optional<std::string> find_problem(const TruthWorld& world, const Findings& findings) {
    return Auditor(world, findings).audit();
}

Strictness measure(const TruthWorld& world, const Findings& findings) {
    return Auditor(world, findings).measure();
}

}  // namespace ringlay::support
