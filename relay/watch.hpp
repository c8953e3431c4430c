// `ringlay watch [URL]`: a relay's state in the terminal, anew each second; a line every ten
// seconds where there is no terminal. A relay that is not there is waited for.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "relay/env/env.hpp"

namespace ringlay {

struct WatchOptions {
    std::string url = "http://127.0.0.1:3001";
    std::vector<std::string> notes;  // shown below the panel
    std::uint64_t seconds = 0;       // 0: without end
};

struct ScreenSize {
    std::size_t columns = 80;
    std::size_t rows = 24;
};

struct WatchScreen {
    // Asked before each panel; nothing: no terminal, but lines.
    std::function<std::optional<ScreenSize>()> size;
    std::function<void(std::string_view)> write;
    bool has_colour = true;
};

// What the terminal needs before the first panel, and after the last: the panel has a page of its
// own, and what was in the terminal before comes back.
inline constexpr std::string_view screen_opens = "\x1b[?1049h\x1b[?25l";
inline constexpr std::string_view screen_closes = "\x1b[0m\x1b[?25h\x1b[?1049l";

// In a fiber, until `seconds` are over or it is cancelled. Returns a sentence if the URL is none.
std::optional<std::string> watch(env::Env& env, const WatchOptions& options,
                                 const WatchScreen& screen);

}  // namespace ringlay
