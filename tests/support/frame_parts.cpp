#include "tests/support/frame_parts.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"
#include "proto/car.hpp"
#include "proto/cbor.hpp"

namespace ringlay::support {
namespace {

using proto::CborMode;
using proto::CborReader;
using proto::CborWriter;
using proto::Cid;

Buffer to_buffer(Bytes bytes) {
    return Buffer(bytes.begin(), bytes.end());
}

template <class Write>
Buffer encoded_by(Write&& write) {
    Buffer out;
    CborWriter writer(out);
    write(writer);
    return out;
}

}  // namespace

Cid cid_of(Bytes block) {
    return Cid::of_digest(crypto::sha256(block));
}

bool MapParts::KeyOrder::operator()(std::string_view a, std::string_view b) const {
    return proto::key_before(a, b);
}

MapParts::MapParts(Bytes map) {
    CborReader in(map, CborMode::lenient);
    auto read = proto::for_each_entry(in, [&](std::string_view key) -> Result<void> {
        values_[std::string(key)] = to_buffer(in.read_any().value());
        return {};
    });
    RINGLAY_ASSERT(read.has_value() && in.at_end());
}

Buffer MapParts::encode() const {
    return encoded_by([&](CborWriter& out) {
        auto map = out.write_map(values_.size());
        for (const auto& [key, value] : values_) {
            out.write_key(map, key);
            out.write_encoded(value);
        }
    });
}

Bytes MapParts::encoded(std::string_view key) const {
    auto found = values_.find(key);
    RINGLAY_ASSERT(found != values_.end());
    return found->second;
}

std::string MapParts::text(std::string_view key) const {
    CborReader in(encoded(key));
    return std::string(in.read_text().value());
}

Buffer MapParts::bytes(std::string_view key) const {
    CborReader in(encoded(key));
    return to_buffer(in.read_bytes().value());
}

void MapParts::erase(std::string_view key) {
    auto found = values_.find(key);
    RINGLAY_ASSERT(found != values_.end());
    values_.erase(found);
}

void MapParts::set_encoded(std::string_view key, Bytes value) {
    values_[std::string(key)] = to_buffer(value);
}

void MapParts::set_text(std::string_view key, std::string_view value) {
    set_encoded(key, encoded_by([&](CborWriter& out) { out.write_text(value); }));
}

void MapParts::set_bytes(std::string_view key, Bytes value) {
    set_encoded(key, encoded_by([&](CborWriter& out) { out.write_bytes(value); }));
}

void MapParts::set_uint(std::string_view key, std::uint64_t value) {
    set_encoded(key, encoded_by([&](CborWriter& out) { out.write_uint(value); }));
}

void MapParts::set_bool(std::string_view key, bool value) {
    set_encoded(key, encoded_by([&](CborWriter& out) { out.write_bool(value); }));
}

void MapParts::set_cid(std::string_view key, const Cid& value) {
    set_encoded(key, encoded_by([&](CborWriter& out) { out.write_cid(value); }));
}

void MapParts::set_null(std::string_view key) {
    set_encoded(key, encoded_by([](CborWriter& out) { out.write_null(); }));
}

FrameParts::FrameParts(Bytes frame) {
    auto peeked = proto::peek(frame);
    RINGLAY_ASSERT(peeked.has_value());
    kind = peeked->kind;
    payload = MapParts(proto::payload_of(frame, *peeked));
}

Buffer FrameParts::frame() const {
    Buffer out = to_buffer(proto::canonical_header(kind));
    Buffer encoded = payload.encode();
    out.insert(out.end(), encoded.begin(), encoded.end());
    return out;
}

std::string_view FrameParts::did_key() const {
    return kind == proto::FrameKind::commit ? "repo" : "did";
}

ArchiveParts::ArchiveParts(Bytes archive) {
    auto in = proto::CarReader::open(archive);
    RINGLAY_ASSERT(in.has_value());
    roots.push_back(Cid::parse(in->root()).value());
    for (;;) {
        auto block = in->next().value();
        if (!block) return;
        blocks.push_back({to_buffer(block->cid), to_buffer(block->data)});
    }
}

Buffer ArchiveParts::archive() const {
    Buffer out;
    proto::append_car_header(out, roots);
    for (const Block& block : blocks) proto::append_car_block(out, block.cid, block.data);
    return out;
}

CommitParts::CommitParts(Bytes frame) : outer(frame), archive(outer.payload.bytes("blocks")) {
    Buffer root = to_buffer(archive.roots.front().bytes());
    auto at = std::ranges::find(archive.blocks, root, &ArchiveParts::Block::cid);
    RINGLAY_ASSERT(at != archive.blocks.end());
    commit_at = static_cast<std::size_t>(at - archive.blocks.begin());
    commit = MapParts(at->data);
}

void CommitParts::sign(const crypto::SigningKey& key) {
    if (commit.has("sig")) commit.erase("sig");
    commit.set_bytes("sig", key.sign(crypto::sha256(commit.encode())));
}

Buffer CommitParts::frame() {
    ArchiveParts::Block& block = archive.blocks.at(commit_at);
    block.data = commit.encode();
    Cid cid = cid_of(block.data);
    block.cid = to_buffer(cid.bytes());
    archive.roots.front() = cid;
    outer.payload.set_bytes("blocks", archive.archive());
    if (outer.kind == proto::FrameKind::commit) outer.payload.set_cid("commit", cid);
    return outer.frame();
}

}  // namespace ringlay::support
