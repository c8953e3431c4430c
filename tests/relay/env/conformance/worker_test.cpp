// What every kernel promises to the fibers of its worker, and to other workers.

#include <random>
#include <set>

#include "relay/fiber/mailbox.hpp"
#include "tests/support/worlds.hpp"

using ringlay::Deadline;
using ringlay::Errc;
using ringlay::Nanos;
using ringlay::fiber::Doorbell;
using ringlay::fiber::Mailbox;
using ringlay::fiber::MailboxNode;
using ringlay::fiber::Op;
using ringlay::support::TestWorld;
namespace fiber = ringlay::fiber;
using namespace std::chrono_literals;

TEST_WITH_WORKERS("a wake from another worker is never lost: ping-pong") {
    const int rounds = world.is_simulated() ? 1000 : 20'000;
    Doorbell here;
    Doorbell* there = nullptr;
    int served = 0;
    world.on(1, [&] { there = new Doorbell; });
    fiber::Task asking = fiber::spawn("pong", [&] {
        world.on(1, [&] {
            for (; served < rounds; ++served) {
                if (!there->wait("ping")) return;
                here.ring();
            }
        });
    });
    int answered = 0;
    for (; answered < rounds; ++answered) {
        there->ring();
        if (!here.wait("pong", Deadline::in(20s))) break;
    }
    asking.join();
    world.on(1, [&] { delete there; });
    CHECK(answered == rounds);
    CHECK(served == rounds);
}

TEST_WITH_WORKERS("everything that many workers push into a mailbox arrives once and in order") {
    struct Letter : MailboxNode {
        std::size_t sender = 0;
        std::size_t number = 0;
    };
    const std::size_t senders = 5, each = world.is_simulated() ? 200 : 20'000;
    std::vector<std::vector<Letter>> letters(senders);
    Mailbox<Letter> mailbox;
    fiber::TaskGroup sending;
    for (std::size_t s = 0; s < senders; ++s) {
        letters[s] = std::vector<Letter>(each);
        sending.spawn("send", [&, s] {
            world.on(s, [&, s] {
                for (std::size_t i = 0; i < each; ++i) {
                    letters[s][i].sender = s;
                    letters[s][i].number = i;
                    mailbox.push(letters[s][i]);
                    if (i % 64 == 0) fiber::yield();
                }
            });
        });
    }
    std::vector<std::size_t> next(senders);
    std::size_t misplaced = 0;
    for (std::size_t i = 0; i < senders * each; ++i) {
        Letter* letter = mailbox.pop("letter", Deadline::in(20s)).value();
        misplaced += letter->number != next[letter->sender]++;
    }
    CHECK(misplaced == 0);
    CHECK(mailbox.pop_now() == nullptr);
    while (sending.size() > 0) fiber::yield();
}

TEST_ON_BOTH_KERNELS("a blocking job runs, and its worker runs other fibers meanwhile") {
    int ticks = 0;
    bool is_done = false;
    fiber::Task ticking = fiber::spawn("tick", [&] {
        while (!is_done && fiber::sleep_for(100us)) ++ticks;
    });
    int total = 0;
    for (int i = 0; i < 20; ++i) {
        total += fiber::blocking([&](ringlay::MayBlock) { return i; });
        REQUIRE(fiber::sleep_for(200us).has_value());
    }
    is_done = true;
    ticking.join();
    CHECK(total == 190);
    CHECK(ticks > 0);
}

TEST_WITH_WORKERS("blocking jobs of all workers end, each with its own result") {
    std::vector<int> results(100, -1);
    fiber::TaskGroup jobs;
    for (std::size_t i = 0; i < results.size(); ++i) {
        jobs.spawn("job", [&, i] {
            world.on(i, [&, i] {
                results[i] =
                    fiber::blocking([&](ringlay::MayBlock) { return static_cast<int>(i); });
            });
        });
    }
    while (jobs.size() > 0) REQUIRE(fiber::sleep_for(100us).has_value());
    for (std::size_t i = 0; i < results.size(); ++i) CHECK(results[i] == static_cast<int>(i));
}

TEST_ON_BOTH_KERNELS("a job that runs is never left: its fiber waits, cancelled or not") {
    bool has_run = false, had_run_at_return = false;
    fiber::Task waiting = fiber::spawn("wait", [&] {
        fiber::blocking([&](ringlay::MayBlock) { has_run = true; });
        had_run_at_return = has_run;
    });
    fiber::yield();
    waiting.cancel_and_join();
    CHECK(had_run_at_return);
}

TEST_ON_BOTH_KERNELS("timers fire not before their time, and in the order of their times") {
    std::vector<int> order;
    fiber::TaskGroup sleepers;
    Nanos began = fiber::now();
    bool is_any_early = false;
    for (int i = 9; i >= 0; --i) {
        sleepers.spawn("sleep", [&, i] {
            Nanos until = began + (i + 1) * 5ms;
            static_cast<void>(fiber::sleep_until(Deadline{until}));
            is_any_early |= fiber::now() < until;
            order.push_back(i);
        });
    }
    while (sleepers.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
    CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    CHECK_FALSE(is_any_early);
}

TEST_ON_BOTH_KERNELS("the clock never goes back, and the calendar is that of this century") {
    Nanos last = fiber::now();
    for (int i = 0; i < 1000; ++i) {
        Nanos now = world.env().clock.now();
        CHECK(now >= last);
        last = now;
    }
    CHECK(world.env().clock.wall() > std::chrono::hours(24) * 365 * 50);
    CHECK(world.env().clock.wall() < std::chrono::hours(24) * 365 * 130);
}

TEST_ON_BOTH_KERNELS("random numbers differ, and below() is even and stays below") {
    auto& random = world.env().random;
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) seen.insert(random.next());
    CHECK(seen.size() == 1000);

    CHECK(random.below(1) == 0);
    // Two thirds of the range: a plain remainder would give half of all results below a third.
    const std::uint64_t bound = UINT64_MAX / 3 * 2;
    int low = 0;
    const int draws = 4000;
    for (int i = 0; i < draws; ++i) {
        std::uint64_t number = random.below(bound);
        CHECK(number < bound);
        low += number < bound / 2;
    }
    CHECK(low > draws * 45 / 100);
    CHECK(low < draws * 55 / 100);

    std::vector<std::uint8_t> bytes(1003);
    random.fill(bytes);
    CHECK(std::set<std::uint8_t>(bytes.begin(), bytes.end()).size() > 200);
    CHECK(std::set<std::uint8_t>(bytes.end() - 11, bytes.end()).size() > 3);
}

TEST_WITH_WORKERS("a worker may be started from a fiber, and ends when its last fiber does") {
    Doorbell ended;
    std::uint32_t index = 0;
    ringlay::fiber::WorkerOptions options;
    options.name = "later";
    options.index = 40;
    auto& later = world.runtime().start_worker(options, [&] {
        index = fiber::Worker::current().index();
        static_cast<void>(fiber::sleep_for(1ms));
        ended.ring();
    });
    REQUIRE(ended.wait("end of a worker", Deadline::in(20s)).has_value());
    CHECK(index == 40);
    CHECK(later.name() == "later");
}
