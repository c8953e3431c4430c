// What one fact of the log says of an account: the fold as a function.
//
//     fact                                        repo   standings   host
//     commit, sync                                 x                  x
//     account                                             x           x
//     late_verification                            x                  x
//     account_standing                                    x           x (if it names one)
//     one that was passed unverified; identity, host_name, host_cursor: nothing
//
// Thread   pure.
// Errors   corrupt: a fact without what its kind must say, or with a field that cannot be read.
#pragma once

#include <optional>

#include "index/database.hpp"
#include "proto/base/result.hpp"
#include "relay/event_log/facts.hpp"
#include "relay/event_log/recovery.hpp"

namespace ringlay::accounts {

// `newest_seq` is that of the fact itself or, if it has none, of the last event before it. Views of
// the change point into the fact.
Result<std::optional<index::AccountChange>> change_of(const event_log::Facts& facts,
                                                      std::uint64_t newest_seq);

// Whether the row was made from events that this log does not have, so that what it says of the
// repository may be ahead of what the host will send again (design I1). Sequence numbers between
// the end that the log had at its opening and the first of this life were never given out again.
bool is_from_the_future(const index::AccountRow& row, const event_log::RecoveryReport& log);

}  // namespace ringlay::accounts
