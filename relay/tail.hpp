// `ringlay tail URL`: prints a firehose as lines of JSON, one for each event. The consumer that
// needs nothing installed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/bytes.hpp"
#include "relay/env/env.hpp"

namespace ringlay {

struct TailOptions {
    std::string url;  // ws://host:port, with or without the path
    std::optional<std::uint64_t> cursor;
    std::uint64_t count = 0;  // 0: without end
};

// One line about a message of the stream, without a line feed.
std::string describe_frame(Bytes message);

// In a fiber. Hands each line to `print`, which returns false to stop. Returns a sentence if the
// stream could not be opened or ended by itself before `count` events.
std::optional<std::string> tail(env::Env& env, const TailOptions& options,
                                const std::function<bool(std::string_view line)>& print);

}  // namespace ringlay
