#include "relay/net/outbound.hpp"

namespace ringlay::net {
namespace {

std::string plain_text_objection(proto::Scheme scheme) {
    return std::string(proto::scheme_name(scheme)) +
           " without TLS is only for what RELAY_ALLOW_PRIVATE_HOSTS names";
}

}  // namespace

std::optional<std::string> Outbound::objection(const proto::Url& url,
                                               const Address& address) const {
    if (allowed_.allows_host(url.host, url.port) || allowed_.allows_address(address)) {
        return std::nullopt;
    }
    if (!proto::is_tls(url.scheme)) return plain_text_objection(url.scheme);
    if (is_public(address)) return std::nullopt;
    return address.ip_text() +
           " is not on the public internet, and RELAY_ALLOW_PRIVATE_HOSTS does not name it";
}

std::optional<std::string> Outbound::objection(const proto::Url& url) const {
    bool is_tls = proto::is_tls(url.scheme);
    if (is_tls && tls_ == nullptr) {
        return "there is no TLS: no certificate authorities are known";
    }
    if (auto literal = Address::parse(url.host, url.port)) return objection(url, *literal);
    // What the name resolves to may still be in a network that is allowed.
    if (is_tls || allowed_.has_networks()) return std::nullopt;
    if (allowed_.allows_host(url.host, url.port)) return std::nullopt;
    return plain_text_objection(url.scheme);
}

}  // namespace ringlay::net
