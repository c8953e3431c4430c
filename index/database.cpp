#include "index/database.hpp"

#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "index/packed_did.hpp"
#include "index/rows.hpp"
#include "proto/base/assert.hpp"

namespace ringlay::index {
namespace {

// The families, in the order in which they are opened. `default` has one row, the state (rows.hpp);
// `host` has a count (u64) for the number of each host that has accounts (u32, big-endian).
enum Family : std::size_t { meta, accounts, identities, hosts, family_count };
constexpr std::array<const char*, family_count> family_names = {"default", "account", "identity",
                                                                "host"};
constexpr const char* state_key = "state";

constexpr std::uint64_t compaction_bytes_per_s = 40 << 20;
constexpr std::uint64_t target_file_bytes = 32 << 20;

rocksdb::Slice slice(Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes bytes_of(const rocksdb::Slice& slice) {
    return {reinterpret_cast<const std::uint8_t*>(slice.data()), slice.size()};
}

Errc code_of(const rocksdb::Status& status) {
    if (status.IsNoSpace()) return Errc::no_space;
    if (status.IsCorruption()) return Errc::corrupt;
    if (status.IsNotSupported()) return Errc::unsupported;
    return Errc::io;
}

// RocksDB has no code for it, only words, which differ between its environments.
bool is_locked_by_another(const rocksdb::Status& status) {
    if (!status.IsIOError()) return false;
    const std::string text = status.ToString();
    auto says = [&](std::string_view words) { return text.find(words) != text.npos; };
    return says("While lock file") || says("lock hold by current process") ||
           says("lock is already held");
}

rocksdb::CompressionType best_compression() {
    const auto supported = rocksdb::GetSupportedCompressions();
    for (auto type : {rocksdb::kZSTD, rocksdb::kLZ4Compression}) {
        if (std::ranges::find(supported, type) != supported.end()) return type;
    }
    return rocksdb::kNoCompression;
}

rocksdb::DBOptions database_options(const Options& options) {
    rocksdb::DBOptions db;
    if (options.env != nullptr) db.env = options.env;
    db.create_if_missing = true;
    db.create_missing_column_families = true;
    db.atomic_flush = true;
    db.avoid_flush_during_shutdown = true;
    db.max_background_jobs = 2;
    db.max_open_files = 512;
    db.max_file_opening_threads = 1;
    db.bytes_per_sync = 1 << 20;  // also: without it Debian's RocksDB aborts on a full disk
    db.max_manifest_file_size = 4 << 20;
    db.info_log_level = rocksdb::WARN_LEVEL;
    db.max_log_file_size = 1 << 20;
    db.keep_log_file_num = 2;
    db.stats_dump_period_sec = 0;
    db.stats_persist_period_sec = 0;
    if (options.compacts_by_itself) {
        db.write_buffer_manager =
            std::make_shared<rocksdb::WriteBufferManager>(options.write_buffer_bytes);
        db.rate_limiter.reset(
            rocksdb::NewGenericRateLimiter(static_cast<std::int64_t>(compaction_bytes_per_s)));
    }
    return db;
}

rocksdb::ColumnFamilyOptions family_options(const Options& options,
                                            std::shared_ptr<rocksdb::Cache> cache, bool has_bloom) {
    rocksdb::ColumnFamilyOptions family;
    // Only all families together have a bound: the manager's, or apply() looks after it.
    family.write_buffer_size =
        options.compacts_by_itself
            ? options.write_buffer_bytes
            : std::max<std::uint64_t>(options.write_buffer_bytes * 4, 1 << 20);
    family.arena_block_size = 128 << 10;
    family.max_write_buffer_number = 4;
    family.level0_file_num_compaction_trigger = 16;
    family.level0_slowdown_writes_trigger = 64;
    family.level0_stop_writes_trigger = 128;
    family.level_compaction_dynamic_level_bytes = true;
    family.target_file_size_base = target_file_bytes;
    family.compression = best_compression();
    family.disable_auto_compactions = !options.compacts_by_itself;
    family.optimize_filters_for_hits = has_bloom;

    rocksdb::BlockBasedTableOptions table;
    table.block_cache = std::move(cache);
    table.block_size = 16 << 10;
    table.cache_index_and_filter_blocks = true;
    table.format_version = 5;
    if (has_bloom) table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    return family;
}

// One writer, any number of readers that never wait.
class SharedLogPoint {
  public:
    void store(const LogPoint& point) {
        version_.fetch_add(1);
        const std::array<std::uint64_t, 4> words = {point.log_id, point.segment_base,
                                                    point.facts_offset, point.seq};
        for (std::size_t i = 0; i < words.size(); ++i) words_[i].store(words[i]);
        version_.fetch_add(1);
    }

    LogPoint load() const {
        for (;;) {
            const std::uint64_t version = version_.load();
            LogPoint point{words_[0].load(), words_[1].load(), words_[2].load(), words_[3].load()};
            if (version % 2 == 0 && version_.load() == version) return point;
        }
    }

  private:
    std::atomic<std::uint64_t> version_{0};  // odd: being written
    std::array<std::atomic<std::uint64_t>, 4> words_{};
};

// An account that a batch speaks of.
struct Touched {
    std::string_view did;
    std::string key;
    std::optional<AccountRow> before;
    AccountRow after;
};

void take(AccountRow& row, const AccountChange& change) {
    row.last_seq = std::max(row.last_seq, change.seq);
    if (change.host_id != 0) row.host_id = change.host_id;
    if (change.repo && change.repo->rev >= row.repo.rev) row.repo = *change.repo;
    if (change.local) row.local = *change.local;
    if (change.upstream) row.upstream = *change.upstream;
}

// The host that an account counts for; 0: none.
std::uint32_t counted_host(const AccountRow& row) {
    const bool is_deleted =
        !row.upstream.is_active && row.upstream.status == proto::AccountStatus::deleted;
    return is_deleted ? 0 : row.host_id;
}

std::array<char, 4> host_key(std::uint32_t host_id) {
    std::array<char, 4> key{};
    for (std::size_t i = 0; i < key.size(); ++i) {
        key[i] = static_cast<char>(static_cast<std::uint8_t>(host_id >> (24 - 8 * i)));
    }
    return key;
}

using HostCounts = std::map<std::uint32_t, std::uint64_t>;

}  // namespace

struct Database::Core {
    std::shared_ptr<rocksdb::Cache> cache;
    bool compacts_by_itself = true;
    std::uint64_t write_buffer_bytes = 0;
    std::unique_ptr<rocksdb::DB> db;
    std::vector<rocksdb::ColumnFamilyHandle*> families;  // by Family

    // Of apply() alone. They change when its batch is written, not before.
    State state;
    HostCounts host_counts;

    SharedLogPoint applied;
    SharedLogPoint flushed;
    std::atomic<bool> has_failed{false};  // RocksDB takes no writes until it is resumed
    std::atomic<std::uint64_t> unflushed_bytes{0};
    std::atomic<std::uint64_t> account_count{0}, identity_count{0}, disk_bytes{0}, memory_bytes{0};

    ~Core();
    Result<void> open(const Options& options);
    Result<void> load();
    Result<HostCounts> read_host_counts() const;
    Result<std::vector<Touched>> rows_of(std::span<const AccountChange> changes) const;
    Result<void> resume();
    Result<void> write(rocksdb::WriteBatch& batch);
    Result<void> flush();
    Result<void> failed(const rocksdb::Status& status, std::string_view what);
    bool is_state_flushed() const;
    void flush_if_full();
    void measure();
};

Database::Core::~Core() {
    if (!db) return;
    for (auto* family : families) db->DestroyColumnFamilyHandle(family);
    db->Close();
}

Result<void> Database::Core::open(const Options& options) {
    compacts_by_itself = options.compacts_by_itself;
    write_buffer_bytes = options.write_buffer_bytes;
    cache = rocksdb::NewLRUCache(options.block_cache_bytes);
    const auto plain = family_options(options, cache, false);
    std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
    for (const char* name : family_names) {
        const bool has_bloom = name == family_names[accounts];
        wanted.emplace_back(name, has_bloom ? family_options(options, cache, true) : plain);
    }
    // A newer format may have more families, and RocksDB opens all or nothing. What cannot be
    // listed does not exist yet, or fails below with its reason.
    const auto db_options = database_options(options);
    std::vector<std::string> existing;
    rocksdb::DB::ListColumnFamilies(db_options, options.path, &existing).PermitUncheckedError();
    for (const std::string& name : existing) {
        if (std::ranges::find(family_names, name) == family_names.end()) {
            wanted.emplace_back(name, plain);
        }
    }

    rocksdb::DB* opened = nullptr;
    auto status = rocksdb::DB::Open(db_options, options.path, wanted, &families, &opened);
    if (is_locked_by_another(status)) return fail(Errc::busy, "index: open in another process");
    if (!status.ok()) return fail(code_of(status), "index: cannot be opened");
    db.reset(opened);
    return load();
}

Result<void> Database::Core::load() {
    std::string value;
    auto status = db->Get({}, families[meta], state_key, &value);
    if (status.IsNotFound()) {
        std::unique_ptr<rocksdb::Iterator> any(db->NewIterator({}, families[accounts]));
        any->SeekToFirst();
        if (any->Valid()) return fail(Errc::corrupt, "index: accounts without a state");
        if (!any->status().ok()) return fail(code_of(any->status()), "index: cannot be read");
        const Buffer fresh = encode(state);
        rocksdb::WriteBatch batch;
        batch.Put(families[meta], state_key, slice(fresh));
        if (auto written = write(batch); !written) return written;
    } else if (!status.ok()) {
        return fail(code_of(status), "index: state cannot be read");
    } else {
        auto stored = decode_state(bytes_of(value));
        if (!stored) return std::unexpected(stored.error());
        state = *stored;
    }
    if (families.size() != family_count) return fail(Errc::unsupported, "index: unknown families");
    auto counts = read_host_counts();
    if (!counts) return std::unexpected(counts.error());
    host_counts = std::move(*counts);
    applied.store(state.applied);
    flushed.store(state.applied);
    account_count.store(state.accounts);
    measure();
    return {};
}

Result<HostCounts> Database::Core::read_host_counts() const {
    HostCounts counts;
    std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}, families[hosts]));
    for (at->SeekToFirst(); at->Valid(); at->Next()) {
        if (at->key().size() != sizeof(std::uint32_t) ||
            at->value().size() != sizeof(std::uint64_t)) {
            return fail(Errc::corrupt, "index: count of a host");
        }
        std::uint32_t host_id = 0;
        for (std::uint8_t byte : bytes_of(at->key())) host_id = host_id << 8 | byte;
        counts[host_id] = load_le<std::uint64_t>(bytes_of(at->value()), 0);
    }
    if (!at->status().ok()) return fail(code_of(at->status()), "index: hosts cannot be read");
    return counts;
}

// The accounts of a batch, each once, in the order of their keys, as they are in the database.
Result<std::vector<Touched>> Database::Core::rows_of(std::span<const AccountChange> changes) const {
    std::vector<Touched> touched;
    touched.reserve(changes.size());
    for (const auto& change : changes) {
        touched.push_back({change.did, pack_did(change.did), std::nullopt, {}});
    }
    std::ranges::sort(touched, {}, &Touched::key);
    const auto same = std::ranges::unique(touched, {}, &Touched::key);
    touched.erase(same.begin(), same.end());

    std::vector<rocksdb::Slice> keys;
    keys.reserve(touched.size());
    for (const auto& account : touched) keys.emplace_back(account.key);
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db->MultiGet({}, families[accounts], keys.size(), keys.data(), values.data(), statuses.data(),
                 true);
    for (std::size_t i = 0; i < touched.size(); ++i) {
        if (statuses[i].IsNotFound()) continue;
        if (!statuses[i].ok()) return fail(code_of(statuses[i]), "index: account cannot be read");
        auto row = decode_account(bytes_of(values[i]));
        if (!row) return std::unexpected(row.error());
        touched[i].before = touched[i].after = *row;
    }
    return touched;
}

Result<void> Database::Core::failed(const rocksdb::Status& status, std::string_view what) {
    has_failed.store(true);
    return fail(code_of(status), what);
}

Result<void> Database::Core::resume() {
    if (!has_failed.load()) return {};
    if (auto status = db->Resume(); !status.ok()) {
        // While it resumes by itself it says no more than busy: its reason was a full disk.
        return fail(status.IsBusy() ? Errc::no_space : code_of(status), "index: takes no writes");
    }
    has_failed.store(false);
    return {};
}

Result<void> Database::Core::write(rocksdb::WriteBatch& batch) {
    if (auto resumed = resume(); !resumed) return resumed;
    rocksdb::WriteOptions options;
    options.disableWAL = true;
    if (auto status = db->Write(options, &batch); !status.ok()) {
        return failed(status, "index: cannot be written");
    }
    unflushed_bytes.fetch_add(batch.GetDataSize());
    return {};
}

Result<void> Database::Core::flush() {
    const LogPoint point = applied.load();  // or later ones: never less than what is flushed
    if (auto resumed = resume(); !resumed) return resumed;
    rocksdb::FlushOptions options;
    options.wait = true;
    options.allow_write_stall = true;
    unflushed_bytes.store(0);
    if (auto status = db->Flush(options, families); !status.ok()) {
        return failed(status, "index: cannot be flushed");
    }
    // Once it has recovered from a full disk, RocksDB 7.8 says that it has flushed while it is
    // still at it. This waits for what is under way.
    if (!is_state_flushed()) {
        db->PauseBackgroundWork().PermitUncheckedError();
        db->ContinueBackgroundWork().PermitUncheckedError();
        if (!is_state_flushed()) {
            has_failed.store(true);
            return fail(Errc::no_space, "index: flushed in vain");
        }
    }
    flushed.store(point);
    measure();
    return {};
}

// The state is part of every batch of apply(), and all families are flushed together.
bool Database::Core::is_state_flushed() const {
    using Properties = rocksdb::DB::Properties;
    for (const auto& property :
         {Properties::kNumEntriesActiveMemTable, Properties::kNumImmutableMemTable}) {
        std::uint64_t value = 0;
        if (!db->GetIntProperty(families[meta], property, &value) || value != 0) return false;
    }
    return true;
}

// Stands in for the write buffer manager where no thread may begin to flush. By what was written,
// which the same history always repeats, unlike the memory that RocksDB takes for it (about twice
// as much). The rows are applied already: whether this succeeds is seen by the next flush().
void Database::Core::flush_if_full() {
    if (compacts_by_itself || unflushed_bytes.load() < write_buffer_bytes / 2) return;
    static_cast<void>(flush());
}

void Database::Core::measure() {
    using Properties = rocksdb::DB::Properties;
    auto sum = [&](const std::string& property) {
        std::uint64_t value = 0;
        return db->GetAggregatedIntProperty(property, &value) ? value : 0;
    };
    std::uint64_t estimate = 0;
    db->GetIntProperty(families[identities], Properties::kEstimateNumKeys, &estimate);
    identity_count.store(estimate);
    disk_bytes.store(sum(Properties::kTotalSstFilesSize));
    memory_bytes.store(sum(Properties::kCurSizeAllMemTables) +
                       sum(Properties::kEstimateTableReadersMem) + cache->GetUsage());
}

Database::Database(std::unique_ptr<Core> core) : core_(std::move(core)) {}

Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::open(MayBlock, const Options& options) {
    auto core = std::make_unique<Core>();
    if (auto opened = core->open(options); !opened) return std::unexpected(opened.error());
    return std::unique_ptr<Database>(new Database(std::move(core)));
}

Result<void> Database::apply(MayBlock, std::span<const AccountChange> changes,
                             const LogPoint& point) {
    auto found = core_->rows_of(changes);
    if (!found) return std::unexpected(found.error());
    std::vector<Touched>& touched = *found;
    std::unordered_map<std::string_view, AccountRow*> rows;
    rows.reserve(touched.size());
    for (auto& account : touched) rows[account.did] = &account.after;
    for (const auto& change : changes) take(*rows.find(change.did)->second, change);

    rocksdb::WriteBatch batch;
    State state = core_->state;
    state.applied = point;
    HostCounts counts;  // those that change
    auto count_of = [&](std::uint32_t host_id) -> std::uint64_t& {
        const auto old = core_->host_counts.find(host_id);
        return counts.emplace(host_id, old == core_->host_counts.end() ? 0 : old->second)
            .first->second;
    };
    for (const auto& account : touched) {
        if (account.before == account.after) continue;
        const std::uint32_t was = account.before ? counted_host(*account.before) : 0;
        const std::uint32_t is = counted_host(account.after);
        if (was != is && was != 0) {
            if (count_of(was) == 0) return fail(Errc::corrupt, "index: counts and rows disagree");
            --count_of(was);
        }
        if (was != is && is != 0) ++count_of(is);
        if (!account.before) ++state.accounts;
        batch.Put(core_->families[accounts], account.key, slice(encode(account.after)));
    }
    for (const auto& [host_id, count] : counts) {
        const auto key = host_key(host_id);
        Buffer value;
        append_le(value, count);
        batch.Put(core_->families[hosts], {key.data(), key.size()}, slice(value));
    }
    batch.Put(core_->families[meta], state_key, slice(encode(state)));
    if (auto written = core_->write(batch); !written) return written;

    core_->state = state;
    for (const auto& [host_id, count] : counts) core_->host_counts[host_id] = count;
    core_->applied.store(point);
    core_->account_count.store(state.accounts);
    core_->flush_if_full();
    return {};
}

Result<void> Database::flush(MayBlock) {
    return core_->flush();
}

LogPoint Database::applied() const {
    return core_->applied.load();
}

LogPoint Database::flushed() const {
    return core_->flushed.load();
}

Result<std::optional<AccountRow>> Database::account(MayBlock, std::string_view did) const {
    rocksdb::PinnableSlice value;
    auto status = core_->db->Get({}, core_->families[accounts], pack_did(did), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return fail(code_of(status), "index: account cannot be read");
    auto row = decode_account(bytes_of(value));
    if (!row) return std::unexpected(row.error());
    return *row;
}

Result<std::vector<Database::Listed>> Database::list_accounts(MayBlock, std::string_view after,
                                                              std::size_t limit) const {
    limit = std::min(limit, max_page);
    std::vector<Listed> page;
    page.reserve(limit);
    const std::string after_key = pack_did(after);
    std::unique_ptr<rocksdb::Iterator> at(core_->db->NewIterator({}, core_->families[accounts]));
    at->Seek(after_key);
    if (at->Valid() && at->key() == after_key) at->Next();
    for (; at->Valid() && page.size() < limit; at->Next()) {
        auto did = unpack_did(at->key().ToStringView());
        if (!did) return std::unexpected(did.error());
        auto row = decode_account(bytes_of(at->value()));
        if (!row) return std::unexpected(row.error());
        page.push_back({std::move(*did), *row});
    }
    if (!at->status().ok()) return fail(code_of(at->status()), "index: accounts cannot be read");
    return page;
}

Result<std::map<std::uint32_t, std::uint64_t>> Database::accounts_by_host(MayBlock) const {
    auto counts = core_->read_host_counts();
    if (counts) std::erase_if(*counts, [](const auto& item) { return item.second == 0; });
    return counts;
}

Result<std::optional<IdentityRow>> Database::identity(MayBlock, std::string_view did) const {
    rocksdb::PinnableSlice value;
    auto status = core_->db->Get({}, core_->families[identities], pack_did(did), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return fail(code_of(status), "index: identity cannot be read");
    auto row = decode_identity(bytes_of(value));
    if (!row) return std::unexpected(row.error());
    return std::move(*row);
}

Result<void> Database::put_identities(MayBlock, std::span<const Named> identities) {
    rocksdb::WriteBatch batch;
    for (const auto& named : identities) {
        batch.Put(core_->families[Family::identities], pack_did(named.did),
                  slice(encode(named.row)));
    }
    auto written = core_->write(batch);
    if (written) core_->flush_if_full();
    return written;
}

Database::Size Database::size() const {
    return {core_->account_count.load(), core_->identity_count.load(), core_->disk_bytes.load(),
            core_->memory_bytes.load()};
}

}  // namespace ringlay::index
