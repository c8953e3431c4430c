#include "relay/env/uring/thread_pool.hpp"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "proto/base/assert.hpp"

namespace ringlay::env {

ThreadPool::ThreadPool(std::string name, std::size_t max_threads)
    : name_(std::move(name)), max_threads_(max_threads) {
    RINGLAY_ASSERT(max_threads > 0);
}

ThreadPool::~ThreadPool() {
    {
        std::lock_guard lock(mutex_);
        is_ending_ = true;
    }
    work_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    RINGLAY_ASSERT(first_ == nullptr);
}

void ThreadPool::submit(Job& job) {
    std::lock_guard lock(mutex_);
    RINGLAY_ASSERT(!is_ending_ && !job.is_queued_);
    job.is_queued_ = true;
    job.previous_ = last_;
    job.next_ = nullptr;
    (last_ == nullptr ? first_ : last_->next_) = &job;
    last_ = &job;
    ++queued_;
    if (queued_ > idle_ && threads_.size() < max_threads_) {
        threads_.push_back(start_thread(name_, [this] { loop(); }));
    }
    work_.notify_one();
}

bool ThreadPool::withdraw(Job& job) {
    std::lock_guard lock(mutex_);
    if (!job.is_queued_) return false;
    unlink(job);
    return true;
}

std::size_t ThreadPool::queued() const {
    std::lock_guard lock(mutex_);
    return queued_;
}

std::size_t ThreadPool::threads() const {
    std::lock_guard lock(mutex_);
    return threads_.size();
}

void ThreadPool::unlink(Job& job) {
    (job.previous_ == nullptr ? first_ : job.previous_->next_) = job.next_;
    (job.next_ == nullptr ? last_ : job.next_->previous_) = job.previous_;
    job.is_queued_ = false;
    --queued_;
}

void ThreadPool::loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
        while (first_ == nullptr) {
            if (is_ending_) return;
            ++idle_;
            work_.wait(lock);
            --idle_;
        }
        Job& job = *first_;
        unlink(job);
        lock.unlock();
        job.run();
        lock.lock();
    }
}

std::thread start_thread(const std::string& name, std::move_only_function<void()> body) {
    sigset_t deaf, before;
    sigfillset(&deaf);
    for (int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) sigdelset(&deaf, fault);
    pthread_sigmask(SIG_SETMASK, &deaf, &before);  // a new thread inherits the mask
    std::thread thread([name, body = std::move(body)]() mutable {
        pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
        body();
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace ringlay::env
