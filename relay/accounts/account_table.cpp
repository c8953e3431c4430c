#include "relay/accounts/account_table.hpp"

#include <array>
#include <bit>
#include <deque>
#include <string>
#include <type_traits>
#include <vector>

#include "proto/base/assert.hpp"
#include "relay/accounts/account_index.hpp"
#include "relay/accounts/compact_did.hpp"

namespace ringlay::accounts {
namespace {

constexpr std::uint32_t none = AccountIndex::no_record;

// An account at rest. Fields are ordered by size, so that none is lost to padding.
struct Record {
    CompactDid did;
    std::uint64_t rev;
    std::int64_t asked_ms;
    std::uint64_t push;  // of its newest event; 0: none
    std::array<std::uint8_t, proto::Cid::digest_bytes> data;
    std::uint32_t host_id;
    std::uint32_t pds;
    std::uint32_t pins;
    // Records whose push is not folded, in the order of their pushes. `next_push` also links the
    // free records.
    std::uint32_t previous_push;
    std::uint32_t next_push;
    std::uint8_t local;
    std::uint8_t upstream;
    bool has_key;
    std::array<std::uint8_t, sizeof(crypto::PublicKey)> key;
};
static_assert(sizeof(Record) == 160);
static_assert(std::is_trivially_copyable_v<crypto::PublicKey>);

// Records come in blocks that never move. One bit of each word is one record's.
constexpr std::size_t block_records = 256;
constexpr std::size_t word_bits = 64;
struct Block {
    struct Word {
        std::uint64_t used = 0;
        std::uint64_t pinned = 0;
        std::uint64_t looked_at = 0;  // since the clock hand came by
    };
    std::array<Word, block_records / word_bits> words;
    std::unique_ptr<Record[]> records = std::make_unique_for_overwrite<Record[]>(block_records);
};

// Above its bound the table shrinks by at most this many accounts for each new one, so that a
// store() after a long stall of the fold stays short.
constexpr std::size_t max_evictions_at_once = 16;

// A second half of the hash key: any fixed bits, the secret is in the first.
constexpr std::uint64_t second_key = 0x9e3779b97f4a7c15;

Account account_of(const Record& record) {
    Account account;
    account.rev = record.rev;
    account.data = proto::Cid::of_digest(record.data);
    account.host_id = record.host_id;
    account.local = proto::AccountStanding::from_byte(record.local).value();
    account.upstream = proto::AccountStanding::from_byte(record.upstream).value();
    if (record.has_key) account.key = std::bit_cast<crypto::PublicKey>(record.key);
    account.pds = record.pds;
    account.asked_ms = record.asked_ms;
    return account;
}

void write(Record& record, const Account& account) {
    record.rev = account.rev;
    std::memcpy(record.data.data(), account.data.digest().data(), record.data.size());
    record.host_id = account.host_id;
    record.local = account.local.to_byte();
    record.upstream = account.upstream.to_byte();
    record.has_key = account.key.has_value();
    if (account.key) {
        record.key = std::bit_cast<decltype(record.key)>(*account.key);
    }
    record.pds = account.pds;
    record.asked_ms = account.asked_ms;
}

Bytes bytes_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct AccountTable::Core {
    Core(std::size_t max, std::uint64_t hash_key)
        : max_accounts(max), key{hash_key, hash_key ^ second_key}, index(max) {}

    struct Sought {
        std::optional<CompactDid> plc;
        std::uint64_t hash;
    };
    Sought seek(std::string_view did) const;
    std::uint32_t find(std::string_view did, const Sought& sought) const;
    std::uint32_t must_find(std::string_view did) const;
    std::uint32_t make(std::string_view did, const Sought& sought);
    std::uint32_t take_free_record();
    CompactDid keep_text(std::string_view did, std::uint64_t hash);
    void make_room();
    std::uint32_t next_victim();
    void evict(std::uint32_t number);
    std::uint64_t hash_of(const CompactDid& did) const;

    void link_push(std::uint32_t number);
    void unlink_push(std::uint32_t number);
    bool waits_for_fold(const Record& record) const { return record.push > folded; }
    void renew_pinned(std::uint32_t number);

    Record& record(std::uint32_t number) {
        return blocks[number / block_records].records[number % block_records];
    }
    const Record& record(std::uint32_t number) const {
        return blocks[number / block_records].records[number % block_records];
    }
    Block::Word& word(std::uint32_t number) {
        return blocks[number / block_records].words[number % block_records / word_bits];
    }
    static std::uint64_t bit(std::uint32_t number) {
        return std::uint64_t{1} << number % word_bits;
    }

    const std::size_t max_accounts;
    const HashKey key;
    AccountIndex index;
    std::deque<Block> blocks;
    std::uint32_t used_numbers = 0;  // numbers below this have been given out once
    std::uint32_t first_free = none;
    // DIDs that are no did:plc; records name their places.
    std::deque<std::string> texts;
    std::vector<std::uint32_t> free_texts;
    std::size_t text_bytes = 0;  // that are not inside the strings

    std::size_t size = 0;
    std::size_t pinned = 0;
    std::uint64_t evicted = 0;
    std::size_t hand = 0;  // the word that the clock looks at next

    std::uint64_t folded = 0;
    std::uint64_t newest_push = 0;
    std::uint32_t first_push = none;
    std::uint32_t last_push = none;
};

AccountTable::Core::Sought AccountTable::Core::seek(std::string_view did) const {
    auto plc = pack_plc(did);
    return {plc, plc ? keyed_hash(key, *plc) : keyed_hash(key, bytes_of(did))};
}

std::uint32_t AccountTable::Core::find(std::string_view did, const Sought& sought) const {
    if (sought.plc) {
        return index.find(sought.hash,
                          [&](std::uint32_t number) { return record(number).did == *sought.plc; });
    }
    return index.find(sought.hash, [&](std::uint32_t number) {
        const CompactDid& compact = record(number).did;
        return is_other(compact) && hash_of_other(compact) == sought.hash &&
               texts[place_of_other(compact)] == did;
    });
}

std::uint32_t AccountTable::Core::must_find(std::string_view did) const {
    std::uint32_t number = find(did, seek(did));
    RINGLAY_ASSERT(number != none);
    return number;
}

std::uint64_t AccountTable::Core::hash_of(const CompactDid& did) const {
    return is_other(did) ? hash_of_other(did) : keyed_hash(key, did);
}

std::uint32_t AccountTable::Core::make(std::string_view did, const Sought& sought) {
    make_room();
    std::uint32_t number = take_free_record();
    Record& made = record(number);
    made = {};
    made.did = sought.plc ? *sought.plc : keep_text(did, sought.hash);
    index.add(sought.hash, number);
    word(number).used |= bit(number);
    ++size;
    return number;
}

std::uint32_t AccountTable::Core::take_free_record() {
    if (first_free != none) {
        std::uint32_t number = first_free;
        first_free = record(number).next_push;
        return number;
    }
    RINGLAY_ASSERT(used_numbers < none);
    if (used_numbers == blocks.size() * block_records) blocks.emplace_back();
    return used_numbers++;
}

CompactDid AccountTable::Core::keep_text(std::string_view did, std::uint64_t hash) {
    std::uint32_t place;
    if (free_texts.empty()) {
        place = static_cast<std::uint32_t>(texts.size());
        texts.emplace_back();
    } else {
        place = free_texts.back();
        free_texts.pop_back();
    }
    texts[place] = std::string(did);
    text_bytes += texts[place].capacity() + 1;
    return pack_other(place, hash);
}

void AccountTable::Core::make_room() {
    for (std::size_t i = 0; i < max_evictions_at_once && size >= max_accounts; ++i) {
        if (size == pinned) return;
        evict(next_victim());
    }
}

// The clock: who was looked at since the hand came by last time gets another round. There is one
// that is not pinned, so two rounds are enough.
std::uint32_t AccountTable::Core::next_victim() {
    const std::size_t words = blocks.size() * (block_records / word_bits);
    for (std::size_t i = 0; i <= 2 * words; ++i) {
        if (hand >= words) hand = 0;
        auto first = static_cast<std::uint32_t>(hand * word_bits);
        Block::Word& seen = word(first);
        std::uint64_t candidates = seen.used & ~seen.pinned & ~seen.looked_at;
        if (candidates != 0) {
            return first + static_cast<std::uint32_t>(std::countr_zero(candidates));
        }
        seen.looked_at = 0;
        ++hand;
    }
    RINGLAY_ASSERT(false);
    return none;
}

void AccountTable::Core::evict(std::uint32_t number) {
    Record& gone = record(number);
    index.remove(hash_of(gone.did), number);
    if (is_other(gone.did)) {
        std::uint32_t place = place_of_other(gone.did);
        text_bytes -= texts[place].capacity() + 1;
        std::string().swap(texts[place]);  // an assignment would keep its memory
        free_texts.push_back(place);
    }
    gone.next_push = first_free;
    first_free = number;
    word(number).used &= ~bit(number);
    --size;
    ++evicted;
}

// At the end: pushes rise.
void AccountTable::Core::link_push(std::uint32_t number) {
    Record& linked = record(number);
    linked.previous_push = last_push;
    linked.next_push = none;
    (last_push == none ? first_push : record(last_push).next_push) = number;
    last_push = number;
}

void AccountTable::Core::unlink_push(std::uint32_t number) {
    const Record& linked = record(number);
    (linked.previous_push == none ? first_push : record(linked.previous_push).next_push) =
        linked.next_push;
    (linked.next_push == none ? last_push : record(linked.next_push).previous_push) =
        linked.previous_push;
}

void AccountTable::Core::renew_pinned(std::uint32_t number) {
    const Record& changed = record(number);
    const bool is_pinned = changed.pins > 0 || waits_for_fold(changed);
    Block::Word& state = word(number);
    if (is_pinned == ((state.pinned & bit(number)) != 0)) return;
    state.pinned ^= bit(number);
    pinned = is_pinned ? pinned + 1 : pinned - 1;
}

AccountTable::AccountTable(std::size_t max_accounts, std::uint64_t hash_key)
    : core_(std::make_unique<Core>(max_accounts, hash_key)) {}
AccountTable::~AccountTable() = default;

std::optional<Account> AccountTable::find(std::string_view did) {
    std::uint32_t number = core_->find(did, core_->seek(did));
    if (number == none) return std::nullopt;
    core_->word(number).looked_at |= Core::bit(number);
    return account_of(core_->record(number));
}

void AccountTable::store(std::string_view did, const Account& account) {
    const Core::Sought sought = core_->seek(did);
    std::uint32_t number = core_->find(did, sought);
    if (number == none) number = core_->make(did, sought);
    core_->word(number).looked_at |= Core::bit(number);
    write(core_->record(number), account);
}

void AccountTable::changed_by(std::string_view did, std::uint64_t push) {
    RINGLAY_ASSERT(push > core_->newest_push);
    core_->newest_push = push;
    std::uint32_t number = core_->must_find(did);
    Record& changed = core_->record(number);
    if (core_->waits_for_fold(changed)) core_->unlink_push(number);
    changed.push = push;
    if (core_->waits_for_fold(changed)) core_->link_push(number);
    core_->renew_pinned(number);
}

void AccountTable::pin(std::string_view did) {
    std::uint32_t number = core_->must_find(did);
    ++core_->record(number).pins;
    core_->renew_pinned(number);
}

void AccountTable::unpin(std::string_view did) {
    std::uint32_t number = core_->must_find(did);
    RINGLAY_ASSERT(core_->record(number).pins > 0);
    --core_->record(number).pins;
    core_->renew_pinned(number);
}

void AccountTable::folded(std::uint64_t push) {
    if (push <= core_->folded) return;
    core_->folded = push;
    while (core_->first_push != none && core_->record(core_->first_push).push <= push) {
        std::uint32_t number = core_->first_push;
        core_->unlink_push(number);
        core_->renew_pinned(number);
    }
}

std::size_t AccountTable::size() const {
    return core_->size;
}

std::size_t AccountTable::pinned() const {
    return core_->pinned;
}

std::size_t AccountTable::memory_bytes() const {
    return sizeof(Core) + core_->index.memory_bytes() +
           core_->blocks.size() * (sizeof(Block) + block_records * sizeof(Record)) +
           core_->texts.size() * sizeof(std::string) + core_->text_bytes +
           core_->free_texts.capacity() * sizeof(std::uint32_t);
}

std::uint64_t AccountTable::evicted() const {
    return core_->evicted;
}

}  // namespace ringlay::accounts
