#include "proto/cid.hpp"

#include "proto/base/base32.hpp"
#include "proto/limits.hpp"
#include "proto/varint.hpp"

namespace ringlay::proto {
namespace {

// version 1 | codec dag-cbor | hash sha2-256 | digest length 32
constexpr std::uint8_t prefix[] = {0x01, 0x71, 0x12, 0x20};

// d8 2a: tag 42 | 58 25: byte string of 37 | 00: the multibase of binary
constexpr std::uint8_t link_prefix[] = {0xd8, 0x2a, 0x58, 0x25, 0x00};

}  // namespace

constinit const Cid empty_tree_cid = Cid::of_digest(
    std::to_array<std::uint8_t>({0x9d, 0xfe, 0xfe, 0x61, 0xdd, 0x76, 0xea, 0x3d, 0xca, 0xe5, 0x02,
                                 0x38, 0x80, 0xb0, 0x83, 0x79, 0xd5, 0x7a, 0xdf, 0x20, 0x48, 0x2d,
                                 0x6f, 0xdb, 0xe2, 0x75, 0x92, 0x89, 0xf6, 0x47, 0x67, 0x7b}));

Result<Cid> Cid::parse(Bytes bytes) {
    if (bytes.size() == size_bytes && std::ranges::equal(bytes.first(sizeof prefix), prefix)) {
        return of_digest(bytes.subspan<sizeof prefix>().first<digest_bytes>());
    }
    if (auto any = check_cid(bytes); !any) return std::unexpected(any.error());
    return fail(Errc::unsupported, "cid: not dag-cbor with sha-256");
}

Result<Cid> Cid::from_text(std::string_view text) {
    if (text.empty() || text[0] != 'b') return fail(Errc::malformed, "cid: no text in base32");
    if (text.size() > (max_cid_bytes * 8 + 4) / 5 + 1)
        return fail(Errc::malformed, "cid: too long");
    auto bytes = from_base32(text.substr(1));
    if (!bytes) return std::unexpected(bytes.error());
    return parse(*bytes);
}

std::string Cid::to_text() const {
    return cid_text(bytes_);
}

void Cid::append_link(Buffer& out) const {
    out.insert(out.end(), std::begin(link_prefix), std::end(link_prefix));
    out.insert(out.end(), bytes_.begin(), bytes_.end());
}

Result<Bytes> cid_prefix(Bytes bytes) {
    std::size_t at = 0;
    std::uint64_t numbers[4];  // version, codec, hash, length of the digest
    for (std::uint64_t& number : numbers) {
        auto read = read_uvarint(bytes.subspan(at));
        if (!read) return std::unexpected(read.error());
        number = read->value;
        at += read->size_bytes;
        if (numbers[0] != 1) return fail(Errc::malformed, "cid: not version 1");
    }
    if (numbers[3] > max_cid_bytes || at + numbers[3] > max_cid_bytes) {
        return fail(Errc::malformed, "cid: too long");
    }
    if (numbers[3] > bytes.size() - at) return fail(Errc::malformed, "cid: truncated");
    return bytes.first(at + numbers[3]);
}

Result<Bytes> check_cid(Bytes bytes) {
    auto cid = cid_prefix(bytes);
    if (cid && cid->size() != bytes.size()) return fail(Errc::malformed, "cid: too many bytes");
    return cid;
}

std::string cid_text(Bytes cid) {
    return "b" + to_base32(cid);
}

}  // namespace ringlay::proto
