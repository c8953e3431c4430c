// Threads for calls that block: rare calls on files, jobs of fiber::blocking(). Threads are
// made when a job finds none idle, up to a bound, and stay until the pool ends.
//
// Owner    UringRuntime; joined before any kernel that gave it jobs is destroyed, because the last
//          act of a job is to wake that kernel.
// Thread   submit() and withdraw() from anywhere; Job::run() on a thread of the pool.
// Bound    `max_threads`; the queue is as long as the fibers that wait for its jobs are many.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace ringlay::env {

class ThreadPool {
  public:
    class Job {
      public:
        // The last thing it does may let its owner destroy it: the pool touches it no more.
        virtual void run() = 0;

      protected:
        Job() = default;
        ~Job() = default;

      private:
        friend class ThreadPool;
        Job* previous_ = nullptr;
        Job* next_ = nullptr;
        bool is_queued_ = false;  // under mutex_
    };

    ThreadPool(std::string name, std::size_t max_threads);
    ~ThreadPool();  // runs what is queued, then joins
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    // The job must stay until it has run or was withdrawn.
    void submit(Job& job);

    // True: it had not begun, and will not run. The job must still exist.
    bool withdraw(Job& job);

    std::size_t queued() const;
    std::size_t threads() const;

  private:
    void loop();
    void unlink(Job& job);

    const std::string name_;
    const std::size_t max_threads_;
    mutable std::mutex mutex_;
    std::condition_variable work_;
    Job* first_ = nullptr;
    Job* last_ = nullptr;
    std::size_t queued_ = 0;
    std::size_t idle_ = 0;
    bool is_ending_ = false;
    std::vector<std::thread> threads_;
};

// For threads of ours: named (15 characters are kept), and deaf to all signals but those that a
// fault of its own raises, so that the main thread alone is interrupted.
std::thread start_thread(const std::string& name, std::move_only_function<void()> body);

}  // namespace ringlay::env
