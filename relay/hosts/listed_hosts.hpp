// A page of com.atproto.sync.listHosts, as another relay writes it. Pure.
//
// Only hostname, status and cursor are looked at; an entry without a hostname is counted and passed
// over, so that one relay's slip costs nobody else's host.
//
// Bound    by the text: a page holds no more than what it was made of.
// Errors   malformed: the answer is none of listHosts.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.hpp"

namespace ringlay::hosts {

struct ListedHosts {
    static constexpr std::size_t max_name_bytes = 300;    // longer ones are unreadable
    static constexpr std::size_t max_cursor_bytes = 512;  // a longer one is none

    struct Entry {
        std::string hostname;    // as it was written
        bool is_banned = false;  // there
    };
    std::vector<Entry> hosts;
    std::size_t unreadable = 0;
    std::optional<std::string> cursor;  // of the next page; never empty
};

Result<ListedHosts> parse_listed_hosts(std::string_view json);

}  // namespace ringlay::hosts
