// Names of hosts, looked up on threads by the system's resolver, which cannot be called back and
// may take half a minute for one name. So that the dead ones do not stop the others:
//   - who gives up (forget) leaves a thread behind that works on memory of its own;
//   - a name that did not answer in time last time, or was never asked for, is a stranger: of the
//     places, strangers may take only a part;
//   - nobody waits for those threads: they are detached, and end by themselves.
//
// Owner    UringRuntime; destroyed before any kernel that asked.
// Thread   any. answered() is called on a thread of the pool, under its lock: it does not wait, and
//          does not call the pool.
// Bound    `places` threads, which end when idle; the queue is as long as the fibers that wait; the
//          names remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proto/base/address.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::env {

struct NamePoolOptions {
    std::size_t places = 256;
    std::size_t places_for_strangers = 192;
    std::size_t names_remembered = 64 * 1024;
    Nanos in_time = std::chrono::seconds(1);  // an answer that comes later is that of a stranger
    Nanos idle_time = std::chrono::seconds(10);
    // Returns how many addresses were put into the list, or -errno.
    std::function<std::int64_t(const std::string& name, std::uint16_t port,
                               std::vector<Address>& into)>
        look_up;  // empty: the system's
};

class NamePool {
  public:
    class Question {
      public:
        Question(std::string name, std::uint16_t port) : name_(std::move(name)), port_(port) {}

        // Once, unless it is forgotten. The last thing it does may let its owner destroy it.
        virtual void answered(std::int64_t result, std::vector<Address> addresses) = 0;

      protected:
        ~Question() = default;

      private:
        friend class NamePool;
        enum class State : std::uint8_t { queued, running, answered };
        const std::string name_;
        const std::uint16_t port_;
        std::uint64_t hash_ = 0;
        State state_ = State::queued;
        Question** seat_ = nullptr;  // running: where its thread remembers it
    };

    explicit NamePool(NamePoolOptions options = {});
    ~NamePool();  // at once; no question may be left
    NamePool(const NamePool&) = delete;
    NamePool& operator=(const NamePool&) = delete;

    // The question must stay until it is answered or forgotten.
    void ask(Question& question);
    // True: it will not be answered. False: it has been.
    bool forget(Question& question);

    std::size_t queued() const;
    std::size_t threads() const;  // those that were left behind included

  private:
    struct Shared;  // outlives the pool in the threads that were left behind
    const std::shared_ptr<Shared> shared_;
};

}  // namespace ringlay::env
