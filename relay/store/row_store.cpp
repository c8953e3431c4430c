#include "relay/store/row_store.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"

namespace ringlay::store {
namespace {

constexpr std::string_view magic = "ringlay rows 1\n\n";
constexpr std::size_t head_bytes = 8;      // checksum of the rest, size of the body
constexpr std::size_t row_head_bytes = 7;  // kind, sizes of key and value
constexpr std::size_t max_record_bytes = 64 << 20;
constexpr std::uint8_t put_kind = 1;
constexpr std::uint8_t erase_kind = 2;

std::uint64_t row_bytes(const std::string& key, const Buffer& value) {
    return row_head_bytes + key.size() + value.size();
}

// checksum | size | body; body: rows of kind | key size | value size | key | value.
Buffer encode(std::span<const RowChange> changes) {
    Buffer body;
    for (const RowChange& change : changes) {
        body.push_back(change.value ? put_kind : erase_kind);
        append_le(body, static_cast<std::uint16_t>(change.key.size()));
        append_le(body, static_cast<std::uint32_t>(change.value ? change.value->size() : 0));
        body.insert(body.end(), change.key.begin(), change.key.end());
        if (change.value) body.insert(body.end(), change.value->begin(), change.value->end());
    }
    Buffer sized;
    append_le(sized, static_cast<std::uint32_t>(body.size()));
    sized.insert(sized.end(), body.begin(), body.end());
    Buffer record;
    append_le(record, crc32c(sized));
    record.insert(record.end(), sized.begin(), sized.end());
    return record;
}

// The body of the record that begins there; nothing: there is no whole one.
std::optional<Bytes> body_at(Bytes journal, std::size_t at) {
    if (journal.size() - at < head_bytes) return std::nullopt;
    const std::size_t size = load_le<std::uint32_t>(journal, at + 4);
    if (size == 0 || size > max_record_bytes) return std::nullopt;
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

bool has_record_behind(Bytes journal, std::size_t at) {
    for (std::size_t i = at + 1; i + head_bytes <= journal.size(); ++i) {
        if (body_at(journal, i)) return true;
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
    while (is_writing_) {
        auto turn = writers_.wait("its turn to write rows", Deadline::never());
        if (!turn) return turn;
    }
    is_writing_ = true;
    // What has been begun is brought to its end: a cancelled fiber must not leave half a record.
    fiber::CancelBlocker blocker;
    Result<void> done = check(changes);
    if (done) done = append(encode(changes));
    if (done) apply(changes);
    if (done && end_ > least_journal_bytes && end_ > 2 * live_bytes_) {
        // Should it fail, the old journal is as good as before.
        static_cast<void>(write_anew());
    }
    is_writing_ = false;
    writers_.wake_one();
    return done;
}

Result<void> RowStore::append(Bytes record) {
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
    Buffer journal(magic.begin(), magic.end());
    std::vector<RowChange> changes;
    for (const auto& [key, value] : rows_) changes.push_back({key, value});
    if (!changes.empty()) {
        const Buffer record = encode(changes);
        journal.insert(journal.end(), record.begin(), record.end());
    }
    auto done = file->write_at(0, Bytes(journal));
    if (done) done = file->sync();
    if (done) done = directory_.rename(fresh, name_);
    if (!done) return done;
    file_ = std::move(*file);
    end_ = journal.size();
    is_place_synced_ = false;
    return sync_place();
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
