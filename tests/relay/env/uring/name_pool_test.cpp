#include "relay/env/uring/name_pool.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "relay/env/uring/uring_runtime.hpp"
#include "relay/fiber/fiber.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using env::NamePool;
using env::NamePoolOptions;

namespace {

// A resolver that holds every name back until the test lets it go. Threads that were left behind
// share it.
class SlowResolver {
  public:
    NamePoolOptions options(std::size_t places, std::size_t for_strangers) const {
        NamePoolOptions options;
        options.places = places;
        options.places_for_strangers = for_strangers;
        options.in_time = 1h;  // how long this machine takes decides nothing
        options.look_up = [inside = inside_](const std::string& name, std::uint16_t port,
                                             std::vector<Address>& into) -> std::int64_t {
            std::unique_lock lock(inside->mutex);
            inside->begun.insert(name);
            inside->changed.notify_all();
            inside->changed.wait(lock,
                                 [&] { return inside->is_open || inside->free.contains(name); });
            if (name.starts_with("dead")) return -EHOSTUNREACH;
            into = {Address::v4(1, 2, 3, 4, port)};
            return 1;
        };
        return options;
    }
    void let_go(const std::string& name) {
        with([&](Inside& in) { in.free.insert(name); });
    }
    void hold(const std::string& name) {
        with([&](Inside& in) { in.free.erase(name); });
    }
    void let_all_go() {
        with([](Inside& in) { in.is_open = true; });
    }
    std::set<std::string> begun() const {
        std::lock_guard lock(inside_->mutex);
        return inside_->begun;
    }
    void wait_for(const std::string& name) const {
        std::unique_lock lock(inside_->mutex);
        inside_->changed.wait(lock, [&] { return inside_->begun.contains(name); });
    }

  private:
    struct Inside {
        std::mutex mutex;
        std::condition_variable changed;
        std::set<std::string> begun, free;
        bool is_open = false;
    };
    template <class F>
    void with(F change) {
        std::lock_guard lock(inside_->mutex);
        change(*inside_);
        inside_->changed.notify_all();
    }
    std::shared_ptr<Inside> inside_ = std::make_shared<Inside>();
};

class Asked final : public NamePool::Question {
  public:
    explicit Asked(std::string name) : Question(std::move(name), 443) {}
    void answered(std::int64_t result, std::vector<Address> addresses) override {
        std::lock_guard lock(mutex_);
        result_ = result;
        addresses_ = std::move(addresses);
        ++answers_;
        changed_.notify_all();
    }
    std::int64_t wait() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return answers_ > 0; });
        return result_;
    }
    int answers() {
        std::lock_guard lock(mutex_);
        return answers_;
    }
    const std::vector<Address>& addresses() const { return addresses_; }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int answers_ = 0;
    std::int64_t result_ = 0;
    std::vector<Address> addresses_;
};

void make_known(NamePool& pool, SlowResolver& resolver, const std::string& name) {
    resolver.let_go(name);
    Asked asked(name);
    pool.ask(asked);
    REQUIRE(asked.wait() == 1);
}

}  // namespace

TEST_CASE("a question is answered with what the resolver says") {
    SlowResolver resolver;
    resolver.let_all_go();
    NamePool pool(resolver.options(4, 4));
    Asked good("good"), dead("dead");
    pool.ask(good);
    pool.ask(dead);
    CHECK(good.wait() == 1);
    CHECK(good.addresses() == std::vector{Address::v4(1, 2, 3, 4, 443)});
    CHECK(dead.wait() == -EHOSTUNREACH);
    CHECK_FALSE(pool.forget(good));
    CHECK(pool.queued() == 0);
}

TEST_CASE("names that do not answer take the places of strangers, and no more") {
    SlowResolver resolver;
    NamePool pool(resolver.options(4, 3));
    make_known(pool, resolver, "friend");
    std::vector<std::unique_ptr<Asked>> strangers;
    for (int i = 0; i < 10; ++i) {
        strangers.push_back(std::make_unique<Asked>("dead" + std::to_string(i)));
        pool.ask(*strangers.back());
    }
    for (std::string name : {"dead0", "dead1", "dead2"}) resolver.wait_for(name);
    for (int round = 0; round < 3; ++round) {  // a friend is served all the same
        Asked again("friend");
        pool.ask(again);
        CHECK(again.wait() == 1);
    }
    CHECK(resolver.begun() == std::set<std::string>{"dead0", "dead1", "dead2", "friend"});
    CHECK(pool.queued() == 7);
    CHECK(pool.threads() <= 4);
    resolver.let_go("dead1");
    CHECK(strangers[1]->wait() == -EHOSTUNREACH);
    resolver.wait_for("dead3");
    CHECK(pool.queued() == 6);
    resolver.let_all_go();
    for (auto& stranger : strangers) CHECK(stranger->wait() == -EHOSTUNREACH);
}

TEST_CASE("a friend who fails, or is late, is a stranger until he answers in time") {
    SlowResolver resolver;
    NamePoolOptions options = resolver.options(2, 1);
    std::atomic<bool> is_late = false;
    options.look_up = [&, inner = options.look_up](const std::string& name, std::uint16_t port,
                                                   std::vector<Address>& into) {
        auto result = inner(name, port, into);
        if (name == "late" && is_late) std::this_thread::sleep_for(30ms);
        return name == "fails" && is_late ? -EAGAIN : result;
    };
    options.in_time = 20ms;
    NamePool pool(options);
    // On a machine that is busy an answer may be late without our doing: asked until it is not.
    auto is_friend = [&](const std::string& name) {
        Asked dead("dead-" + name);
        pool.ask(dead);
        resolver.wait_for("dead-" + name);  // the place of strangers is taken
        Asked asked(name);
        pool.ask(asked);
        bool was_served = false;
        for (int i = 0; i < 100 && !was_served; ++i) {
            std::this_thread::sleep_for(1ms);
            was_served = asked.answers() > 0;
        }
        resolver.let_go("dead-" + name);
        asked.wait();
        dead.wait();
        return was_served;
    };
    make_known(pool, resolver, "late");
    make_known(pool, resolver, "fails");
    is_late = true;
    for (std::string name : {"late", "fails"}) {
        CAPTURE(name);
        Asked once(name);
        pool.ask(once);
        once.wait();
        CHECK_FALSE(is_friend(name));
    }
}

TEST_CASE("a question that is given up is not answered, in the queue or under way") {
    SlowResolver resolver;
    NamePool pool(resolver.options(1, 1));
    auto first = std::make_unique<Asked>("first"), second = std::make_unique<Asked>("second");
    Asked third("third");
    for (Asked* one : {first.get(), second.get(), &third}) pool.ask(*one);
    resolver.wait_for("first");
    CHECK(pool.forget(*first));
    CHECK(pool.forget(*second));
    CHECK(first->answers() + second->answers() == 0);
    first.reset();
    second.reset();
    resolver.let_all_go();
    CHECK(third.wait() == 1);
    CHECK(resolver.begun() == std::set<std::string>{"first", "third"});
}

TEST_CASE("a pool ends at once, whatever the resolver does; what is left behind ends later") {
    SlowResolver resolver;
    {
        NamePool pool(resolver.options(8, 8));
        std::vector<std::unique_ptr<Asked>> given_up;
        for (int i = 0; i < 8; ++i) {
            given_up.push_back(std::make_unique<Asked>("dead" + std::to_string(i)));
            pool.ask(*given_up.back());
            resolver.wait_for("dead" + std::to_string(i));
        }
        for (auto& one : given_up) REQUIRE(pool.forget(*one));
    }  // returns, or this test does not end
    CHECK(resolver.begun().size() == 8);
    resolver.let_all_go();
}

TEST_CASE("friends wait for a place, too, when all are taken") {
    SlowResolver resolver;
    NamePool pool(resolver.options(2, 1));
    std::vector<std::unique_ptr<Asked>> friends;
    for (int i = 0; i < 5; ++i) {
        std::string name = "friend" + std::to_string(i);
        make_known(pool, resolver, name);
        resolver.hold(name);
    }
    for (int i = 0; i < 5; ++i) {
        friends.push_back(std::make_unique<Asked>("friend" + std::to_string(i)));
        pool.ask(*friends.back());
        CHECK(pool.threads() <= 2);
    }
    resolver.let_all_go();
    for (auto& one : friends) CHECK(one->wait() == 1);
}

TEST_CASE("threads end when nobody asks, and come back") {
    SlowResolver resolver;
    resolver.let_all_go();
    NamePoolOptions options = resolver.options(4, 4);
    options.idle_time = 1ms;
    NamePool pool(options);
    for (int round = 0; round < 3; ++round) {
        Asked asked("name" + std::to_string(round));
        pool.ask(asked);
        CHECK(asked.wait() == 1);
        while (pool.threads() > 0) std::this_thread::yield();
    }
}

TEST_CASE("of the names that have answered the most recent are remembered") {
    SlowResolver resolver;
    NamePoolOptions options = resolver.options(2, 1);
    options.names_remembered = 4;
    NamePool pool(options);
    for (std::string name : {"a", "b", "c", "d", "a", "e"}) make_known(pool, resolver, name);
    Asked dead("dead");
    pool.ask(dead);
    resolver.wait_for("dead");
    for (std::string name : {"a", "e", "d"}) make_known(pool, resolver, name);
    Asked forgotten("b");
    pool.ask(forgotten);
    make_known(pool, resolver, "a");  // overtakes it
    CHECK(forgotten.answers() == 0);
    CHECK(pool.queued() == 1);
    resolver.let_all_go();
    CHECK(forgotten.wait() == 1);
    CHECK(dead.wait() == -EHOSTUNREACH);
}

TEST_CASE("many dead names among many live ones: the live ones are answered meanwhile") {
    SlowResolver resolver;
    env::UringRuntimeOptions options;
    options.names = resolver.options(64, 64);
    for (int i = 0; i < 500; ++i) resolver.let_go("live" + std::to_string(i));
    env::UringRuntime runtime(options);
    int found = 0;
    runtime.start_worker({.name = "w"}, [&] {
        env::Env env;
        fiber::TaskGroup dead, live;
        for (int i = 0; i < 500; ++i) {
            if (i % 10 == 0) {
                dead.spawn("dead", [&env, i] {
                    static_cast<void>(
                        env.net.resolve("dead" + std::to_string(i), 1, Deadline::never()));
                });
            }
            live.spawn("live", [&, i] {
                found +=
                    env.net.resolve("live" + std::to_string(i), 1, Deadline::never()).has_value();
            });
        }
        while (live.size() > 0) REQUIRE(fiber::sleep_for(1ms).has_value());
        dead.cancel_and_join();
    });
    runtime.join();
    CHECK(found == 500);
    resolver.let_all_go();
}
