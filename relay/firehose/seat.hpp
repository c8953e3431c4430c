// A consumer's place in the house: taken when its request is accepted, carried with its socket to
// the worker that serves it, and brought back by the same way when it has gone. So the caps are
// counted on one worker, without a lock.
//
// Owner    whoever holds the pointer: Firehose, a mailbox, or the ConsumerRoom that serves it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proto/base/bytes.hpp"
#include "relay/env/net.hpp"
#include "relay/fiber/mailbox.hpp"

namespace ringlay::firehose {

struct Seat : fiber::MailboxNode {
    std::uint64_t id = 0;
    std::uint32_t room = 0;  // index of the ConsumerRoom
    Address peer;            // the client, trusted proxies seen through; who counts for the caps
    std::string user_agent;
    std::optional<std::uint64_t> cursor;
    // It has asked for what is stored, and is not known to be served from memory: written by its
    // worker, read by Firehose.
    std::atomic<bool> replays{false};

    env::Socket socket;       // no response has been sent on it
    Buffer already_received;  // behind the request
    std::string response;     // the 101 to begin with
};

}  // namespace ringlay::firehose
