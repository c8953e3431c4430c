#include "relay/event_log/seq_reservation.hpp"

#include "proto/base/crc32c.hpp"
#include "tests/relay/event_log/one_log.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using namespace ringlay::event_log::test;
using fiber::Op;

namespace {

constexpr WallMillis now{1'767'225'600'000};
constexpr WallMillis last_minute = now - 1min;

FirstSeqInputs used_log() {
    FirstSeqInputs in;
    in.log_is_empty = false;
    in.ceiling = 2000;
    in.head_seq = 1500;
    in.newest = last_minute;
    in.now = now;
    return in;
}

}  // namespace

TEST_CASE("an empty directory starts far above what any relay has counted to") {
    FirstSeqInputs in;
    in.now = now;
    CHECK(first_seq_of(in) == 176'722'560'000'000);
    CHECK(first_seq_of(in) < seq_limit / 50);
    in.initial_seq = 5;
    CHECK(first_seq_of(in) == 5);
}

TEST_CASE("an unclean start goes on at the reserved ceiling, a clean one where it ended") {
    FirstSeqInputs in = used_log();
    CHECK(first_seq_of(in) == 2000);
    in.clean_next = 1501;
    CHECK(first_seq_of(in) == 1501);
    in.clean_next = 1400;  // a marker that the log contradicts
    CHECK(first_seq_of(in) == 1501);
    in.initial_seq = 9000;  // a floor
    CHECK(first_seq_of(in) == 9000);
}

TEST_CASE("a directory that has aged jumps by more than another life can have issued") {
    FirstSeqInputs in = used_log();
    in.newest = now - 10min;
    CHECK(first_seq_of(in) == 2000);
    in.newest = now - 11min;
    CHECK(first_seq_of(in) == 2000 + 11 * 60 * 5000);
    in.clean_next = 1501;  // a copy of a cleanly stopped relay is a copy, too
    CHECK(first_seq_of(in) == 1501 + 11 * 60 * 5000);
    in.newest = now + 1h;  // the clock went back
    CHECK(first_seq_of(in) == 1501);
}

TEST_CASE("a log without a reservation goes where an empty directory would begin") {
    FirstSeqInputs in = used_log();
    in.ceiling.reset();
    CHECK(first_seq_of(in) == 176'722'560'000'000);
    in.head_seq = 300'000'000'000'000;
    CHECK(first_seq_of(in) > in.head_seq);
}

TEST_CASE("a slot and a marker with any one bit changed, or cut anywhere, are refused") {
    const ReservationSlot slot{3, 4, 5000, now};
    const Buffer slot_bytes = encode_reservation_slot(slot);
    CHECK(decode_reservation_slot(slot_bytes) == slot);
    const CleanMarker marker{1, 2, 3};
    const Buffer marker_bytes = encode_clean_marker(marker);
    CHECK(decode_clean_marker(marker_bytes) == marker);
    auto flipped = [](Buffer bytes, std::size_t bit) {
        bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ (1u << bit % 8));
        return bytes;
    };
    for (std::size_t bit = 0; bit < slot_bytes.size() * 8; ++bit) {
        REQUIRE_FALSE(decode_reservation_slot(flipped(slot_bytes, bit)).has_value());
    }
    for (std::size_t bit = 0; bit < marker_bytes.size() * 8; ++bit) {
        REQUIRE_FALSE(decode_clean_marker(flipped(marker_bytes, bit)).has_value());
    }
    for (std::size_t size = 0; size < slot_bytes.size(); ++size) {
        REQUIRE_FALSE(decode_reservation_slot(Bytes(slot_bytes).first(size)).has_value());
    }
    for (std::size_t size = 0; size < marker_bytes.size(); ++size) {
        REQUIRE_FALSE(decode_clean_marker(Bytes(marker_bytes).first(size)).has_value());
    }
    Buffer newer = slot_bytes;
    newer[8] = 2;
    CHECK(decode_reservation_slot(newer).error().code == Errc::unsupported);
    for (std::uint64_t ceiling : {std::uint64_t{0}, seq_limit + 1}) {
        CHECK_FALSE(decode_reservation_slot(encode_reservation_slot({1, 1, ceiling, now})));
    }
}

TEST_CASE("sequence numbers are reserved durably before they are used") {
    OneLog one;
    one.run([&] {
        auto log = one.open();  // blocks of 100, from 1000 on
        append_host(*log, "pds.example");
        for (std::uint64_t i = 1; i <= 450; ++i) {
            append_one(*log, 1, i);
            // At every moment the file itself says more than has been issued.
            Buffer slots = one.content("reservation");
            std::uint64_t ceiling = 0;
            for (std::size_t at = 0; at + reservation_slot_bytes <= slots.size();
                 at += reservation_slot_bytes) {
                auto slot =
                    decode_reservation_slot(Bytes(slots).subspan(at, reservation_slot_bytes));
                if (slot) ceiling = std::max(ceiling, slot->ceiling);
            }
            REQUIRE(ceiling > log->head_seq());
            // Half a block ahead is asked for, so that nobody has to wait.
            if (i % 10 == 0) REQUIRE(fiber::sleep_for(100ms).has_value());
            REQUIRE(ceiling <= log->head_seq() + 101);
        }
        log->close();
    });
}

TEST_CASE("slots are written in turn: a torn write leaves the one before it") {
    OneLog one;
    one.run([&] {
        auto directory = one.env.disk.open_directory("/log").value();
        auto reservation = SeqReservation::start(directory, 1, 1000, 100, now).value();
        for (std::uint64_t generation = 2; generation < 7; ++generation) {
            const std::uint64_t before = reservation.ceiling();
            REQUIRE(reservation.extend(before, now).has_value());
            const Buffer whole = one.content("reservation");
            CHECK(read_reservation(directory)->slot->generation == generation);
            Buffer torn = whole;
            torn[generation % 2 * reservation_slot_bytes + 100] ^= 1;
            one.put("reservation", torn);
            CHECK(read_reservation(directory)->slot->ceiling == before);
            one.put("reservation", whole);
        }
    });
}

TEST_CASE("a power loss at any moment of a reservation leaves one sound slot") {
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        CAPTURE(seed);
        OneLog one(seed);
        std::uint64_t promised = 0;
        one.machine.start_worker({.name = "w"}, [&] {
            auto directory = one.env.disk.open_directory("/log").value();
            auto reservation = SeqReservation::start(directory, 1, 1000, 100, now);
            while (reservation && reservation->extend(reservation->ceiling(), now)) {
                if (one.machine.generation() == 1) promised = reservation->ceiling();
                if (!fiber::sleep_for(1us)) break;
            }
        });
        one.world.run_to_event(20 + seed);
        const std::uint64_t promised_at_crash = promised;
        one.machine.crash(env::CrashMode::power_loss);
        REQUIRE_FALSE(one.world.run().has_value());
        one.run([&] {
            auto directory = one.env.disk.open_directory("/log").value();
            auto saved = read_reservation(directory);
            REQUIRE(saved.has_value());
            if (promised_at_crash == 0) return;
            REQUIRE(saved->slot.has_value());
            CHECK(saved->slot->ceiling >= promised_at_crash);
        });
    }
}

TEST_CASE("the clean marker is durably gone before a seq is used") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        log->close();
    });
    CHECK(one.has("clean"));
    one.run([&] {
        auto log = one.open();
        CHECK(log->recovery().was_clean);
        CHECK_FALSE(one.has("clean"));
        append_one(*log, 1, 2);
        one.machine.crash(env::CrashMode::power_loss);  // whatever is not synced may come back
    });
    CHECK_FALSE(one.has("clean"));
    one.run([&] {
        auto log = one.open();
        CHECK_FALSE(log->recovery().was_clean);
        CHECK(log->recovery().first_seq >= 1101);
    });
}

TEST_CASE("a marker that does not fit the log is not believed") {
    OneLog one;
    one.run([&] {
        auto log = one.open();
        append_host(*log, "pds.example");
        append_one(*log, 1, 1);
        log->close();
    });
    Buffer marker = one.content("clean");
    one.run([&] {
        auto log = one.open();
        append_one(*log, 1, 2);
    });
    one.put("clean", marker);  // of the life before
    one.run([&] {
        auto log = one.open();
        CHECK_FALSE(log->recovery().was_clean);
        CHECK(log->recovery().first_seq > 1002);
    });
}
