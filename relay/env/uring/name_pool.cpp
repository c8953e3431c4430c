#include "relay/env/uring/name_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <list>
#include <mutex>
#include <system_error>
#include <unordered_set>

#include "proto/base/assert.hpp"
#include "relay/env/uring/blocking_calls.hpp"
#include "relay/env/uring/thread_pool.hpp"

namespace ringlay::env {
namespace {

// Names that have answered in time, by hash. Bounded by two halves: when one is full, the older one
// is let go of; who is met again moves into the newer one.
class Acquaintances {
  public:
    explicit Acquaintances(std::size_t bound) : half_(std::max<std::size_t>(1, bound / 2)) {}

    bool has(std::uint64_t hash) const { return newer_.contains(hash) || older_.contains(hash); }
    void forget(std::uint64_t hash) {
        newer_.erase(hash);
        older_.erase(hash);
    }
    void add(std::uint64_t hash) {
        if (newer_.size() >= half_ && !newer_.contains(hash)) {
            older_ = std::move(newer_);
            newer_.clear();
        }
        newer_.insert(hash);
    }

  private:
    std::size_t half_;
    std::unordered_set<std::uint64_t> newer_;
    std::unordered_set<std::uint64_t> older_;
};

}  // namespace

struct NamePool::Shared {
    explicit Shared(NamePoolOptions chosen)
        : options(std::move(chosen)), known(options.names_remembered) {
        RINGLAY_ASSERT(options.places > 0 && options.places_for_strangers > 0);
        RINGLAY_ASSERT(options.places_for_strangers <= options.places);
        if (!options.look_up) options.look_up = look_up;
    }

    // All under the lock.
    std::size_t ready() const;  // questions that a thread could begin now
    Question* take(bool& is_stranger);
    void remove(const Question& question);
    static void answer(Question& question, std::int64_t result, std::vector<Address> addresses);

    void work();  // of a thread

    NamePoolOptions options;
    mutable std::mutex mutex;
    std::condition_variable changed;
    Acquaintances known;
    std::list<Question*> known_queue;
    std::list<Question*> stranger_queue;
    std::size_t strangers_running = 0;
    std::size_t threads = 0;
    std::size_t idle = 0;
    bool is_ending = false;
};

std::size_t NamePool::Shared::ready() const {
    return known_queue.size() +
           std::min(stranger_queue.size(), options.places_for_strangers - strangers_running);
}

NamePool::Question* NamePool::Shared::take(bool& is_stranger) {
    if (ready() == 0) return nullptr;
    is_stranger = known_queue.empty();
    std::list<Question*>& queue = is_stranger ? stranger_queue : known_queue;
    Question* question = queue.front();
    queue.pop_front();
    if (is_stranger) ++strangers_running;
    return question;
}

void NamePool::Shared::remove(const Question& question) {
    for (auto* queue : {&known_queue, &stranger_queue}) {
        auto found = std::ranges::find(*queue, &question);
        if (found != queue->end()) queue->erase(found);
    }
}

void NamePool::Shared::answer(Question& question, std::int64_t result,
                              std::vector<Address> addresses) {
    question.state_ = Question::State::answered;
    question.answered(result, std::move(addresses));
}

void NamePool::Shared::work() {
    std::unique_lock lock(mutex);
    for (;;) {
        bool is_stranger = false;
        Question* question = take(is_stranger);
        if (question == nullptr) {
            ++idle;
            bool has_come =
                changed.wait_for(lock, options.idle_time, [&] { return is_ending || ready() > 0; });
            --idle;
            if (has_come && !is_ending) continue;
            --threads;
            return;
        }
        question->state_ = Question::State::running;
        question->seat_ = &question;  // forget() empties it
        const std::string name = question->name_;
        const std::uint16_t port = question->port_;
        const std::uint64_t hash = question->hash_;
        lock.unlock();

        std::vector<Address> addresses;
        auto began = std::chrono::steady_clock::now();
        std::int64_t result = options.look_up(name, port, addresses);
        bool is_in_time = std::chrono::steady_clock::now() - began <= options.in_time;

        lock.lock();
        if (is_stranger) --strangers_running;
        if (result > 0 && is_in_time) {
            known.add(hash);
        } else {
            known.forget(hash);
        }
        if (question != nullptr) answer(*question, result, std::move(addresses));
    }
}

NamePool::NamePool(NamePoolOptions options)
    : shared_(std::make_shared<Shared>(std::move(options))) {}

NamePool::~NamePool() {
    std::lock_guard lock(shared_->mutex);
    RINGLAY_ASSERT(shared_->known_queue.empty() && shared_->stranger_queue.empty());
    shared_->is_ending = true;
    shared_->changed.notify_all();
}

void NamePool::ask(Question& question) {
    Shared& all = *shared_;
    std::lock_guard lock(all.mutex);
    RINGLAY_ASSERT(!all.is_ending && question.state_ == Question::State::queued);
    question.hash_ = std::hash<std::string>()(question.name_);
    (all.known.has(question.hash_) ? all.known_queue : all.stranger_queue).push_back(&question);
    if (all.ready() > all.idle && all.threads < all.options.places) {
        try {
            start_thread("names", [shared = shared_] { shared->work(); }).detach();
            ++all.threads;
        } catch (const std::system_error&) {
            // The machine has no thread for us. Others of ours will come to it, if there are any.
            if (all.threads == 0) {
                all.remove(question);
                return Shared::answer(question, -EAGAIN, {});
            }
        }
    }
    all.changed.notify_one();
}

bool NamePool::forget(Question& question) {
    std::lock_guard lock(shared_->mutex);
    switch (question.state_) {
        case Question::State::queued:
            shared_->remove(question);
            return true;
        case Question::State::running:
            *question.seat_ = nullptr;
            return true;
        case Question::State::answered:
            return false;
    }
    return false;
}

std::size_t NamePool::queued() const {
    std::lock_guard lock(shared_->mutex);
    return shared_->known_queue.size() + shared_->stranger_queue.size();
}

std::size_t NamePool::threads() const {
    std::lock_guard lock(shared_->mutex);
    return shared_->threads;
}

}  // namespace ringlay::env
