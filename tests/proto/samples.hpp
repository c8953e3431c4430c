// Bytes that several tests of the formats begin from: the samples of protocol Appendix B.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "proto/base/hex.hpp"

namespace ringlay::proto::samples {

// Hexadecimal digits, with spaces anywhere.
inline Buffer hex(std::string_view digits) {
    std::string packed;
    for (char c : digits) {
        if (c != ' ') packed.push_back(c);
    }
    return from_hex(packed).value();
}

inline Bytes bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

template <class... Parts>
Buffer joined(const Parts&... parts) {
    Buffer out;
    (out.insert(out.end(), parts.begin(), parts.end()), ...);
    return out;
}

inline const std::string did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
inline const std::string time = "2024-01-01T00:00:00.000Z";
inline const std::string rev = "3khuwc52sm22b";

// Of that account at that time, with seq 120 and 122.
inline Buffer identity_frame() {
    return hex(
        "a2617469236964656e74697479626f7001"
        "a36364696478206469643a706c633a616161616161616161616161616161616161616161616161"
        "637365711878 6474696d657818323032342d30312d30315430303a30303a30302e3030305a");
}

inline Buffer account_frame() {
    return hex(
        "a2617468236163636f756e74626f7001"
        "a46364696478206469643a706c633a616161616161616161616161616161616161616161616161"
        "63736571187a 6474696d657818323032342d30312d30315430303a30303a30302e3030305a"
        "66616374697665f5");
}

inline Buffer info_frame() {
    return hex("a261746523696e666f626f7001 a1646e616d656e4f75746461746564437572736f72");
}

inline Buffer error_frame() {
    return hex(
        "a1626f7020 a2656572726f726c467574757265437572736f72"
        "676d65737361676575437572736f7220696e20746865206675747572652e");
}

inline Buffer unknown_op_frame() {
    return hex("a1626f7005 a0");
}

// The first commit of the account, with one record.
inline Buffer record() {
    return hex(
        "a3616e006474657874627230652474797065766170702e62736b792e6163746f722e70726f66696c65");
}
inline const std::string record_cid = "bafyreifk4o5hebptfoimxyi2gvzhxn2ffp43whjgguvdhlbxccbzpd2cbe";

inline Buffer tree_node() {
    return hex(
        "a2616581a4616b581b6170702e62736b792e6163746f722e70726f66696c652f73656c66617000"
        "6174f66176d82a58250001711220aae3ba7205f32b90cbe11a35727bb7452bf9bb1d26352a33ac37"
        "1083978f4209616cf6");
}
inline const std::string tree_cid = "bafyreie7k2icerbscnmrfl4eppoi2slkctutwcdzvmurujnjczk723kaly";

inline Buffer unsigned_commit() {
    return hex(
        "a56364696478206469643a706c633a616161616161616161616161616161616161616161616161"
        "637265766d336b687577633532736d323262"
        "6464617461d82a582500017112209f5690224432135912af847bdc8d496a14e93b0879ab291a25a9"
        "1655fd6d405e 6470726576f6 6776657273696f6e03");
}
inline Buffer signature() {
    return hex(
        "9e88b7e82dd7184435a3f7fe8d3c19125878a4309719b754f44a0e4311b21be7"
        "29951869c06897b392fa2405240415ae738fd282e5c138751a8f63778461ad5f");
}
inline Buffer signed_commit() {
    Buffer body = unsigned_commit();
    Bytes all = body;
    const std::size_t sig_at = 1 + 4 + 34 + 4 + 14;  // head, did, rev
    return joined(hex("a6"), all.subspan(1, sig_at - 1), hex("637369675840"), signature(),
                  all.subspan(sig_at));
}
inline const std::string commit_cid = "bafyreigzq3hp7lcdnbngyga7yi2hc5epebz7bdxjb7f4kfgqjj6he4dcke";

inline Buffer archive_header() {
    return hex(
        "3aa265726f6f747381d82a58250001711220"
        "d986ceffac43685a6c181fc23471748f2073f08ee90fcbc514d04a7c72706251"
        "6776657273696f6e01");
}

}  // namespace ringlay::proto::samples
