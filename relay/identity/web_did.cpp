#include "relay/identity/web_did.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "proto/base/address.hpp"
#include "proto/syntax.hpp"
#include "proto/url.hpp"

namespace ringlay::identity {
namespace {

constexpr std::string_view method = "did:web:";
constexpr std::string_view document_path = "/.well-known/did.json";

constexpr std::array<std::string_view, 9> unresolvable{
    "alt", "arpa", "example", "internal", "invalid", "local", "localhost", "onion", "test"};

// Below a country's name, these are sold by registries, too.
constexpr std::array<std::string_view, 9> second_levels{"ac",  "co", "com", "edu", "gov",
                                                        "gob", "ne", "net", "org"};

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    });
    return out;
}

// The last so many labels of a name.
std::string_view last_labels(std::string_view name, std::size_t count) {
    std::size_t at = name.size();
    for (; count > 0 && at != name.npos; --count)
        at = at == 0 ? name.npos : name.rfind('.', at - 1);
    return at == name.npos ? name : name.substr(at + 1);
}

bool is_public_name(std::string_view name) {
    return proto::is_handle(name) &&
           std::ranges::find(unresolvable, last_labels(name, 1)) == unresolvable.end();
}

std::string_view registered_part(std::string_view name) {
    std::string_view two = last_labels(name, 2);
    bool is_country = last_labels(name, 1).size() == 2;
    bool is_sold_deeper =
        std::ranges::find(second_levels, two.substr(0, two.find('.'))) != second_levels.end();
    return last_labels(name, is_country && is_sold_deeper ? 3 : 2);
}

}  // namespace

std::optional<WebDid> parse_web_did(std::string_view did, const base::PrivateHosts& allowed) {
    if (!did.starts_with(method)) return std::nullopt;
    std::string name = lower(did.substr(method.size()));
    std::string port;
    if (std::size_t at = name.find("%3a"); at != name.npos) {
        port = ":" + name.substr(at + 3);
        name.resize(at);
    }

    WebDid web;
    web.url = (port.empty() ? "https://" : "http://") + name + port;
    web.url += document_path;
    auto url = proto::parse_url(web.url);
    // A path in the DID, after `:`, is not part of the name that was parsed.
    if (!url || url->host != name || url->path != document_path) return std::nullopt;
    bool is_public = port.empty() && is_public_name(name);
    if (!is_public && !allowed.allows_host(name, url->port)) return std::nullopt;
    bool is_address = Address::parse(name, 0).has_value();
    web.site = (is_address ? name : std::string(registered_part(name))) + port;
    return web;
}

}  // namespace ringlay::identity
