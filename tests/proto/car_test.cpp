#include "proto/car.hpp"

#include <simdjson.h>

#include <catch2/catch.hpp>
#include <random>

#include "proto/varint.hpp"
#include "tests/proto/base64.hpp"
#include "tests/proto/samples.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using samples::hex;
using samples::joined;

namespace {

struct OwnedBlock {
    Buffer cid, data;
    bool operator==(const OwnedBlock&) const = default;
};

struct Archive {
    Buffer root;
    std::size_t root_count = 0;
    std::vector<OwnedBlock> blocks;
};

Result<Archive> read_all(Bytes bytes) {
    auto reader = CarReader::open(bytes);
    if (!reader) return std::unexpected(reader.error());
    Archive archive{{reader->root().begin(), reader->root().end()}, reader->root_count(), {}};
    for (;;) {
        auto block = reader->next();
        if (!block) return std::unexpected(block.error());
        if (!*block) return archive;
        const auto& [cid, data] = **block;
        archive.blocks.push_back({{cid.begin(), cid.end()}, {data.begin(), data.end()}});
    }
}

// The archive of the first commit: three blocks behind a header with one root.
Buffer sample_archive() {
    Cid commit = Cid::from_text(samples::commit_cid).value();
    Buffer out;
    append_car_header(out, {&commit, 1});
    append_car_block(out, commit, samples::signed_commit());
    append_car_block(out, Cid::from_text(samples::tree_cid).value(), samples::tree_node());
    append_car_block(out, Cid::from_text(samples::record_cid).value(), samples::record());
    return out;
}

// A section: its length, then these bytes.
Buffer section(Bytes content) {
    Buffer out;
    append_uvarint(out, content.size());
    return joined(out, content);
}

std::string link_digits() {
    return "d82a582500" + to_hex(empty_tree_cid.bytes());
}

}  // namespace

TEST_CASE("the sample archive is written byte for byte, and read") {
    Buffer archive = sample_archive();
    Buffer header = samples::archive_header();
    REQUIRE(archive.size() == 488);
    CHECK(to_hex(Bytes(archive).first(59)) == to_hex(header));
    CHECK(to_hex(Bytes(archive).subspan(59, 2)) == "e001");
    CHECK(archive[59 + 2 + 36 + 188] == 0x7c);
    CHECK(archive[59 + 2 + 36 + 188 + 1 + 36 + 88] == 0x4d);

    Archive read = read_all(archive).value();
    CHECK(cid_text(read.root) == samples::commit_cid);
    CHECK(read.root_count == 1);
    REQUIRE(read.blocks.size() == 3);
    CHECK(cid_text(read.blocks[0].cid) == samples::commit_cid);
    CHECK(read.blocks[0].data == samples::signed_commit());
    CHECK(cid_text(read.blocks[1].cid) == samples::tree_cid);
    CHECK(read.blocks[1].data == samples::tree_node());
    CHECK(cid_text(read.blocks[2].cid) == samples::record_cid);
    CHECK(read.blocks[2].data == samples::record());
}

TEST_CASE("blocks are views of the archive, which ends where it ends") {
    Buffer archive = sample_archive();
    auto reader = CarReader::open(archive).value();
    CHECK(reader.root().data() == archive.data() + 14);
    auto block = reader.next().value().value();
    CHECK(block.cid.data() == archive.data() + 61);
    CHECK(block.data.data() == archive.data() + 97);
    CHECK(reader.next().value().has_value());
    CHECK(reader.next().value().has_value());
    CHECK_FALSE(reader.next().value().has_value());
    CHECK_FALSE(reader.next().value().has_value());
}

TEST_CASE("duplicate blocks, blocks without data, other CIDs and more roots are all given out") {
    Cid roots[] = {empty_tree_cid, Cid()};
    Buffer archive;
    append_car_header(archive, roots);
    append_car_block(archive, empty_tree_cid, hex("a0"));
    append_car_block(archive, empty_tree_cid, hex("a0"));
    append_car_block(archive, hex("0155000101"), {});
    Archive read = read_all(archive).value();
    CHECK(read.root_count == 2);
    CHECK(cid_text(read.root) == empty_tree_cid.to_text());
    REQUIRE(read.blocks.size() == 3);
    CHECK(read.blocks[0] == read.blocks[1]);
    CHECK(to_hex(read.blocks[2].cid) == "0155000101");
    CHECK(read.blocks[2].data.empty());
}

TEST_CASE("an archive of a header alone has no blocks") {
    CHECK(read_all(samples::archive_header()).value().blocks.empty());
}

TEST_CASE("a header may have its keys in another order, or more of them") {
    std::string roots = "65726f6f747381" + link_digits(), version = "6776657273696f6e01";
    CHECK(read_all(section(hex("a2" + version + roots))).has_value());
    CHECK(read_all(section(hex("a3" + roots + version + "686d6f72656d6f726500"))).has_value());
}

TEST_CASE("a broken archive is refused by name") {
    std::string roots = "65726f6f747381" + link_digits(), version = "6776657273696f6e01";
    Buffer good = samples::archive_header();
    const struct {
        Buffer archive;
        std::string_view refused_as;
    } bad[] = {
        {{}, "varint: truncated"},
        {hex("00"), "cbor: truncated"},
        {hex("8000"), "varint: not in its shortest form"},
        {hex("3a"), "car: truncated section"},
        {section(hex("80")), "cbor: not a map"},
        {section(hex("a1" + roots)), "car: no version"},
        {section(hex("a1" + version)), "car: no roots"},
        {section(hex("a265726f6f747380" + version)), "car: no roots"},
        {section(hex("a265726f6f7473f6" + version)), "cbor: not an array"},
        {section(hex("a265726f6f74738100" + version)), "cbor: not a link"},
        {section(hex("a2" + roots + "6776657273696f6e02")), "car: version"},
        {section(hex("a2" + roots + "6776657273696f6e00")), "car: version"},
        {section(hex("a2" + roots + version + "00")), "car: bytes after the header"},
        {joined(good, hex("00")), "varint: truncated"},  // a section without a CID
        {joined(good, hex("80")), "varint: truncated"},
        {joined(good, hex("8000")), "varint: not in its shortest form"},
        {joined(good, hex("0401711220")), "cid: truncated"},
        {joined(good, section(Bytes(empty_tree_cid.bytes()).first(35))), "cid: truncated"},
        {joined(good, hex("05017112")), "car: truncated section"},
        {joined(good, section(joined(hex("1220"), Buffer(32, 7)))), "cid: not version 1"},
    };
    for (const auto& [archive, refused_as] : bad) {
        CAPTURE(to_hex(archive));
        auto read = read_all(archive);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().what == refused_as);
        bool is_version = refused_as == "car: version";
        CHECK(read.error().code == (is_version ? Errc::unsupported : Errc::malformed));
    }
}

TEST_CASE("an archive cut within a section is refused; between sections it is a shorter one") {
    Buffer archive = sample_archive();
    const std::size_t ends[] = {59, 59 + 2 + 36 + 188, 59 + 2 + 36 + 188 + 1 + 36 + 88};
    for (std::size_t size = 0; size < archive.size(); ++size) {
        CAPTURE(size);
        bool is_end = std::ranges::find(ends, size) != std::end(ends);
        REQUIRE(read_all(Bytes(archive).first(size)).has_value() == is_end);
    }
}

TEST_CASE("any blocks come back from their archive") {
    auto seed = GENERATE(range(1u, 50u));
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<OwnedBlock> blocks(random() % 20);
    Buffer archive;
    append_car_header(archive, {&empty_tree_cid, 1});
    for (OwnedBlock& block : blocks) {
        Buffer digest(random() % 60, static_cast<std::uint8_t>(random()));
        block.cid = joined(hex("017112"), Buffer{static_cast<std::uint8_t>(digest.size())}, digest);
        block.data = Buffer(random() % 20'000, static_cast<std::uint8_t>(random()));
        append_car_block(archive, block.cid, block.data);
    }
    REQUIRE(read_all(archive).value().blocks == blocks);
}

TEST_CASE("the public archive is read, and written again byte for byte") {
    auto file = support::read_fixture("atproto/packages/repo/tests/car-file-fixtures.json");
    if (!file) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*file).get_array()) {
        Buffer archive = from_base64(vector["car"].get_string().value());
        Archive read = read_all(archive).value();
        CHECK(cid_text(read.root) == vector["root"].get_string().value());
        std::size_t at = 0;
        Cid root = Cid::parse(read.root).value();
        Buffer again;
        append_car_header(again, {&root, 1});
        for (simdjson::dom::element block : vector["blocks"].get_array()) {
            REQUIRE(at < read.blocks.size());
            CHECK(cid_text(read.blocks[at].cid) == block["cid"].get_string().value());
            CHECK(read.blocks[at].data == from_base64(block["bytes"].get_string().value()));
            append_car_block(again, read.blocks[at].cid, read.blocks[at].data);
            ++at;
        }
        CHECK(at == read.blocks.size());
        CHECK(again == archive);
        ++checked;
    }
    CHECK(checked == 1);
}
