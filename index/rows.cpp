#include "index/rows.hpp"

namespace ringlay::index {
namespace {

constexpr std::uint8_t account_format = 1;
constexpr std::uint8_t identity_format = 1;
constexpr std::uint32_t database_format = 1;

// format u8 | has repo u8 | local u8 | upstream u8 | host id u32 | last seq u64
// | if it has a repo: rev u64 | digest of the data CID | digest of the commit CID
constexpr std::size_t account_bytes = 16;
constexpr std::size_t repo_bytes = 8 + 2 * proto::Cid::digest_bytes;

// format u8 | key u8: none, k256, p256 | fetched u64 | if it has a key: 33 bytes | host of the PDS
constexpr std::size_t identity_bytes = 10;
constexpr std::size_t key_bytes = 33;
enum KeyKind : std::uint8_t { no_key = 0, k256_key = 1, p256_key = 2 };

// format u32 | log id u64 | segment u64 | facts offset u64 | seq u64 | accounts u64
constexpr std::size_t state_bytes = 44;

void append(Buffer& out, Bytes bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

proto::Cid cid_at(Bytes value, std::size_t offset) {
    return proto::Cid::of_digest(value.subspan(offset).first<proto::Cid::digest_bytes>());
}

}  // namespace

Buffer encode(const AccountRow& row) {
    const bool has_repo = row.repo != RepoState{};
    Buffer out;
    out.reserve(account_bytes + (has_repo ? repo_bytes : 0));
    out.push_back(account_format);
    out.push_back(has_repo ? 1 : 0);
    out.push_back(row.local.to_byte());
    out.push_back(row.upstream.to_byte());
    append_le(out, row.host_id);
    append_le(out, row.last_seq);
    if (has_repo) {
        append_le(out, row.repo.rev);
        append(out, row.repo.data.digest());
        append(out, row.repo.commit.digest());
    }
    return out;
}

Result<AccountRow> decode_account(Bytes value) {
    if (value.empty()) return fail(Errc::corrupt, "account row: empty");
    if (value[0] > account_format) return fail(Errc::unsupported, "account row: newer format");
    if (value[0] != account_format) return fail(Errc::corrupt, "account row: format");
    if (value.size() < account_bytes) return fail(Errc::corrupt, "account row: too short");
    if (value[1] > 1) return fail(Errc::corrupt, "account row: flags");
    const bool has_repo = value[1] == 1;
    if (value.size() != account_bytes + (has_repo ? repo_bytes : 0)) {
        return fail(Errc::corrupt, "account row: length");
    }
    auto local = proto::AccountStanding::from_byte(value[2]);
    auto upstream = proto::AccountStanding::from_byte(value[3]);
    if (!local || !upstream) return fail(Errc::corrupt, "account row: standing");

    AccountRow row;
    row.local = *local;
    row.upstream = *upstream;
    row.host_id = load_le<std::uint32_t>(value, 4);
    row.last_seq = load_le<std::uint64_t>(value, 8);
    if (has_repo) {
        row.repo.rev = load_le<std::uint64_t>(value, account_bytes);
        row.repo.data = cid_at(value, account_bytes + 8);
        row.repo.commit = cid_at(value, account_bytes + 8 + proto::Cid::digest_bytes);
    }
    return row;
}

Buffer encode(const IdentityRow& row) {
    Buffer out;
    out.reserve(identity_bytes + key_bytes + row.pds_host.size());
    out.push_back(identity_format);
    if (!row.key) {
        out.push_back(no_key);
    } else {
        out.push_back(row.key->curve() == crypto::Curve::k256 ? k256_key : p256_key);
    }
    append_le(out, static_cast<std::uint64_t>(row.fetched_ms));
    if (row.key) append(out, row.key->compressed());
    out.insert(out.end(), row.pds_host.begin(), row.pds_host.end());
    return out;
}

Result<IdentityRow> decode_identity(Bytes value) {
    if (value.empty()) return fail(Errc::corrupt, "identity row: empty");
    if (value[0] > identity_format) return fail(Errc::unsupported, "identity row: newer format");
    if (value[0] != identity_format) return fail(Errc::corrupt, "identity row: format");
    if (value.size() < identity_bytes) return fail(Errc::corrupt, "identity row: too short");

    IdentityRow row;
    row.fetched_ms = static_cast<std::int64_t>(load_le<std::uint64_t>(value, 2));
    Bytes rest = value.subspan(identity_bytes);
    const std::uint8_t kind = value[1];
    if (kind != no_key) {
        if (kind > p256_key) return fail(Errc::corrupt, "identity row: kind of key");
        if (rest.size() < key_bytes) return fail(Errc::corrupt, "identity row: too short");
        auto curve = kind == k256_key ? crypto::Curve::k256 : crypto::Curve::p256;
        auto key = crypto::PublicKey::from_point(curve, rest.first(key_bytes));
        if (!key) return fail(Errc::corrupt, "identity row: key");
        row.key = *key;
        rest = rest.subspan(key_bytes);
    }
    row.pds_host.assign(rest.begin(), rest.end());
    return row;
}

Buffer encode(const State& state) {
    Buffer out;
    out.reserve(state_bytes);
    append_le(out, database_format);
    append_le(out, state.applied.log_id);
    append_le(out, state.applied.segment_base);
    append_le(out, state.applied.facts_offset);
    append_le(out, state.applied.seq);
    append_le(out, state.accounts);
    return out;
}

Result<State> decode_state(Bytes value) {
    if (value.size() < sizeof database_format) return fail(Errc::corrupt, "index: state too short");
    const auto format = load_le<std::uint32_t>(value, 0);
    if (format > database_format) return fail(Errc::unsupported, "index: newer format");
    if (format != database_format) return fail(Errc::corrupt, "index: format");
    if (value.size() != state_bytes) return fail(Errc::corrupt, "index: length of state");
    State state;
    state.applied.log_id = load_le<std::uint64_t>(value, 4);
    state.applied.segment_base = load_le<std::uint64_t>(value, 12);
    state.applied.facts_offset = load_le<std::uint64_t>(value, 20);
    state.applied.seq = load_le<std::uint64_t>(value, 28);
    state.accounts = load_le<std::uint64_t>(value, 36);
    return state;
}

}  // namespace ringlay::index
