// Sees to it that no sequence number is used twice, whatever happens to the log (design I6): a
// small file says "below R", durably, before any seq below R is used. An unclean start goes on at
// R; a clean one, known by a marker file, where the last life ended; a directory that is older than
// its clock says (restored from a copy) jumps further, by more than another life can have issued.
//
// Owner    Log.
// Thread   log worker; one extend() at a time.
// On disk  `reservation`: two slots of 512 bytes, written in turn, so that a torn write spoils at
//          most the one that is not needed; `clean`: the marker, gone before the first new seq.
// Errors   io ... of the disk; unsupported (a newer format); too_large: 2^53 is near.
#pragma once

#include <cstdint>
#include <optional>

#include "relay/env/disk.hpp"
#include "relay/event_log/facts.hpp"

namespace ringlay::event_log {

struct CleanMarker {
    std::uint64_t log_id = 0;
    std::uint64_t next_seq = 0;
    std::uint64_t head_position = 0;

    bool operator==(const CleanMarker&) const = default;
};
Buffer encode_clean_marker(const CleanMarker& marker);
Result<CleanMarker> decode_clean_marker(Bytes file);

struct ReservationSlot {
    std::uint64_t generation = 0;
    std::uint64_t log_id = 0;
    std::uint64_t ceiling = 0;  // every seq ever issued is below
    WallMillis written{};

    bool operator==(const ReservationSlot&) const = default;
};
inline constexpr std::size_t reservation_slot_bytes = 512;
Buffer encode_reservation_slot(const ReservationSlot& slot);
Result<ReservationSlot> decode_reservation_slot(Bytes slot);

// Where a new life begins to number; pure.
struct FirstSeqInputs {
    bool log_is_empty = true;                 // no segment, no slot
    std::optional<std::uint64_t> ceiling;     // nothing: no slot was readable
    std::optional<std::uint64_t> clean_next;  // of a marker that fits the log
    std::uint64_t head_seq = 0;               // 0: no event
    WallMillis newest{};                      // newest record or slot
    WallMillis now{};
    std::uint64_t initial_seq = 0;  // of the operator; 0: none
};
std::uint64_t first_seq_of(const FirstSeqInputs& inputs);

class SeqReservation {
  public:
    // `first_seq` is the first that this life may use; writes a slot above the old ones and removes
    // the marker, both durable before it returns.
    static Result<SeqReservation> start(const env::Directory& directory, std::uint64_t log_id,
                                        std::uint64_t first_seq, std::uint64_t block,
                                        WallMillis now);

    std::uint64_t ceiling() const { return ceiling_; }  // seqs below may be used
    bool is_half_used(std::uint64_t next_seq) const { return next_seq + block_ / 2 >= ceiling_; }
    // Reserves a block from `next_seq` on; durable when it returns.
    Result<void> extend(std::uint64_t next_seq, WallMillis now);

    // The last act of a clean life.
    static Result<void> write_marker(const env::Directory& directory, const CleanMarker& marker);

  private:
    env::File file_;
    std::uint64_t log_id_ = 0;
    std::uint64_t block_ = 0;
    std::uint64_t generation_ = 0;
    std::uint64_t ceiling_ = 0;
};

// What is on disk, before start().
struct SavedReservation {
    std::optional<ReservationSlot> slot;  // the newer of those that are sound
    std::optional<CleanMarker> marker;
};
Result<SavedReservation> read_reservation(const env::Directory& directory);

}  // namespace ringlay::event_log
