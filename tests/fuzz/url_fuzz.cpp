// Any text: a URL is made of its parts again, a target too; a decoded text has as many bytes as
// were written.
#include "proto/url.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

using namespace ringlay;
using namespace ringlay::proto;

namespace {

void check_url(std::string_view text) {
    auto url = parse_url(text);
    if (!url) return;
    std::string again = std::string(scheme_name(url->scheme)) + "://";
    again += url->is_ipv6 ? "[" + std::string(url->host) + "]" : std::string(url->host);
    RINGLAY_ASSERT(text.starts_with(again) && url->port != 0);
    RINGLAY_ASSERT(url->has_port || url->port == default_port(url->scheme));
    if (url->has_port) {
        std::size_t port_end = std::min(text.find_first_of("/?", again.size()), text.size());
        again += text.substr(again.size(), port_end - again.size());  // may have zeros in front
    }
    again += url->path;
    if (again.size() < text.size()) again += "?";
    again += url->query;
    RINGLAY_ASSERT(again == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    check_url(text);
    if (auto target = parse_target(text)) {
        RINGLAY_ASSERT(target->path.starts_with('/'));
        RINGLAY_ASSERT(percent_decode(target->path).has_value());
        RINGLAY_ASSERT(query_parameter(target->query, "cursor").has_value());
    }
    if (auto decoded = percent_decode(text)) {
        auto escapes = static_cast<std::size_t>(std::ranges::count(text, '%'));
        RINGLAY_ASSERT(decoded->size() == size - 2 * escapes);
    }
    return 0;
}
