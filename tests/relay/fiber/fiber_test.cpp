#include "relay/fiber/fiber.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "manual_kernel.hpp"

using namespace ringlay;
using namespace ringlay::fiber;
using namespace std::chrono_literals;
using ringlay::fiber::testing::ManualWorld;

TEST_CASE("fibers run in the order in which they became ready") {
    ManualWorld world;
    std::string order;
    world.run([&] {
        Task a = spawn("a", [&] {
            order += "a1 ";
            yield();
            order += "a2 ";
        });
        Task b = spawn("b", [&] { order += "b1 "; });
        order += "main ";
        a.join();
        b.join();
    });
    CHECK(order == "main a1 b1 a2 ");
}

TEST_CASE("the kernel's choice decides which ready fiber runs next") {
    ManualWorld world;
    world.kernel.choice = [](std::size_t count) { return count - 1; };
    std::string order;
    world.run([&] {
        TaskGroup group;
        for (char name : {'a', 'b', 'c'}) group.spawn("f", [&order, name] { order += name; });
        yield();
        yield();
        yield();
        yield();
        yield();
        yield();
    });
    CHECK(order.size() == 3);
    CHECK(order != "abc");
}

TEST_CASE("a sleep ends at its deadline, and sleeps with one deadline in the order of arrival") {
    ManualWorld world;
    std::string order;
    world.run([&] {
        TaskGroup group;
        for (char name : {'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}) {
            group.spawn("sleeper", [&order, name] {
                CHECK(sleep_until({10ms}).has_value());
                order += name;
            });
        }
        Nanos before = now();
        REQUIRE(sleep_for(30ms).has_value());
        CHECK(now() - before == 30ms);
    });
    CHECK(order == "abcdefgh");
}

TEST_CASE("timers fire by instant, whatever the order of adding and removing") {
    auto seed = GENERATE(range(1u, 30u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    ManualWorld world;
    std::vector<std::pair<Nanos, int>> woken;
    world.run([&] {
        std::vector<Task> tasks;
        for (int i = 0; i < 100; ++i) {
            Nanos at = 1ms * (1 + random() % 20);
            tasks.push_back(spawn("sleeper", [&woken, at, i] {
                if (sleep_until({at})) woken.emplace_back(at, i);
            }));
        }
        yield();
        for (int i = 0; i < 30; ++i) tasks[random() % tasks.size()].cancel();
        for (Task& task : tasks) task.join();
    });
    CHECK(woken.size() < 100);
    CHECK(std::ranges::is_sorted(woken));
}

TEST_CASE("cancelling ends the present wait and every later one, except inside a CancelBlocker") {
    ManualWorld world;
    world.run([&] {
        std::vector<std::string> seen;
        Task task = spawn("waiter", [&] {
            seen.push_back(sleep_for(1h) ? "slept" : "cancelled");
            seen.push_back(is_cancelled() ? "still" : "no");
            seen.push_back(sleep_for(1h) ? "slept" : "cancelled");
            CancelBlocker blocker;
            seen.push_back(is_cancelled() ? "still" : "no");
            seen.push_back(sleep_for(1ms) ? "slept" : "cancelled");
        });
        yield();
        Nanos before = now();
        task.cancel_and_join();
        CHECK(seen == std::vector<std::string>{"cancelled", "still", "cancelled", "no", "slept"});
        CHECK(now() - before == 1ms);
    });
}

TEST_CASE("a task's destructor cancels and joins") {
    ManualWorld world;
    bool has_returned = false;
    world.run([&] {
        {
            Task task = spawn("waiter", [&] {
                static_cast<void>(sleep_for(1h));
                has_returned = true;
            });
            yield();
        }
        CHECK(has_returned);
    });
}

TEST_CASE("a cancelled fiber still joins its own children, whole") {
    ManualWorld world;
    world.run([&] {
        int children_done = 0;
        Task parent = spawn("parent", [&] {
            TaskGroup children;
            for (int i = 0; i < 50; ++i) {
                children.spawn("child", [&] {
                    CancelBlocker blocker;
                    static_cast<void>(sleep_for(5ms));
                    ++children_done;
                });
            }
            static_cast<void>(sleep_for(1h));
        });
        yield();
        parent.cancel_and_join();
        CHECK(children_done == 50);
    });
}

TEST_CASE("what a fiber captured is destroyed inside the fiber, where destructors may wait") {
    struct WaitsAtEnd {
        bool* waited;
        ~WaitsAtEnd() {
            static_cast<void>(sleep_for(1ms));
            *waited = true;
        }
    };
    ManualWorld world;
    bool waited = false;
    world.run([&] {
        auto last = std::make_unique<WaitsAtEnd>(&waited);
        Task task = spawn("owner", [last = std::move(last)] {});
        task.join();
        CHECK(waited);
    });
}

TEST_CASE("an event wakes all who wait, and those who come later do not wait") {
    ManualWorld world;
    world.run([&] {
        Event event;
        int woken = 0;
        TaskGroup group;
        for (int i = 0; i < 3; ++i) {
            group.spawn("waiter", [&] {
                if (event.wait()) ++woken;
            });
        }
        yield();
        CHECK(woken == 0);
        event.set();
        yield();
        CHECK(woken == 3);
        CHECK(event.wait(Deadline::in(1ms)).has_value());
        event.reset();
        CHECK(event.wait(Deadline::in(1ms)).error().code == Errc::timed_out);
    });
}

TEST_CASE("a channel keeps order, blocks at its bound, and ends with its last item") {
    ManualWorld world;
    world.run([&] {
        Channel<int> channel(2);
        std::vector<int> got;
        Task reader = spawn("reader", [&] {
            for (;;) {
                auto item = channel.pop();
                if (!item) return;
                got.push_back(*item);
                yield();
            }
        });
        for (int i = 0; i < 10; ++i) {
            REQUIRE(channel.push(i).has_value());
            CHECK(channel.size() <= 2);
        }
        channel.close();
        CHECK(channel.push(11).error().code == Errc::closed);
        reader.join();
        CHECK(got == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    });
}

TEST_CASE("a wake-up goes to a fiber that still waits, not to one whose deadline has just passed") {
    ManualWorld world;
    world.run([&] {
        Channel<int> channel(4);
        int got = 0;
        Task early = spawn("gives up", [&] {
            CHECK(channel.pop(Deadline::in(1ms)).error().code == Errc::timed_out);
        });
        Task late = spawn("waits on", [&] {
            if (channel.pop()) ++got;
        });
        Task pusher = spawn("pusher", [&] {
            static_cast<void>(sleep_for(1ms));  // becomes ready in the same turn as `early`
            CHECK(channel.push(1).has_value());
        });
        pusher.join();
        early.join();
        REQUIRE(sleep_for(1ms).has_value());
        CHECK(got == 1);
        late.cancel_and_join();
    });
}

TEST_CASE("an exception caught in one fiber is not rethrown by another") {
    ManualWorld world;
    world.run([&] {
        std::string seen;
        auto thrower = [&](const char* text) {
            try {
                throw std::string(text);
            } catch (const std::string&) {
                yield();  // the other fiber is inside its own handler now
                try {
                    throw;
                } catch (const std::string& again) {
                    seen += again;
                }
            }
        };
        Task a = spawn("a", [&] { thrower("A"); });
        Task b = spawn("b", [&] { thrower("B"); });
        a.join();
        b.join();
        CHECK(seen == "AB");
    });
}

TEST_CASE("uncaught_exceptions() belongs to the fiber that unwinds") {
    struct CountsAtEnd {
        int* count;
        ~CountsAtEnd() {
            yield();
            *count = std::uncaught_exceptions();
        }
    };
    ManualWorld world;
    world.run([&] {
        int in_unwinding = -1, in_peace = -1;
        Task a = spawn("unwinds", [&] {
            try {
                CountsAtEnd counts{&in_unwinding};
                throw 1;
            } catch (int) {
            }
        });
        Task b = spawn("in peace", [&] {
            yield();
            in_peace = std::uncaught_exceptions();
        });
        a.join();
        b.join();
        CHECK(in_unwinding == 1);
        CHECK(in_peace == 0);
    });
}

TEST_CASE("perform leaves only after the completion, although the deadline has long passed") {
    ManualWorld world;
    world.kernel.cancel_completes = false;
    bool has_left = false;
    Task task = world.worker.spawn("performer", [&] {
        Op op;
        op.kind = Op::Kind::receive;
        auto result = perform(op, Deadline::in(1ms));
        CHECK(result.error().code == Errc::timed_out);
        has_left = true;
    });
    world.run_ready();
    REQUIRE(world.kernel.open.size() == 1);
    world.kernel.time += 1h;
    world.run_ready();
    CHECK(world.kernel.cancels == 1);
    CHECK_FALSE(has_left);
    task.cancel();
    world.run_ready();
    CHECK_FALSE(has_left);
    CHECK(world.kernel.cancels == 1);
    world.kernel.complete(*world.kernel.open[0], -ECANCELED);
    world.run_ready();
    CHECK(has_left);
    task.join();
}

TEST_CASE("an operation that succeeded in spite of its cancel keeps its result") {
    ManualWorld world;
    world.kernel.cancel_completes = false;
    Result<std::int64_t> result = 0;
    Task task = world.worker.spawn("performer", [&] {
        Op op;
        result = perform(op, Deadline::never());
    });
    world.run_ready();
    task.cancel();
    world.run_ready();
    world.kernel.complete(*world.kernel.open[0], 17);
    world.run_ready();
    CHECK(result == 17);
    task.join();
}

TEST_CASE("a cancelled fiber, or one out of time, submits nothing") {
    ManualWorld world;
    world.run([&] {
        Op op;
        CHECK(perform(op, Deadline{Nanos(1)}).error().code == Errc::timed_out);
        Task task = spawn("cancelled", [&] {
            static_cast<void>(sleep_for(1h));
            Op late;
            CHECK(perform(late, Deadline::never()).error().code == Errc::cancelled);
        });
        yield();
        task.cancel_and_join();
    });
    CHECK(world.kernel.cancels == 0);
}

TEST_CASE("errors of the system become values with a literal text") {
    CHECK(error_of(-ECONNRESET).code == Errc::closed);
    CHECK(error_of(-ECONNREFUSED).code == Errc::unreachable);
    CHECK(error_of(-ENOENT).code == Errc::not_found);
    CHECK(error_of(-ENOSPC).code == Errc::no_space);
    CHECK(error_of(-EACCES).code == Errc::no_permission);
    CHECK(error_of(-EMFILE).code == Errc::busy);
    CHECK(error_of(-EIO).code == Errc::io);
    CHECK(error_of(-ENOENT).what == "No such file or directory");
    CHECK(error_of(-123456).what == "unknown error");
}

TEST_CASE("the dump names every fiber, what it waits for, and shows its stack") {
    ManualWorld world;
    world.run([&] {
        Event event;
        Task waiter = spawn("the waiter", [&] { static_cast<void>(event.wait()); });
        REQUIRE(sleep_for(7ms).has_value());
        std::string dump = Worker::current().dump();
        CHECK(dump.find("worker test: 2 fibers") == 0);
        CHECK(dump.find("body: running") != dump.npos);
        CHECK(dump.find("the waiter: parked on event for 7 ms\n    ") != dump.npos);
        event.set();
        waiter.join();
    });
}

TEST_CASE("stacks are used again: ten thousand short fibers need few of them") {
    ManualWorld world;
    world.run([&] {
        std::vector<const void*> places;
        for (int i = 0; i < 10'000; ++i) {
            Task task = spawn("short", [&] {
                int here = 0;
                if (std::ranges::find(places, &here) == places.end()) places.push_back(&here);
            });
            task.join();
        }
        CHECK(places.size() <= 2);
    });
}

TEST_CASE("a task group joins what has finished while it goes on") {
    ManualWorld world;
    world.run([&] {
        TaskGroup group;
        for (int i = 0; i < 1000; ++i) {
            group.spawn("short", [] {});
            yield();
        }
        CHECK(Worker::current().fiber_count() < 40);
        CHECK(group.size() == 0);
    });
}
