// Any text: as a document of the DID that the corpus uses, and as an endpoint. What is read is
// within its bounds; a host that was read is read again as itself.
#include "proto/did_document.hpp"

#include "proto/base/assert.hpp"

using namespace ringlay;
using namespace ringlay::proto;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (auto document = parse_did_document(text, "did:plc:ewvi7nxzyoun6zhxrhs64oiz")) {
        RINGLAY_ASSERT(document->keys.size() <= DidDocument::max_keys);
        for (const auto& key : document->keys) RINGLAY_ASSERT(key.multibase.size() < size);
        if (document->pds_host) RINGLAY_ASSERT(document->pds_host->size() < size);
    } else {
        RINGLAY_ASSERT(document.error().code == Errc::malformed);
    }
    if (auto host = host_of_endpoint(text)) {
        std::string scheme = host->ends_with(":443") ? "http://" : "https://";
        RINGLAY_ASSERT(!host->empty() && host_of_endpoint(scheme + *host) == *host);
    }
    return 0;
}
