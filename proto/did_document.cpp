#include "proto/did_document.hpp"

#include <simdjson.h>

#include <algorithm>

#include "proto/url.hpp"

namespace ringlay::proto {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

// What a document needs is five levels deep; the parser's own default would cost memory for each.
constexpr std::size_t max_depth = 64;

// Nothing: absent, or something else than a string.
std::optional<std::string_view> text_of(object from, std::string_view name) {
    std::string_view text;
    if (from.at_key(name).get(text) != simdjson::SUCCESS) return std::nullopt;
    return text;
}

// The elements of an array that are objects; nothing else is looked at.
template <class Visit>
void for_each_object(object document, std::string_view name, Visit visit) {
    simdjson::dom::array elements;
    if (document.at_key(name).get(elements) != simdjson::SUCCESS) return;
    for (element one : elements) {
        object entry;
        if (one.get(entry) == simdjson::SUCCESS && !visit(entry)) return;
    }
}

// `#name` or `<did>#name`.
bool has_id(object entry, std::string_view did, std::string_view fragment) {
    std::string_view id = text_of(entry, "id").value_or("");
    if (id.starts_with(did)) id.remove_prefix(did.size());
    return id == fragment;
}

std::optional<KeyForm> key_form(std::string_view type) {
    if (type == "Multikey") return KeyForm::multikey;
    if (type == "EcdsaSecp256k1VerificationKey2019") return KeyForm::legacy_k256;
    if (type == "EcdsaSecp256r1VerificationKey2019") return KeyForm::legacy_p256;
    return std::nullopt;
}

void read_keys(object document, std::string_view did, DidDocument& out) {
    for_each_object(document, "verificationMethod", [&](object entry) {
        if (!has_id(entry, did, "#atproto")) return true;
        auto form = key_form(text_of(entry, "type").value_or(""));
        auto multibase = text_of(entry, "publicKeyMultibase");
        if (!form || !multibase || text_of(entry, "controller") != did) return true;
        out.keys.push_back({*form, std::string(*multibase)});
        return out.keys.size() < DidDocument::max_keys;
    });
}

void read_pds(object document, std::string_view did, DidDocument& out) {
    for_each_object(document, "service", [&](object entry) {
        if (!has_id(entry, did, "#atproto_pds")) return true;
        if (text_of(entry, "type") != "AtprotoPersonalDataServer") return true;
        auto endpoint = text_of(entry, "serviceEndpoint");
        if (!endpoint) return true;
        out.pds_host = host_of_endpoint(*endpoint);
        return false;
    });
}

}  // namespace

Result<DidDocument> parse_did_document(std::string_view json, std::string_view did) {
    // A view of nothing may have no memory, which the parser does not expect.
    if (json.empty()) return fail(Errc::malformed, "DID document: not JSON");
    simdjson::dom::parser parser;
    if (parser.allocate(json.size(), max_depth) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "DID document: too large");
    }
    object document;
    element root;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "DID document: not JSON");
    }
    if (root.get(document) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "DID document: not an object");
    }
    if (text_of(document, "id") != did) {
        return fail(Errc::malformed, "DID document: of another DID");
    }
    DidDocument out;
    read_keys(document, did, out);
    read_pds(document, did, out);
    return out;
}

std::optional<std::string> host_of_endpoint(std::string_view url) {
    std::string text(url);
    std::ranges::transform(text, text.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    auto parsed = parse_url(text);
    if (!parsed || (parsed->scheme != Scheme::https && parsed->scheme != Scheme::http)) {
        return std::nullopt;
    }
    if ((!parsed->path.empty() && parsed->path != "/") || text.find('?') != text.npos) {
        return std::nullopt;
    }
    std::string host(parsed->host);
    if (parsed->is_ipv6) host = "[" + host + "]";
    if (parsed->scheme == Scheme::https && parsed->port == 443) return host;
    return host + ":" + std::to_string(parsed->port);
}

}  // namespace ringlay::proto
