// Where a host's XRPC is, from its name as DID documents and the log have it. A name without a port
// is https. One with a port does not say which: whoever knows how the host is reached says so; else
// it is plain HTTP where that is allowed, and https elsewhere.
//
// Thread   a pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "relay/base/private_hosts.hpp"

namespace ringlay::ingest {

// `https://pds.example`, `http://localhost:2583`; empty: no host is called so.
std::string origin_of_host(std::string_view name, std::optional<bool> is_tls,
                           const base::PrivateHosts& allowed);

}  // namespace ringlay::ingest
