// What was sent about each account, in order: so that what comes out of a relay can be compared
// with what went in. An event is known by everything in it but the seq, and of an #identity but the
// handle: the relay changes these two.
//
// Owner    Host (what it sent), a consumer (what it got).
// Bound    8 bytes an event, without limit: for runs of minutes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay::bench {

class Ledger {
  public:
    using Events = std::vector<std::uint64_t>;

    void add(Bytes frame);  // what is no event is passed over

    // A line for each account: the DID, then the events as 16 hexadecimal digits.
    std::string text() const;
    // Adds the lines of a text.
    Result<void> read(std::string_view text);

    const std::unordered_map<std::string, Events>& accounts() const { return accounts_; }
    std::uint64_t event_count() const;

  private:
    std::unordered_map<std::string, Events> accounts_;
};

struct LedgerVerdict {
    std::uint64_t sent = 0;
    std::uint64_t matched = 0;       // came out once
    std::uint64_t missing = 0;       // did not come out, although an earlier one of the account did
    std::uint64_t missing_head = 0;  // before the first that came out, or of an account without any
    std::uint64_t doubled = 0;       // came out more often than it was sent
    std::uint64_t misplaced = 0;     // came out behind a later one of its account
    std::uint64_t unexpected = 0;    // of an account that is known, but was never sent
    std::uint64_t strangers = 0;     // of accounts that are not in the ledger

    bool is_exact() const { return missing + missing_head + doubled + misplaced + unexpected == 0; }
    void add(const LedgerVerdict& other);
    bool operator==(const LedgerVerdict&) const = default;
};

LedgerVerdict compare(const Ledger& sent, const Ledger& got);

}  // namespace ringlay::bench
