#include "proto/event.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "proto/frame.hpp"
#include "proto/limits.hpp"
#include "tests/proto/event_equal.hpp"
#include "tests/proto/samples.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;
using samples::joined;

namespace {

Buffer payload(const Buffer& frame) {
    Bytes bytes = payload_of(frame, peek(frame).value());
    return {bytes.begin(), bytes.end()};
}

CommitEvent sample_commit(Bytes blocks, const RepoOps& ops) {
    return {120,
            samples::did,
            samples::rev,
            "3khuwc44c222d",
            Cid::from_text(samples::commit_cid).value(),
            blocks,
            ops,
            empty_tree_cid,
            samples::time};
}

// A payload without one of its entries: the tests of what is required leave out each in turn.
Buffer without(Bytes payload_bytes, std::string_view dropped) {
    CborReader in(payload_bytes);
    Buffer entries;
    std::uint8_t count = 0;
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        auto value = in.read_any();
        if (!value) return std::unexpected(value.error());
        if (key == dropped) return {};
        ++count;
        CborWriter writer(entries);
        writer.write_text(key);
        writer.write_encoded(*value);
        return {};
    });
    REQUIRE(read.has_value());
    return joined(Buffer{static_cast<std::uint8_t>(0xa0 + count)}, entries);
}

// The same with another value for an entry.
Buffer with(Bytes payload_bytes, std::string_view changed, const Buffer& new_value) {
    CborReader in(payload_bytes);
    Buffer out;
    CborWriter writer(out);
    std::uint8_t count = 0;
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        auto value = in.read_any();
        if (!value) return std::unexpected(value.error());
        ++count;
        writer.write_text(key);
        writer.write_encoded(key == changed ? Bytes(new_value) : *value);
        return {};
    });
    REQUIRE(read.has_value());
    return joined(Buffer{static_cast<std::uint8_t>(0xa0 + count)}, out);
}

const Buffer null = hex("f6");
const std::string raw_link = "d82a582500 01551220" + std::string(64, '0');

}  // namespace

TEST_CASE("the sample frames are written byte for byte, and read") {
    IdentityEvent identity{120, samples::did, samples::time, std::nullopt};
    CHECK(to_hex(encode_frame(identity)) == to_hex(samples::identity_frame()));
    CHECK(parse_identity_event(payload(samples::identity_frame())).value() == identity);

    AccountEvent account{122, samples::did, samples::time, true, std::nullopt};
    CHECK(to_hex(encode_frame(account)) == to_hex(samples::account_frame()));
    CHECK(parse_account_event(payload(samples::account_frame())).value() == account);

    InfoMessage info{"OutdatedCursor", std::nullopt};
    CHECK(to_hex(encode_frame(info)) == to_hex(samples::info_frame()));
    CHECK(parse_info(payload(samples::info_frame())).value() == info);

    ErrorMessage error{"FutureCursor", "Cursor in the future."};
    CHECK(to_hex(encode_frame(error)) == to_hex(samples::error_frame()));
    CHECK(parse_error(payload(samples::error_frame())).value() == error);
}

TEST_CASE("the sample's first commit is a frame of 785 bytes in canonical order") {
    Buffer blocks(488, 0);
    Cid record = Cid::from_text(samples::record_cid).value();
    RepoOp op{RepoAction::create, "app.bsky.actor.profile/self", record.bytes(), std::nullopt};
    Buffer ops = encode_ops({&op, 1});
    CommitEvent event = sample_commit(blocks, RepoOps::parse(ops).value());
    event.since.reset();
    event.prev_data.reset();
    event.seq = 121;
    Buffer frame = encode_frame(event);
    CHECK(frame.size() == 785);
    CHECK(to_hex(Bytes(frame).first(15)) == "a261746723636f6d6d6974626f7001");
    CHECK(frame[15] == 0xab);
    std::vector<std::string> keys;
    CborReader in(Bytes(frame).subspan(15));
    REQUIRE(for_each_entry(in, [&](std::string_view key) {
        keys.emplace_back(key);
        return in.skip();
    }));
    CHECK(keys == std::vector<std::string>{"ops", "rev", "seq", "repo", "time", "blobs", "since",
                                           "blocks", "commit", "rebase", "tooBig"});
    CHECK_FALSE(peek(frame).value().needs_repair);
}

TEST_CASE("every event comes back from its frame, with and without what is optional") {
    auto seed = GENERATE(range(1u, 100u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    Buffer blocks(random() % 3000, static_cast<std::uint8_t>(random()));
    Bytes cid = empty_tree_cid.bytes();
    std::vector<RepoOp> list(random() % 5);
    for (RepoOp& op : list) {
        op.action = static_cast<RepoAction>(random() % 3);
        op.path = random() % 2 == 0 ? "a.b.c/self" : "no path at all";
        if (random() % 2 == 0) op.cid = cid;
        if (random() % 2 == 0) op.prev = cid;
    }
    Buffer ops = encode_ops(list);
    CommitEvent commit = sample_commit(blocks, RepoOps::parse(ops).value());
    commit.seq = 1 + (random() >> 11 >> random() % 50);
    if (random() % 2 == 0) commit.since.reset();
    if (random() % 2 == 0) commit.prev_data.reset();
    commit.is_rebase = random() % 2 == 0;
    commit.is_too_big = random() % 2 == 0;
    Buffer bytes = payload(encode_frame(commit));
    CommitEvent read = parse_commit_event(bytes).value();
    REQUIRE(read == commit);
    std::size_t at = 0;
    read.ops.for_each([&](const RepoOp& op) { REQUIRE(op == list.at(at++)); });
    REQUIRE(at == list.size());
    REQUIRE(read.ops.count() == list.size());

    SyncEvent sync{commit.seq, samples::did, samples::rev, blocks, samples::time};
    bytes = payload(encode_frame(sync));
    REQUIRE(parse_sync_event(bytes).value() == sync);

    IdentityEvent identity{commit.seq, samples::did, samples::time, "handle.invalid"};
    bytes = payload(encode_frame(identity));
    REQUIRE(parse_identity_event(bytes).value() == identity);

    AccountEvent account{commit.seq, samples::did, samples::time, false, "takendown"};
    bytes = payload(encode_frame(account));
    REQUIRE(parse_account_event(bytes).value() == account);

    InfoMessage info{"OutdatedCursor", "older than anything kept"};
    bytes = payload(encode_frame(info));
    REQUIRE(parse_info(bytes).value() == info);
}

TEST_CASE("a required field that is missing is told by name; an optional one is not missed") {
    Buffer blocks = hex("00");
    Buffer commit = payload(encode_frame(sample_commit(blocks, {})));
    const struct {
        std::string_view key, refused_as;
    } commit_keys[] = {
        {"ops", "commit: no ops"},
        {"rev", "commit: no rev"},
        {"seq", "commit: no seq"},
        {"repo", "commit: no repo"},
        {"time", "commit: no time"},
        {"blobs", ""},
        {"since", ""},
        {"blocks", "commit: no blocks"},
        {"commit", "commit: no commit"},
        {"rebase", ""},
        {"tooBig", ""},
        {"prevData", ""},
    };
    for (const auto& [key, refused_as] : commit_keys) {
        CAPTURE(key);
        auto event = parse_commit_event(without(commit, key));
        CHECK((event ? "" : event.error().what) == refused_as);
    }

    const struct {
        std::string_view kind;
        std::vector<std::string_view> required, optional;
        Buffer payload;
        std::string_view (*refusal)(Bytes);
    } others[] = {
        {"sync",
         {"did", "rev", "seq", "time", "blocks"},
         {},
         payload(encode_frame(SyncEvent{1, samples::did, samples::rev, blocks, samples::time})),
         [](Bytes p) {
             auto e = parse_sync_event(p);
             return e ? "" : e.error().what;
         }},
        {"identity",
         {"did", "seq", "time"},
         {"handle"},
         payload(encode_frame(IdentityEvent{1, samples::did, samples::time, "a.b"})),
         [](Bytes p) {
             auto e = parse_identity_event(p);
             return e ? "" : e.error().what;
         }},
        {"account",
         {"did", "seq", "time", "active"},
         {"status"},
         payload(encode_frame(AccountEvent{1, samples::did, samples::time, false, "deleted"})),
         [](Bytes p) {
             auto e = parse_account_event(p);
             return e ? "" : e.error().what;
         }},
        {"info",
         {"name"},
         {"message"},
         payload(encode_frame(InfoMessage{"n", "m"})),
         [](Bytes p) {
             auto e = parse_info(p);
             return e ? "" : e.error().what;
         }},
        {"error",
         {"error"},
         {"message"},
         payload(encode_frame(ErrorMessage{"n", "m"})),
         [](Bytes p) {
             auto e = parse_error(p);
             return e ? "" : e.error().what;
         }},
    };
    for (const auto& other : others) {
        CAPTURE(other.kind);
        CHECK(other.refusal(other.payload).empty());
        CHECK(other.refusal(joined(other.payload, hex("00"))) == "event: bytes after the payload");
        for (std::string_view key : other.required) {
            CAPTURE(key);
            CHECK(other.refusal(without(other.payload, key)) ==
                  std::string(other.kind) + ": no " + std::string(key));
            CHECK_FALSE(other.refusal(with(other.payload, key, null)).empty());
        }
        for (std::string_view key : other.optional) {
            CAPTURE(key);
            CHECK(other.refusal(without(other.payload, key)).empty());
            CHECK(other.refusal(with(other.payload, key, null)).empty());
            CHECK_FALSE(other.refusal(with(other.payload, key, hex("00"))).empty());
        }
    }
}

TEST_CASE("what old and sloppy software writes is read for what it means") {
    Buffer blocks = hex("00");
    CommitEvent whole = sample_commit(blocks, {});
    whole.is_rebase = whole.is_too_big = true;
    Buffer bytes = payload(encode_frame(whole));
    auto read = [&](std::string_view key, std::string_view digits) {
        return parse_commit_event(with(bytes, key, hex(digits)));
    };
    CHECK(read("blobs", "f6").has_value());
    CHECK(read("blobs", "8100").has_value());
    CHECK(read("rebase", "f6").value().is_rebase == false);
    CHECK(read("tooBig", "f6").value().is_too_big == false);
    CHECK(parse_commit_event(without(bytes, "rebase")).value().is_rebase == false);
    CHECK_FALSE(read("prevData", "f6").value().prev_data);
    CHECK_FALSE(read("since", "f6").value().since);
    CHECK_FALSE(read("since", raw_link).value().since);
    CHECK(read("since", "6378797a").has_value());
    Buffer sloppy =
        hex("a5 6474696d65 60 63646964 67 6469643a613a62 63736571 01 6668616e646c65 f6"
            "67756e6b6e6f776e 00");
    auto identity = parse_identity_event(sloppy);
    REQUIRE(identity.has_value());
    CHECK(identity->did == "did:a:b");
    CHECK_FALSE(identity->handle);
}

TEST_CASE("a field that is not what it must be is refused") {
    Buffer blocks = hex("00");
    Buffer bytes = payload(encode_frame(sample_commit(blocks, {})));
    const struct {
        std::string_view key;
        std::string digits, refused_as;
    } bad[] = {
        {"seq", "00", "event: seq"},
        {"seq", "1b0020000000000000", "event: seq"},
        {"seq", "20", "cbor: not an unsigned integer"},
        {"seq", "f6", "cbor: not an unsigned integer"},
        {"repo", "6378797a", "event: did"},
        {"repo", "f6", "cbor: not a text"},
        {"rev", "6378797a", "event: rev"},
        {"time", "00", "cbor: not a text"},
        {"blocks", "6100", "cbor: not a byte string"},
        {"commit", "f6", "cbor: not a link"},
        {"commit", raw_link, "cid: not dag-cbor with sha-256"},
        {"prevData", raw_link, "cid: not dag-cbor with sha-256"},
        {"rebase", "00", "cbor: not a boolean"},
        {"tooBig", "00", "cbor: not a boolean"},
        {"ops", "f6", "cbor: not an array"},
        {"ops", "8100", "cbor: not a map"},
        {"ops", "81a0", "op: no cid"},
        {"ops", "81a1 63636964 f6", "op: no path"},
        {"ops", "81a2 63636964 f6 6470617468 60", "op: no action"},
        {"ops", "81a3 63636964 f6 6470617468 60 66616374696f6e 66437265617465", "op: action"},
        {"ops", "81a3 63636964 f6 6470617468 60 66616374696f6e 60", "op: action"},
        {"ops", "81a3 63636964 00 6470617468 60 66616374696f6e 66637265617465", "cbor: not a link"},
        {"ops", "81a3 63636964 f6 6470617468 00 66616374696f6e 66637265617465", "cbor: not a text"},
    };
    REQUIRE(parse_commit_event(with(bytes, "seq", hex("1b001fffffffffffff"))).has_value());
    for (const auto& [key, digits, refused_as] : bad) {
        CAPTURE(key, digits);
        auto event = parse_commit_event(with(bytes, key, hex(digits)));
        REQUIRE_FALSE(event.has_value());
        CHECK(event.error().what == refused_as);
    }
}

TEST_CASE("an op has the shape of its action, or is told not to") {
    Bytes cid = empty_tree_cid.bytes();
    for (int shape = 0; shape < 12; ++shape) {
        CAPTURE(shape);
        RepoOp op{static_cast<RepoAction>(shape / 4), "a.b.c/d", std::nullopt, std::nullopt};
        bool has_cid = shape % 2 == 1, has_prev = shape / 2 % 2 == 1;
        if (has_cid) op.cid = cid;
        if (has_prev) op.prev = cid;
        bool expected = op.action == RepoAction::create   ? has_cid && !has_prev
                        : op.action == RepoAction::update ? has_cid && has_prev
                                                          : !has_cid && has_prev;
        CHECK(op.has_sync11_shape() == expected);
    }
    RepoOp op{RepoAction::remove, "p", std::nullopt, std::nullopt};
    CHECK(to_hex(encode_ops({&op, 1})) ==
          to_hex(hex("81a3 63636964 f6 6470617468 6170 66616374696f6e 6664656c657465")));
}

TEST_CASE("ops and blocks are taken up to their limits") {
    std::vector<RepoOp> ops(max_commit_ops, RepoOp{RepoAction::remove, "p", {}, {}});
    Buffer encoded = encode_ops(ops);
    CHECK(RepoOps::parse(encoded).value().count() == max_commit_ops);
    ops.emplace_back(ops.back());
    encoded = encode_ops(ops);
    CHECK(RepoOps::parse(encoded).error().code == Errc::too_large);
    CHECK(RepoOps::parse(hex("8000")).error().what == "commit: bytes after the ops");
    CHECK(RepoOps().count() == 0);

    Buffer blocks(max_commit_blocks_bytes, 0);
    Buffer bytes = payload(encode_frame(sample_commit(blocks, {})));
    CHECK(parse_commit_event(bytes).has_value());
    blocks.push_back(0);
    bytes = payload(encode_frame(sample_commit(blocks, {})));
    CHECK(parse_commit_event(bytes).error().code == Errc::too_large);

    blocks.resize(max_sync_blocks_bytes);
    bytes = payload(encode_frame(SyncEvent{1, samples::did, samples::rev, blocks, samples::time}));
    CHECK(parse_sync_event(bytes).has_value());
    blocks.push_back(0);
    bytes = payload(encode_frame(SyncEvent{1, samples::did, samples::rev, blocks, samples::time}));
    CHECK(parse_sync_event(bytes).error().code == Errc::too_large);
}
