// CBOR as the AT Protocol uses it: DAG-CBOR without floats (protocol 2.1, 2.3).
//
// CborReader pulls one item after another out of bytes that stay where they are: texts, byte
// strings and links come out as views, nothing is allocated. CborWriter appends canonical items to
// a Buffer.
//
//     CborReader in(block);
//     auto read = for_each_entry(in, [&](std::string_view key) -> Result<void> {
//         if (key == "did") return store(did, in.read_text());
//         if (key == "data") return store(data, in.read_cid());
//         return in.skip();
//     });
//     if (!read) return std::unexpected(read.error());
//
// Both modes refuse indefinite lengths, floats, `undefined`, tags other than 42, text that is not
// UTF-8, keys that are not text, duplicate keys, and integers beyond 64 bits with sign. In strict
// mode map keys must be in canonical order and heads in their shortest form. In lenient mode (for
// event frames only, protocol 1.2) both may be otherwise, as long as the meaning is unambiguous;
// is_canonical() tells.
//
// Owner    the reader and everything it returns are views of the input.
// Bound    nesting max_cbor_depth, items in a container max_cbor_items, keys max_cbor_key_bytes;
//          a declared length is compared with the bytes that are left before it is used. In lenient
//          mode a map with keys out of order has at most CborReader::max_unordered_keys; the
//          memory of its keys is in the reader, 2 KiB.
// Errors   malformed, too_large. A reader that has failed once is in no defined place: drop it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "proto/cid.hpp"
#include "proto/limits.hpp"

namespace ringlay::proto {

enum class CborKind : std::uint8_t { integer, bytes, text, array, map, link, boolean, null };
enum class CborMode : std::uint8_t { strict, lenient };

class CborReader {
  public:
    static constexpr std::size_t max_unordered_keys = 64;
    static constexpr std::size_t max_remembered_keys = 256;  // of all open maps together

    struct Array {
        std::uint32_t left;  // items not yet announced by next()
        bool is_open;
    };

    struct Map {
        std::uint32_t left;  // entries not yet announced by next_key()
        std::uint32_t count;
        std::uint32_t first_key;  // in keys_
        bool is_open;
        bool is_ordered;  // so far
        std::string_view last_key;
    };

    explicit CborReader(Bytes input, CborMode mode = CborMode::strict)
        : input_(input), mode_(mode) {}

    std::size_t offset() const { return at_; }
    bool at_end() const { return at_ == input_.size(); }

    // Whether everything read so far is in the one canonical form. Always so in strict mode.
    bool is_canonical() const { return is_canonical_; }

    // Of the next item, by its first byte alone. malformed at the end of the input.
    Result<CborKind> peek_kind() const;

    Result<std::uint64_t> read_uint();  // 0 ... 2^63 - 1
    Result<std::int64_t> read_int();
    Result<bool> read_bool();
    Result<Bytes> read_bytes();
    Result<std::string_view> read_text();
    Result<Bytes> read_link();  // any CID, see check_cid()
    Result<Cid> read_cid();     // a link to a dag-cbor block named by SHA-256

    // Consumes a null if that is what comes next.
    Result<bool> read_null_if_next();

    // A container is read to its end by calling next() or next_key() until it says there is no
    // more, reading or skipping exactly one value after each time it says there is.
    Result<Array> read_array();
    Result<bool> next(Array& array);
    Result<Map> read_map();
    Result<std::optional<std::string_view>> next_key(Map& map);

    // One item of any kind, with everything in it checked as if it had been read.
    Result<void> skip();

    // The same, returning the bytes of the item.
    Result<Bytes> read_any();

  private:
    struct Head {
        std::uint8_t major;
        std::uint8_t info;  // the low five bits
        std::uint64_t value;
    };

    struct KeyAt {
        std::uint32_t offset;
        std::uint32_t size_bytes;
    };

    Result<Head> read_head();
    Result<Head> read_head_of(std::uint8_t major, std::string_view otherwise);
    Result<Bytes> take(std::uint64_t size_bytes);
    Result<std::uint32_t> open_container(std::uint64_t count, std::uint64_t least_bytes);
    Result<void> check_key(Map& map, std::string_view key);
    void remember_key(const Map& map, std::string_view key);
    bool was_remembered(const Map& map, std::string_view key) const;

    Bytes input_;
    std::size_t at_ = 0;
    std::uint32_t depth_ = 0;  // containers that are open
    CborMode mode_;
    bool is_canonical_ = true;

    // Lenient mode: the first keys of each open map, the outermost map's first. Only what lies
    // below keys_count_ has been written.
    std::uint32_t keys_count_ = 0;
    std::array<KeyAt, max_remembered_keys> keys_;
};

// Moves what was read to its place.
template <class Place, class Value>
Result<void> store(Place& place, Result<Value>&& read) {
    if (!read) return std::unexpected(read.error());
    place = *read;
    return {};
}

// Reads an array; `on_item()` reads or skips the one item that comes next, and may refuse it.
template <class OnItem>
Result<void> for_each_item(CborReader& in, OnItem&& on_item) {
    auto array = in.read_array();
    if (!array) return std::unexpected(array.error());
    for (;;) {
        auto more = in.next(*array);
        if (!more) return std::unexpected(more.error());
        if (!*more) return {};
        if (Result<void> read = on_item(); !read) return read;
    }
}

// Reads a map; `on_entry(key)` reads or skips the one value that comes next, and may refuse it.
template <class OnEntry>
Result<void> for_each_entry(CborReader& in, OnEntry&& on_entry) {
    auto map = in.read_map();
    if (!map) return std::unexpected(map.error());
    for (;;) {
        auto key = in.next_key(*map);
        if (!key) return std::unexpected(key.error());
        if (!*key) return {};
        if (Result<void> read = on_entry(**key); !read) return read;
    }
}

// The order of keys in a canonical map: shorter first, then by bytes.
inline bool key_before(std::string_view a, std::string_view b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
}

// How long the head of an item is: 1, 2, 3, 5 or 9 bytes. An unsigned integer is its head.
std::size_t cbor_head_bytes(std::uint64_t value);

// Writes a head to the beginning of `out` and returns its length. `out` must have room for it.
std::size_t write_cbor_head(std::span<std::uint8_t> out, std::uint8_t major, std::uint64_t value);

class CborWriter {
  public:
    struct Map {
        std::uint64_t left;
        std::string_view last_key;
        bool has_key = false;
    };

    explicit CborWriter(Buffer& out) : out_(out) {}

    void write_uint(std::uint64_t value);  // below 2^63
    void write_int(std::int64_t value);
    void write_bool(bool value);
    void write_null();
    void write_bytes(Bytes value);
    void write_text(std::string_view value);  // must be UTF-8
    void write_link(Bytes cid);
    void write_cid(const Cid& cid) { cid.append_link(out_); }
    void write_array(std::uint64_t count);

    // Then write_key() and a value, `count` times. Keys must come in canonical order: that is the
    // caller's business (key_before() sorts them) and asserted.
    Map write_map(std::uint64_t count);
    void write_key(Map& map, std::string_view key);

    // One item that is canonical already.
    void write_encoded(Bytes item);

  private:
    void write_head(std::uint8_t major, std::uint64_t value);

    Buffer& out_;
};

bool is_utf8(Bytes bytes);

}  // namespace ringlay::proto
