// Any text as a page of listHosts: what is read is within its bounds and was in the text; a page
// that was read is read again as itself.
#include "relay/hosts/listed_hosts.hpp"

#include "proto/base/assert.hpp"
#include "proto/base/json_writer.hpp"

using namespace ringlay;
using namespace ringlay::hosts;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    auto page = parse_listed_hosts(text);
    if (!page) {
        RINGLAY_ASSERT(page.error().code == Errc::malformed);
        return 0;
    }
    JsonWriter json;
    json.begin_object();
    if (page->cursor) {
        RINGLAY_ASSERT(!page->cursor->empty());
        RINGLAY_ASSERT(page->cursor->size() <= ListedHosts::max_cursor_bytes);
        json.key("cursor").text(*page->cursor);
    }
    json.key("hosts").begin_array();
    std::size_t bytes = 0;
    for (const ListedHosts::Entry& entry : page->hosts) {
        RINGLAY_ASSERT(!entry.hostname.empty());
        RINGLAY_ASSERT(entry.hostname.size() <= ListedHosts::max_name_bytes);
        bytes += entry.hostname.size();
        json.begin_object().key("hostname").text(entry.hostname);
        json.key("status").text(entry.is_banned ? "banned" : "active").end_object();
    }
    json.end_array().end_object();
    RINGLAY_ASSERT(bytes + page->unreadable <= size);

    auto again = parse_listed_hosts(json.str());
    RINGLAY_ASSERT(again.has_value() && again->unreadable == 0);
    RINGLAY_ASSERT(again->cursor == page->cursor && again->hosts.size() == page->hosts.size());
    for (std::size_t i = 0; i < page->hosts.size(); ++i) {
        RINGLAY_ASSERT(again->hosts[i].hostname == page->hosts[i].hostname);
        RINGLAY_ASSERT(again->hosts[i].is_banned == page->hosts[i].is_banned);
    }
    return 0;
}
