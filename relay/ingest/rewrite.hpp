// What a relay says in other words than a host, or by itself (protocol 4.7, 4.8). Pure.
//
// Errors   malformed: the payload is not what check 2 has found it to be.
#pragma once

#include <string>
#include <string_view>

#include "proto/account_status.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::ingest {

// The #identity without its handle, which is a claim that nobody here has checked. Empty: it has
// none.
Result<Buffer> identity_without_handle(Bytes payload);

// The #account with another standing.
Result<Buffer> account_with_standing(Bytes payload, proto::AccountStanding standing);

// An #account of our own; its seq is a place for one.
Buffer account_frame(std::string_view did, proto::AccountStanding standing, WallMillis now);

std::string datetime_text(WallMillis at);  // 2026-01-01T00:00:00.000Z

}  // namespace ringlay::ingest
