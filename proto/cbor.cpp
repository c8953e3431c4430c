#include "proto/cbor.hpp"

#include <bit>
#include <cstring>

#include "proto/base/assert.hpp"

namespace ringlay::proto {
namespace {

// The three high bits of an item's first byte.
constexpr std::uint8_t major_uint = 0;
constexpr std::uint8_t major_negative = 1;
constexpr std::uint8_t major_bytes = 2;
constexpr std::uint8_t major_text = 3;
constexpr std::uint8_t major_array = 4;
constexpr std::uint8_t major_map = 5;
constexpr std::uint8_t major_tag = 6;
constexpr std::uint8_t major_simple = 7;

constexpr std::uint8_t simple_false = 20;
constexpr std::uint8_t simple_true = 21;
constexpr std::uint8_t simple_null = 22;

constexpr std::uint64_t link_tag = 42;
constexpr std::uint64_t max_integer = INT64_MAX;

std::string_view text_of(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::unexpected<Error> truncated() {
    return fail(Errc::malformed, "cbor: truncated");
}

std::unexpected<Error> bad_simple(std::uint8_t info) {
    if (info == 31) return fail(Errc::malformed, "cbor: break outside of indefinite length");
    if (info >= 25 && info <= 27) return fail(Errc::malformed, "cbor: float");
    return fail(Errc::malformed, "cbor: simple value");
}

// The length of the UTF-8 sequence that begins at `at` and is not ASCII, 0 if there is none.
std::size_t multibyte_size(Bytes bytes, std::size_t at) {
    std::uint8_t first = bytes[at];
    std::size_t size = first < 0xc2   ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
    if (size == 0 || bytes.size() - at < size) return 0;
    for (std::size_t i = 1; i < size; ++i) {
        if ((bytes[at + i] & 0xc0) != 0x80) return 0;
    }
    std::uint8_t second = bytes[at + 1];
    if (first == 0xe0 && second < 0xa0) return 0;  // has a shorter form
    if (first == 0xed && second > 0x9f) return 0;  // surrogates
    if (first == 0xf0 && second < 0x90) return 0;  // has a shorter form
    if (first == 0xf4 && second > 0x8f) return 0;  // beyond U+10FFFF
    return size;
}

}  // namespace

bool is_utf8(Bytes bytes) {
    std::size_t at = 0;
    while (at < bytes.size()) {
        if (bytes.size() - at >= 8 &&
            (load_le<std::uint64_t>(bytes, at) & 0x8080808080808080) == 0) {
            at += 8;
        } else if (bytes[at] < 0x80) {
            ++at;
        } else {
            std::size_t size = multibyte_size(bytes, at);
            if (size == 0) return false;
            at += size;
        }
    }
    return true;
}

Result<CborKind> CborReader::peek_kind() const {
    if (at_end()) return truncated();
    std::uint8_t info = input_[at_] & 31;
    switch (input_[at_] >> 5) {
        case major_uint:
        case major_negative:
            return CborKind::integer;
        case major_bytes:
            return CborKind::bytes;
        case major_text:
            return CborKind::text;
        case major_array:
            return CborKind::array;
        case major_map:
            return CborKind::map;
        case major_tag:
            return CborKind::link;
        default:
            if (info == simple_null) return CborKind::null;
            if (info == simple_false || info == simple_true) return CborKind::boolean;
            return bad_simple(info);
    }
}

Result<CborReader::Head> CborReader::read_head() {
    if (at_end()) return truncated();
    Head head{static_cast<std::uint8_t>(input_[at_] >> 5),
              static_cast<std::uint8_t>(input_[at_] & 31), 0};
    ++at_;
    head.value = head.info;
    if (head.info < 24 || head.major == major_simple) return head;
    if (head.info == 31) return fail(Errc::malformed, "cbor: indefinite length");
    if (head.info > 27) return fail(Errc::malformed, "cbor: reserved head");
    std::size_t size = std::size_t{1} << (head.info - 24);
    if (input_.size() - at_ < size) return truncated();
    head.value = 0;
    for (std::size_t i = 0; i < size; ++i) head.value = head.value << 8 | input_[at_ + i];
    at_ += size;
    if (cbor_head_bytes(head.value) != size + 1) {
        if (mode_ == CborMode::strict) {
            return fail(Errc::malformed, "cbor: head not in its shortest form");
        }
        is_canonical_ = false;
    }
    return head;
}

Result<CborReader::Head> CborReader::read_head_of(std::uint8_t major, std::string_view otherwise) {
    auto head = read_head();
    if (head && head->major != major) return fail(Errc::malformed, otherwise);
    return head;
}

Result<Bytes> CborReader::take(std::uint64_t size_bytes) {
    if (size_bytes > input_.size() - at_) return truncated();
    Bytes taken = input_.subspan(at_, size_bytes);
    at_ += size_bytes;
    return taken;
}

Result<std::uint64_t> CborReader::read_uint() {
    auto head = read_head_of(major_uint, "cbor: not an unsigned integer");
    if (!head) return std::unexpected(head.error());
    if (head->value > max_integer) return fail(Errc::too_large, "cbor: integer out of range");
    return head->value;
}

Result<std::int64_t> CborReader::read_int() {
    auto head = read_head();
    if (!head) return std::unexpected(head.error());
    if (head->major > major_negative) return fail(Errc::malformed, "cbor: not an integer");
    if (head->value > max_integer) return fail(Errc::too_large, "cbor: integer out of range");
    auto value = static_cast<std::int64_t>(head->value);
    return head->major == major_uint ? value : -1 - value;
}

Result<bool> CborReader::read_bool() {
    auto head = read_head_of(major_simple, "cbor: not a boolean");
    if (!head) return std::unexpected(head.error());
    if (head->info != simple_false && head->info != simple_true) {
        return fail(Errc::malformed, "cbor: not a boolean");
    }
    return head->info == simple_true;
}

Result<Bytes> CborReader::read_bytes() {
    auto head = read_head_of(major_bytes, "cbor: not a byte string");
    if (!head) return std::unexpected(head.error());
    return take(head->value);
}

Result<std::string_view> CborReader::read_text() {
    auto head = read_head_of(major_text, "cbor: not a text");
    if (!head) return std::unexpected(head.error());
    auto bytes = take(head->value);
    if (!bytes) return std::unexpected(bytes.error());
    if (!is_utf8(*bytes)) return fail(Errc::malformed, "cbor: not UTF-8");
    return text_of(*bytes);
}

Result<Bytes> CborReader::read_link() {
    auto head = read_head_of(major_tag, "cbor: not a link");
    if (!head) return std::unexpected(head.error());
    if (head->value != link_tag) return fail(Errc::malformed, "cbor: tag");
    auto bytes = read_bytes();
    if (!bytes) return bytes;
    if (bytes->empty() || bytes->front() != 0) return fail(Errc::malformed, "cbor: link prefix");
    return check_cid(bytes->subspan(1));
}

Result<Cid> CborReader::read_cid() {
    auto link = read_link();
    if (!link) return std::unexpected(link.error());
    return Cid::parse(*link);
}

Result<bool> CborReader::read_null_if_next() {
    if (at_end()) return truncated();
    if (input_[at_] != (major_simple << 5 | simple_null)) return false;
    ++at_;
    return true;
}

Result<std::uint32_t> CborReader::open_container(std::uint64_t count, std::uint64_t least_bytes) {
    if (count > max_cbor_items) return fail(Errc::too_large, "cbor: too many items");
    if (count * least_bytes > input_.size() - at_) return truncated();
    if (depth_ == max_cbor_depth) return fail(Errc::too_large, "cbor: nested too deep");
    ++depth_;
    return static_cast<std::uint32_t>(count);
}

Result<CborReader::Array> CborReader::read_array() {
    auto head = read_head_of(major_array, "cbor: not an array");
    if (!head) return std::unexpected(head.error());
    auto count = open_container(head->value, 1);
    if (!count) return std::unexpected(count.error());
    return Array{*count, true};
}

Result<bool> CborReader::next(Array& array) {
    if (array.left > 0) {
        --array.left;
        return true;
    }
    if (array.is_open) --depth_;
    array.is_open = false;
    return false;
}

Result<CborReader::Map> CborReader::read_map() {
    auto head = read_head_of(major_map, "cbor: not a map");
    if (!head) return std::unexpected(head.error());
    auto count = open_container(head->value, 2);
    if (!count) return std::unexpected(count.error());
    return Map{*count, *count, keys_count_, true, true, {}};
}

Result<std::optional<std::string_view>> CborReader::next_key(Map& map) {
    if (map.left == 0) {
        if (map.is_open) {
            --depth_;
            keys_count_ = map.first_key;
        }
        map.is_open = false;
        return std::nullopt;
    }
    auto head = read_head_of(major_text, "cbor: key is not a text");
    if (!head) return std::unexpected(head.error());
    if (head->value > max_cbor_key_bytes) return fail(Errc::too_large, "cbor: key too long");
    auto bytes = take(head->value);
    if (!bytes) return std::unexpected(bytes.error());
    if (!is_utf8(*bytes)) return fail(Errc::malformed, "cbor: not UTF-8");
    std::string_view key = text_of(*bytes);
    if (auto checked = check_key(map, key); !checked) return std::unexpected(checked.error());
    map.last_key = key;
    --map.left;
    return key;
}

Result<void> CborReader::check_key(Map& map, std::string_view key) {
    bool is_first = map.left == map.count;
    if (!is_first && key == map.last_key) return fail(Errc::malformed, "cbor: duplicate key");
    if (!is_first && !key_before(map.last_key, key)) map.is_ordered = false;
    if (mode_ == CborMode::strict) {
        if (!map.is_ordered) return fail(Errc::malformed, "cbor: keys out of order");
        return {};
    }
    // Keys in order are all different. Once they are not in order each is held against all before
    // it, which is why only so many are remembered: the work stays in proportion to the input.
    if (!map.is_ordered) {
        is_canonical_ = false;
        if (map.count > max_unordered_keys || keys_count_ - map.first_key < map.count - map.left) {
            return fail(Errc::too_large, "cbor: too many keys out of order");
        }
        if (was_remembered(map, key)) return fail(Errc::malformed, "cbor: duplicate key");
    }
    remember_key(map, key);
    return {};
}

void CborReader::remember_key(const Map& map, std::string_view key) {
    if (keys_count_ == keys_.size() || keys_count_ - map.first_key == max_unordered_keys) return;
    keys_[keys_count_++] = {static_cast<std::uint32_t>(at_ - key.size()),
                            static_cast<std::uint32_t>(key.size())};
}

bool CborReader::was_remembered(const Map& map, std::string_view key) const {
    for (std::uint32_t i = map.first_key; i < keys_count_; ++i) {
        if (keys_[i].size_bytes != key.size()) continue;
        if (text_of(input_.subspan(keys_[i].offset, key.size())) == key) return true;
    }
    return false;
}

// Calls itself for what is inside containers, as deep as open_container() lets it.
Result<void> CborReader::skip() {
    auto forget = [](const auto& read) -> Result<void> {
        if (!read) return std::unexpected(read.error());
        return {};
    };
    auto kind = peek_kind();
    if (!kind) return std::unexpected(kind.error());
    switch (*kind) {
        case CborKind::integer:
            return forget(read_int());
        case CborKind::bytes:
            return forget(read_bytes());
        case CborKind::text:
            return forget(read_text());
        case CborKind::link:
            return forget(read_link());
        case CborKind::boolean:
        case CborKind::null:
            return forget(read_head());
        case CborKind::array:
            return for_each_item(*this, [this] { return skip(); });
        case CborKind::map:
            return for_each_entry(*this, [this](std::string_view) { return skip(); });
    }
    return {};
}

Result<Bytes> CborReader::read_any() {
    std::size_t start = at_;
    if (auto skipped = skip(); !skipped) return std::unexpected(skipped.error());
    return input_.subspan(start, at_ - start);
}

std::size_t cbor_head_bytes(std::uint64_t value) {
    return value < 24            ? 1
           : value <= UINT8_MAX  ? 2
           : value <= UINT16_MAX ? 3
           : value <= UINT32_MAX ? 5
                                 : 9;
}

std::size_t write_cbor_head(std::span<std::uint8_t> out, std::uint8_t major, std::uint64_t value) {
    std::size_t size = cbor_head_bytes(value);
    if (size == 1) {
        out[0] = static_cast<std::uint8_t>(std::uint64_t{major} << 5 | value);
        return size;
    }
    std::size_t value_bytes = size - 1;
    out[0] = static_cast<std::uint8_t>(major << 5 | (24 + std::countr_zero(value_bytes)));
    for (std::size_t i = value_bytes; i > 0; --i, value >>= 8) {
        out[i] = static_cast<std::uint8_t>(value);
    }
    return size;
}

void CborWriter::write_head(std::uint8_t major, std::uint64_t value) {
    std::array<std::uint8_t, 9> head;
    std::size_t size = write_cbor_head(head, major, value);
    out_.insert(out_.end(), head.begin(), head.begin() + static_cast<std::ptrdiff_t>(size));
}

void CborWriter::write_uint(std::uint64_t value) {
    RINGLAY_ASSERT(value <= max_integer);
    write_head(major_uint, value);
}

void CborWriter::write_int(std::int64_t value) {
    if (value >= 0) return write_head(major_uint, static_cast<std::uint64_t>(value));
    write_head(major_negative, static_cast<std::uint64_t>(-1 - value));
}

void CborWriter::write_bool(bool value) {
    write_head(major_simple, value ? simple_true : simple_false);
}

void CborWriter::write_null() {
    write_head(major_simple, simple_null);
}

void CborWriter::write_bytes(Bytes value) {
    write_head(major_bytes, value.size());
    write_encoded(value);
}

void CborWriter::write_text(std::string_view value) {
    write_head(major_text, value.size());
    out_.insert(out_.end(), value.begin(), value.end());
}

void CborWriter::write_link(Bytes cid) {
    write_head(major_tag, link_tag);
    write_head(major_bytes, cid.size() + 1);
    out_.push_back(0);
    write_encoded(cid);
}

void CborWriter::write_array(std::uint64_t count) {
    write_head(major_array, count);
}

CborWriter::Map CborWriter::write_map(std::uint64_t count) {
    write_head(major_map, count);
    return {count, {}};
}

void CborWriter::write_key(Map& map, std::string_view key) {
    RINGLAY_ASSERT(map.left > 0);
    RINGLAY_ASSERT(!map.has_key || key_before(map.last_key, key));
    --map.left;
    map.has_key = true;
    map.last_key = key;
    write_text(key);
}

void CborWriter::write_encoded(Bytes item) {
    out_.insert(out_.end(), item.begin(), item.end());
}

}  // namespace ringlay::proto
