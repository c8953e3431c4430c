#include "relay/accounts/fold.hpp"

#include "proto/tid.hpp"

namespace ringlay::accounts {
namespace {

using event_log::Facts;
using event_log::FactsField;
using event_log::FactsKind;

std::string_view text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Result<index::RepoState> repo_of(const Facts& facts) {
    auto rev = proto::Tid::parse(text_of(facts.field(FactsField::rev)));
    if (!rev) return fail(Errc::corrupt, "fact: its rev is no TID");
    auto data = proto::Cid::parse(facts.field(FactsField::data_cid));
    if (!data) return fail(Errc::corrupt, "fact: its data is no CID");
    auto commit = proto::Cid::parse(facts.field(FactsField::commit_cid));
    if (!commit) return fail(Errc::corrupt, "fact: its commit is no CID");
    return index::RepoState{rev->value(), *data, *commit};
}

Result<void> read_standings(const Facts& facts, index::AccountChange& change) {
    Bytes both = facts.field(FactsField::statuses);
    if (both.size() != 2) return fail(Errc::corrupt, "fact: it has no two standings");
    change.local = proto::AccountStanding::from_byte(both[0]);
    change.upstream = proto::AccountStanding::from_byte(both[1]);
    if (!change.local || !change.upstream) {
        return fail(Errc::corrupt, "fact: a standing that is none");
    }
    return {};
}

}  // namespace

Result<std::optional<index::AccountChange>> change_of(const Facts& facts,
                                                      std::uint64_t newest_seq) {
    if ((facts.verdicts & event_log::verdict_unverified) != 0) return std::nullopt;
    index::AccountChange change;
    change.did = facts.text;
    change.seq = newest_seq;
    change.host_id = facts.host_id;
    switch (facts.kind) {
        case FactsKind::commit:
        case FactsKind::sync:
        case FactsKind::late_verification: {
            auto repo = repo_of(facts);
            if (!repo) return std::unexpected(repo.error());
            change.repo = *repo;
            return change;
        }
        case FactsKind::account:
        case FactsKind::account_standing:
            if (auto read = read_standings(facts, change); !read) {
                return std::unexpected(read.error());
            }
            return change;
        case FactsKind::identity:
        case FactsKind::host_name:
        case FactsKind::host_cursor:
            return std::nullopt;
    }
    return fail(Errc::corrupt, "fact: of an unknown kind");
}

bool is_from_the_future(const index::AccountRow& row, const event_log::RecoveryReport& log) {
    return row.last_seq > log.head_seq && row.last_seq < log.first_seq;
}

}  // namespace ringlay::accounts
