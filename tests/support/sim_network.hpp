// The accounts of a simulated network, their hosts, and a ledger of everything that any host has
// ever said of any account, with what is true of it. Tests compare a relay with the ledger.
//
// Honest actions change an account and say so; lies say something and change nothing. Each emission
// has its number in its `time` field, so that it is recognised in whatever form it comes out.
//
// The directory is not here: bindings says what it is told, publish() tells it.
//
// Owner    a test; outlives the world of its hosts.
// Thread   the world's one thread.
// Bound    none.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/fleet/repo.hpp"
#include "crypto/signing_key.hpp"
#include "proto/account_status.hpp"
#include "relay/event_log/facts.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/sim_pds.hpp"

namespace ringlay::support {

// From when on the directory has named this key and this host.
struct Binding {
    Nanos at{};
    std::uint32_t key = 0;  // SimNetwork::key() by number
    std::size_t host = 0;   // SimNetwork::host() by number
};

struct SimAccount {
    bench::Repo repo;
    std::vector<Binding> bindings;
    std::size_t home = 0;            // who has the repository
    std::uint32_t key = 0;           // that signs it
    bool is_bridged = false;         // commits with `prev`, without `since`, revs of 1970
    std::uint64_t micros_ahead = 0;  // of its revs' clock
    proto::AccountStanding standing;
    bool is_gone = false;  // deleted for good
    // The latest commit as it was sent; bench::Repo's own is signed by another key.
    std::uint64_t rev = 0;
    proto::Cid data;
    proto::Cid commit;
    Buffer commit_block;
    std::uint32_t block_key = 0;  // that has signed this block

    explicit SimAccount(bench::Repo its_repo) : repo(std::move(its_repo)) {}
    const std::string& did() const { return repo.did(); }
    // Whether the directory has ever named this host.
    bool has_lived_at(std::size_t host) const;
};

enum class Lie : std::uint8_t {
    foreign_commit,    // of another host's account, by a key of the liar's
    foreign_unsigned,  // the same without a signature worth the name
    foreign_genuine,   // a commit as the account's own host might make it, from the wrong host
    foreign_sync,
    foreign_account,  // "deactivated"
    foreign_identity,
    foreign_farewell,  // "deleted"
    // of an account of its own
    wrong_signature,
    old_rev,
    future_rev,
    broken_block,
    cut_archive,
    wrong_root,
    wrong_did,
    wrong_rev,
    replayed,  // an earlier commit once more
};
inline constexpr std::size_t lie_count = 16;
inline constexpr std::size_t foreign_lies = 7;  // the first ones
std::string_view name_of(Lie lie);

inline constexpr std::uint32_t no_key = UINT32_MAX;

struct Emission {
    std::size_t number = 0;
    Nanos at{};
    std::size_t host = 0;         // that said it
    std::uint32_t host_life = 0;  // of its data: raised when it is restored
    std::uint64_t host_seq = 0;
    std::size_t account = 0;
    event_log::FactsKind kind = event_log::FactsKind::commit;
    std::string_view what;  // for people
    bool is_honest = true;
    // Passes every check that needs to know neither the account nor the time.
    bool is_sound = true;
    std::uint32_t signed_by = 0;  // a key; of a commit or sync
    std::uint64_t rev = 0;
    proto::Cid data;
    proto::Cid commit;
    proto::AccountStanding standing;  // what an #account says; else the account's at that time
    Buffer frame;                     // as it was sent
};

class SimNetwork {
  public:
    explicit SimNetwork(env::World& world) : world_(world) {}

    std::size_t add_host(const std::string& machine_name);
    SimPds& host(std::size_t number) { return *hosts_[number].pds; }
    std::uint32_t host_life(std::size_t number) const { return hosts_[number].life; }
    std::size_t host_count() const { return hosts_.size(); }
    // Nothing: no host has this name.
    std::optional<std::size_t> host_named(std::string_view name) const;

    SimAccount& account(std::size_t number) { return accounts_[number]; }
    const SimAccount& account(std::size_t number) const { return accounts_[number]; }
    std::size_t account_count() const { return accounts_.size(); }
    std::optional<std::size_t> account_named(std::string_view did) const;
    const crypto::SigningKey& key(std::uint32_t number) const { return keys_[number]; }
    const std::deque<Emission>& ledger() const { return ledger_; }

    // Tells the directory what an account's last binding says.
    std::function<void(const SimAccount&)> publish;

    // ----- honest actions
    std::size_t create_account(std::size_t host, bool is_bridged);
    void say_commit(std::size_t account, std::size_t op_count);
    // Of the state as it is, or under a new rev.
    void say_sync(std::size_t account, bool has_new_rev);
    void say_identity(std::size_t account);
    void set_standing(std::size_t account, proto::AccountStanding standing);
    void say_standing(std::size_t account);
    // At the directory alone: nobody says so yet.
    void rotate_key(std::size_t account);
    // The repository moves; the directory is told now, or by a later show_move().
    void move_account(std::size_t account, std::size_t to_host, bool tells_directory);
    void show_move(std::size_t account);
    // Of a host that had the account before, by the key of that time: that it is deactivated there,
    // or one more commit.
    void say_from_former_host(std::size_t account, const Binding& former, bool commits);
    // A host loses what it has said since a moment, its repositories too. Their next commits are
    // forks of what was lost.
    void take_backup(std::size_t host);
    void restore(std::size_t host);

    // ----- lies
    // False: there is nothing that this lie could be about.
    bool tell(Lie lie, std::size_t host, std::size_t account);

  private:
    struct Backup {
        std::size_t event_count = 0;
        std::vector<std::pair<std::size_t, SimAccount>> accounts;
    };
    struct Host {
        std::unique_ptr<SimPds> pds;
        std::uint32_t liar_key = 0;
        std::uint32_t life = 0;
        std::optional<Backup> backup;
    };
    // What an emission is about, as far as it is not what the account is.
    struct Draft {
        Emission emission;
        SimAccount account;  // a copy: honest actions put it back
    };

    std::uint32_t new_key();
    std::uint64_t micros_for(const SimAccount& account);
    Draft draft(std::size_t host, std::size_t account, event_log::FactsKind kind,
                std::string_view what);
    // Makes a commit of the draft's account by its key; the parts can still be changed.
    CommitParts commit_parts(Draft& draft, std::size_t op_count);
    void note_commit(Draft& draft, CommitParts& parts);
    Buffer sync_frame(Draft& draft, bool has_new_rev);
    void emit(Emission emission, Buffer frame);
    bool tell_about_own(Lie lie, std::size_t host, std::size_t account);
    bool replay(std::size_t host, std::size_t account);
    std::vector<bench::WriteOp> invent_ops(const bench::Repo& repo, std::size_t count);
    std::optional<SimPds::RepoStatus> status_at(std::size_t host, std::string_view did) const;

    env::World& world_;
    std::vector<Host> hosts_;
    std::deque<SimAccount> accounts_;
    std::vector<crypto::SigningKey> keys_;
    std::deque<Emission> ledger_;
    std::uint64_t records_made_ = 0;
    std::uint64_t bridged_micros_ = 1'000'000;
    std::uint64_t last_micros_ = 0;
};

// The number of an emission, out of the `time` of a frame in any form, whole or without its seq.
// Nothing: none of ours.
std::optional<std::size_t> number_of_frame(std::string_view message);
std::string frame_without_seq(Bytes message);

}  // namespace ringlay::support
