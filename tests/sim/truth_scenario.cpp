#include "tests/sim/truth_scenario.hpp"

#include <algorithm>
#include <chrono>

namespace ringlay::support {

using namespace std::chrono_literals;
using proto::AccountStanding;
using proto::AccountStatus;

TruthSetup setup_of_seed(std::uint64_t seed) {
    constexpr std::uint32_t workers[] = {1, 2, 5};
    TruthSetup setup;
    setup.seed = seed;
    setup.workers = workers[seed % 3];
    setup.shards = 1 + static_cast<std::uint32_t>(seed / 3 % 3);
    setup.hosts = 2 + seed / 2 % 2;
    setup.passes_unverified = seed % 4 != 3;
    setup.keeps_handles = seed % 7 == 0;
    return setup;
}

TruthProfile profile_of_seed(std::uint64_t seed) {
    TruthProfile profile;
    profile.actions = 60 + seed % 5 * 20;
    profile.has_moves = seed % 8 != 1;
    profile.has_liars = seed % 5 != 2;
    profile.has_restores = seed % 6 == 0;
    profile.has_bad_directory = seed % 2 == 0;
    profile.has_bad_lines = seed % 3 != 1;
    if (seed / 2 % 3 == 1) profile.crashes = env::CrashMode::kill;
    if (seed / 2 % 3 == 2) profile.crashes = env::CrashMode::power_loss;
    return profile;
}

namespace {

class Player {
  public:
    Player(TruthWorld& world, const TruthProfile& profile, std::vector<std::string>* diary)
        : world_(world),
          network_(world.network),
          profile_(profile),
          diary_(diary),
          prng_(world.setup.seed * 31 + 7) {}

    void play() {
        note("start");
        world_.start_relay();
        std::size_t accounts = 2 + below(4);
        for (std::size_t i = 0; i < accounts; ++i) create_account();
        std::size_t pause = below(2 * profile_.actions);  // a quiet time in the middle, or none
        for (std::size_t i = 0; i < profile_.actions; ++i) {
            if (i == pause) become_quiet();
            act();
            pass_time();
        }
        become_quiet();
        note("settle");
        world_.settle();
        if (profile_.crashes) {
            note("a last crash");
            world_.crash(*profile_.crashes);
            world_.start_relay();
            world_.run_for(5s);
        }
    }

  private:
    using Action = void (Player::*)();
    struct Choice {
        std::uint32_t weight;
        Action action;
    };

    std::uint64_t below(std::uint64_t bound) { return prng_.below(bound); }
    std::size_t any_host() { return below(network_.host_count()); }
    std::size_t any_account() { return below(network_.account_count()); }

    void note(const std::string& what) {
        if (diary_ == nullptr) return;
        auto at = std::chrono::duration_cast<std::chrono::milliseconds>(world_.line.world.now());
        diary_->push_back(std::to_string(at.count()) + " ms #" +
                          std::to_string(network_.ledger().size()) + " " + what);
    }

    void act() {
        std::vector<Choice> choices{{40, &Player::commit},        {5, &Player::sync},
                                    {5, &Player::identity},       {5, &Player::standing},
                                    {4, &Player::create_account}, {1, &Player::remove}};
        auto add = [&](bool is_on, std::initializer_list<Choice> more) {
            if (is_on) choices.insert(choices.end(), more);
        };
        add(profile_.has_moves, {{5, &Player::rotate}, {5, &Player::move}, {3, &Player::former}});
        add(profile_.has_liars, {{25, &Player::lie}, {1, &Player::flood}});
        add(profile_.has_restores, {{3, &Player::back_up}, {3, &Player::restore}});
        add(profile_.has_bad_directory, {{8, &Player::directory}});
        add(profile_.has_bad_lines, {{4, &Player::hang_up},
                                     {2, &Player::silence},
                                     {2, &Player::part},
                                     {3, &Player::manner}});
        add(profile_.crashes.has_value(), {{6, &Player::crash}});
        std::uint32_t sum = 0;
        for (const Choice& choice : choices) sum += choice.weight;
        std::uint64_t draw = below(sum);
        for (const Choice& choice : choices) {
            if (draw < choice.weight) return (this->*choice.action)();
            draw -= choice.weight;
        }
    }

    void pass_time() {
        switch (below(8)) {
            case 0:
                return;
            case 1:
                return world_.run_events(1 + below(300));
            case 2:
                return world_.run_for(1ms * below(8000));
            default:
                return world_.run_for(1ms * below(200));
        }
    }

    void become_quiet() {
        note("quiet");
        world_.become_quiet();
        silent_ = {};
    }

    // ----- accounts -------------------------------------------------------------------------

    void create_account() {
        if (network_.account_count() >= 12) return commit();
        std::size_t number = network_.create_account(any_host(), below(5) == 0);
        note("create account " + std::to_string(number));
        if (below(3) > 0) network_.say_identity(number);
        if (below(3) > 0) network_.say_standing(number);
        network_.say_commit(number, below(4));
        if (below(2) > 0) network_.say_sync(number, false);
    }

    std::optional<std::size_t> living_account() {
        std::size_t number = any_account();
        if (network_.account(number).is_gone) return std::nullopt;
        return number;
    }

    void commit() {
        auto number = living_account();
        // Now and then, one that is inactive goes on writing.
        if (!number || (!network_.account(*number).standing.is_active && below(10) > 0)) return;
        note("commit of " + std::to_string(*number));
        for (std::uint64_t i = 0; i <= below(4); ++i) network_.say_commit(*number, below(4));
    }

    void sync() {
        auto number = living_account();
        if (!number || !network_.account(*number).standing.is_active) return;
        note("sync of " + std::to_string(*number));
        network_.say_sync(*number, below(2) == 0);
    }

    void identity() {
        if (auto number = living_account()) network_.say_identity(*number);
    }

    void standing() {
        auto number = living_account();
        if (!number) return;
        constexpr AccountStatus reasons[] = {AccountStatus::deactivated, AccountStatus::takendown,
                                             AccountStatus::suspended};
        AccountStanding next;
        if (network_.account(*number).standing.is_active) {
            next = {.is_active = false, .status = reasons[below(3)]};
        }
        note("standing of " + std::to_string(*number) + (next.is_active ? ": active" : ": not"));
        network_.set_standing(*number, next);
        if (!next.is_active || below(4) > 0) network_.say_standing(*number);
        if (next.is_active && below(2) == 0) network_.say_commit(*number, 1);
    }

    void remove() {
        auto number = living_account();
        if (!number) return;
        note("delete " + std::to_string(*number));
        network_.set_standing(*number, {.is_active = false, .status = AccountStatus::deleted});
        network_.say_standing(*number);
    }

    void rotate() {
        auto number = living_account();
        if (!number ||
            network_.account(*number).bindings.back().host != network_.account(*number).home) {
            return;
        }
        note("new key of " + std::to_string(*number));
        if (below(2) == 0) world_.run_for(3s);  // what was said before is dealt with
        network_.rotate_key(*number);
        if (below(2) == 0) network_.say_identity(*number);
        if (!network_.account(*number).standing.is_active) return;
        if (below(2) == 0) {
            network_.say_sync(*number, true);
        } else {
            network_.say_commit(*number, below(3));
        }
    }

    void move() {
        auto number = living_account();
        if (!number) return;
        SimAccount& account = network_.account(*number);
        std::size_t to = any_host();
        if (account.is_bridged || to == account.home ||
            account.bindings.back().host != account.home) {
            return;
        }
        std::size_t from = account.home;
        bool is_shown = below(3) > 0;
        note("move " + std::to_string(*number) + " to host " + std::to_string(to) +
             (is_shown ? "" : ", shown later"));
        if (below(2) == 0) world_.run_for(3s);
        const Binding former = account.bindings.back();
        network_.set_standing(*number, {});
        network_.move_account(*number, to, is_shown);
        if (below(2) == 0) network_.say_identity(*number);
        if (below(3) > 0) network_.say_standing(*number);
        if (below(2) == 0) network_.say_commit(*number, below(2));
        if (!is_shown) {
            world_.run_for(1ms * below(6000));
            network_.show_move(*number);
            if (below(2) == 0) network_.say_identity(*number);
        }
        if (below(2) == 0) network_.say_from_former_host(*number, former, false);
        network_.say_standing(*number);
        static_cast<void>(from);
    }

    void former() {
        auto number = living_account();
        if (!number) return;
        const auto& bindings = network_.account(*number).bindings;
        const Binding former = bindings[below(bindings.size())];
        if (former.host == network_.account(*number).home) return;
        note("a former host of " + std::to_string(*number) + " speaks");
        network_.say_from_former_host(*number, former, below(2) == 0);
    }

    // ----- hosts ----------------------------------------------------------------------------

    void lie() {
        auto number = living_account();
        if (!number) return;
        Lie lie = static_cast<Lie>(below(lie_count));
        bool is_foreign = static_cast<std::size_t>(lie) < foreign_lies;
        std::size_t host = is_foreign ? any_host() : network_.account(*number).home;
        // Of an account whose home is not shown yet it would be no lie, but a mistake in time.
        if (network_.account(*number).bindings.back().host != network_.account(*number).home)
            return;
        if (network_.tell(lie, host, *number)) {
            note(std::string(name_of(lie)) + " about " + std::to_string(*number) + " by host " +
                 std::to_string(host));
        }
    }

    void flood() {
        auto number = living_account();
        if (!number) return;
        std::size_t host = any_host();
        note("flood of #identity about " + std::to_string(*number) + " by host " +
             std::to_string(host));
        for (std::uint64_t i = 0; i < 20 + below(60); ++i) {
            if (!network_.tell(Lie::foreign_identity, host, *number)) return;
        }
    }

    void back_up() {
        std::size_t host = any_host();
        note("backup of host " + std::to_string(host));
        network_.take_backup(host);
    }

    void restore() {
        std::size_t host = any_host();
        note("restore of host " + std::to_string(host));
        world_.restore(host);
    }

    void hang_up() {
        std::size_t host = any_host();
        network_.host(host).hang_up();
        if (below(2) == 0) {
            network_.host(host).set_hang_ups(static_cast<std::uint32_t>(below(100)));
        }
    }

    void silence() {
        std::size_t host = any_host();
        bool is_silent = !silent_[host];
        silent_[host] = is_silent;
        note("host " + std::to_string(host) + (is_silent ? " is silent" : " speaks again"));
        network_.host(host).set_silent(is_silent);
        if (is_silent && below(3) == 0) world_.run_for(100s);
    }

    void part() {
        std::size_t host = any_host();
        note("host " + std::to_string(host) + " is parted");
        world_.part_from_relay(host);
        world_.run_for(1ms * below(20'000));
        world_.heal(host);
    }

    void manner() {
        std::size_t host = any_host();
        world_.set_manner(host, static_cast<SimPds::Manner>(below(4)));
    }

    void directory() {
        auto manner = static_cast<TruthWorld::Directory>(below(5));
        if (below(2) == 0) manner = TruthWorld::Directory::well;
        note("directory manner " + std::to_string(static_cast<int>(manner)));
        world_.set_directory(manner);
    }

    void crash() {
        note("crash");
        commit();
        world_.run_events(1 + below(1000));
        world_.crash(*profile_.crashes);
        if (below(3) == 0) {
            commit();
            world_.run_for(1ms * below(3000));
        }
        world_.start_relay();
        if (below(4) > 0) return;
        world_.run_events(1 + below(500));  // while it starts
        world_.crash(*profile_.crashes);
        world_.start_relay();
    }

    TruthWorld& world_;
    SimNetwork& network_;
    const TruthProfile profile_;
    std::vector<std::string>* diary_;
    env::Prng prng_;
    std::map<std::size_t, bool> silent_;
};

}  // namespace

void play(TruthWorld& world, const TruthProfile& profile, std::vector<std::string>* diary) {
    Player(world, profile, diary).play();
}

}  // namespace ringlay::support
