#include "relay/hosts/frame_rules.hpp"

namespace ringlay::hosts {

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
    // Hosts that serve cursors inclusively send the last event again; this makes both kinds safe.
    if (frame->seq <= last_seq) {
        ruling.outcome = Outcome::stale;
    } else {
        ruling.outcome = frame->needs_repair ? Outcome::repaired : Outcome::passed;
    }
    return ruling;
}

}  // namespace ringlay::hosts
