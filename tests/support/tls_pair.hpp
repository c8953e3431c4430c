// A client's and a server's end of TLS that talk to each other without a network, and certificates
// for them.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "crypto/tls.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::support {

inline constexpr std::int64_t year_2000 = 946'684'800;
inline constexpr std::uint32_t hundred_years = 36'500;  // in days

inline crypto::TlsIdentity identity_for(const std::vector<std::string>& names) {
    return crypto::make_self_signed(names, year_2000, hundred_years).value();
}

// A server with a certificate of its own, and a client that believes it.
struct TlsParty {
    explicit TlsParty(std::initializer_list<std::string> names) : TlsParty(identity_for(names)) {}
    explicit TlsParty(const crypto::TlsIdentity& made)
        : identity(made),
          client(crypto::TlsClientContext::from_pem(made.certificate_pem).value()),
          server(crypto::TlsServerContext::from_pem(made.certificate_pem, made.private_key_pem)
                     .value()) {}

    crypto::TlsIdentity identity;
    std::unique_ptr<crypto::TlsClientContext> client;
    std::unique_ptr<crypto::TlsServerContext> server;
};

// What one end has to send, taken.
inline Buffer take_all(crypto::TlsEngine& engine) {
    Buffer all;
    for (Bytes left = engine.to_send(); !left.empty(); left = engine.to_send()) {
        all.insert(all.end(), left.begin(), left.end());
        engine.take_sent(left.size());
    }
    return all;
}

}  // namespace ringlay::support
