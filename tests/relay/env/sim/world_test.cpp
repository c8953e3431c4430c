#include "relay/env/sim/world.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "relay/fiber/mailbox.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using env::Machine;
using env::World;
using env::WorldOptions;

namespace {

WorldOptions options_of(std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    return options;
}

struct Item : fiber::MailboxNode {
    int host = 0;
    int number = 0;
};

// A small relay: hosts send over the network to the first worker, which hands each item by mailbox
// to one of the others; those write it to a file and count. What it returns is what came out.
class Pipeline {
  public:
    Pipeline(World& world, int workers) : world_(world), workers_(workers) {}

    void run() {
        world_.start_worker({.name = "front"}, [this] { front(); });
        world_.machine("hosts").start_worker({.name = "hosts"}, [this] { hosts(); });
        auto stuck = world_.run();
        INFO(stuck.value_or(""));
        REQUIRE_FALSE(stuck.has_value());
        REQUIRE(world_.net().open_sockets() == 0);
    }

    std::vector<std::pair<int, int>> seen;  // host, number, in the order of arrival

  private:
    static constexpr int host_count = 4, item_count = 6;

    struct Shard {
        explicit Shard(int number) : name("shard" + std::to_string(number)) {}
        std::string name;
        fiber::Mailbox<Item> inbox;
    };

    void front() {
        std::vector<Shard*> shards(static_cast<std::size_t>(workers_), nullptr);
        fiber::Doorbell ready;
        for (int i = 0; i < workers_; ++i) {
            world_.start_worker({.name = "shard"}, [this, i, &shards, &ready] {
                Shard shard(i);
                shards[static_cast<std::size_t>(i)] = &shard;
                ready.ring();
                work(shard);
            });
        }
        while (std::ranges::find(shards, nullptr) != shards.end()) {
            REQUIRE(ready.wait("shards").has_value());
        }
        auto listener = env_.net.listen(world_.machine("local").address(80));
        REQUIRE(listener.has_value());
        is_listening_ = true;
        {
            fiber::TaskGroup readers;
            for (int i = 0; i < host_count; ++i) {
                auto socket = listener->accept();
                REQUIRE(socket.has_value());
                readers.spawn("reader",
                              [&, its = std::move(*socket)]() mutable { read(its, shards); });
            }
            while (readers.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
        }
        for (std::size_t i = 0; i < shards.size(); ++i) {
            Item& end = items_[host_count * item_count + i];
            end.number = -1;
            shards[i]->inbox.push(end);
        }
    }

    void read(env::Socket& socket, std::vector<Shard*>& shards) {
        for (;;) {
            auto chunk = socket.receive(Deadline::in(10s));
            REQUIRE(chunk.has_value());
            if (chunk->empty()) return;
            for (std::uint8_t byte : chunk->bytes()) {
                Item& item = items_[byte];
                item.host = byte / item_count;
                item.number = byte % item_count;
                shards[static_cast<std::size_t>(item.host % workers_)]->inbox.push(item);
            }
        }
    }

    void work(Shard& shard) {
        auto directory = env_.disk.open_directory("/data");
        REQUIRE(directory.has_value());
        auto file = directory->open(shard.name, env::OpenMode::create);
        REQUIRE(file.has_value());
        std::uint64_t offset_bytes = 0;
        for (;;) {
            auto item = shard.inbox.pop("shard");
            REQUIRE(item.has_value());
            if ((*item)->number < 0) return;
            seen.emplace_back((*item)->host, (*item)->number);
            std::uint8_t byte = 1;
            REQUIRE(file->write_at(offset_bytes++, Bytes(&byte, 1)).has_value());
            REQUIRE(file->sync().has_value());
            REQUIRE(fiber::blocking([](MayBlock) { return 7; }) == 7);
        }
    }

    void hosts() {
        while (!is_listening_) REQUIRE(fiber::sleep_for(1ms).has_value());
        fiber::TaskGroup hosts;
        for (int host = 0; host < host_count; ++host) {
            hosts.spawn("host", [this, host] {
                auto socket =
                    env_.net.connect(world_.machine("local").address(80), Deadline::in(10s));
                REQUIRE(socket.has_value());
                for (int i = 0; i < item_count; ++i) {
                    auto byte = static_cast<std::uint8_t>(host * item_count + i);
                    REQUIRE(socket->send(Bytes(&byte, 1), Deadline::in(10s)).has_value());
                    if (env_.random.below(3) == 0) fiber::yield();
                }
            });
        }
        while (hosts.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
    }

    World& world_;
    int workers_;
    env::Env env_;
    bool is_listening_ = false;
    std::vector<Item> items_ = std::vector<Item>(host_count * item_count + 5);
};

}  // namespace

TEST_CASE("the same seed replays the same run, with 1 to 5 workers; another seed another one") {
    std::set<std::uint64_t> traces;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        int workers = 1 + static_cast<int>(seed % 5);
        std::vector<std::pair<int, int>> seen;
        std::uint64_t trace = 0;
        for (int repetition = 0; repetition < 2; ++repetition) {
            CAPTURE(seed, workers, repetition);
            World world(options_of(seed));
            Pipeline pipeline(world, workers);
            pipeline.run();
            REQUIRE(pipeline.seen.size() == 24);
            if (repetition > 0) {
                REQUIRE(pipeline.seen == seen);
                REQUIRE(world.trace_hash() == trace);
            }
            seen = pipeline.seen;
            trace = world.trace_hash();
        }
        std::map<int, int> next;  // of each host: nothing overtakes within a connection
        for (auto [host, number] : seen) REQUIRE(next[host]++ == number);
        traces.insert(trace);
    }
    CHECK(traces.size() == 100);
}

TEST_CASE("fibers that wait for nothing are reported by name, not waited for") {
    World world(options_of(7));
    world.start_worker({.name = "stuck-one"}, [] {
        fiber::Event never;
        CHECK(never.wait().error().code == Errc::cancelled);  // by the end of the world
    });
    world.start_worker({.name = "done"}, [] {});
    auto report = world.run();
    REQUIRE(report.has_value());
    CHECK(report->find("seed 7") != std::string::npos);
    CHECK(report->find("no event and no timer") != std::string::npos);
    CHECK(report->find("stuck-one") != std::string::npos);
    CHECK(report->find("event") != std::string::npos);
    CHECK(report->find("worker done") == std::string::npos);
}

TEST_CASE("a world that goes round in circles is given up at the time limit") {
    WorldOptions options = options_of(1);
    options.time_limit = 20ms;
    World world(options);
    world.start_worker({.name = "circles"}, [] {
        while (!fiber::is_cancelled()) fiber::yield();
    });
    world.start_worker({.name = "sleeper"}, [] {
        while (fiber::sleep_for(10ms)) {
        }
    });
    auto report = world.run();
    REQUIRE(report.has_value());
    CHECK(report->find("time limit") != std::string::npos);
}

TEST_CASE("time jumps to the next timer, and the calendar may be stepped apart from it") {
    World world(options_of(3));
    Nanos slept{}, wall_stepped{};
    world.start_worker({.name = "sleeper"}, [&] {
        Nanos began = fiber::now();
        WallMillis wall = fiber::wall();
        CHECK(fiber::sleep_for(24h * 365).has_value());
        slept = fiber::now() - began;
        CHECK(fiber::wall() - wall >= 24h * 365);
        wall = fiber::wall();
        world.step_wall(-1h);
        wall_stepped = wall - fiber::wall();
    });
    world.run_until(world.now() + 1h);
    CHECK_FALSE(world.has_ended());
    world.run_until(world.now() + 24h * 366);
    CHECK(world.has_ended());
    CHECK(slept >= 24h * 365);
    CHECK(slept < 24h * 365 + 1ms);
    CHECK(wall_stepped > 59min);
}

TEST_CASE("workers started from inside belong to the machine of their starter") {
    World world(options_of(5));
    std::size_t files = 0;
    world.machine("a").start_worker({.name = "first"}, [&] {
        world.start_worker({.name = "second"}, [&] {
            auto directory = env::Env().disk.open_directory("d");
            REQUIRE(directory.has_value());
            REQUIRE(directory->open("f", env::OpenMode::create).has_value());
            ++files;
        });
    });
    REQUIRE_FALSE(world.run().has_value());
    CHECK(files == 1);
    CHECK(world.machine("a").disk().content("d/f").has_value());
    CHECK_FALSE(world.machine("b").disk().content("d/f").has_value());
}

TEST_CASE("a blocking job runs later, outside of the fiber that waits for it") {
    World world(options_of(6));
    std::vector<int> order;
    world.start_worker({.name = "w"}, [&] {
        auto other = fiber::spawn("other", [&] { order.push_back(1); });
        fiber::blocking([&](MayBlock) {
            CHECK_FALSE(fiber::Worker::has_current());
            order.push_back(2);
        });
        order.push_back(3);
        other.join();
    });
    REQUIRE_FALSE(world.run().has_value());
    CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("call_on and its answer cross between workers") {
    World world(options_of(8));
    int answer = 0;
    world.start_worker({.name = "asker"}, [&] {
        fiber::Worker& other =
            world.start_worker({.name = "other"}, [&] { CHECK(fiber::sleep_for(1s).has_value()); });
        fiber::call_on(other, "ask", [&] {
            CHECK(&fiber::Worker::current() == &other);
            answer = 42;
        });
    });
    REQUIRE_FALSE(world.run().has_value());
    CHECK(answer == 42);
}
