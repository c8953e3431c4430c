#include "relay/store/row_store.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"

namespace ringlay::store {
namespace {

constexpr std::string_view magic = "ringlay rows 1\n\n";
constexpr std::size_t head_bytes = 8;      // checksum of the rest, size of the body
constexpr std::size_t row_head_bytes = 7;  // kind, sizes of key and value
constexpr std::uint8_t put_kind = 1;
constexpr std::uint8_t erase_kind = 2;

std::size_t row_bytes(const std::string& key, Bytes value) {
    return row_head_bytes + key.size() + value.size();
}

Bytes value_of(const RowChange& change) {
    return change.value ? Bytes(*change.value) : Bytes();
}

// A record: checksum | size | body; body: rows of kind | key size | value size | key | value.
class Record {
  public:
    Record() { begin(); }

    bool is_empty() const { return bytes_.size() == head_bytes; }
    // Whether a row of such a size goes in, too. An empty one takes any.
    bool has_room(std::size_t row_size) const {
        return is_empty() || bytes_.size() - head_bytes + row_size <= RowStore::max_record_bytes;
    }
    void put(const std::string& key, Bytes value) { add(put_kind, key, value); }
    void take_in(const RowChange& change) {
        add(change.value ? put_kind : erase_kind, change.key, value_of(change));
    }

    // Finished; the next one begins.
    Buffer take() {
        const auto size = static_cast<std::uint32_t>(bytes_.size() - head_bytes);
        std::memcpy(&bytes_.at(4), &size, sizeof size);
        const std::uint32_t checksum = crc32c(Bytes(bytes_).subspan(4));
        std::memcpy(&bytes_.at(0), &checksum, sizeof checksum);
        Buffer record = std::exchange(bytes_, {});
        begin();
        return record;
    }

  private:
    void begin() { bytes_.resize(head_bytes); }
    void add(std::uint8_t kind, const std::string& key, Bytes value) {
        bytes_.push_back(kind);
        append_le(bytes_, static_cast<std::uint16_t>(key.size()));
        append_le(bytes_, static_cast<std::uint32_t>(value.size()));
        bytes_.insert(bytes_.end(), key.begin(), key.end());
        bytes_.insert(bytes_.end(), value.begin(), value.end());
    }
    Buffer bytes_;
};

// The body of the record that begins there; nothing: there is no whole one.
std::optional<Bytes> body_at(Bytes journal, std::size_t at) {
    if (journal.size() - at < head_bytes) return std::nullopt;
    const std::size_t size = load_le<std::uint32_t>(journal, at + 4);
    if (size == 0) return std::nullopt;
    if (journal.size() - at - head_bytes < size) return std::nullopt;
    if (crc32c(journal.subspan(at + 4, 4 + size)) != load_le<std::uint32_t>(journal, at)) {
        return std::nullopt;
    }
    return journal.subspan(at + head_bytes, size);
}

std::optional<std::vector<RowChange>> decode(Bytes body) {
    std::vector<RowChange> changes;
    while (!body.empty()) {
        if (body.size() < row_head_bytes) return std::nullopt;
        const std::uint8_t kind = body[0];
        const std::size_t key_size = load_le<std::uint16_t>(body, 1);
        const std::size_t value_size = load_le<std::uint32_t>(body, 3);
        body = body.subspan(row_head_bytes);
        if (kind != put_kind && kind != erase_kind) return std::nullopt;
        if (key_size > body.size() || value_size > body.size() - key_size) return std::nullopt;
        RowChange change;
        change.key.assign(reinterpret_cast<const char*>(body.data()), key_size);
        Bytes value = body.subspan(key_size, value_size);
        if (kind == put_kind) change.value.emplace(value.begin(), value.end());
        changes.push_back(std::move(change));
        body = body.subspan(key_size + value_size);
    }
    return changes;
}

// Whether a record may begin there, by its first row: a checksum at each byte would take minutes.
bool looks_like_record(Bytes journal, std::size_t at) {
    if (journal.size() - at < head_bytes + row_head_bytes) return false;
    const std::uint64_t size = load_le<std::uint32_t>(journal, at + 4);
    const std::uint8_t kind = journal[at + head_bytes];
    const std::uint64_t key_size = load_le<std::uint16_t>(journal, at + head_bytes + 1);
    const std::uint64_t value_size = load_le<std::uint32_t>(journal, at + head_bytes + 3);
    return (kind == put_kind || kind == erase_kind) &&
           row_head_bytes + key_size + value_size <= size;
}

bool has_record_behind(Bytes journal, std::size_t at) {
    for (std::size_t i = at + 1; i + head_bytes <= journal.size(); ++i) {
        if (looks_like_record(journal, i) && body_at(journal, i)) return true;
    }
    return false;
}

std::string place(const env::Directory& directory, const std::string& name) {
    return directory.path() + "/" + name;
}

}  // namespace

Result<std::unique_ptr<RowStore>> RowStore::open(env::Directory directory, std::string name,
                                                 std::string& why) {
    std::unique_ptr<RowStore> store(new RowStore(std::move(directory), std::move(name)));
    if (auto done = store->read(why); !done) {
        if (why.empty()) {
            why = place(store->directory_, store->name_);
            why.append(": ").append(done.error().what);
        }
        return std::unexpected(done.error());
    }
    return store;
}

Result<void> RowStore::read(std::string& why) {
    auto opened = directory_.open(name_, env::OpenMode::write);
    if (!opened && opened.error().code == Errc::not_found) return write_anew();
    if (!opened) return std::unexpected(opened.error());
    file_ = std::move(*opened);
    auto size = file_.size_bytes();
    if (!size) return std::unexpected(size.error());
    Buffer journal(*size);
    auto got = file_.read_at(0, journal);
    if (!got) return std::unexpected(got.error());
    journal.resize(*got);

    auto corrupt = [&](std::size_t at, std::string_view what) -> Result<void> {
        why = place(directory_, name_) + ": " + std::string(what) + " at byte " +
              std::to_string(at) + "; restore the file, or move it away to begin without it";
        return fail(Errc::corrupt, "rows: not as they were written");
    };
    Bytes bytes(journal);
    if (bytes.size() < magic.size() ||
        !std::ranges::equal(bytes.first(magic.size()), magic, {}, {},
                            [](char c) { return static_cast<std::uint8_t>(c); })) {
        return corrupt(0, "not a file of rows");
    }
    end_ = magic.size();
    while (end_ < bytes.size()) {
        auto body = body_at(bytes, end_);
        if (!body) {
            if (has_record_behind(bytes, end_)) return corrupt(end_, "a broken record");
            return file_.truncate(end_);  // the last one was on its way when the power went
        }
        auto changes = decode(*body);
        if (!changes) return corrupt(end_, "a record of another version");
        apply(*changes);
        end_ += head_bytes + body->size();
    }
    return {};
}

Result<void> RowStore::check(std::span<const RowChange> changes) const {
    std::size_t added = 0;
    for (const RowChange& change : changes) {
        const std::size_t size = change.key.size() + (change.value ? change.value->size() : 0);
        if (size > max_row_bytes) return fail(Errc::too_large, "rows: one is too large");
        if (change.value && !rows_.contains(change.key)) ++added;
    }
    if (rows_.size() + added > max_rows) return fail(Errc::too_large, "rows: too many");
    return {};
}

Result<void> RowStore::write(std::span<const RowChange> changes) {
    if (changes.empty()) return {};
    // In the order of the calls: what was made of rows earlier must not be written behind what came
    // later. So the turn is handed on, and nobody gets in between.
    if (is_writing_) {
        auto turn = writers_.wait("its turn to write rows", Deadline::never());
        if (!turn) return turn;
    }
    is_writing_ = true;
    // What has been begun is brought to its end: a cancelled fiber must not leave half a record.
    fiber::CancelBlocker blocker;
    Result<void> done = check(changes);
    if (done) done = append(changes);
    if (done && end_ > least_journal_bytes && end_ > 2 * live_bytes_) {
        // Should it fail, the old journal is as good as before.
        static_cast<void>(write_anew());
    }
    if (writers_.empty()) {
        is_writing_ = false;
    } else {
        writers_.wake_one();
    }
    return done;
}

Result<void> RowStore::append(std::span<const RowChange> changes) {
    Record record;
    std::size_t first = 0;  // of the record
    auto finish = [&](std::size_t end) -> Result<void> {
        auto done = append_record(record.take());
        if (done) apply(changes.subspan(first, end - first));
        first = end;
        return done;
    };
    for (std::size_t i = 0; i < changes.size(); ++i) {
        const RowChange& change = changes[i];
        if (!record.has_room(row_bytes(change.key, value_of(change)))) {
            if (auto done = finish(i); !done) return done;
        }
        record.take_in(change);
    }
    return finish(changes.size());
}

Result<void> RowStore::append_record(Bytes record) {
    auto written = sync_place();
    if (written) written = file_.write_at(end_, record);
    if (written) written = file_.sync();
    if (!written) {
        // A part of it may be there; the next one is written over it.
        static_cast<void>(file_.truncate(end_));
        return written;
    }
    end_ += record.size();
    return {};
}

Result<void> RowStore::write_anew() {
    const std::string fresh = name_ + ".new";
    static_cast<void>(directory_.remove(fresh));
    auto file = directory_.open(fresh, env::OpenMode::create);
    if (!file) return std::unexpected(file.error());
    auto written = write_rows(*file);
    if (!written) return std::unexpected(written.error());
    auto done = file->sync();
    if (done) done = directory_.rename(fresh, name_);
    if (!done) return done;
    file_ = std::move(*file);
    end_ = *written;
    is_place_synced_ = false;
    return sync_place();
}

// Returns how long the journal is.
Result<std::uint64_t> RowStore::write_rows(env::File& file) const {
    std::uint64_t end = 0;
    auto write = [&](Bytes bytes) {
        auto done = file.write_at(end, bytes);
        end += bytes.size();
        return done;
    };
    auto done = write(Buffer(magic.begin(), magic.end()));
    Record record;
    for (const auto& [key, value] : rows_) {
        if (done && !record.has_room(row_bytes(key, value))) done = write(record.take());
        if (!done) return std::unexpected(done.error());
        record.put(key, value);
    }
    if (done && !record.is_empty()) done = write(record.take());
    if (!done) return std::unexpected(done.error());
    return end;
}

// Until the new journal is sure to have the name, nothing that is only in it may be promised.
Result<void> RowStore::sync_place() {
    if (is_place_synced_) return {};
    auto done = directory_.sync();
    is_place_synced_ = done.has_value();
    return done;
}

void RowStore::apply(std::span<const RowChange> changes) {
    for (const RowChange& change : changes) {
        auto found = rows_.find(change.key);
        if (found != rows_.end()) {
            live_bytes_ -= row_bytes(change.key, found->second);
            rows_.erase(found);
        }
        if (!change.value) continue;
        live_bytes_ += row_bytes(change.key, *change.value);
        rows_.emplace(change.key, *change.value);
    }
}

}  // namespace ringlay::store
