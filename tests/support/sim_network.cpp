#include "tests/support/sim_network.hpp"

#include <algorithm>
#include <charconv>

#include "crypto/sha256.hpp"
#include "proto/car.hpp"
#include "proto/cbor.hpp"
#include "proto/commit.hpp"
#include "proto/event.hpp"

namespace ringlay::support {

using event_log::FactsKind;
using proto::AccountStanding;
using proto::AccountStatus;
using proto::Tid;

namespace {

constexpr std::uint64_t seed = 0x51e7;
constexpr std::uint64_t ten_years_micros = 315'360'000'000'000;
constexpr std::string_view time_prefix = "2026-01-01T00:00:00.";
constexpr std::size_t number_digits = 9;

std::uint64_t micros_of(WallMillis wall) {
    return static_cast<std::uint64_t>(wall.count()) * 1000;
}

// `2026-01-01T00:00:00.` and the number.
std::string time_of(std::size_t number) {
    std::string digits = std::to_string(number);
    digits.insert(0, number_digits - digits.size(), '0');
    return std::string(time_prefix) + digits + "Z";
}

std::string_view status_word(const AccountStanding& standing) {
    return proto::account_status_name(standing.status);
}

Buffer account_frame(std::uint64_t seq, std::string_view did, std::string_view time,
                     const AccountStanding& standing) {
    proto::AccountEvent event{
        .seq = seq, .did = did, .time = time, .is_active = standing.is_active, .status = {}};
    if (!status_word(standing).empty()) event.status = status_word(standing);
    return proto::encode_frame(event);
}

}  // namespace

std::string_view name_of(Lie lie) {
    constexpr std::string_view names[lie_count] = {
        "foreign commit",   "foreign commit without signature",
        "foreign genuine",  "foreign sync",
        "foreign account",  "foreign identity",
        "foreign farewell", "wrong signature",
        "old rev",          "future rev",
        "broken block",     "cut archive",
        "wrong root",       "wrong did",
        "wrong rev",        "replayed"};
    return names[static_cast<std::size_t>(lie)];
}

std::optional<std::size_t> number_of_frame(std::string_view message) {
    std::size_t at = message.find(time_prefix);
    if (at == std::string_view::npos) return std::nullopt;
    std::string_view digits = message.substr(at + time_prefix.size(), number_digits + 1);
    std::size_t number = 0;
    auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (digits.size() != number_digits + 1 || read.ptr != &digits.back() || digits.back() != 'Z') {
        return std::nullopt;
    }
    return number;
}

std::string frame_without_seq(Bytes message) {
    proto::Peek frame = proto::peek(message).value();
    std::string text(message.begin(), message.end());
    return text.erase(frame.seq_offset, frame.seq_bytes);
}

bool SimAccount::has_lived_at(std::size_t host) const {
    return std::ranges::find(bindings, host, &Binding::host) != bindings.end();
}

// ----- hosts and accounts -------------------------------------------------------------------

std::size_t SimNetwork::add_host(const std::string& machine_name) {
    std::size_t number = hosts_.size();
    hosts_.push_back({});
    hosts_.back().pds = std::make_unique<SimPds>(
        world_, machine_name,
        [this, number](std::string_view did) { return status_at(number, did); });
    hosts_.back().liar_key = new_key();
    return number;
}

std::optional<std::size_t> SimNetwork::host_named(std::string_view name) const {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
        if (hosts_[i].pds->name() == name) return i;
    }
    return std::nullopt;
}

std::optional<std::size_t> SimNetwork::account_named(std::string_view did) const {
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
        if (accounts_[i].did() == did) return i;
    }
    return std::nullopt;
}

std::uint32_t SimNetwork::new_key() {
    keys_.push_back(bench::invented_key(crypto::Curve::k256, seed, keys_.size()));
    return static_cast<std::uint32_t>(keys_.size() - 1);
}

std::optional<SimPds::RepoStatus> SimNetwork::status_at(std::size_t host,
                                                        std::string_view did) const {
    auto number = account_named(did);
    if (!number || account(*number).is_gone) return std::nullopt;
    const SimAccount& its = account(*number);
    if (its.home != host && !its.has_lived_at(host)) return std::nullopt;
    if (its.home != host) return SimPds::RepoStatus{false, "deactivated", {}};
    SimPds::RepoStatus status{its.standing.is_active, std::string(status_word(its.standing)), {}};
    if (its.standing.is_active) status.rev = Tid(its.rev).to_text();
    return status;
}

// Later than all before it: a restored repository must not count again what it has lost.
std::uint64_t SimNetwork::micros_for(const SimAccount& its) {
    if (its.is_bridged) return bridged_micros_ += 1 + world_.prng().below(1000);
    last_micros_ = std::max(last_micros_ + 1, micros_of(world_.wall()));
    return last_micros_ + its.micros_ahead;
}

// ----- emissions ----------------------------------------------------------------------------

SimNetwork::Draft SimNetwork::draft(std::size_t host, std::size_t number, FactsKind kind,
                                    std::string_view what) {
    Emission emission;
    emission.number = ledger_.size();
    emission.at = world_.now();
    emission.host = host;
    emission.host_life = hosts_[host].life;
    emission.host_seq = hosts_[host].pds->last_seq() + 1;
    if (world_.prng().below(5) == 0) emission.host_seq += world_.prng().below(20);
    emission.account = number;
    emission.kind = kind;
    emission.what = what;
    emission.standing = account(number).standing;
    return {std::move(emission), account(number)};
}

void SimNetwork::emit(Emission emission, Buffer frame) {
    RINGLAY_ASSERT(emission.number == ledger_.size());
    emission.frame = frame;
    hosts_[emission.host].pds->append(emission.host_seq, std::move(frame));
    ledger_.push_back(std::move(emission));
}

std::vector<bench::WriteOp> SimNetwork::invent_ops(const bench::Repo& repo, std::size_t count) {
    std::vector<bench::WriteOp> ops;
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < count; ++i) {
        bench::WriteOp op;
        std::uint64_t draw = world_.prng().below(10);
        if (draw < 4 && repo.path_count() > 0) {
            auto path = repo.path_at(world_.prng().below(repo.path_count()));
            if (path) op.path = *path;
        }
        if (op.path.empty()) {
            op.path = "app.bsky.feed.post/" + std::to_string(++records_made_);
        } else {
            op.action = draw < 2 ? proto::RepoAction::remove : proto::RepoAction::update;
        }
        if (std::ranges::find(paths, op.path) != paths.end()) continue;
        paths.push_back(op.path);
        if (op.action != proto::RepoAction::remove) {
            proto::CborWriter out(op.record);
            auto map = out.write_map(1);
            out.write_key(map, "n");
            out.write_uint(++records_made_);
        }
        ops.push_back(std::move(op));
    }
    return ops;
}

CommitParts SimNetwork::commit_parts(Draft& it, std::size_t op_count) {
    SimAccount& its = it.account;
    auto ops = invent_ops(its.repo, op_count);
    CommitParts parts(its.repo.commit_frame(it.emission.host_seq, micros_for(its), ops));
    parts.outer.payload.set_text("time", time_of(it.emission.number));
    if (its.is_bridged) {
        parts.outer.payload.set_null("since");
        if (its.rev != 0) parts.commit.set_cid("prev", its.commit);
    }
    parts.sign(keys_[its.key]);
    it.emission.signed_by = its.key;
    return parts;
}

void SimNetwork::note_commit(Draft& it, CommitParts& parts) {
    SimAccount& its = it.account;
    its.commit_block = parts.commit.encode();
    its.commit = it.emission.commit = cid_of(its.commit_block);
    its.rev = it.emission.rev = Tid::parse(parts.commit.text("rev")).value().value();
    its.data = it.emission.data = its.repo.tree().root();
    its.block_key = it.emission.signed_by;
}

void SimNetwork::say_commit(std::size_t number, std::size_t op_count) {
    Draft it = draft(account(number).home, number, FactsKind::commit, "commit");
    CommitParts parts = commit_parts(it, op_count);
    Buffer frame = parts.frame();
    note_commit(it, parts);
    account(number) = std::move(it.account);
    emit(std::move(it.emission), std::move(frame));
}

Buffer SimNetwork::sync_frame(Draft& it, bool has_new_rev) {
    SimAccount& its = it.account;
    if (has_new_rev) {
        // An empty commit that is not sent as one.
        CommitParts parts = commit_parts(it, 0);
        static_cast<void>(parts.frame());
        note_commit(it, parts);
    }
    Buffer archive;
    proto::append_car_header(archive, std::span(&its.commit, 1));
    proto::append_car_block(archive, its.commit, its.commit_block);
    std::string rev = Tid(its.rev).to_text(), time = time_of(it.emission.number);
    it.emission.signed_by = its.block_key;
    it.emission.rev = its.rev;
    it.emission.data = its.data;
    it.emission.commit = its.commit;
    return proto::encode_frame(
        proto::SyncEvent{it.emission.host_seq, its.did(), rev, archive, time});
}

void SimNetwork::say_sync(std::size_t number, bool has_new_rev) {
    Draft it = draft(account(number).home, number, FactsKind::sync, "sync");
    Buffer frame = sync_frame(it, has_new_rev);
    account(number) = std::move(it.account);
    emit(std::move(it.emission), std::move(frame));
}

void SimNetwork::say_identity(std::size_t number) {
    Draft it = draft(account(number).home, number, FactsKind::identity, "identity");
    std::string time = time_of(it.emission.number);
    proto::IdentityEvent event{
        .seq = it.emission.host_seq, .did = it.account.did(), .time = time, .handle = {}};
    if (world_.prng().coin()) event.handle = "somebody.test";
    emit(std::move(it.emission), proto::encode_frame(event));
}

void SimNetwork::set_standing(std::size_t number, AccountStanding standing) {
    account(number).standing = standing;
    account(number).is_gone = standing.status == AccountStatus::deleted;
}

void SimNetwork::say_standing(std::size_t number) {
    Draft it = draft(account(number).home, number, FactsKind::account, "account");
    Buffer frame = account_frame(it.emission.host_seq, it.account.did(),
                                 time_of(it.emission.number), it.account.standing);
    emit(std::move(it.emission), std::move(frame));
}

std::size_t SimNetwork::create_account(std::size_t host, bool is_bridged) {
    std::size_t number = accounts_.size();
    std::uint32_t key = new_key();
    SimAccount its(bench::Repo(bench::invented_did(seed, number), keys_[key], nullptr));
    its.bindings = {{world_.now(), key, host}};
    its.home = host;
    its.key = key;
    its.is_bridged = is_bridged;
    if (!is_bridged && world_.prng().below(5) == 0) {
        its.micros_ahead = 1'000'000 * world_.prng().below(240);
    }
    accounts_.push_back(std::move(its));
    publish(account(number));
    return number;
}

void SimNetwork::rotate_key(std::size_t number) {
    SimAccount& its = account(number);
    its.key = new_key();
    its.bindings.push_back({world_.now(), its.key, its.bindings.back().host});
    publish(its);
}

void SimNetwork::move_account(std::size_t number, std::size_t to_host, bool tells_directory) {
    SimAccount& its = account(number);
    its.home = to_host;
    its.key = new_key();
    if (tells_directory) show_move(number);
}

void SimNetwork::show_move(std::size_t number) {
    SimAccount& its = account(number);
    if (its.bindings.back().host == its.home && its.bindings.back().key == its.key) return;
    its.bindings.push_back({world_.now(), its.key, its.home});
    publish(its);
}

void SimNetwork::say_from_former_host(std::size_t number, const Binding& former, bool commits) {
    Draft it = draft(former.host, number, commits ? FactsKind::commit : FactsKind::account,
                     commits ? "commit of a former host" : "account of a former host");
    it.emission.is_honest = false;
    if (!commits) {
        it.emission.standing = {.is_active = false, .status = AccountStatus::deactivated};
        Buffer frame = account_frame(it.emission.host_seq, it.account.did(),
                                     time_of(it.emission.number), it.emission.standing);
        return emit(std::move(it.emission), std::move(frame));
    }
    it.account.key = former.key;
    CommitParts parts = commit_parts(it, 1);
    Buffer frame = parts.frame();
    note_commit(it, parts);
    emit(std::move(it.emission), std::move(frame));
}

void SimNetwork::take_backup(std::size_t host) {
    Backup backup{.event_count = hosts_[host].pds->event_count(), .accounts = {}};
    for (std::size_t i = 0; i < accounts_.size(); ++i) {
        if (accounts_[i].home == host) backup.accounts.emplace_back(i, accounts_[i]);
    }
    hosts_[host].backup = std::move(backup);
}

void SimNetwork::restore(std::size_t host) {
    Host& its = hosts_[host];
    if (!its.backup) return;
    ++its.life;
    its.pds->restore(its.backup->event_count);
    for (auto& [number, before] : its.backup->accounts) {
        SimAccount& now = account(number);
        if (now.home != host) continue;
        // Keys are kept elsewhere, and the directory does not go back.
        before.bindings = now.bindings;
        before.key = now.key;
        now = before;
    }
    its.backup.reset();
}

// ----- lies ---------------------------------------------------------------------------------

bool SimNetwork::tell(Lie lie, std::size_t host, std::size_t number) {
    bool is_foreign = static_cast<std::size_t>(lie) < foreign_lies;
    if (is_foreign == (account(number).home == host)) return false;
    // A former host is no stranger: what it says may be believed for a while.
    if (is_foreign && account(number).has_lived_at(host)) return false;
    if (!is_foreign) return tell_about_own(lie, host, number);

    FactsKind kind = lie == Lie::foreign_sync       ? FactsKind::sync
                     : lie == Lie::foreign_identity ? FactsKind::identity
                     : lie == Lie::foreign_account || lie == Lie::foreign_farewell
                         ? FactsKind::account
                         : FactsKind::commit;
    Draft it = draft(host, number, kind, name_of(lie));
    it.emission.is_honest = false;
    std::string time = time_of(it.emission.number);
    const std::string did = it.account.did();
    if (lie != Lie::foreign_genuine) it.account.key = hosts_[host].liar_key;
    switch (lie) {
        case Lie::foreign_identity:
            emit(std::move(it.emission),
                 proto::encode_frame(proto::IdentityEvent{
                     .seq = it.emission.host_seq, .did = did, .time = time, .handle = {}}));
            return true;
        case Lie::foreign_account:
        case Lie::foreign_farewell: {
            it.emission.standing = {.is_active = false,
                                    .status = lie == Lie::foreign_account
                                                  ? AccountStatus::deactivated
                                                  : AccountStatus::deleted};
            Buffer frame = account_frame(it.emission.host_seq, did, time, it.emission.standing);
            emit(std::move(it.emission), std::move(frame));
            return true;
        }
        case Lie::foreign_sync: {
            Buffer frame = sync_frame(it, true);
            emit(std::move(it.emission), std::move(frame));
            return true;
        }
        default:
            break;
    }
    CommitParts parts = commit_parts(it, 1 + world_.prng().below(2));
    if (lie == Lie::foreign_unsigned) {
        parts.commit.set_bytes("sig", Buffer(64, 0x11));
        it.emission.signed_by = no_key;
    }
    Buffer frame = parts.frame();
    note_commit(it, parts);
    emit(std::move(it.emission), std::move(frame));
    return true;
}

bool SimNetwork::tell_about_own(Lie lie, std::size_t host, std::size_t number) {
    if (lie == Lie::replayed) return replay(host, number);
    if (account(number).rev == 0) return false;
    Draft it = draft(host, number, FactsKind::commit, name_of(lie));
    it.emission.is_honest = false;
    it.emission.is_sound = lie == Lie::wrong_signature || lie == Lie::old_rev;
    std::uint64_t rev_before = it.account.rev;
    if (lie == Lie::wrong_signature) it.account.key = hosts_[host].liar_key;
    CommitParts parts = commit_parts(it, 1);
    auto set_rev = [&](std::uint64_t rev, bool inside) {
        parts.outer.payload.set_text("rev", Tid(rev).to_text());
        if (inside) parts.commit.set_text("rev", Tid(rev).to_text());
    };
    if (lie == Lie::old_rev) set_rev(rev_before - (world_.prng().coin() ? 0 : 1 << 20), true);
    if (lie == Lie::future_rev) {
        set_rev(Tid::of_micros(micros_of(world_.wall()) + ten_years_micros, 0).value(), true);
    }
    if (lie == Lie::wrong_did) parts.commit.set_text("did", bench::invented_did(seed + 1, number));
    parts.sign(keys_[it.account.key]);
    if (lie == Lie::wrong_rev) {
        set_rev(Tid::parse(parts.commit.text("rev")).value().value() + 1, false);
    }
    Buffer frame = parts.frame();
    note_commit(it, parts);
    if (lie == Lie::broken_block || lie == Lie::cut_archive || lie == Lie::wrong_root) {
        FrameParts outer(frame);
        Buffer archive = outer.payload.bytes("blocks");
        if (lie == Lie::broken_block)
            archive.back() = static_cast<std::uint8_t>(archive.back() ^ 1);
        if (lie == Lie::cut_archive) archive.resize(archive.size() - 5);
        outer.payload.set_bytes("blocks", archive);
        if (lie == Lie::wrong_root) outer.payload.set_cid("commit", it.account.data);
        frame = outer.frame();
    }
    emit(std::move(it.emission), std::move(frame));
    return true;
}

bool SimNetwork::replay(std::size_t host, std::size_t number) {
    std::vector<const Emission*> choice;
    for (const Emission& one : ledger_) {
        if (one.kind == FactsKind::commit && one.host == host && one.account == number &&
            one.is_honest) {
            choice.push_back(&one);
        }
    }
    if (choice.empty()) return false;
    Emission old = *choice[world_.prng().below(choice.size())];
    Draft it = draft(host, number, FactsKind::commit, name_of(Lie::replayed));
    it.emission.is_honest = false;
    it.emission.signed_by = old.signed_by;
    it.emission.rev = old.rev;
    it.emission.data = old.data;
    it.emission.commit = old.commit;
    FrameParts parts(old.frame);
    parts.payload.set_uint("seq", it.emission.host_seq);
    parts.payload.set_text("time", time_of(it.emission.number));
    emit(std::move(it.emission), parts.frame());
    return true;
}

}  // namespace ringlay::support
