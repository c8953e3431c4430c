#include "proto/car.hpp"

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"
#include "proto/varint.hpp"

namespace ringlay::proto {
namespace {

constexpr std::uint64_t version = 1;

struct Header {
    Bytes root;
    std::size_t root_count = 0;
};

// The bytes that follow a length and are counted by it.
Result<Bytes> section(Bytes archive, std::size_t at) {
    auto length = read_uvarint(archive.subspan(at));
    if (!length) return std::unexpected(length.error());
    Bytes rest = archive.subspan(at + length->size_bytes);
    if (length->value > rest.size()) return fail(Errc::malformed, "car: truncated section");
    return rest.first(length->value);
}

// Keys other than the two are passed over: they change nothing in what follows.
Result<Header> read_header(Bytes bytes) {
    CborReader in(bytes, CborMode::lenient);
    Header header;
    std::optional<std::uint64_t> found_version;
    auto on_root = [&]() -> Result<void> {
        Bytes root;
        if (auto read = store(root, in.read_link()); !read) return read;
        if (header.root_count++ == 0) header.root = root;
        return {};
    };
    auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
        if (key == "roots") return for_each_item(in, on_root);
        if (key == "version") return store(found_version, in.read_uint());
        return in.skip();
    });
    if (!read) return std::unexpected(read.error());
    if (!in.at_end()) return fail(Errc::malformed, "car: bytes after the header");
    if (!found_version) return fail(Errc::malformed, "car: no version");
    if (*found_version != version) return fail(Errc::unsupported, "car: version");
    if (header.root_count == 0) return fail(Errc::malformed, "car: no roots");
    return header;
}

}  // namespace

Result<CarReader> CarReader::open(Bytes archive) {
    auto bytes = section(archive, 0);
    if (!bytes) return std::unexpected(bytes.error());
    auto header = read_header(*bytes);
    if (!header) return std::unexpected(header.error());
    auto end = static_cast<std::size_t>(bytes->data() + bytes->size() - archive.data());
    return CarReader(archive, end, header->root, header->root_count);
}

Result<std::optional<CarBlock>> CarReader::next() {
    if (at_ == archive_.size()) return std::nullopt;
    auto bytes = section(archive_, at_);
    if (!bytes) return std::unexpected(bytes.error());
    auto cid = cid_prefix(*bytes);
    if (!cid) return std::unexpected(cid.error());
    at_ = static_cast<std::size_t>(bytes->data() + bytes->size() - archive_.data());
    return CarBlock{*cid, bytes->subspan(cid->size())};
}

void append_car_header(Buffer& out, std::span<const Cid> roots) {
    RINGLAY_ASSERT(!roots.empty());
    Buffer header;
    CborWriter writer(header);
    auto map = writer.write_map(2);
    writer.write_key(map, "roots");
    writer.write_array(roots.size());
    for (const Cid& root : roots) writer.write_cid(root);
    writer.write_key(map, "version");
    writer.write_uint(version);
    append_uvarint(out, header.size());
    out.insert(out.end(), header.begin(), header.end());
}

void append_car_block(Buffer& out, Bytes cid, Bytes data) {
    append_uvarint(out, cid.size() + data.size());
    out.insert(out.end(), cid.begin(), cid.end());
    out.insert(out.end(), data.begin(), data.end());
}

}  // namespace ringlay::proto
