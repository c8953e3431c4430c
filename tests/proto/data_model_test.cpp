// The public vectors of the data model: JSON on one side, CBOR and CID on the other.
#include <simdjson.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "crypto/sha256.hpp"
#include "proto/base/base32.hpp"
#include "proto/base/hex.hpp"
#include "proto/cbor.hpp"
#include "tests/proto/base64.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using simdjson::dom::element;

namespace {

// {"$link": ...} and {"$bytes": ...} stand for what JSON does not have.
void write(Buffer& out, element value) {
    CborWriter writer(out);
    switch (value.type()) {
        case simdjson::dom::element_type::ARRAY:
            writer.write_array(value.get_array().size());
            for (element item : value.get_array()) write(out, item);
            return;
        case simdjson::dom::element_type::STRING:
            return writer.write_text(value.get_string().value());
        case simdjson::dom::element_type::INT64:
            return writer.write_int(value.get_int64().value());
        case simdjson::dom::element_type::BOOL:
            return writer.write_bool(value.get_bool().value());
        case simdjson::dom::element_type::NULL_VALUE:
            return writer.write_null();
        default:
            break;
    }
    std::vector<simdjson::dom::key_value_pair> entries;
    for (auto entry : value.get_object()) entries.push_back(entry);
    if (entries.size() == 1 && entries[0].key == "$link") {
        std::string_view text = entries[0].value.get_string().value();
        return writer.write_link(from_base32(text.substr(1)).value());
    }
    if (entries.size() == 1 && entries[0].key == "$bytes") {
        return writer.write_bytes(from_base64(entries[0].value.get_string().value()));
    }
    std::ranges::sort(entries, key_before, &simdjson::dom::key_value_pair::key);
    auto map = writer.write_map(entries.size());
    for (auto entry : entries) {
        writer.write_key(map, entry.key);
        write(out, entry.value);
    }
}

}  // namespace

TEST_CASE("each public value is the CBOR and has the CID that are said") {
    auto file = support::read_fixture("atproto-interop-tests/data-model/data-model-fixtures.json");
    if (!file) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (element vector : parser.parse(*file).get_array()) {
        Buffer expected = from_base64(vector["cbor_base64"].get_string().value());
        Buffer bytes;
        write(bytes, vector["json"]);
        CHECK(to_hex(bytes) == to_hex(expected));
        CHECK(Cid::of_digest(crypto::sha256(bytes)).to_text() ==
              vector["cid"].get_string().value());
        CborReader in(expected);
        CHECK(in.skip().has_value());
        CHECK(in.at_end());
        ++checked;
    }
    CHECK(checked == 3);
}
