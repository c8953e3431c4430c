#include "relay/identity/identity.hpp"

#include "crypto/did_key.hpp"

namespace ringlay::identity {
namespace {

Result<crypto::PublicKey> parse_key(const proto::DidDocument::Key& key) {
    switch (key.form) {
        case proto::KeyForm::multikey:
            return crypto::parse_multikey(key.multibase);
        case proto::KeyForm::legacy_k256:
            return crypto::parse_legacy_key(crypto::Curve::k256, key.multibase);
        case proto::KeyForm::legacy_p256:
            return crypto::parse_legacy_key(crypto::Curve::p256, key.multibase);
    }
    return fail(Errc::unsupported, "key: form");
}

}  // namespace

Identity identity_of(const proto::DidDocument& document) {
    Identity identity;
    for (const proto::DidDocument::Key& candidate : document.keys) {
        auto key = parse_key(candidate);
        if (!key) continue;
        identity.key = *key;
        break;
    }
    identity.pds_host = document.pds_host.value_or("");
    return identity;
}

}  // namespace ringlay::identity
