#include "relay/ingest/identity_writer.hpp"

namespace ringlay::ingest {

IdentityWriter::IdentityWriter(index::Database& database, base::Logger& logger)
    : database_(database),
      logger_(logger),
      task_(fiber::spawn("writes identities", [this] { run(); })) {}

void IdentityWriter::put(std::string_view did, const index::IdentityRow& row) {
    if (waiting_.size() >= max_waiting) return;
    waiting_.push_back({std::string(did), row});
    has_rows_.set();
}

void IdentityWriter::stop() {
    task_.cancel_and_join();
}

void IdentityWriter::run() {
    bool goes_on = true;
    while (goes_on) {
        goes_on = has_rows_.wait().has_value() && fiber::sleep_for(gathers_for).has_value();
        has_rows_.reset();
        if (!waiting_.empty()) write();
    }
}

void IdentityWriter::write() {
    std::vector<index::Database::Named> rows = std::exchange(waiting_, {});
    auto written = fiber::blocking(
        [&](MayBlock may_block) { return database_.put_identities(may_block, rows); });
    if (written) return;
    logger_.log(failures_, base::LogLevel::warn, static_cast<std::uint64_t>(fiber::wall().count()),
                "identities not written",
                {{"rows", rows.size()}, {"reason", written.error().what}});
}

}  // namespace ringlay::ingest
