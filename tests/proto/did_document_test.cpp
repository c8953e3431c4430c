#include "proto/did_document.hpp"

#include <catch2/catch.hpp>

#include "crypto/did_key.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

constexpr std::string_view did = "did:plc:ewvi7nxzyoun6zhxrhs64oiz";
constexpr std::string_view multikey = "zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF";
constexpr std::string_view legacy_key =
    "zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3dgPKNu86vt9GR";

// As the directory writes it today: methods with full ids, services with relative ones.
const std::string modern =
    R"({"@context":["https://www.w3.org/ns/did/v1"],"id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz",)"
    R"("alsoKnownAs":["at://atproto.com"],"verificationMethod":[{)"
    R"("id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz#atproto","type":"Multikey",)"
    R"("controller":"did:plc:ewvi7nxzyoun6zhxrhs64oiz",)"
    R"("publicKeyMultibase":"zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF"}],)"
    R"("service":[{"id":"#atproto_pds","type":"AtprotoPersonalDataServer",)"
    R"("serviceEndpoint":"https://Bsky.Social/"}]})";

// As @did-plc/server 0.0.1 writes it: relative ids, a key of 65 bytes without its codec.
const std::string of_2019 =
    R"({"@context":["https://www.w3.org/ns/did/v1",)"
    R"("https://w3id.org/security/suites/secp256k1-2019/v1"],)"
    R"("id":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","alsoKnownAs":["at://atproto.com"],)"
    R"("verificationMethod":[{"id":"#atproto","type":"EcdsaSecp256k1VerificationKey2019",)"
    R"("controller":"did:plc:ewvi7nxzyoun6zhxrhs64oiz","publicKeyMultibase":)"
    R"("zQYEBzXeuTM9UR3rfvNag6L3RNAs5pQZyYPsomTsgQhsxLdEgCrPTLgFna8yqCnxPpNT7DBk6Ym3dgPKNu86vt9GR")"
    R"(}],"service":[{"id":"#atproto_pds","type":"AtprotoPersonalDataServer",)"
    R"("serviceEndpoint":"http://localhost:2600"}]})";

std::string with(std::string_view methods, std::string_view services) {
    std::string text = "{\"id\":\"" + std::string(did) + "\",\"verificationMethod\":[";
    text.append(methods).append("],\"service\":[").append(services).append("]}");
    return text;
}

std::string method(std::string_view id, std::string_view type, std::string_view key,
                   std::string_view controller = did) {
    std::string text = R"({"id":")";
    text.append(id).append(R"(","type":")").append(type).append(R"(","controller":")");
    text.append(controller).append(R"(","publicKeyMultibase":")").append(key).append("\"}");
    return text;
}

std::string service(std::string_view id, std::string_view type, std::string_view endpoint) {
    std::string text = R"({"id":")";
    text.append(id).append(R"(","type":")").append(type).append(R"(","serviceEndpoint":)");
    return text.append(endpoint).append("}");
}

std::vector<std::string> keys_of(const std::string& json) {
    std::vector<std::string> keys;
    DidDocument document = parse_did_document(json, did).value();
    for (const auto& key : document.keys) keys.push_back(key.multibase);
    return keys;
}

std::optional<std::string> pds_of(const std::string& services) {
    return parse_did_document(with("", services), did).value().pds_host;
}

constexpr std::string_view pds = "AtprotoPersonalDataServer";

}  // namespace

TEST_CASE("a document of the directory has its key and its PDS") {
    DidDocument document = parse_did_document(modern, did).value();
    REQUIRE(document.keys.size() == 1);
    CHECK(document.keys[0].form == KeyForm::multikey);
    CHECK(document.keys[0].multibase == multikey);
    CHECK(document.pds_host == "bsky.social");
}

TEST_CASE("a document of 2019 has the same key in its old form") {
    DidDocument document = parse_did_document(of_2019, did).value();
    REQUIRE(document.keys.size() == 1);
    CHECK(document.keys[0].form == KeyForm::legacy_k256);
    CHECK(document.keys[0].multibase == legacy_key);
    CHECK(document.pds_host == "localhost:2600");
    auto key = crypto::parse_legacy_key(crypto::Curve::k256, document.keys[0].multibase);
    CHECK(key.value() == crypto::parse_multikey(multikey).value());
}

TEST_CASE("public samples of documents are read") {
    auto text = [](std::string_view name) {
        return support::read_fixture("indigo/atproto/identity/testdata/" + std::string(name));
    };
    if (auto plc = text("did_plc_doc.json")) {
        CHECK(keys_of(*plc) == std::vector<std::string>{std::string(multikey)});
        CHECK(parse_did_document(*plc, did)->pds_host == "bsky.social");
    }
    if (auto old = text("did_plc_doc_legacy.json")) {
        CHECK(keys_of(*old) == std::vector<std::string>{std::string(legacy_key)});
    }
    if (auto web = text("did_web_doc.json")) {
        auto document = parse_did_document(*web, "did:web:discover.bsky.social");
        REQUIRE(document.has_value());
        CHECK(document->keys.empty());
        CHECK_FALSE(document->pds_host.has_value());
    }
}

TEST_CASE("every key that may be the account's is kept, in order; others are stepped over") {
    std::string full = std::string(did) + "#atproto";
    CHECK(keys_of(with(method("#atproto_label", "Multikey", "z1") + "," +
                           method("#atproto", "Ed25519VerificationKey2020", "z2") + "," +
                           method("#atproto", "Multikey", "z3", "did:plc:other") + "," +
                           method("did:plc:other#atproto", "Multikey", "z4") + "," +
                           method(full, "Multikey", "z5") + "," +
                           method("#atproto", "EcdsaSecp256r1VerificationKey2019", "z6") + "," +
                           method("atproto", "Multikey", "z7"),
                       "")) == std::vector<std::string>{"z5", "z6"});
    auto p256 = parse_did_document(
        with(method("#atproto", "EcdsaSecp256r1VerificationKey2019", "z6"), ""), did);
    CHECK(p256->keys[0].form == KeyForm::legacy_p256);
}

TEST_CASE("elements of unknown forms are no error") {
    std::string good = method("#atproto", "Multikey", "z1");
    CHECK(keys_of(with("null,7,\"x\",[],{}," + good, "")).size() == 1);
    CHECK(keys_of(with(R"({"id":["#atproto"],"type":"Multikey"},)"
                       R"({"id":"#atproto","type":"Multikey","publicKeyMultibase":{}},)" +
                           good,
                       ""))
              .size() == 1);
    for (std::string_view odd : {"null", "{}", "7", "\"#atproto\"", "[]"}) {
        CAPTURE(odd);
        std::string text = "{\"id\":\"" + std::string(did) + "\",\"verificationMethod\":";
        text.append(odd).append(",\"service\":").append(odd).append("}");
        auto document = parse_did_document(text, did);
        REQUIRE(document.has_value());
        CHECK(document->keys.empty());
        CHECK_FALSE(document->pds_host.has_value());
    }
    CHECK(parse_did_document("{\"id\":\"" + std::string(did) + "\"}", did).has_value());
}

TEST_CASE("a document with keys without end is read as far as its first few") {
    std::string methods = method("#atproto", "Multikey", "z0");
    for (int i = 1; i < 1000; ++i) {
        methods += "," + method("#atproto", "Multikey", "z" + std::to_string(i));
    }
    auto keys = keys_of(with(methods, ""));
    REQUIRE(keys.size() == DidDocument::max_keys);
    CHECK(keys.back() == "z7");
}

TEST_CASE("the first service that is a PDS counts") {
    std::string full = std::string(did) + "#atproto_pds";
    CHECK(pds_of(service(full, pds, R"("https://a.example")")) == "a.example");
    CHECK(pds_of(service("#bsky_fg", pds, R"("https://a.example")")) == std::nullopt);
    CHECK(pds_of(service("#atproto_pds", "BskyFeedGenerator", R"("https://a.example")")) ==
          std::nullopt);
    CHECK(pds_of(service("#other", pds, R"("https://x.example")") + "," +
                 service("#atproto_pds", pds, R"({"uri":"https://y.example"})") + "," +
                 service("#atproto_pds", pds, R"("https://b.example")") + "," +
                 service("#atproto_pds", pds, R"("https://c.example")")) == "b.example");
    // A text that is no usable URL is what the account says; no later one is taken in its place.
    CHECK(pds_of(service("#atproto_pds", pds, R"("https://b.example/path")") + "," +
                 service("#atproto_pds", pds, R"("https://c.example")")) == std::nullopt);
}

TEST_CASE("a document must be of the DID that was asked for") {
    auto other = parse_did_document(modern, "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa");
    REQUIRE_FALSE(other.has_value());
    CHECK(other.error().code == Errc::malformed);
    CHECK_FALSE(parse_did_document(modern, "").has_value());
    CHECK_FALSE(parse_did_document("{}", "").has_value());
    CHECK_FALSE(parse_did_document(R"({"id":7})", did).has_value());
}

TEST_CASE("what is not one JSON object is malformed") {
    std::string deep(100'000, '[');
    for (const std::string& text :
         {std::string(), std::string(" "), std::string("null"), std::string("[]"),
          std::string("\"x\""), std::string("<html></html>"), modern + "x", modern + modern,
          "[" + modern + "]", deep, "{\"id\":\"" + std::string(did) + "\",\"a\":" + deep,
          "{\"id\":\"" + std::string(did) + "\",\"a\":\"\xff\"}"}) {
        CAPTURE(text.substr(0, 80));
        auto document = parse_did_document(text, did);
        REQUIRE_FALSE(document.has_value());
        CHECK(document.error().code == Errc::malformed);
    }
}

TEST_CASE("what nobody reads may be nested, within reason") {
    auto nested = [](std::size_t depth) {
        return "{\"id\":\"" + std::string(did) + "\",\"a\":" + std::string(depth, '[') +
               std::string(depth, ']') + "}";
    };
    CHECK(parse_did_document(nested(50), did).has_value());
    CHECK_FALSE(parse_did_document(nested(100), did).has_value());
    CHECK_FALSE(parse_did_document(nested(100'000), did).has_value());
}

TEST_CASE("a document that is cut anywhere is malformed") {
    for (const std::string& whole : {modern, of_2019}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            // A copy of just this size: a read beyond its end is seen by a sanitizer.
            std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            CAPTURE(size);
            CHECK_FALSE(parse_did_document({cut.data(), cut.size()}, did).has_value());
        }
    }
}

TEST_CASE("a document with a wrong byte is read or refused, never worse") {
    std::size_t read = 0;
    for (std::size_t at = 0; at < modern.size(); ++at) {
        for (char byte : {'\0', '"', '{', ']', '\\', '\x80', 'x'}) {
            std::string changed = modern;
            changed[at] = byte;
            auto document = parse_did_document(changed, did);
            if (!document) continue;
            ++read;
            CHECK(document->keys.size() <= 1);
        }
    }
    CHECK(read > 0);
}

TEST_CASE("escapes in a document are what they stand for") {
    std::string text = modern;
    text.replace(text.find("#atproto\""), 9, "\\u0023atproto\"");
    CHECK(keys_of(text).size() == 1);
}

TEST_CASE("a host is called by its name, and by its port unless that is https on 443") {
    CHECK(host_of_endpoint("https://pds.example") == "pds.example");
    CHECK(host_of_endpoint("https://PDS.Example/") == "pds.example");
    CHECK(host_of_endpoint("https://AZ.example") == "az.example");
    CHECK(host_of_endpoint("HTTPS://pds.example") == "pds.example");
    CHECK(host_of_endpoint("https://pds.example:443") == "pds.example");
    CHECK(host_of_endpoint("https://pds.example:0443/") == "pds.example");
    CHECK(host_of_endpoint("https://pds.example:8443") == "pds.example:8443");
    CHECK(host_of_endpoint("http://pds.example") == "pds.example:80");
    CHECK(host_of_endpoint("http://pds.example:443") == "pds.example:443");
    CHECK(host_of_endpoint("http://localhost:2600") == "localhost:2600");
    CHECK(host_of_endpoint("http://127.0.0.1:2600/") == "127.0.0.1:2600");
    CHECK(host_of_endpoint("https://[2001:DB8::1]") == "[2001:db8::1]");
    CHECK(host_of_endpoint("http://[::1]:2600") == "[::1]:2600");
}

TEST_CASE("what is more than a host, or no URL, is no host") {
    for (std::string_view url : {"",
                                 "pds.example",
                                 "//pds.example",
                                 "wss://pds.example",
                                 "ws://pds.example",
                                 "ftp://pds.example",
                                 "https://",
                                 "https:///",
                                 "https://user@pds.example",
                                 "https://user:word@pds.example",
                                 "https://pds.example/xrpc",
                                 "https://pds.example//",
                                 "https://pds.example?x=1",
                                 "https://pds.example/?x",
                                 "https://pds.example/?",
                                 "https://pds.example?",
                                 "https://pds.example#x",
                                 "https://pds.example:0",
                                 "https://pds.example:99999",
                                 "https://pds.example:",
                                 "https://pds example",
                                 " https://pds.example",
                                 "https://pds.example.",
                                 "https://pds..example"}) {
        CAPTURE(url);
        CHECK_FALSE(host_of_endpoint(url).has_value());
    }
}
