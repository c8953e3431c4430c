// Why a server could not be used. Unlike Error it holds a sentence for an operator, with the
// address or the status in it: this happens some times a second at most.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "proto/base/result.hpp"

namespace ringlay::net {

struct Failure {
    Error error;
    std::string reason;
    std::uint16_t http_status = 0;  // of an answer that refuses; 0: there was no answer
    std::optional<std::uint32_t> retry_after_s;
    bool is_guarded = false;  // the guard of outbound.hpp refused; nothing was sent
};

// `what` begins the sentence; the error's own words follow.
Failure failure_of(const Error& error, std::string what);

}  // namespace ringlay::net
