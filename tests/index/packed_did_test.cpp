#include "index/packed_did.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

using ringlay::Errc;
using ringlay::index::pack_did;
using ringlay::index::unpack_did;

namespace {

constexpr std::string_view alphabet = "234567abcdefghijklmnopqrstuvwxyz";
const std::string least = "did:plc:" + std::string(24, '2');
const std::string greatest = "did:plc:" + std::string(24, 'z');

using Random = std::mt19937_64;

// Few different digits, so that long common beginnings are frequent.
std::string regular_did(Random& random) {
    const std::string_view few[] = {alphabet, "2z", "7a", "2", "z", "67ab"};
    const std::string_view from = few[random() % std::size(few)];
    std::string did = "did:plc:";
    while (did.size() < 32) did += from[random() % from.size()];
    return did;
}

// What a hostile or strange host may call an account, and texts that are no DID at all.
std::string odd_text(Random& random) {
    std::string text = regular_did(random);
    const std::string_view strange = "0189AZ`{:.-_~%/\x01\x7f\x80\xff";
    switch (random() % 7) {
        case 0:
            text.resize(random() % 33);
            break;
        case 1:
            text += alphabet[random() % 32];
            break;
        case 2:
            text[random() % 32] = strange[random() % strange.size()];
            break;
        case 3:
            text[8 + random() % 24] = strange[random() % strange.size()];
            break;
        case 4:
            text.insert(8 + random() % 25, 1, strange[random() % strange.size()]);
            break;
        case 5:
            text = "did:web:" + text.substr(random() % 32) + ".example";
            break;
        default:
            text = std::string("did:plb:") + "x";
            break;
    }
    return text;
}

}  // namespace

TEST_CASE("a did:plc takes 16 bytes, whatever else comes back, too") {
    const std::string did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
    CHECK(pack_did(did).size() == 16);
    CHECK(unpack_did(pack_did(did)).value() == did);
    CHECK(pack_did(least) == std::string("\x01", 1) + std::string(15, '\0'));
    CHECK(pack_did(greatest) == std::string("\x01", 1) + std::string(15, '\xff'));
    for (const std::string& text :
         {std::string("did:web:pds.example"), std::string("did:plc:EWVI7NXZYOUN6ZHXRHS64OIZ"),
          std::string("did:plc:"), std::string(), least + "2", greatest + "z"}) {
        CAPTURE(text);
        CHECK(unpack_did(pack_did(text)).value() == text);
    }
}

TEST_CASE("keys are in the order of the DIDs, of all kinds, odd ones among them") {
    Random random(GENERATE(range(1u, 40u)));
    std::vector<std::string> texts = {"", "did:plc:", least, greatest, least + "2", greatest + "2"};
    while (texts.size() < 300) {
        texts.push_back(random() % 2 == 0 ? regular_did(random) : odd_text(random));
    }
    std::vector<std::string> keys;
    for (const auto& text : texts) {
        keys.push_back(pack_did(text));
        REQUIRE(unpack_did(keys.back()).value() == text);
    }
    for (std::size_t i = 0; i < texts.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if ((texts[i] < texts[j]) == (keys[i] < keys[j]) &&
                (texts[i] == texts[j]) == (keys[i] == keys[j])) {
                continue;
            }
            CAPTURE(texts[i], texts[j]);
            FAIL("out of order");
        }
    }
}

TEST_CASE("an odd DID has its place between the two regular ones around it") {
    auto with = [](std::string_view end) {
        return "did:plc:" + std::string(22, 'b') + std::string(end);
    };
    const std::vector<std::string> rising = {
        with("7z"), with("8z"), with("Az"), with("a"),  with("a2"), with("a2") + "2", with("a3"),
        with("az"), with("a~"), with("ba"), with("bb"), with("c2"), with("{z"),
    };
    for (std::size_t i = 1; i < rising.size(); ++i) {
        CAPTURE(rising[i - 1], rising[i]);
        CHECK(pack_did(rising[i - 1]) < pack_did(rising[i]));
    }
}

TEST_CASE("a key that is not in its place is corrupt") {
    Random random(1);
    const std::string key = pack_did(regular_did(random));
    for (const std::string& bad :
         {std::string(), std::string("\x01"), key.substr(0, 15), std::string("\x03x"),
          std::string("\x02") + "did:plc:a", std::string("\x01") + least, key + least,
          std::string(1, '\0') + least, std::string(1, '\0') + "did:web:a"}) {
        CAPTURE(bad);
        auto did = unpack_did(bad);
        REQUIRE_FALSE(did.has_value());
        CHECK(did.error().code == Errc::corrupt);
    }
}
