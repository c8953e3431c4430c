#include "relay/hosts/frame_rules.hpp"

#include "proto/limits.hpp"

namespace ringlay::hosts {

namespace {

constexpr std::size_t longest_seq_bytes = 9;
constexpr std::string_view too_large = "too large with a seq of ours";

}  // namespace

bool fits_with_any_seq(std::size_t message_bytes, std::size_t seq_bytes) {
    return message_bytes - seq_bytes + longest_seq_bytes <= proto::max_message_bytes;
}

Ruling rule(Bytes message, std::uint64_t last_seq) {
    Ruling ruling;
    auto frame = proto::peek(message);
    if (!frame) {
        ruling.why = frame.error().what;
        return ruling;
    }
    ruling.frame = *frame;
    switch (frame->kind) {
        case proto::FrameKind::info:
            ruling.outcome = Outcome::info;
            return ruling;
        case proto::FrameKind::error:
            ruling.outcome = Outcome::error;
            return ruling;
        case proto::FrameKind::unknown:
            ruling.outcome = Outcome::unknown;
            return ruling;
        default:
            break;
    }
    if (frame->fault != proto::FrameFault::none) {
        bool is_did = frame->fault == proto::FrameFault::did;
        ruling.outcome = is_did ? Outcome::bad_did : Outcome::faulty;
        ruling.why = frame->fault_what;
        return ruling;
    }
    // Hosts that serve cursors inclusively send the last event again; this makes both kinds safe.
    if (frame->seq <= last_seq) {
        ruling.outcome = Outcome::stale;
    } else if (!fits_with_any_seq(message.size(), frame->seq_bytes)) {
        ruling.outcome = Outcome::oversized;
        ruling.why = too_large;
    } else {
        ruling.outcome = frame->needs_repair ? Outcome::repaired : Outcome::passed;
    }
    return ruling;
}

}  // namespace ringlay::hosts
