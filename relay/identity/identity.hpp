// Who an account is, as far as checks need it: the key that signs its commits and the host that may
// speak for it; and what a look-up of that can end with.
//
// "Could not find out" is never "wrong": the two are different kinds here.
//
// Owner    values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "crypto/public_key.hpp"
#include "proto/did_document.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::identity {

struct Identity {
    std::optional<crypto::PublicKey> key;  // a working identity has both
    std::string pds_host;                  // as proto::host_of_endpoint() writes it; empty: none

    bool is_working() const { return key.has_value() && !pds_host.empty(); }
    bool operator==(const Identity&) const = default;
};

// The first key of the document that parses, and its PDS; what is missing or broken stays empty.
Identity identity_of(const proto::DidDocument& document);

struct LookUp {
    enum class Kind : std::uint8_t {
        found,        // a document; whether it works is the identity's to say
        none,         // definite: 404, 410, a method nobody resolves
        unavailable,  // time-out, 429, 5xx, no room in the queue: nothing is known now
    };
    Kind kind = Kind::unavailable;
    Identity identity;   // when found
    WallMillis at{};     // when it was asked: what is said is at least as new
    std::string reason;  // when not found, for logs: "PLC directory: status 503"
};

}  // namespace ringlay::identity
