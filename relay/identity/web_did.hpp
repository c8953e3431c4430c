// Where the document of a did:web is (protocol 6.5). Whole hosts only: no path; a port, which means
// plain HTTP, and names that the public network does not resolve only where they are allowed.
//
// Thread   a pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "relay/base/private_hosts.hpp"

namespace ringlay::identity {

struct WebDid {
    std::string url;
    // Whose lane it is: the part of the name that somebody registers, so that one owner of a
    // thousand names has one lane. With local ones also the port. Approximate, without the list of
    // all public suffixes: `a.b.co.uk` is `b.co.uk`'s, `a.b.c.net` is `c.net`'s.
    std::string site;
};

// Nothing: a DID of this form can have no document.
std::optional<WebDid> parse_web_did(std::string_view did, const base::PrivateHosts& allowed);

}  // namespace ringlay::identity
