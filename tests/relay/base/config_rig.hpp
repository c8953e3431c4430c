// Settings as a start would see them, or the sentence it would end with.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "relay/base/config.hpp"

namespace ringlay::support {

using Arguments = std::vector<std::string_view>;

inline base::Invocation parsed(const Arguments& arguments, const base::Environment& environment,
                               unsigned cpus = 2) {
    auto invocation = base::parse_config(arguments, environment, cpus);
    if (!invocation) FAIL(invocation.error().text);
    return *invocation;
}

inline std::string refusal(const Arguments& arguments, const base::Environment& environment) {
    auto invocation = base::parse_config(arguments, environment, 2);
    REQUIRE_FALSE(invocation.has_value());
    return invocation.error().text;
}

}  // namespace ringlay::support
