#include "relay/fiber/mailbox.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "manual_kernel.hpp"

using namespace ringlay;
using namespace ringlay::fiber;
using namespace std::chrono_literals;
using ringlay::fiber::testing::ManualWorld;

namespace {

struct Parcel : MailboxNode {
    int sender = 0;
    int number = 0;
};

}  // namespace

TEST_CASE("a mailbox gives back what was pushed, in order, and waits when empty") {
    ManualWorld world;
    world.run([&] {
        Mailbox<Parcel> mailbox;
        CHECK(mailbox.pop("nothing", Deadline::in(1ms)).error().code == Errc::timed_out);
        Parcel parcels[3];
        Task reader = spawn("reader", [&] {
            for (Parcel& parcel : parcels) CHECK(mailbox.pop("parcels").value() == &parcel);
        });
        yield();
        for (Parcel& parcel : parcels) mailbox.push(parcel);
        reader.join();
        CHECK(mailbox.pop_now() == nullptr);
        mailbox.push(parcels[0]);  // a node may come again
        CHECK(mailbox.pop_now() == &parcels[0]);
    });
}

TEST_CASE("many threads push at once: nothing is lost and each sender's order is kept") {
    constexpr int senders = 4, each = 5000;
    ManualWorld world;
    std::vector<Parcel> parcels(senders * each);
    world.run([&] {
        Mailbox<Parcel> mailbox;
        std::vector<std::thread> threads;
        for (int sender = 0; sender < senders; ++sender) {
            threads.emplace_back([&, sender] {
                for (int i = 0; i < each; ++i) {
                    Parcel& parcel = parcels[static_cast<std::size_t>(sender * each + i)];
                    parcel.sender = sender;
                    parcel.number = i;
                    mailbox.push(parcel);
                }
            });
        }
        std::vector<int> next(senders, 0);
        for (int got = 0; got < senders * each;) {
            Parcel* parcel = mailbox.pop_now();
            if (parcel == nullptr) {
                yield();
                continue;
            }
            REQUIRE(parcel->number == next[static_cast<std::size_t>(parcel->sender)]++);
            ++got;
        }
        for (auto& thread : threads) thread.join();
        CHECK(mailbox.pop_now() == nullptr);
    });
}

TEST_CASE("rings between two looks are one ring, and a ring before the wait is not lost") {
    ManualWorld world;
    world.run([&] {
        Doorbell bell;
        bell.ring();
        bell.ring();
        CHECK(bell.wait("bell", Deadline::in(1ms)).has_value());
        CHECK(bell.wait("bell", Deadline::in(1ms)).error().code == Errc::timed_out);
    });
}

TEST_CASE("a bell may go while a ring for it is under way: its destructor waits") {
    ManualWorld world;
    world.run([&] {
        for (int i = 0; i < 3; ++i) {
            Doorbell bell;
            bell.ring();  // in the inbox when the bell is destroyed
        }
        yield();
    });
}

TEST_CASE("a ring names the bell, not the fiber: the listener may have gone") {
    ManualWorld world;
    world.run([&] {
        Doorbell bell;
        {
            Task listener = spawn("listener", [&] {
                CHECK(bell.wait("bell", Deadline::in(1ms)).error().code == Errc::timed_out);
            });
            listener.join();
        }
        bell.ring();
        yield();
        CHECK(bell.wait("bell", Deadline::in(1ms)).has_value());
    });
}

TEST_CASE("several listeners of one bell are all woken by one ring") {
    ManualWorld world;
    world.run([&] {
        Doorbell bell;
        int woken = 0;
        TaskGroup group;
        for (int i = 0; i < 5; ++i) {
            group.spawn("listener", [&] {
                if (bell.wait_with_others("tail")) ++woken;
            });
        }
        yield();
        bell.ring();
        REQUIRE(sleep_for(1ms).has_value());
        CHECK(woken == 5);
    });
}

TEST_CASE("a sleeping worker is woken exactly by the first message") {
    ManualWorld world;
    world.run([&] {
        Doorbell bell;
        Task listener = spawn("listener", [&] { CHECK(bell.wait("bell").has_value()); });
        yield();
        int before = world.kernel.wakes;
        bell.ring();  // while the worker runs: it looks by itself
        CHECK(world.kernel.wakes == before);
        listener.join();
    });
    struct Nothing final : Message {
        void deliver() override {}
    } first, second;
    int before = world.kernel.wakes;
    world.worker.send(first);
    world.worker.send(second);
    CHECK(world.kernel.wakes == before + 1);
    world.run_ready();
}

TEST_CASE("call_on runs the function on the other worker and comes back when it has returned") {
    ManualWorld here, there;
    std::uint32_t steps = 0;
    Worker* ran_on = nullptr;
    Task caller = here.worker.spawn("caller", [&] {
        call_on(there.worker, "asked", [&] {
            ran_on = &Worker::current();
            static_cast<void>(sleep_for(1ms));
            ++steps;
        });
        CHECK(steps == 1);
        ++steps;
    });
    here.run_ready();
    caller.cancel();  // a call is waited for whatever happens
    here.run_ready();
    there.run_ready();
    CHECK(ran_on == &there.worker);
    here.run_ready();
    CHECK(steps == 0);
    there.kernel.time += 1ms;
    there.run_ready();
    here.run_ready();
    CHECK(steps == 2);
    caller.join();
}
