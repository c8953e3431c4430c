// A small map on disk for what an operator has decided and what is known of hosts: keys to bytes,
// all of it in memory as well. What write() has returned from is there after a power loss; what it
// has not is there as a whole or not at all, unless it is larger than a record: then its first
// records may be there, each whole.
//
// The file is a journal: a header, then one record for each write(), with its checksum, synced
// before the next is begun. A torn last record is cut off at the next start; a wrong one with more
// behind it is an error that names the place. When the journal is more than twice as long as what
// lives, it is written anew beside, synced, and moved into its place.
//
// Owner    who opened it. One at a time has the file (the data directory's lock sees to that).
// Thread   one worker; write() waits, calls of it are put in line.
// Bound    max_rows, max_row_bytes; too_large above. max_record_bytes; what is larger is several.
// Errors   corrupt, io, no_space (the record has changed nothing then), cancelled.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "relay/env/env.hpp"

namespace ringlay::store {

using Rows = std::map<std::string, Buffer, std::less<>>;

struct RowChange {
    std::string key;
    std::optional<Buffer> value;  // nothing: erase it
};

class RowStore {
  public:
    static constexpr std::size_t max_rows = 200'000;
    static constexpr std::size_t max_row_bytes = 16 * 1024;  // key and value
    // Of a record's body that is written; one that is read may be longer.
    static constexpr std::size_t max_record_bytes = 4 << 20;
    // Journals shorter than this are not written anew.
    static constexpr std::uint64_t least_journal_bytes = 256 * 1024;

    // `why` becomes a sentence with file and offset for an operator, should it fail.
    static Result<std::unique_ptr<RowStore>> open(env::Directory directory, std::string name,
                                                  std::string& why);

    const Rows& rows() const { return rows_; }
    Result<void> write(std::span<const RowChange> changes);

    std::uint64_t journal_bytes() const { return end_; }

  private:
    RowStore(env::Directory directory, std::string name)
        : directory_(std::move(directory)), name_(std::move(name)) {}
    Result<void> read(std::string& why);
    Result<void> check(std::span<const RowChange> changes) const;
    Result<void> append(std::span<const RowChange> changes);
    Result<void> append_record(Bytes record);
    Result<void> write_anew();
    Result<std::uint64_t> write_rows(env::File& file) const;
    Result<void> sync_place();
    void apply(std::span<const RowChange> changes);

    env::Directory directory_;
    const std::string name_;
    env::File file_;
    Rows rows_;
    std::uint64_t end_ = 0;         // of the journal's last good record
    std::uint64_t live_bytes_ = 0;  // that a journal of just the rows would have
    bool is_place_synced_ = true;   // the directory knows the journal by its name
    bool is_writing_ = false;
    fiber::WaitList writers_;
};

}  // namespace ringlay::store
