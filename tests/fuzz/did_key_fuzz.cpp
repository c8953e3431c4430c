// Keys as documents of strangers write them: whatever is read as a key is written as one key, and
// reads back as the same.
#include <cstdint>

#include "crypto/did_key.hpp"
#include "proto/base/assert.hpp"

using namespace ringlay;
using namespace ringlay::crypto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto bytes = from_base58(text)) RINGLAY_ASSERT(to_base58(*bytes) == text);
    for (auto key :
         {parse_did_key(text), parse_multikey(text), parse_legacy_key(Curve::k256, text),
          parse_legacy_key(Curve::p256, text), PublicKey::from_point(Curve::k256, {data, size}),
          PublicKey::from_point(Curve::p256, {data, size})}) {
        if (!key) continue;
        RINGLAY_ASSERT(parse_did_key(to_did_key(*key)).value() == *key);
        verify(*key, sha256({data, size}), {data, size});
    }
    return 0;
}
