#include "tests/support/signed_repo.hpp"

#include <algorithm>

#include "crypto/did_key.hpp"
#include "proto/cbor.hpp"
#include "proto/limits.hpp"
#include "tests/support/frame_parts.hpp"

namespace ringlay::support {
namespace {

constexpr std::uint64_t seed = 0x7e57;

std::uint64_t micros(WallMillis at) {
    return static_cast<std::uint64_t>(std::chrono::microseconds(at).count());
}

crypto::SigningKey other_key() {
    return bench::invented_key(crypto::Curve::k256, seed + 1, 0);
}

// n - s, where n is the order of the account's curve.
Buffer negated(Bytes s, crypto::Curve curve) {
    constexpr std::uint8_t k256_order[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
                                           0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
                                           0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41};
    constexpr std::uint8_t p256_order[] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                           0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                           0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                           0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    Bytes order = curve == crypto::Curve::k256 ? Bytes(k256_order) : Bytes(p256_order);
    Buffer out(s.size());
    int borrow = 0;
    for (std::size_t i = s.size(); i-- > 0;) {
        int difference = order[i] - s[i] - borrow;
        borrow = difference < 0 ? 1 : 0;
        out[i] = static_cast<std::uint8_t>(difference + borrow * 256);
    }
    return out;
}

}  // namespace

SignedRepo::SignedRepo(std::uint64_t number, crypto::Curve curve)
    : SignedRepo(bench::invented_did(seed, number), bench::invented_key(curve, seed, number)) {}

SignedRepo::SignedRepo(std::string did, const crypto::SigningKey& key)
    : repo_(std::move(did), key, nullptr), key_(key) {}

bench::WriteOp SignedRepo::op(proto::RepoAction action, std::string_view path) {
    bench::WriteOp op{action, std::string(path), {}};
    if (action == proto::RepoAction::remove) return op;
    proto::CborWriter out(op.record);
    auto map = out.write_map(2);
    out.write_key(map, "n");
    out.write_uint(++records_);
    out.write_key(map, "text");
    out.write_text(path);
    return op;
}

Buffer SignedRepo::create(std::uint64_t seq, WallMillis at, std::string_view path) {
    const bench::WriteOp ops[] = {op(proto::RepoAction::create, path)};
    return commit(seq, at, ops);
}

Buffer SignedRepo::update(std::uint64_t seq, WallMillis at, std::string_view path) {
    const bench::WriteOp ops[] = {op(proto::RepoAction::update, path)};
    return commit(seq, at, ops);
}

Buffer SignedRepo::remove(std::uint64_t seq, WallMillis at, std::string_view path) {
    const bench::WriteOp ops[] = {op(proto::RepoAction::remove, path)};
    return commit(seq, at, ops);
}

Buffer SignedRepo::commit(std::uint64_t seq, WallMillis at, std::span<const bench::WriteOp> ops) {
    return with_key(repo_.commit_frame(seq, micros(at), ops));
}

Buffer SignedRepo::sync(std::uint64_t seq, WallMillis at) {
    return with_key(repo_.sync_frame(seq, micros(at)));
}

Buffer SignedRepo::identity(std::uint64_t seq, WallMillis at, std::string_view handle) const {
    return repo_.identity_frame(seq, micros(at), handle);
}

Buffer SignedRepo::account(std::uint64_t seq, WallMillis at, bool is_active,
                           std::optional<std::string_view> status) const {
    return repo_.account_frame(seq, micros(at), is_active, status);
}

void SignedRepo::rotate_key(const crypto::SigningKey& key) {
    key_ = key;
    is_rotated_ = true;
}

Buffer SignedRepo::with_key(Buffer frame) const {
    if (!is_rotated_) return frame;
    CommitParts parts(frame);
    parts.sign(key_);
    return parts.frame();
}

std::string SignedRepo::document(std::string_view pds_url) const {
    std::string id = did();
    std::string text = R"({"@context":["https://www.w3.org/ns/did/v1"],"id":")" + id;
    text += R"(","alsoKnownAs":["at://a.example"],"verificationMethod":[{"id":")" + id;
    text += R"(#atproto","type":"Multikey","controller":")" + id;
    text += R"(","publicKeyMultibase":")" + crypto::to_multikey(public_key());
    text += R"("}],"service":[{"id":"#atproto_pds","type":"AtprotoPersonalDataServer",)";
    text += R"("serviceEndpoint":")" + std::string(pds_url) + R"("}]})";
    return text;
}

namespace forge {

Buffer size(const SignedRepo&, Bytes frame) {
    FrameParts parts(frame);
    parts.payload.set_bytes("padding", Buffer(proto::max_message_bytes));
    return parts.frame();
}

Buffer fields(const SignedRepo&, Bytes frame) {
    FrameParts parts(frame);
    parts.payload.erase("time");
    return parts.frame();
}

Buffer seq(const SignedRepo&, Bytes frame) {
    FrameParts parts(frame);
    parts.payload.set_uint("seq", 1);
    return parts.frame();
}

Buffer did(const SignedRepo& repo, Bytes frame) {
    return of_account(repo, frame, "did:example:alice");
}

Buffer limits(const SignedRepo&, Bytes frame) {
    FrameParts parts(frame);
    parts.payload.set_bytes("blocks", {});
    return parts.frame();
}

Buffer identity(const SignedRepo& repo, Bytes frame) {
    return of_account(repo, frame, nobody);
}

Buffer rev(const SignedRepo& repo, Bytes frame) {
    return with_rev(repo, frame, proto::Tid::of_micros(1, 0));
}

Buffer future(const SignedRepo& repo, Bytes frame, WallMillis now) {
    return with_rev(repo, frame, proto::Tid::of_micros(micros(now + std::chrono::minutes(6)), 0));
}

Buffer car(const SignedRepo&, Bytes frame) {
    CommitParts parts(frame);
    static_cast<void>(parts.frame());
    // One that is not the commit, if there is one.
    auto& blocks = parts.archive.blocks;
    auto& block = blocks.at(parts.commit_at + 1 < blocks.size() ? parts.commit_at + 1 : 0);
    block.data.back() = static_cast<std::uint8_t>(block.data.back() ^ 1);
    parts.outer.payload.set_bytes("blocks", parts.archive.archive());
    return parts.outer.frame();
}

Buffer root(const SignedRepo&, Bytes frame) {
    CommitParts parts(frame);
    parts.outer.payload.set_encoded("commit", parts.commit.encoded("data"));
    return parts.outer.frame();
}

Buffer commit(const SignedRepo& repo, Bytes frame) {
    CommitParts parts(frame);
    parts.commit.set_uint("version", 2);
    parts.sign(repo.key());
    return parts.frame();
}

Buffer match(const SignedRepo&, Bytes frame) {
    FrameParts parts(frame);
    auto rev = proto::Tid::parse(parts.payload.text("rev")).value();
    parts.payload.set_text("rev", proto::Tid(rev.value() + 1).to_text());
    return parts.frame();
}

Buffer signature(const SignedRepo&, Bytes frame) {
    CommitParts parts(frame);
    parts.sign(other_key());
    return parts.frame();
}

Buffer of_account(const SignedRepo& repo, Bytes frame, std::string_view did) {
    FrameParts outer(frame);
    bool has_archive = outer.payload.has("blocks") && !outer.payload.bytes("blocks").empty();
    if (!has_archive) {
        outer.payload.set_text(outer.did_key(), did);
        return outer.frame();
    }
    CommitParts parts(frame);
    parts.outer.payload.set_text(parts.outer.did_key(), did);
    parts.commit.set_text("did", did);
    parts.sign(repo.key());
    return parts.frame();
}

Buffer with_rev(const SignedRepo& repo, Bytes frame, proto::Tid rev) {
    CommitParts parts(frame);
    parts.outer.payload.set_text("rev", rev.to_text());
    parts.commit.set_text("rev", rev.to_text());
    parts.sign(repo.key());
    return parts.frame();
}

Buffer match_did(const SignedRepo& repo, Bytes frame) {
    CommitParts parts(frame);
    parts.commit.set_text("did", nobody);
    parts.sign(repo.key());
    return parts.frame();
}

Buffer high_s(const SignedRepo& repo, Bytes frame) {
    CommitParts parts(frame);
    Buffer sig = parts.commit.bytes("sig");
    Buffer s = negated(Bytes(sig).last(32), repo.public_key().curve());
    std::ranges::copy(s, sig.begin() + 32);
    parts.commit.set_bytes("sig", sig);
    return parts.frame();
}

}  // namespace forge

}  // namespace ringlay::support
