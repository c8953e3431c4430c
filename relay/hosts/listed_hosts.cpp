#include "relay/hosts/listed_hosts.hpp"

#include <simdjson.h>

namespace ringlay::hosts {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

constexpr std::size_t max_depth = 64;

// Some write the cursor, a number for them, as a number.
std::optional<std::string> cursor_of(object page) {
    element cursor;
    std::string_view text;
    std::uint64_t number = 0;
    if (page.at_key("cursor").get(cursor) != simdjson::SUCCESS) return std::nullopt;
    if (cursor.get(number) == simdjson::SUCCESS) return std::to_string(number);
    if (cursor.get(text) != simdjson::SUCCESS || text.empty() ||
        text.size() > ListedHosts::max_cursor_bytes) {
        return std::nullopt;
    }
    return std::string(text);
}

std::optional<ListedHosts::Entry> entry_of(element listed) {
    object host;
    std::string_view name;
    if (listed.get(host) != simdjson::SUCCESS ||
        host.at_key("hostname").get(name) != simdjson::SUCCESS || name.empty() ||
        name.size() > ListedHosts::max_name_bytes) {
        return std::nullopt;
    }
    std::string_view status;
    const bool is_banned =
        host.at_key("status").get(status) == simdjson::SUCCESS && status == "banned";
    return ListedHosts::Entry{std::string(name), is_banned};
}

}  // namespace

Result<ListedHosts> parse_listed_hosts(std::string_view json) {
    if (json.empty()) return fail(Errc::malformed, "an empty answer");
    simdjson::dom::parser parser;
    if (parser.allocate(json.size(), max_depth) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "too large");
    }
    element root;
    object page;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS ||
        root.get(page) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "not a JSON object");
    }
    simdjson::dom::array hosts;
    if (page.at_key("hosts").get(hosts) != simdjson::SUCCESS) {
        return fail(Errc::malformed, "no list of hosts in it");
    }
    ListedHosts out;
    for (element listed : hosts) {
        if (auto entry = entry_of(listed)) {
            out.hosts.push_back(std::move(*entry));
        } else {
            ++out.unreadable;
        }
    }
    out.cursor = cursor_of(page);
    return out;
}

}  // namespace ringlay::hosts
