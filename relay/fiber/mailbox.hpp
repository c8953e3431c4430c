// Between workers: a doorbell that any thread may ring, and a queue of nodes with such a bell.
//
// A wake names the bell, never a fiber: the fiber that listened may have timed out and gone.
// Whoever rings must be sure that the bell is still there; the bell's destructor waits for a ring
// that is under way.
//
// Owner    the home worker, on whose thread it is made, waited for and destroyed.
// Thread   ring() and push() from any worker; they never wait, fail or allocate.
#pragma once

#include <atomic>
#include <concepts>

#include "relay/fiber/fiber.hpp"
#include "relay/fiber/worker.hpp"

namespace ringlay::fiber {

// Rings between two looks are one ring.
class Doorbell final : private Message {
  public:
    Doorbell() : home_(Worker::current()) {}
    ~Doorbell();
    Doorbell(const Doorbell&) = delete;
    Doorbell& operator=(const Doorbell&) = delete;

    void ring();

    // Returns at the next ring, at once if there was one since the last wait.
    Result<void> wait(std::string_view what, Deadline deadline = Deadline::never());

    // For a bell with several listeners: wakes only those who are parked now, remembers nothing.
    // A listener looks at its condition, then waits, with no wait in between.
    Result<void> wait_with_others(std::string_view what, Deadline deadline = Deadline::never());

  private:
    void deliver() override;

    Worker& home_;
    std::atomic<bool> is_ringing_{false};
    bool has_rung_ = false;
    WaitList waiters_;
};

// What a mailbox carries derives from this. A node is in at most one mailbox.
class MailboxNode {
  private:
    template <class T>
    friend class Mailbox;
    std::atomic<MailboxNode*> next_{nullptr};
};

// Many senders, one receiving fiber. Unbounded by itself: what may be inside is bounded by the
// nodes that its senders own (credits), and that bound is theirs to name.
template <class T>
class Mailbox {
  public:
    Mailbox() : newest_(&stub_), oldest_(&stub_) {}
    ~Mailbox() { RINGLAY_ASSERT(pop_now() == nullptr); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    // The node belongs to the receiver until it gives it back by a way of its own.
    void push(T& item) {
        static_assert(std::derived_from<T, MailboxNode>);
        push_node(item);
        bell_.ring();
    }

    // Nothing: empty, or a push is half done and its ring is still to come.
    T* pop_now() {
        MailboxNode* oldest = oldest_;
        MailboxNode* next = oldest->next_.load(std::memory_order_acquire);
        if (oldest == &stub_) {
            if (next == nullptr) return nullptr;
            oldest_ = oldest = next;
            next = oldest->next_.load(std::memory_order_acquire);
        }
        if (next == nullptr) {
            if (newest_.load(std::memory_order_acquire) != oldest) return nullptr;
            push_node(stub_);
            next = oldest->next_.load(std::memory_order_acquire);
            if (next == nullptr) return nullptr;
        }
        oldest_ = next;
        return static_cast<T*>(oldest);
    }

    Result<T*> pop(std::string_view what, Deadline deadline = Deadline::never()) {
        for (;;) {
            if (T* item = pop_now()) return item;
            auto rung = bell_.wait(what, deadline);
            if (!rung) return std::unexpected(rung.error());
        }
    }

    // Rings without a node, so that the receiver looks at something else.
    void ring() { bell_.ring(); }

  private:
    void push_node(MailboxNode& node) {
        node.next_.store(nullptr, std::memory_order_relaxed);
        MailboxNode* before = newest_.exchange(&node, std::memory_order_acq_rel);
        before->next_.store(&node, std::memory_order_release);
    }

    MailboxNode stub_;
    alignas(64) std::atomic<MailboxNode*> newest_;
    alignas(64) MailboxNode* oldest_;
    Doorbell bell_;
};

}  // namespace ringlay::fiber
