// Whether an account is active, and the word for why not (protocol 4.7).
//
// Two standings are kept for each account: what its host says (upstream) and what this relay's
// operator has decided (local). Consumers are told the effective one. `is_active` decides; the
// status only explains, and its set is open.
//
// Thread   pure values; one byte when stored.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace ringlay::proto {

enum class AccountStatus : std::uint8_t {
    none = 0,
    deactivated = 1,
    deleted = 2,
    takendown = 3,
    suspended = 4,
    desynchronized = 5,
    throttled = 6,
    other = 7,  // a word that is not in this list, or no word although inactive
};

// As on the wire; empty for none and other.
std::string_view account_status_name(AccountStatus status);
AccountStatus parse_account_status(std::string_view text);  // other: unknown

struct AccountStanding {
    bool is_active = true;
    AccountStatus status = AccountStatus::none;

    bool operator==(const AccountStanding&) const = default;
    bool is_plainly_active() const { return is_active && status == AccountStatus::none; }

    std::uint8_t to_byte() const;
    static std::optional<AccountStanding> from_byte(std::uint8_t byte);
};

// The standing that an event's `active` and `status` mean. Inactive without a word: other.
AccountStanding account_standing(bool is_active, std::optional<std::string_view> status);

// Local unless that is plainly active, then upstream. What the host calls inactive stays inactive.
AccountStanding effective_standing(AccountStanding local, AccountStanding upstream);

}  // namespace ringlay::proto
