#include "proto/account_status.hpp"

#include <algorithm>
#include <array>

namespace ringlay::proto {
namespace {

// A stored standing: the status in three bits, and whether the account is inactive above them. Zero
// is plainly active.
constexpr std::uint8_t status_mask = 7;
constexpr std::uint8_t inactive_bit = 8;

// By the number of the status.
constexpr std::array<std::string_view, 8> names = {
    "", "deactivated", "deleted", "takendown", "suspended", "desynchronized", "throttled", "",
};

}  // namespace

std::string_view account_status_name(AccountStatus status) {
    return names[static_cast<std::uint8_t>(status) & status_mask];
}

AccountStatus parse_account_status(std::string_view text) {
    if (text.empty()) return AccountStatus::other;
    auto at = std::ranges::find(names, text);
    if (at == names.end()) return AccountStatus::other;
    return static_cast<AccountStatus>(at - names.begin());
}

std::uint8_t AccountStanding::to_byte() const {
    auto bits = static_cast<std::uint8_t>(status);
    return is_active ? bits : static_cast<std::uint8_t>(bits | inactive_bit);
}

std::optional<AccountStanding> AccountStanding::from_byte(std::uint8_t byte) {
    if (byte > (status_mask | inactive_bit)) return std::nullopt;
    return AccountStanding{(byte & inactive_bit) == 0,
                           static_cast<AccountStatus>(byte & status_mask)};
}

AccountStanding account_standing(bool is_active, std::optional<std::string_view> status) {
    if (!status || status->empty()) {
        return {is_active, is_active ? AccountStatus::none : AccountStatus::other};
    }
    return {is_active, parse_account_status(*status)};
}

AccountStanding effective_standing(AccountStanding local, AccountStanding upstream) {
    if (local.is_plainly_active()) return upstream;
    // A word of ours for an active account (throttled) does not bring one back that is gone.
    return local.is_active && !upstream.is_active ? upstream : local;
}

}  // namespace ringlay::proto
