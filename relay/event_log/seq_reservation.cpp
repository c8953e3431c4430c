#include "relay/event_log/seq_reservation.hpp"

#include <algorithm>
#include <array>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"
#include "relay/event_log/segment.hpp"

namespace ringlay::event_log {
namespace {

constexpr std::string_view slots_name = "reservation";
constexpr std::string_view marker_name = "clean";
constexpr std::size_t crc_bytes = 4;
constexpr std::uint32_t format_version = 1;

// slot: magic u64 | version u32 | zero u32 | generation u64 | log id u64 | ceiling u64
// | written u64, ms since 1970 | zeros | crc-32c u32 of all before
constexpr std::uint64_t slot_magic = 0x31'56'53'52'59'4c'47'52;  // "RGLYRSV1"
// marker: magic u64 | version u32 | zero u32 | log id u64 | next seq u64 | head position u64 | crc
constexpr std::uint64_t marker_magic = 0x31'4e'4c'43'59'4c'47'52;  // "RGLYCLN1"
constexpr std::size_t marker_bytes = 44;

// A copy may be this old before we suspect that another life went on from it.
constexpr WallMillis trusted_age = std::chrono::minutes(10);
// No relay has ever issued more in a second.
constexpr std::uint64_t most_seqs_per_s = 5000;
// Above what any relay has reached by counting, and below 2^53 for 28 centuries.
constexpr std::uint64_t seqs_per_ms = 100;

Result<void> check_body(Bytes bytes, std::uint64_t magic) {
    if (load_le<std::uint64_t>(bytes, 0) != magic) return fail(Errc::corrupt, "reservation: magic");
    std::uint32_t version = load_le<std::uint32_t>(bytes, 8);
    if (version > format_version) {
        return fail(Errc::unsupported, "reservation: written by a newer ringlay");
    }
    Bytes body = bytes.first(bytes.size() - crc_bytes);
    if (load_le<std::uint32_t>(bytes, body.size()) != crc32c(body)) {
        return fail(Errc::corrupt, "reservation: checksum");
    }
    if (version == 0) return fail(Errc::corrupt, "reservation: version of zero");
    return {};
}

}  // namespace

Buffer encode_clean_marker(const CleanMarker& marker) {
    Buffer out;
    append_le(out, marker_magic);
    append_le(out, format_version);
    append_le(out, std::uint32_t{0});
    append_le(out, marker.log_id);
    append_le(out, marker.next_seq);
    append_le(out, marker.head_position);
    append_le(out, crc32c(out));
    return out;
}

Result<CleanMarker> decode_clean_marker(Bytes file) {
    if (file.size() != marker_bytes) return fail(Errc::corrupt, "clean marker: length");
    if (auto sound = check_body(file, marker_magic); !sound) return std::unexpected(sound.error());
    return CleanMarker{load_le<std::uint64_t>(file, 16), load_le<std::uint64_t>(file, 24),
                       load_le<std::uint64_t>(file, 32)};
}

Buffer encode_reservation_slot(const ReservationSlot& slot) {
    Buffer out;
    append_le(out, slot_magic);
    append_le(out, format_version);
    append_le(out, std::uint32_t{0});
    append_le(out, slot.generation);
    append_le(out, slot.log_id);
    append_le(out, slot.ceiling);
    append_le(out, static_cast<std::uint64_t>(slot.written.count()));
    out.resize(reservation_slot_bytes - crc_bytes);
    append_le(out, crc32c(out));
    return out;
}

Result<ReservationSlot> decode_reservation_slot(Bytes slot) {
    if (slot.size() != reservation_slot_bytes) return fail(Errc::corrupt, "reservation: length");
    if (auto sound = check_body(slot, slot_magic); !sound) return std::unexpected(sound.error());
    ReservationSlot out;
    out.generation = load_le<std::uint64_t>(slot, 16);
    out.log_id = load_le<std::uint64_t>(slot, 24);
    out.ceiling = load_le<std::uint64_t>(slot, 32);
    out.written = WallMillis(static_cast<std::int64_t>(load_le<std::uint64_t>(slot, 40)));
    if (out.ceiling == 0 || out.ceiling > seq_limit) return fail(Errc::corrupt, "ceiling");
    return out;
}

std::uint64_t first_seq_of(const FirstSeqInputs& in) {
    const std::uint64_t of_clock =
        static_cast<std::uint64_t>(std::max<std::int64_t>(in.now.count(), 0)) * seqs_per_ms;
    if (in.log_is_empty)
        return std::max<std::uint64_t>(in.initial_seq ? in.initial_seq : of_clock, 1);

    std::uint64_t first = in.head_seq + 1;
    if (in.clean_next) {
        first = std::max(first, *in.clean_next);
    } else if (in.ceiling) {
        first = std::max(first, *in.ceiling);
    } else {
        // Nothing says how far the last life came: go where an empty directory would begin.
        first = std::max(first + seqs_per_ms * 1000, of_clock);
    }
    WallMillis age = in.now - in.newest;
    if (in.newest > WallMillis(0) && age > trusted_age) {
        auto age_s = static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::seconds>(age).count());
        first += age_s * most_seqs_per_s;
    }
    return std::max(first, in.initial_seq);
}

Result<SavedReservation> read_reservation(const env::Directory& directory) {
    SavedReservation saved;
    auto slots = read_whole(directory, slots_name, 2 * reservation_slot_bytes);
    if (!slots && slots.error().code != Errc::not_found) return std::unexpected(slots.error());
    for (std::size_t at = 0; slots && at + reservation_slot_bytes <= slots->size();
         at += reservation_slot_bytes) {
        auto slot = decode_reservation_slot(Bytes(*slots).subspan(at, reservation_slot_bytes));
        if (!slot && slot.error().code == Errc::unsupported) return std::unexpected(slot.error());
        bool is_newer = slot && (!saved.slot || slot->generation > saved.slot->generation);
        if (is_newer) saved.slot = *slot;
    }
    auto file = read_whole(directory, marker_name, 4096);
    if (!file && file.error().code != Errc::not_found) return std::unexpected(file.error());
    if (file) {
        auto marker = decode_clean_marker(*file);
        if (!marker && marker.error().code == Errc::unsupported) {
            return std::unexpected(marker.error());
        }
        if (marker) saved.marker = *marker;
    }
    return saved;
}

Result<SeqReservation> SeqReservation::start(const env::Directory& directory, std::uint64_t log_id,
                                             std::uint64_t first_seq, std::uint64_t block,
                                             WallMillis now) {
    RINGLAY_ASSERT(first_seq > 0 && block >= 2);
    auto saved = read_reservation(directory);
    if (!saved) return std::unexpected(saved.error());
    auto file = directory.open(slots_name, env::OpenMode::write_or_create);
    if (!file) return std::unexpected(file.error());

    SeqReservation out;
    out.file_ = std::move(*file);
    out.log_id_ = log_id;
    out.block_ = block;
    if (saved->slot) {
        out.generation_ = saved->slot->generation;
        out.ceiling_ = saved->slot->ceiling;
    }
    if (auto extended = out.extend(first_seq, now); !extended) {
        return std::unexpected(extended.error());
    }
    auto removed = directory.remove(marker_name);
    if (!removed && removed.error().code != Errc::not_found) {
        return std::unexpected(removed.error());
    }
    if (auto synced = directory.sync(); !synced) return std::unexpected(synced.error());
    return out;
}

Result<void> SeqReservation::extend(std::uint64_t next_seq, WallMillis now) {
    // A ceiling only rises: what an earlier slot has promised stays promised.
    std::uint64_t ceiling = std::max(ceiling_, next_seq + block_);
    if (ceiling > seq_limit) return fail(Errc::too_large, "reservation: 2^53 is reached");
    ReservationSlot slot{generation_ + 1, log_id_, ceiling, now};
    std::uint64_t offset_bytes = slot.generation % 2 * reservation_slot_bytes;
    if (auto written = file_.write_at(offset_bytes, Bytes(encode_reservation_slot(slot)));
        !written) {
        return written;
    }
    if (auto synced = file_.sync(); !synced) return synced;
    generation_ = slot.generation;
    ceiling_ = ceiling;
    return {};
}

Result<void> SeqReservation::write_marker(const env::Directory& directory,
                                          const CleanMarker& marker) {
    if (auto written = write_whole(directory, marker_name, encode_clean_marker(marker)); !written) {
        return written;
    }
    return directory.sync();
}

}  // namespace ringlay::event_log
