#include "proto/frame.hpp"

#include <catch2/catch.hpp>

#include "proto/cbor.hpp"
#include "proto/event.hpp"
#include "proto/limits.hpp"
#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;
using samples::joined;

namespace {

const std::string identity_header = "a2617469236964656e74697479626f7001";
const std::string did_entry = "63646964 7820" + to_hex(samples::bytes(samples::did));
const std::string time_entry = "6474696d65 7818" + to_hex(samples::bytes(samples::time));
const std::string seq_entry = "63736571 1878";

const std::string commit_header = "a261746723636f6d6d6974626f7001";
const std::string ops = "636f7073 80";
const std::string repo = "647265706f 7820" + to_hex(samples::bytes(samples::did));
const std::string blobs = "65626c6f6273 80";
const std::string rebase = "66726562617365 f4";
const std::string too_big = "66746f6f426967 f4";

std::string_view refusal(std::string_view digits) {
    auto frame = peek(hex(digits));
    if (frame) return frame->fault_what;
    CHECK(frame.error().code == Errc::malformed);
    return frame.error().what;
}

Buffer spliced(Bytes message, std::uint64_t new_seq) {
    Peek frame = peek(message).value();
    Buffer out(splice_size_bytes(message, frame, new_seq));
    splice_into(out, message, frame, new_seq);
    return out;
}

// What repair() makes of the message, after checks that hold for whatever it is given.
Buffer repaired(Bytes message, std::uint64_t new_seq) {
    Peek before = peek(message).value();
    Buffer out = repair(message, before, new_seq).value();
    Peek after = peek(out).value();
    CHECK(after.kind == before.kind);
    CHECK(after.seq == new_seq);
    CHECK(after.did == before.did);
    CHECK(after.envelope_canonical);
    CHECK_FALSE(after.needs_repair);
    CHECK(out.size() <= message.size() + max_growth_bytes);
    CHECK(repair(out, after, new_seq).value() == out);
    return out;
}

}  // namespace

TEST_CASE("a peek finds the kind, the account and the seq of an event") {
    Buffer message = samples::identity_frame();
    Peek frame = peek(message).value();
    CHECK(frame.kind == FrameKind::identity);
    CHECK(frame.header_bytes == 17);
    CHECK(frame.payload_bytes == message.size() - 17);
    CHECK(frame.has_seq);
    CHECK(frame.seq == 120);
    CHECK(frame.seq_offset == 17 + 1 + 4 + 34 + 4);
    CHECK(frame.seq_bytes == 2);
    CHECK(frame.did == samples::did);
    CHECK(frame.header_canonical);
    CHECK(frame.envelope_canonical);
    CHECK_FALSE(frame.has_trailing);
    CHECK_FALSE(frame.needs_repair);
    CHECK(frame.name.empty());
    CHECK(payload_of(message, frame).data() == message.data() + 17);

    CHECK(peek(samples::account_frame()).value().kind == FrameKind::account);
    CHECK(peek(samples::account_frame()).value().seq == 122);

    Buffer sync = encode_frame(SyncEvent{9, samples::did, samples::rev, {}, samples::time});
    CHECK(peek(sync).value().kind == FrameKind::sync);
    CHECK(peek(sync).value().did == samples::did);
    CHECK_FALSE(peek(sync).value().needs_repair);
}

TEST_CASE("a peek at a commit finds its account under another key") {
    CommitEvent event;
    event.seq = 70000;
    event.repo = samples::did;
    event.rev = samples::rev;
    Buffer message = encode_frame(event);
    Peek frame = peek(message).value();
    CHECK(frame.kind == FrameKind::commit);
    CHECK(frame.did == samples::did);
    CHECK(frame.seq == 70000);
    CHECK(frame.seq_bytes == 5);
    CHECK_FALSE(frame.needs_repair);

    // `did` is a key like any other in a commit: it need not even be one.
    Buffer with_did =
        hex(commit_header + "a6 63646964 6178 63736571 01" + repo + blobs + rebase + too_big);
    CHECK(peek(with_did).value().did == samples::did);
}

TEST_CASE("info and error frames show their name and message") {
    Buffer info = samples::info_frame();
    Peek frame = peek(info).value();
    CHECK(frame.kind == FrameKind::info);
    CHECK(frame.name == "OutdatedCursor");
    CHECK(frame.message.empty());
    CHECK_FALSE(frame.has_seq);
    CHECK_FALSE(frame.needs_repair);
    CHECK(frame.envelope_canonical);

    Buffer error = samples::error_frame();
    frame = peek(error).value();
    CHECK(frame.kind == FrameKind::error);
    CHECK(frame.name == "FutureCursor");
    CHECK(frame.message == "Cursor in the future.");
    CHECK(frame.header_canonical);

    // As one implementation writes its header, and with a message that is null.
    Buffer other = hex("a2617460626f7020 a2 656572726f72 6178 676d657373616765 f6");
    frame = peek(other).value();
    CHECK(frame.kind == FrameKind::error);
    CHECK(frame.name == "x");
    CHECK(frame.message.empty());
    CHECK_FALSE(frame.header_canonical);

    Buffer told = hex("a261746523696e666f626f7001 a2 646e616d65 616e 676d657373616765 616d");
    CHECK(peek(told).value().name == "n");
    CHECK(peek(told).value().message == "m");
}

TEST_CASE("an unknown op or type is no error, and its seq is found if it has one") {
    Peek frame = peek(samples::unknown_op_frame()).value();
    CHECK(frame.kind == FrameKind::unknown);
    CHECK_FALSE(frame.has_seq);
    CHECK_FALSE(frame.needs_repair);

    const std::string handle_header = "a26174672368616e646c65626f7001";  // removed long ago
    frame = peek(hex(handle_header + "a1" + seq_entry)).value();
    CHECK(frame.kind == FrameKind::unknown);
    CHECK(frame.has_seq);
    CHECK(frame.seq == 120);
    CHECK(frame.did.empty());
    for (std::string_view seq : {"00", "20", "f6", "1b0020000000000000"}) {
        CAPTURE(seq);
        frame = peek(hex(handle_header + "a1 63736571" + std::string(seq))).value();
        CHECK(frame.kind == FrameKind::unknown);
        CHECK_FALSE(frame.has_seq);
    }
    CHECK(peek(hex("a261746123626f7000 a0")).value().kind == FrameKind::unknown);  // op 0
    CHECK(peek(hex("a1626f7021 a0")).value().kind == FrameKind::unknown);          // op -2
    CHECK(peek(hex("a2617460626f7001 a0")).value().kind == FrameKind::unknown);    // empty t
    // An op that is unknown makes a type that is known mean nothing.
    CHECK(peek(hex("a2617469236964656e74697479626f7002 a0")).value().kind == FrameKind::unknown);
}

TEST_CASE("a malformed frame is refused by name") {
    const std::string good = did_entry + seq_entry + time_entry;
    REQUIRE(refusal(identity_header + "a3" + good).empty());
    auto with_seq = [&](std::string seq) {
        return identity_header + "a3" + did_entry + "63736571" + seq + time_entry;
    };
    const struct {
        std::string digits, refused_as;
    } bad[] = {
        {"", "cbor: truncated"},
        {"00", "frame: header is not a map"},
        {"a0 a0", "frame: header without op"},
        {"a1617460 a0", "frame: header without op"},
        {"a1626f7001 a0", "frame: header without t"},
        {"a1626f70f6 a0", "cbor: not an integer"},
        {"a2617400626f7001 a0", "cbor: not a text"},
        {"a1626f7020 a0", "frame: error without a name"},
        {"a1626f7020 a1 656572726f72 60", "frame: error without a name"},
        {"a1626f7020 a1 656572726f72 f6", "cbor: not a text"},
        {"a261746523696e666f626f7001 a0", "frame: info without a name"},
        {identity_header, "frame: no payload"},
        {identity_header + "80", "frame: payload is not a map"},
        {"a1626f7005", "frame: no payload"},
        {"a1626f7005 00", "frame: payload is not a map"},
        {"a1626f7005 a1616100f7", ""},  // what follows the payload is not looked at
        {"a1626f7005 a16161f7", "cbor: simple value"},
        {identity_header + "a2" + seq_entry + time_entry, "frame: no did"},
        {identity_header + "a2" + did_entry + time_entry, "frame: no seq"},
        {identity_header + "a1 63646964 00", "frame: did is not a text"},
        {identity_header + "a1 63646964 6378797a", "frame: did syntax"},
        {identity_header + "a2 647265706f" + did_entry.substr(8) + seq_entry, "frame: no did"},
        {commit_header + "a2" + did_entry + seq_entry, "frame: no did"},
        {identity_header + "a4" + good + did_entry, "cbor: duplicate key"},
        {identity_header + "a4" + good + seq_entry, "cbor: duplicate key"},
        {with_seq("00"), "frame: seq out of range"},
        {with_seq("20"), "frame: seq out of range"},
        {with_seq("1b0020000000000000"), "frame: seq out of range"},
        {with_seq("1b8000000000000000"), "frame: seq out of range"},
        {with_seq("1bffffffffffffffff"), "frame: seq out of range"},
        {with_seq("f6"), "frame: seq is not an integer"},
        {with_seq("623132"), "frame: seq is not an integer"},
        {with_seq("fb3ff0000000000000"), "cbor: float"},
        {with_seq("1c"), "cbor: reserved head"},
        {identity_header + "a3" + did_entry + "63736571 18", "cbor: truncated"},
    };
    for (const auto& [digits, refused_as] : bad) {
        CAPTURE(digits);
        CHECK(refusal(digits) == refused_as);
    }
    CHECK(refusal(with_seq("1b001fffffffffffff")).empty());
    CHECK(refusal(with_seq("01")).empty());
}

TEST_CASE("an event with a fault is a whole frame: its kind, its fault and its seq are known") {
    const std::string seq = "63736571", time = time_entry;
    auto faulty = [](const std::string& digits) { return peek(hex(digits)).value(); };
    Peek no_did = faulty(identity_header + "a2" + seq_entry + time);
    CHECK(no_did.kind == FrameKind::identity);
    CHECK(no_did.fault == FrameFault::fields);
    CHECK(no_did.has_seq);
    Peek bad_did = faulty(identity_header + "a3 63646964 6378797a" + seq_entry + time);
    CHECK(bad_did.fault == FrameFault::did);
    CHECK(bad_did.has_seq);
    for (std::string_view value : {"00", "f6", "623132", "1b8000000000000000", "3800"}) {
        CAPTURE(value);
        Peek bad_seq = faulty(identity_header + "a3" + did_entry + seq + std::string(value) + time);
        CHECK(bad_seq.fault == FrameFault::fields);
        CHECK_FALSE(bad_seq.has_seq);
        CHECK_FALSE(bad_seq.did.empty());
        CHECK_FALSE(bad_seq.has_trailing);
    }
    CHECK(faulty(identity_header + "a3" + did_entry + seq_entry + time).fault == FrameFault::none);
}

TEST_CASE("a message is at most as long as the protocol allows") {
    Buffer message = samples::identity_frame();
    message.resize(max_message_bytes, 0);
    CHECK(peek(message).value().has_trailing);
    message.push_back(0);
    CHECK(peek(message).error().code == Errc::too_large);
}

TEST_CASE("a frame cut anywhere is refused") {
    for (const Buffer& message : {samples::identity_frame(), samples::account_frame(),
                                  samples::info_frame(), samples::error_frame()}) {
        for (std::size_t size = 0; size < message.size(); ++size) {
            CAPTURE(size);
            REQUIRE_FALSE(peek(Bytes(message).first(size)).has_value());
        }
    }
}

TEST_CASE("what is not the one canonical form needs repair, and has it afterwards") {
    const std::string payload = "a3" + did_entry + seq_entry + time_entry;
    const struct {
        std::string why, digits;
        bool is_header, is_envelope, has_trailing;
    } frames[] = {
        {"header keys the wrong way round", "a2626f700161746923 6964656e74697479" + payload, false,
         false, false},
        {"an unknown key in the header", "a3 6161 00 617469236964656e74697479 626f7001" + payload,
         false, false, false},
        {"trailing bytes", identity_header + payload + "00", true, false, true},
        {"payload keys out of order", identity_header + "a3" + seq_entry + did_entry + time_entry,
         true, false, false},
        {"a seq longer than it need be",
         identity_header + "a3" + did_entry + "63736571 190078" + time_entry, true, false, false},
        {"a length longer than it need be",
         identity_header + "b803" + did_entry + seq_entry + time_entry, true, false, false},
        {"an inner map out of order",
         identity_header + "a4" + did_entry + seq_entry + time_entry +
             "67756e6b6e6f776e a2 626262 00 6161 00",
         true, false, false},
    };
    Buffer expected = spliced(samples::identity_frame(), 5000);
    for (const auto& frame : frames) {
        CAPTURE(frame.why);
        Buffer message = hex(frame.digits);
        Peek peeked = peek(message).value();
        CHECK(peeked.seq == 120);
        CHECK(peeked.header_canonical == frame.is_header);
        CHECK(peeked.envelope_canonical == frame.is_envelope);
        CHECK(peeked.has_trailing == frame.has_trailing);
        CHECK(peeked.needs_repair);
        Buffer out = repaired(message, 5000);
        if (frame.why != "an inner map out of order") CHECK(to_hex(out) == to_hex(expected));
    }
}

TEST_CASE("repair keeps unknown fields of the payload and drops those of the header") {
    Buffer message =
        hex("a3 6161 00 6174692369 64656e74697479 626f7001"
            "a4" +
            seq_entry + did_entry + time_entry + "67756e6b6e6f776e a2 626262 8101 6161 f5");
    CHECK_FALSE(peek(message).value().header_canonical);
    CHECK(to_hex(repaired(message, 23)) ==
          to_hex(hex(identity_header + "a4" + did_entry + "63736571 17" + time_entry +
                     "67756e6b6e6f776e a2 6161 f5 626262 8101")));
}

TEST_CASE("repair writes every kind of value in its one form") {
    // Each is longer than it need be, or holds something that is.
    const struct {
        std::string_view sloppy, exact;
    } values[] = {
        {"1817", "17"},
        {"3b0000000000000000", "20"},
        {"f4", "f4"},
        {"f5", "f5"},
        {"f6", "f6"},
        {"580101", "4101"},
        {"780161", "6161"},
        {"d9002a58050001550000", "d82a450001550000"},
        {"9801 f6", "81 f6"},
        {"82 1800 80", "82 00 80"},
        {"b801 780161 1800", "a1 6161 00"},
        {"a2 6162 a2 6164 00 6163 00 6161 01", "a2 6161 01 6162 a2 6163 00 6164 00"},
    };
    for (const auto& [sloppy, exact] : values) {
        CAPTURE(sloppy);
        Buffer message = hex(identity_header + "a4" + time_entry + seq_entry + did_entry +
                             "67756e6b6e6f776e" + std::string(sloppy));
        CHECK(to_hex(repaired(message, 120)) ==
              to_hex(hex(identity_header + "a4" + did_entry + seq_entry + time_entry +
                         "67756e6b6e6f776e" + std::string(exact))));
    }
}

TEST_CASE("a commit without the old required fields needs repair, which adds them") {
    const std::string seq = "63736571 01";
    std::string whole = commit_header + "a6" + ops + seq + repo + blobs + rebase + too_big;
    REQUIRE_FALSE(peek(hex(whole)).value().needs_repair);
    const struct {
        std::string why, digits;
        bool is_null;
    } frames[] = {
        {"no blobs", commit_header + "a5" + ops + seq + repo + rebase + too_big, false},
        {"no rebase", commit_header + "a5" + ops + seq + repo + blobs + too_big, false},
        {"no tooBig", commit_header + "a5" + ops + seq + repo + blobs + rebase, false},
        {"none", commit_header + "a3" + ops + seq + repo, false},
        {"blobs null",
         commit_header + "a6" + ops + seq + repo + "65626c6f6273 f6" + rebase + too_big, true},
        {"rebase null",
         commit_header + "a6" + ops + seq + repo + blobs + "66726562617365 f6" + too_big, true},
        {"tooBig null",
         commit_header + "a6" + ops + seq + repo + blobs + rebase + "66746f6f426967 f6", true},
        {"prevData null",
         commit_header + "a7" + ops + seq + repo + blobs + rebase + too_big +
             "687072657644617461 f6",
         true},
    };
    for (const auto& frame : frames) {
        CAPTURE(frame.why);
        Buffer message = hex(frame.digits);
        Peek peeked = peek(message).value();
        CHECK(peeked.envelope_canonical);
        CHECK(peeked.needs_repair);
        CHECK(to_hex(repaired(message, 1)) == to_hex(hex(whole)));
    }
    // What is there stays, whatever it says.
    Buffer set = hex(commit_header + "a6" + ops + seq + repo + "65626c6f6273 8100" +
                     "66726562617365 f5" + "66746f6f426967 f5");
    CHECK_FALSE(peek(set).value().needs_repair);
    CHECK(repaired(set, 1) == set);
}

TEST_CASE("null in an optional field of the other events is taken out") {
    const struct {
        std::string header, key;
    } fields[] = {
        {identity_header, "6668616e646c65"},
        {"a2617468236163636f756e74626f7001", "66737461747573"},
    };
    for (const auto& [header, key] : fields) {
        CAPTURE(key);
        Buffer message = hex(header + "a4" + did_entry + seq_entry + time_entry + key + "f6");
        CHECK(peek(message).value().needs_repair);
        CHECK(to_hex(repaired(message, 120)) ==
              to_hex(hex(header + "a3" + did_entry + seq_entry + time_entry)));
        // The key of one event is unknown to the other, and stays.
        std::string other = header == identity_header ? fields[1].key : fields[0].key;
        message = hex(header + "a4" + did_entry + seq_entry + time_entry + other + "f6");
        CHECK_FALSE(peek(message).value().needs_repair);
        CHECK(repaired(message, 120) == message);
    }
}

TEST_CASE("a header's canonical bytes are those of its kind") {
    CHECK(to_hex(canonical_header(FrameKind::commit)) == "a261746723636f6d6d6974626f7001");
    CHECK(to_hex(canonical_header(FrameKind::sync)) == "a26174652373796e63626f7001");
    CHECK(to_hex(canonical_header(FrameKind::identity)) == identity_header);
    CHECK(to_hex(canonical_header(FrameKind::account)) == "a2617468236163636f756e74626f7001");
    CHECK(to_hex(canonical_header(FrameKind::info)) == "a261746523696e666f626f7001");
    CHECK(to_hex(canonical_header(FrameKind::error)) == "a1626f7020");
    CHECK(canonical_header(FrameKind::unknown).empty());
    CHECK(frame_kind_name(FrameKind::commit) == "commit");
    CHECK(frame_kind_name(FrameKind::unknown) == "unknown");
    CHECK(is_event(FrameKind::commit));
    CHECK(is_event(FrameKind::account));
    CHECK_FALSE(is_event(FrameKind::info));
}
