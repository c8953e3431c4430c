#include "index/packed_did.hpp"

#include <array>

namespace ringlay::index {
namespace {

// Call a did:plc of 24 digits regular. Its digits are a number, in base 32 and in the order of
// their characters, hence numbers are in the order of the texts. A key is one of
//
//     below    | text                              below every regular one
//     regular  | number: 15 bytes, big-endian
//     regular  | number of the greatest regular one before the text | text
//     above    | text                              above every regular one
enum Tag : char { below = 0, regular = 1, above = 2 };

constexpr std::string_view prefix = "did:plc:";
constexpr std::string_view digits = "234567abcdefghijklmnopqrstuvwxyz";
constexpr std::size_t digit_count = 24;
constexpr std::size_t number_bytes = 15;
constexpr std::size_t regular_key_bytes = 1 + number_bytes;

__extension__ using Number = unsigned __int128;
constexpr Number number_end = Number{1} << (number_bytes * 8);

// How many digits are smaller than a character.
constexpr std::array<std::uint8_t, 256> smaller_digits = [] {
    std::array<std::uint8_t, 256> counts{};
    for (unsigned c = 0; c < 256; ++c) {
        for (char digit : digits) {
            if (static_cast<unsigned char>(digit) < c) ++counts[c];
        }
    }
    return counts;
}();

// Where a text that begins with the prefix stands among the regular ones: how many of them are
// before it, and whether it is itself one.
struct Place {
    Number before = 0;
    bool is_regular = false;
};

Place place_of(std::string_view id) {
    Number number = 0;
    for (std::size_t at = 0; at < digit_count; ++at) {
        unsigned smaller = at < id.size() ? smaller_digits[static_cast<unsigned char>(id[at])] : 0;
        number = number * digits.size() + smaller;
        bool is_digit = at < id.size() && smaller < digits.size() && digits[smaller] == id[at];
        if (!is_digit) return {number << (5 * (digit_count - 1 - at))};
    }
    if (id.size() == digit_count) return {number, true};
    return {number + 1};  // one that begins with a regular one is behind it
}

std::string tagged(Tag tag, std::string_view text) {
    std::string key;
    key.reserve(1 + text.size());
    key += static_cast<char>(tag);
    key += text;
    return key;
}

std::string numbered(Number number, std::string_view text) {
    std::array<char, number_bytes> bytes{};
    for (std::size_t at = number_bytes; at-- > 0; number >>= 8) {
        bytes[at] = static_cast<char>(static_cast<std::uint8_t>(number));
    }
    std::string key = tagged(regular, {bytes.data(), bytes.size()});
    key += text;
    return key;
}

std::string regular_did(std::string_view key) {
    Number number = 0;
    for (char byte : key.substr(1)) number = number << 8 | static_cast<std::uint8_t>(byte);
    std::string did(prefix.size() + digit_count, '\0');
    prefix.copy(did.data(), prefix.size());
    for (std::size_t at = did.size(); at-- > prefix.size(); number >>= 5) {
        did[at] = digits[static_cast<std::size_t>(number & 31)];
    }
    return did;
}

}  // namespace

std::string pack_did(std::string_view did) {
    if (!did.starts_with(prefix)) return tagged(did < prefix ? below : above, did);
    Place place = place_of(did.substr(prefix.size()));
    if (place.is_regular) return numbered(place.before, {});
    if (place.before == 0) return tagged(below, did);
    if (place.before == number_end) return tagged(above, did);
    return numbered(place.before - 1, did);
}

Result<std::string> unpack_did(std::string_view key) {
    if (key.size() == regular_key_bytes && key[0] == regular) return regular_did(key);
    if (key.empty()) return fail(Errc::corrupt, "packed DID: empty");
    bool has_number = key[0] == regular && key.size() > regular_key_bytes;
    std::string did(key.substr(has_number ? regular_key_bytes : 1));
    if (pack_did(did) != key) return fail(Errc::corrupt, "packed DID: not in its place");
    return did;
}

}  // namespace ringlay::index
