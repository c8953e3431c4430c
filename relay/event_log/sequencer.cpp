#include "relay/event_log/sequencer.hpp"

#include <algorithm>

namespace ringlay::event_log {

Sequencer::Sequencer(Log& log) : log_(log), worker_(fiber::Worker::current()) {
    RINGLAY_ASSERT(&worker_ == &log.worker());
    task_ = fiber::spawn("sequencer", [this] { run(); });
}

Sequencer::~Sequencer() {
    stop();
}

void Sequencer::stop() {
    log_.give_up_stalls();
    task_.cancel_and_join();
}

void Sequencer::run() {
    for (;;) {
        gather();
        if (!batch_.empty()) {
            append_and_answer();
            continue;
        }
        auto next = mailbox_.pop("entries for the log");
        // Cancelled by stop(): what was pushed just before it may not have rung yet.
        carried_ = next ? *next : mailbox_.pop_now();
        if (carried_ == nullptr) return;
    }
}

void Sequencer::gather() {
    const LogOptions& options = log_.options();
    batch_.clear();
    std::size_t size_bytes = 0;
    while (batch_.size() < options.max_batch_entries) {
        Entry* entry = std::exchange(carried_, nullptr);
        if (entry == nullptr) entry = mailbox_.pop_now();
        if (entry == nullptr) return;
        size_bytes += entry->message.size();
        if (!batch_.empty() && size_bytes > options.max_batch_bytes) {
            carried_ = entry;
            return;
        }
        batch_.push_back(entry);
    }
}

void Sequencer::append_and_answer() {
    const bool is_logged = log_.append(batch_).has_value();
    const std::uint64_t log_seq = log_.head_seq();
    bells_.clear();
    for (Entry* entry : batch_) {
        entry->is_logged = is_logged;
        if (is_logged && entry->receipt != nullptr) confirm(*entry->receipt, log_seq);
        Bell* bell = entry->done_bell;
        if (bell != nullptr && std::ranges::find(bells_, bell) == bells_.end()) {
            bells_.push_back(bell);
        }
        entry->is_done.store(true);  // from here on it is the sender's
    }
    for (Bell* bell : bells_) bell->notify();
}

Result<std::uint32_t> Sequencer::register_host(std::string_view name) {
    Result<std::uint32_t> id = fail(Errc::closed, "sequencer: not asked");
    fiber::call_on(worker_, "register host", [&] { id = register_at_home(name); });
    return id;
}

Result<std::uint32_t> Sequencer::register_at_home(std::string_view name) {
    if (auto known = log_.host_table().find(name)) return *known;
    Entry entry;
    entry.kind = FactsKind::host_name;
    entry.text = name;
    entry.received = fiber::wall();
    entry.done_bell = &home_bell_;
    push(entry);
    // The entry is on this stack.
    fiber::CancelBlocker blocker;
    static_cast<void>(home_bell_.listen("host to be registered", Deadline::never(),
                                        [&] { return entry.is_done.load(); }));
    if (!entry.is_logged) return fail(Errc::closed, "sequencer: the log is ended");
    return entry.host_id;
}

// The seq first: who sees the count sees a seq that is not older.
void Sequencer::confirm(Receipt& receipt, std::uint64_t log_seq) {
    receipt.seq.store(log_seq, std::memory_order_relaxed);
    receipt.count.store(receipt.count.load(std::memory_order_relaxed) + 1,
                        std::memory_order_release);
}

}  // namespace ringlay::event_log
