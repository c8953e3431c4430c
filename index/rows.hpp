// The values of the database as bytes. Each begins with the number of its format.
//
// Errors   corrupt: not what encode made. unsupported: a newer format.
// On disk  families `account`, `identity`, `host` and `default` (database.hpp).
#pragma once

#include "index/database.hpp"
#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::index {

Buffer encode(const AccountRow& row);  // 16 bytes, or 88 with a repository
Result<AccountRow> decode_account(Bytes value);

Buffer encode(const IdentityRow& row);
Result<IdentityRow> decode_identity(Bytes value);

// What there is one of: written with every batch.
struct State {
    LogPoint applied;
    std::uint64_t accounts = 0;  // rows there are

    bool operator==(const State&) const = default;
};

Buffer encode(const State& state);
Result<State> decode_state(Bytes value);

}  // namespace ringlay::index
