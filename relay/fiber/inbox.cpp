#include "relay/fiber/worker.hpp"

namespace ringlay::fiber {

// An intrusive queue with a stub (D. Vyukov's): push is one exchange and one store. Between the
// two the queue is cut: pop() then answers "nothing yet", and the pusher's wake-up follows.
Inbox::Inbox() : newest_(&stub_), oldest_(&stub_) {}

void Inbox::push(Message& message) {
    message.next_.store(nullptr, std::memory_order_relaxed);
    // Sequentially consistent, with Worker's `asleep_`: either the worker sees this message before
    // it sleeps, or the sender sees that it sleeps.
    Message* before = newest_.exchange(&message, std::memory_order_seq_cst);
    before->next_.store(&message, std::memory_order_release);
}

Message* Inbox::pop() {
    Message* oldest = oldest_;
    Message* next = oldest->next_.load(std::memory_order_acquire);
    if (oldest == &stub_) {
        if (next == nullptr) return nullptr;
        oldest_ = oldest = next;
        next = oldest->next_.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
        if (newest_.load(std::memory_order_acquire) != oldest) return nullptr;
        push(stub_);
        next = oldest->next_.load(std::memory_order_acquire);
        if (next == nullptr) return nullptr;
    }
    oldest_ = next;
    return oldest;
}

bool Inbox::empty() const {
    return oldest_ == &stub_ && newest_.load(std::memory_order_seq_cst) == &stub_;
}

}  // namespace ringlay::fiber
