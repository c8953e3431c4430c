// Writes identities that were looked up to the database, some at a time, so that a restart knows
// them. It is a cache: what cannot be written is looked up again one day.
//
// Owner    Shard::Core. Database and logger outlive it.
// Thread   the shard's worker; the database is called on the blocking pool.
// Bound    max_waiting rows; those beyond are not written.
#pragma once

#include <string_view>
#include <vector>

#include "index/database.hpp"
#include "relay/base/logger.hpp"
#include "relay/fiber/fiber.hpp"

namespace ringlay::ingest {

class IdentityWriter {
  public:
    static constexpr std::size_t max_waiting = 16 * 1024;
    static constexpr Nanos gathers_for = std::chrono::milliseconds(20);

    IdentityWriter(index::Database& database, base::Logger& logger);

    void put(std::string_view did, const index::IdentityRow& row);
    void stop();  // writes what is there

  private:
    void run();
    void write();

    index::Database& database_;
    base::Logger& logger_;
    base::LogLimit failures_{3};
    std::vector<index::Database::Named> waiting_;
    fiber::Event has_rows_;
    fiber::Task task_;
};

}  // namespace ringlay::ingest
