// Brings accounts into memory: a few fibers that ask the database, several accounts at a time, on
// the blocking pool.
//
// Owner    Shard::Core. What the context names outlives it.
// Thread   the shard's worker.
// Bound    fiber_count calls under way; what waits is an account with a parked event each.
// Errors   none: a row that cannot be read is said in the log and counts as absent.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "index/database.hpp"
#include "relay/accounts/account_table.hpp"
#include "relay/base/logger.hpp"
#include "relay/env/env.hpp"
#include "relay/event_log/log_writer.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::ingest {

class AccountLoader {
  public:
    static constexpr std::size_t fiber_count = 8;
    static constexpr std::size_t max_batch = 16;

    using OnLoaded = std::move_only_function<void(std::string_view did, const accounts::Account&)>;
    // The number of a PDS's name.
    using NumberOf = std::move_only_function<std::uint32_t(std::string_view pds_host)>;

    AccountLoader(const index::Database& database, const event_log::Log& log, base::Logger& logger,
                  NumberOf number_of, OnLoaded on_loaded);

    // Each DID once until on_loaded is called for it, in a fiber of this worker.
    void load(std::string_view did) { static_cast<void>(wanted_.push(std::string(did))); }
    void stop();

  private:
    struct Row {
        std::string did;
        Result<std::optional<index::AccountRow>> account = std::nullopt;
        Result<std::optional<index::IdentityRow>> identity = std::nullopt;
    };

    void run();
    accounts::Account account_of(const Row& row);
    void say_unreadable(const Row& row, std::string_view what, const Error& error);

    const index::Database& database_;
    const event_log::RecoveryReport& recovery_;
    base::Logger& logger_;
    base::LogLimit unreadable_{10};
    NumberOf number_of_;
    OnLoaded on_loaded_;
    fiber::Channel<std::string> wanted_;
    fiber::TaskGroup fibers_;
    bool is_stopping_ = false;
};

}  // namespace ringlay::ingest
