// Splicing and repairing against a model: frames made at random, with and without their faults.
#include <catch2/catch.hpp>
#include <random>

#include "proto/cbor.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "proto/limits.hpp"
#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

using Random = std::mt19937_64;

const std::uint64_t seqs[] = {
    1,     22,    23,    24,    25,    254,        255,        256,        257,
    65534, 65535, 65536, 65537, 70000, UINT32_MAX, 4294967296, 4294967297, seq_limit - 1,
};

// A frame of a random kind; the same seed makes the same but for the seq.
Buffer random_frame(std::uint64_t seed, std::uint64_t seq) {
    Random random(seed);
    Buffer blocks(random() % 2000, static_cast<std::uint8_t>(random()));
    std::optional<std::string_view> text;
    if (random() % 2 == 0) text = "some.text";
    switch (random() % 4) {
        case 0: {
            std::vector<RepoOp> list(random() % 4, RepoOp{RepoAction::remove, "a.b.c/d", {}, {}});
            Buffer ops = encode_ops(list);
            CommitEvent event;
            event.seq = seq;
            event.repo = samples::did;
            event.rev = samples::rev;
            event.since = text;
            event.blocks = blocks;
            event.ops = RepoOps::parse(ops).value();
            event.time = samples::time;
            if (random() % 2 == 0) event.prev_data = empty_tree_cid;
            return encode_frame(event);
        }
        case 1:
            return encode_frame(SyncEvent{seq, samples::did, samples::rev, blocks, samples::time});
        case 2:
            return encode_frame(IdentityEvent{seq, samples::did, samples::time, text});
        default:
            return encode_frame(
                AccountEvent{seq, samples::did, samples::time, random() % 2 == 0, text});
    }
}

Buffer spliced(Bytes message, std::uint64_t new_seq) {
    Peek frame = peek(message).value();
    Buffer out(splice_size_bytes(message, frame, new_seq));
    splice_into(out, message, frame, new_seq);
    return out;
}

// Writes a map again with its entries in another order, and sometimes heads too long.
Buffer shuffled_map(Bytes map, Random& random) {
    std::vector<std::pair<std::string_view, Bytes>> entries;
    CborReader in(map);
    auto read = for_each_entry(in, [&](std::string_view key) {
        return store(entries.emplace_back(key, Bytes()).second, in.read_any());
    });
    REQUIRE(read.has_value());
    std::ranges::shuffle(entries, random);
    Buffer out;
    if (random() % 2 == 0) out.push_back(0xb8);
    out.push_back(static_cast<std::uint8_t>((out.empty() ? 0xa0 : 0) + entries.size()));
    CborWriter writer(out);
    for (const auto& [key, value] : entries) {
        writer.write_text(key);
        writer.write_encoded(value);
    }
    return out;
}

}  // namespace

TEST_CASE("a spliced frame is the frame that would be written with the new seq") {
    auto seed = GENERATE(range(1u, 60u));
    CAPTURE(seed);
    for (std::uint64_t before : seqs) {
        Buffer message = random_frame(seed, before);
        Peek frame = peek(message).value();
        REQUIRE(frame.seq == before);
        REQUIRE_FALSE(frame.needs_repair);
        for (std::uint64_t after : seqs) {
            Buffer expected = random_frame(seed, after);
            REQUIRE(spliced(message, after) == expected);
            REQUIRE(repair(message, frame, after).value() == expected);
        }
    }
}

TEST_CASE("a frame in any order, with anything behind it, is repaired to the canonical one") {
    auto seed = GENERATE(range(1u, 300u));
    CAPTURE(seed);
    Random random(seed);
    Buffer whole = random_frame(seed, seqs[random() % std::size(seqs)]);
    Peek frame = peek(whole).value();
    Buffer message =
        samples::joined(shuffled_map(Bytes(whole).first(frame.header_bytes), random),
                        shuffled_map(payload_of(whole, frame), random), Buffer(random() % 3, 0xff));
    Peek sloppy = peek(message).value();
    REQUIRE(sloppy.kind == frame.kind);
    REQUIRE(sloppy.seq == frame.seq);
    REQUIRE(sloppy.did == frame.did);
    REQUIRE(sloppy.needs_repair == (message != whole));
    std::uint64_t new_seq = seqs[random() % std::size(seqs)];
    REQUIRE(repair(message, sloppy, new_seq).value() == random_frame(seed, new_seq));
}

TEST_CASE("a frame with any bit changed is refused, or goes on in canonical form") {
    auto seed = GENERATE(range(1u, 40u));
    CAPTURE(seed);
    Buffer whole = random_frame(seed, 70000);
    std::size_t bits = std::min<std::size_t>(whole.size(), 400) * 8;
    for (std::size_t bit = 0; bit < bits; ++bit) {
        Buffer changed = whole;
        changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ (1u << bit % 8));
        auto frame = peek(changed);
        if (!frame || !is_event(frame->kind) || frame->fault != FrameFault::none) continue;
        CAPTURE(bit);
        Buffer out = repair(changed, *frame, 5).value();
        Peek after = peek(out).value();
        REQUIRE_FALSE(after.needs_repair);
        REQUIRE(after.seq == 5);
        REQUIRE(after.kind == frame->kind);
        REQUIRE(after.did == frame->did);
        REQUIRE(out.size() <= changed.size() + max_growth_bytes);
        if (!frame->needs_repair) REQUIRE(spliced(changed, 5) == out);
    }
}
