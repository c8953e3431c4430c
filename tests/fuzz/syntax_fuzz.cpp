// Any text: identifiers that are made of others are so exactly if their parts are.
#include "proto/syntax.hpp"

#include "proto/base/assert.hpp"
#include "proto/cid.hpp"
#include "proto/limits.hpp"
#include "proto/tid.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

void check_at_uri(std::string_view text) {
    if (!is_at_uri(text)) return;
    std::string_view rest = text.substr(5);
    std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    RINGLAY_ASSERT(is_did(authority) != is_handle(authority));
    if (slash == rest.npos) return;
    std::string_view path = rest.substr(slash + 1);
    RINGLAY_ASSERT(is_nsid(path) != is_repo_path(path));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    if (is_did_plc(text)) RINGLAY_ASSERT(is_did(text));
    RINGLAY_ASSERT(!is_did(text) || !is_handle(text));
    if (is_handle(text)) RINGLAY_ASSERT(size <= max_handle_bytes);
    check_at_uri(text);
    (void)is_datetime(text);
    if (auto path = split_repo_path(text)) {
        RINGLAY_ASSERT(is_nsid(path->collection) && is_record_key(path->record_key));
        RINGLAY_ASSERT(path->collection.size() + 1 + path->record_key.size() == size);
        RINGLAY_ASSERT(size <= max_repo_path_bytes);
        std::string uri = "at://did:web:a/" + std::string(text);
        RINGLAY_ASSERT(is_at_uri(uri));
    }
    if (auto tid = Tid::parse(text)) {
        RINGLAY_ASSERT(tid->to_text() == text);
        RINGLAY_ASSERT(is_record_key(text));
    }
    if (auto cid = Cid::from_text(text)) RINGLAY_ASSERT(cid->to_text() == text);
    return 0;
}
