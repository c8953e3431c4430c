// The public interoperability vectors of the tree, where they are at hand.
#include <simdjson.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "crypto/sha256.hpp"
#include "proto/mst.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay;
using namespace ringlay::proto;
using support::read_fixture;

namespace {

std::string text(simdjson::dom::element element) {
    return std::string(element.get_string().value());
}

std::vector<std::string> texts(simdjson::dom::element element) {
    std::vector<std::string> out;
    for (simdjson::dom::element one : element.get_array()) out.push_back(text(one));
    return out;
}

}  // namespace

TEST_CASE("each public key is on the layer that is said") {
    auto heights = read_fixture("atproto-interop-tests/mst/key_heights.json");
    auto keys = read_fixture("atproto-interop-tests/mst/example_keys.txt");
    if (!heights || !keys) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*heights).get_array()) {
        CAPTURE(text(vector["key"]));
        CHECK(mst_layer(text(vector["key"]), crypto::sha256) ==
              vector["height"].get_uint64().value());
        ++checked;
    }
    CHECK(checked == 9);
    std::istringstream lines(*keys);
    int lines_checked = 0;
    for (std::string key; std::getline(lines, key); ++lines_checked) {
        CAPTURE(key);
        CHECK(mst_layer(key, crypto::sha256) == static_cast<unsigned>(key.at(1) - '0'));
    }
    CHECK(lines_checked == 156);
}

TEST_CASE("each public pair of keys shares what is said") {
    auto file = read_fixture("atproto-interop-tests/mst/common_prefix.json");
    if (!file) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*file).get_array()) {
        CAPTURE(text(vector["left"]), text(vector["right"]));
        CHECK(common_prefix_bytes(text(vector["left"]), text(vector["right"])) ==
              vector["len"].get_uint64().value());
        ++checked;
    }
    CHECK(checked == 13);
}

TEST_CASE("each public commit leads from root to root, and its proof holds the blocks it must") {
    auto file = read_fixture("atproto-interop-tests/firehose/commit-proof-fixtures.json");
    if (!file) return;
    simdjson::dom::parser parser;
    int checked = 0;
    for (simdjson::dom::element vector : parser.parse(*file).get_array()) {
        CAPTURE(text(vector["comment"]));
        Cid leaf = Cid::from_text(text(vector["leafValue"])).value();
        auto keys = texts(vector["keys"]), adds = texts(vector["adds"]),
             dels = texts(vector["dels"]);
        std::ranges::sort(keys);
        std::vector<MstItem> items;
        for (const std::string& key : keys) items.push_back({key, leaf});
        Mst before = Mst::build(items, crypto::sha256);
        CHECK(before.root().to_text() == text(vector["rootBeforeCommit"]));

        Mst after = before;
        for (const std::string& key : adds) after.put(key, leaf);
        for (const std::string& key : dels) CHECK(after.erase(key));
        CHECK(after.root().to_text() == text(vector["rootAfterCommit"]));

        std::vector<std::string_view> changed(adds.begin(), adds.end());
        changed.insert(changed.end(), dels.begin(), dels.end());
        std::set<std::string> proof, expected;
        for (const MstBlock& block : after.proof_blocks(before, changed)) {
            proof.insert(block.cid.to_text());
        }
        for (std::string cid : texts(vector["blocksInProof"])) expected.insert(std::move(cid));
        CHECK((proof == expected));
        ++checked;
    }
    CHECK(checked == 6);
}
