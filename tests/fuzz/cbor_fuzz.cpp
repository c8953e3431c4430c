// Any bytes: what strict mode takes is written again byte for byte and read alike in lenient mode;
// what lenient mode takes and calls canonical, strict mode takes too.
#include <cstdlib>

#include "proto/base/assert.hpp"
#include "proto/cbor.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

// Reads one item by the typed calls and writes it.
Result<void> rewrite(CborReader& in, Buffer& out) {
    auto kind = in.peek_kind();
    if (!kind) return std::unexpected(kind.error());
    CborWriter writer(out);
    auto copy = [](auto&& read, auto&& write) -> Result<void> {
        if (!read) return std::unexpected(read.error());
        write(*read);
        return {};
    };
    switch (*kind) {
        case CborKind::integer:
            return copy(in.read_int(), [&](std::int64_t value) { writer.write_int(value); });
        case CborKind::bytes:
            return copy(in.read_bytes(), [&](Bytes value) { writer.write_bytes(value); });
        case CborKind::text:
            return copy(in.read_text(), [&](std::string_view value) { writer.write_text(value); });
        case CborKind::link:
            return copy(in.read_link(), [&](Bytes value) { writer.write_link(value); });
        case CborKind::boolean:
            return copy(in.read_bool(), [&](bool value) { writer.write_bool(value); });
        case CborKind::null:
            return copy(in.read_null_if_next(), [&](bool) { writer.write_null(); });
        case CborKind::array: {
            Buffer items;
            std::uint64_t count = 0;
            auto read = for_each_item(in, [&] {
                ++count;
                return rewrite(in, items);
            });
            writer.write_array(count);
            writer.write_encoded(items);
            return read;
        }
        case CborKind::map: {
            Buffer entries;
            std::uint64_t count = 0;
            auto read = for_each_entry(in, [&](std::string_view key) {
                ++count;
                CborWriter(entries).write_text(key);
                return rewrite(in, entries);
            });
            writer.write_map(count);
            writer.write_encoded(entries);
            return read;
        }
    }
    return {};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Bytes input(data, size);
    CborReader strict(input), lenient(input, CborMode::lenient), typed(input);
    auto skipped = strict.skip();
    auto skipped_leniently = lenient.skip();
    Buffer again;
    auto rewritten = rewrite(typed, again);
    RINGLAY_ASSERT(skipped.has_value() == rewritten.has_value());
    if (skipped) {
        RINGLAY_ASSERT(typed.offset() == strict.offset());
        RINGLAY_ASSERT(std::ranges::equal(again, input.first(strict.offset())));
        RINGLAY_ASSERT(skipped_leniently.has_value());
        RINGLAY_ASSERT(lenient.offset() == strict.offset());
    }
    if (skipped_leniently) RINGLAY_ASSERT(lenient.is_canonical() == skipped.has_value());
    return 0;
}
