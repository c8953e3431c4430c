#include "tests/support/worlds.hpp"

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iterator>
#include <memory>

#include "proto/base/assert.hpp"
#include "relay/env/sim/world.hpp"
#include "relay/env/uring/uring_runtime.hpp"

namespace ringlay::support {
namespace {

class ScratchDirectory {
  public:
    ScratchDirectory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "ringlay-XXXXXX").string();
        RINGLAY_ASSERT(mkdtemp(pattern.data()) != nullptr);
        path_ = pattern;
    }
    ~ScratchDirectory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    ScratchDirectory(const ScratchDirectory&) = delete;
    ScratchDirectory& operator=(const ScratchDirectory&) = delete;

    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

std::ptrdiff_t open_handles() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
}

fiber::WorkerOptions named(std::size_t index) {
    fiber::WorkerOptions options;
    options.name = "w" + std::to_string(index);
    options.index = static_cast<std::uint32_t>(index);
    return options;
}

}  // namespace

// The workers of one run: 0 runs the body, then lets the others go.
class Crew {
  public:
    Crew(TestWorld& world, std::size_t count, const TestBody& body) : world_(world), body_(body) {
        for (std::size_t i = 1; i < count; ++i) ends_.push_back(std::make_unique<fiber::Event>());
        world_.workers_.push_back(nullptr);
        for (std::size_t i = 1; i < count; ++i) {
            world_.workers_.push_back(&world_.runtime_.start_worker(
                named(i), [end = ends_[i - 1].get()] { static_cast<void>(end->wait()); }));
        }
        static_cast<void>(world_.runtime_.start_worker(named(0), [this] { run(); }));
    }

    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    void run() {
        world_.workers_[0] = &fiber::Worker::current();
        try {
            body_(world_);
        } catch (...) {
            failure_ = std::current_exception();
        }
        for (std::size_t i = 1; i < world_.workers_.size(); ++i) {
            fiber::call_on(*world_.workers_[i], "end", [this, i] { ends_[i - 1]->set(); });
        }
    }

    TestWorld& world_;
    const TestBody& body_;
    std::vector<std::unique_ptr<fiber::Event>> ends_;
    std::exception_ptr failure_;
};

env::Directory TestWorld::directory() {
    return env_.disk.open_directory(directory_).value();
}

void TestWorld::on(std::size_t number, std::move_only_function<void()> function) {
    std::exception_ptr failure;
    fiber::call_on(worker(number), "test", [&] {
        try {
            function();
        } catch (...) {
            failure = std::current_exception();
        }
    });
    if (failure) std::rethrow_exception(failure);
}

void on_rings(const env::UringRuntimeOptions& options,
              const std::vector<std::size_t>& worker_counts, const TestBody& body) {
    REQUIRE(env::UringKernel::probe() == "");
    for (std::size_t workers : worker_counts) {
        INFO("on rings, workers: " << workers);
        const std::ptrdiff_t handles = open_handles();
        {
            ScratchDirectory scratch;
            env::UringRuntime runtime(options);
            TestWorld world(runtime, false, scratch.path());
            Crew crew(world, workers, body);
            runtime.join();
            crew.rethrow();
        }
        CHECK(open_handles() == handles);  // whatever the body did, nothing is left open
    }
}

void in_simulation(const std::vector<std::size_t>& worker_counts, const TestBody& body) {
    for (std::size_t workers : worker_counts) {
        for (std::uint64_t seed = 1; seed <= 5; ++seed) {
            INFO("in the simulation, workers: " << workers << ", seed: " << seed);
            env::WorldOptions options;
            options.seed = seed;
            env::World simulation(options);
            TestWorld world(simulation, true, "/scratch");
            Crew crew(world, workers, body);
            auto stuck = simulation.run();
            crew.rethrow();
            INFO(stuck.value_or(""));
            REQUIRE_FALSE(stuck.has_value());
        }
    }
}

void on_both_kernels(const std::vector<std::size_t>& worker_counts, const TestBody& body) {
    on_rings({}, worker_counts, body);
    in_simulation(worker_counts, body);
}

Connection connect_pair(TestWorld& world) {
    auto listener = world.env().net.listen(Address::loopback(0)).value();
    Connection pair;
    // A Task and no REQUIRE: the other half must not be left behind.
    fiber::Task connecting = fiber::spawn("connect", [&] {
        auto made = world.env().net.connect(listener.local(), Deadline::never());
        if (made) pair.client = std::move(*made);
    });
    pair.server = listener.accept().value();
    connecting.join();
    REQUIRE(pair.client.is_open());
    return pair;
}

}  // namespace ringlay::support
