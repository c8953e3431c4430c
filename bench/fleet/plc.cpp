#include "bench/fleet/plc.hpp"

#include "crypto/did_key.hpp"
#include "proto/base/json_writer.hpp"

namespace ringlay::bench {
namespace {

// Clients send `/did:plc:...` or `/did%3Aplc%3A...`; a did:plc needs no other escape.
std::string did_of(std::string_view path) {
    std::string did;
    if (path.starts_with('/')) path.remove_prefix(1);
    while (!path.empty()) {
        bool is_colon = path.starts_with("%3A") || path.starts_with("%3a");
        did.push_back(is_colon ? ':' : path.front());
        path.remove_prefix(is_colon ? 3 : 1);
    }
    return did;
}

}  // namespace

Plc::Plc(const AccountBook& book, std::vector<std::string> host_urls)
    : book_(book), host_urls_(std::move(host_urls)) {
    std::uint64_t count = host_urls_.size() * book.accounts_per_host;
    number_of_.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) number_of_.emplace(book.did(i), i);
}

net::HttpResponse Plc::answer(const net::HttpRequest& request) const {
    if (request.method != net::HttpMethod::get && request.method != net::HttpMethod::head) {
        return net::json_error(405, "MethodNotAllowed", "only GET and HEAD are served here");
    }
    std::string did = did_of(request.path());
    auto found = number_of_.find(did);
    if (found == number_of_.end()) {
        return net::json_error(404, "NotFound", "DID not registered: " + did);
    }
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/did+ld+json");
    response.body = document(did, found->second);
    return response;
}

std::string Plc::document(const std::string& did, std::uint64_t number) const {
    JsonWriter json;
    json.begin_object();
    json.key("@context").begin_array();
    json.text("https://www.w3.org/ns/did/v1").text("https://w3id.org/security/multikey/v1");
    json.end_array();
    json.key("id").text(did);
    json.key("alsoKnownAs").begin_array().text("at://" + AccountBook::handle(did)).end_array();
    json.key("verificationMethod").begin_array().begin_object();
    json.key("id").text(did + "#atproto");
    json.key("type").text("Multikey");
    json.key("controller").text(did);
    json.key("publicKeyMultibase").text(crypto::to_multikey(book_.key(number).public_key()));
    json.end_object().end_array();
    json.key("service").begin_array().begin_object();
    json.key("id").text("#atproto_pds");
    json.key("type").text("AtprotoPersonalDataServer");
    json.key("serviceEndpoint").text(host_urls_[number / book_.accounts_per_host]);
    json.end_object().end_array();
    return json.end_object().take();
}

}  // namespace ringlay::bench
