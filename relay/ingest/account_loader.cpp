#include "relay/ingest/account_loader.hpp"

#include <limits>

#include "relay/accounts/fold.hpp"

namespace ringlay::ingest {

using accounts::Account;

AccountLoader::AccountLoader(const index::Database& database, const event_log::Log& log,
                             base::Logger& logger, NumberOf number_of, OnLoaded on_loaded)
    : database_(database),
      recovery_(log.recovery()),
      logger_(logger),
      number_of_(std::move(number_of)),
      on_loaded_(std::move(on_loaded)),
      wanted_(std::numeric_limits<std::size_t>::max()) {
    for (std::size_t i = 0; i < fiber_count; ++i) {
        fibers_.spawn("loads accounts", [this] { run(); });
    }
}

void AccountLoader::stop() {
    is_stopping_ = true;
    fibers_.cancel_and_join();
}

void AccountLoader::run() {
    while (!is_stopping_) {
        auto first = wanted_.pop();
        if (!first || is_stopping_) return;
        std::vector<Row> rows;
        rows.emplace_back().did = std::move(*first);
        while (wanted_.size() > 0 && rows.size() < max_batch) {
            rows.emplace_back().did = std::move(*wanted_.pop());
        }
        fiber::blocking([&](MayBlock may_block) {
            for (Row& row : rows) {
                row.account = database_.account(may_block, row.did);
                row.identity = database_.identity(may_block, row.did);
            }
        });
        if (is_stopping_) return;
        for (const Row& row : rows) on_loaded_(row.did, account_of(row));
    }
}

Account AccountLoader::account_of(const Row& row) {
    Account account;
    if (!row.account) {
        say_unreadable(row, "account", row.account.error());
    } else if (const auto& its = *row.account) {
        account.host_id = its->host_id;
        account.local = its->local;
        account.upstream = its->upstream;
        // What it said of the repository would make the host's repeats look old (design I1).
        if (!accounts::is_from_the_future(*its, recovery_)) {
            account.rev = its->repo.rev;
            account.data = its->repo.data;
        }
    }
    if (!row.identity) {
        say_unreadable(row, "identity", row.identity.error());
    } else if (const auto& its = *row.identity) {
        account.key = its->key;
        account.pds = number_of_(its->pds_host);
        account.asked_ms = its->fetched_ms;
    }
    return account;
}

void AccountLoader::say_unreadable(const Row& row, std::string_view what, const Error& error) {
    logger_.log(unreadable_, base::LogLevel::error,
                static_cast<std::uint64_t>(fiber::wall().count()), "row cannot be read",
                {{"row", what}, {"did", row.did}, {"reason", error.what}});
}

}  // namespace ringlay::ingest
