#include "proto/account_status.hpp"

#include <catch2/catch.hpp>
#include <string>

using namespace ringlay::proto;

TEST_CASE("the six words of the protocol are read and written alike; any other word is other") {
    const struct {
        std::string_view text;
        AccountStatus status;
    } words[] = {
        {"deactivated", AccountStatus::deactivated},
        {"deleted", AccountStatus::deleted},
        {"takendown", AccountStatus::takendown},
        {"suspended", AccountStatus::suspended},
        {"throttled", AccountStatus::throttled},
        {"desynchronized", AccountStatus::desynchronized},
    };
    for (const auto& word : words) {
        CAPTURE(std::string(word.text));
        CHECK(parse_account_status(word.text) == word.status);
        CHECK(account_status_name(word.status) == word.text);
    }
    CHECK(account_status_name(AccountStatus::none).empty());
    CHECK(account_status_name(AccountStatus::other).empty());
    for (std::string_view text : {"", "Deleted", "deleted ", "delete", "active", "none", "other"}) {
        CAPTURE(std::string(text));
        CHECK(parse_account_status(text) == AccountStatus::other);
    }
}

TEST_CASE("every standing comes back from its byte, plainly active is zero, no other byte is one") {
    CHECK(AccountStanding{}.to_byte() == 0);
    for (unsigned byte = 0; byte < 256; ++byte) {
        CAPTURE(byte);
        auto standing = AccountStanding::from_byte(static_cast<std::uint8_t>(byte));
        REQUIRE(standing.has_value() == (byte < 16));
        if (standing) CHECK(standing->to_byte() == byte);
    }
    for (bool is_active : {true, false}) {
        for (std::uint8_t status = 0; status < 8; ++status) {
            AccountStanding standing{is_active, static_cast<AccountStatus>(status)};
            CHECK(AccountStanding::from_byte(standing.to_byte()) == standing);
        }
    }
}

TEST_CASE("active decides; a status only explains, and inactive is never without one") {
    CHECK(account_standing(true, std::nullopt) == AccountStanding{});
    CHECK(account_standing(true, "") == AccountStanding{});
    CHECK(account_standing(true, "throttled") == AccountStanding{true, AccountStatus::throttled});
    CHECK(account_standing(true, "deleted").is_active);
    CHECK(account_standing(true, "napping") == AccountStanding{true, AccountStatus::other});
    CHECK(account_standing(false, "deleted") == AccountStanding{false, AccountStatus::deleted});
    for (std::optional<std::string_view> status :
         {std::optional<std::string_view>(), {""}, {"x"}}) {
        CHECK(account_standing(false, status) == AccountStanding{false, AccountStatus::other});
    }
}

TEST_CASE("only an active account without a word is plainly active") {
    CHECK(AccountStanding{}.is_plainly_active());
    CHECK_FALSE(AccountStanding{true, AccountStatus::throttled}.is_plainly_active());
    CHECK_FALSE(AccountStanding{false, AccountStatus::none}.is_plainly_active());
    CHECK_FALSE(AccountStanding{false, AccountStatus::deleted}.is_plainly_active());
}

TEST_CASE("the effective standing is ours where we have one, else the host's") {
    const AccountStanding active, taken_down{false, AccountStatus::takendown};
    const AccountStanding deleted{false, AccountStatus::deleted};
    const AccountStanding throttled{true, AccountStatus::throttled};
    const AccountStanding out_of_sync{true, AccountStatus::desynchronized};
    CHECK(effective_standing(active, active) == active);
    CHECK(effective_standing(active, deleted) == deleted);
    CHECK(effective_standing(active, out_of_sync) == out_of_sync);
    CHECK(effective_standing(taken_down, active) == taken_down);
    CHECK(effective_standing(taken_down, deleted) == taken_down);
    CHECK(effective_standing(throttled, active) == throttled);
    CHECK(effective_standing(throttled, out_of_sync) == throttled);
    CHECK(effective_standing(throttled, deleted) == deleted);  // never active again by our word
}
