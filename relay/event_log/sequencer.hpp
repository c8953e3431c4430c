// The fiber that gives events their place in the log: takes entries from its mailbox in the order
// of their arrival, appends all that are there as one batch, then tells their senders.
//
// There is no timer: while a batch is written the next one gathers. Under a stall of the log
// (disk full) the batch is kept and tried again; senders see no answer until it is in the log,
// and stop by their windows.
//
// Owner    Relay, beside the Log, which outlives it.
// Thread   made, stopped and destroyed on the log worker; push() and register_host() from any.
// Bound    the mailbox holds what senders own; a batch is Log::max_batch_bytes / max_batch_entries.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "relay/event_log/entry.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/fiber/mailbox.hpp"

namespace ringlay::event_log {

class Sequencer {
  public:
    explicit Sequencer(Log& log);
    ~Sequencer();
    Sequencer(const Sequencer&) = delete;
    Sequencer& operator=(const Sequencer&) = delete;

    // Never waits. When the entry is in the log, its seq is set, its receipt is counted, is_done
    // becomes true, and its bell is rung if somebody listens. Entries of one sender keep their
    // order. (If the log is ended while it can take nothing, is_done comes with is_logged false.)
    void push(Entry& entry) { mailbox_.push(entry); }

    // The id of a host, a new one if the name is new; in the log before this returns. Errors:
    // closed (the log is stopping), cancelled.
    Result<std::uint32_t> register_host(std::string_view name);

    // Appends what is in the mailbox, then ends the fiber. Nobody may push any more. Does not wait
    // for room on a full disk. Then Log::close().
    void stop();

  private:
    void run();
    void gather();
    void append_and_answer();
    static void confirm(Receipt& receipt, std::uint64_t log_seq);
    Result<std::uint32_t> register_at_home(std::string_view name);

    Log& log_;
    fiber::Worker& worker_;
    fiber::Mailbox<Entry> mailbox_;
    std::vector<Entry*> batch_;
    Entry* carried_ = nullptr;  // taken from the mailbox, for the next batch
    std::vector<Bell*> bells_;  // of the batch, each once
    Bell home_bell_;            // of register_host()
    fiber::Task task_;
};

}  // namespace ringlay::event_log
