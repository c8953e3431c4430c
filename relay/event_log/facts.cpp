#include "relay/event_log/facts.hpp"

#include "proto/base/assert.hpp"
#include "proto/base/crc32c.hpp"
#include "proto/limits.hpp"

namespace ringlay::event_log {
namespace {

// crc-32c u32 of all after it | size u32 of the whole record | version u8 | kind u8 | verdicts u16
// | presence u32 | wire offset u32 | wire length u32 | wire crc u32 | host id u32 | seq u64
// | upstream seq u64 | received u64, ms since 1970 | text length u16 | text
// | for each presence bit, from the lowest: length u32 | bytes
constexpr std::uint8_t record_version = 1;
constexpr std::size_t crc_bytes = 4;
constexpr std::uint32_t known_presence = (1u << facts_field_count) - 1;

bool is_known_kind(std::uint8_t kind) {
    switch (static_cast<FactsKind>(kind)) {
        case FactsKind::commit:
        case FactsKind::sync:
        case FactsKind::identity:
        case FactsKind::account:
        case FactsKind::host_name:
        case FactsKind::host_cursor:
        case FactsKind::late_verification:
        case FactsKind::account_standing:
            return true;
    }
    return false;
}

Result<void> decode_tail(Bytes record, std::uint32_t presence, Facts& facts) {
    std::size_t text_bytes = load_le<std::uint16_t>(record, 56);
    std::size_t at = min_facts_bytes;
    if (record.size() - at < text_bytes) return fail(Errc::corrupt, "facts: text length");
    facts.text = {reinterpret_cast<const char*>(record.data()) + at, text_bytes};
    at += text_bytes;
    for (std::size_t i = 0; i < facts_field_count; ++i) {
        if ((presence >> i & 1) == 0) continue;
        if (record.size() - at < sizeof(std::uint32_t)) return fail(Errc::corrupt, "facts: field");
        std::size_t field_bytes = load_le<std::uint32_t>(record, at);
        at += sizeof(std::uint32_t);
        if (field_bytes == 0 || record.size() - at < field_bytes) {
            return fail(Errc::corrupt, "facts: field length");
        }
        facts.fields[i] = record.subspan(at, field_bytes);
        at += field_bytes;
    }
    if (at != record.size()) return fail(Errc::corrupt, "facts: bytes behind the last field");
    return {};
}

bool is_about_account(FactsKind kind) {
    return kind != FactsKind::host_name && kind != FactsKind::host_cursor;
}

Result<void> check_ack_lag(const Facts& facts) {
    const Bytes field = facts.field(FactsField::ack_lag);
    if (field.empty()) return {};
    const bool fits = field.size() == sizeof(std::uint64_t) && is_event(facts.kind) &&
                      load_le<std::uint64_t>(field, 0) < facts.upstream_seq;
    if (!fits) return fail(Errc::corrupt, "facts: ack lag");
    return {};
}

Result<void> check_seqs_above(const Facts& facts) {
    const Bytes field = facts.field(FactsField::seqs_above);
    if (field.empty()) return {};
    bool fits = field.size() % sizeof(std::uint64_t) == 0 && facts.kind == FactsKind::host_name;
    std::uint64_t before = facts.upstream_seq;
    for (std::size_t at = 0; fits && at < field.size(); at += sizeof(std::uint64_t)) {
        const auto seq = load_le<std::uint64_t>(field, at);
        fits = seq > before && seq < seq_limit;
        before = seq;
    }
    if (!fits) return fail(Errc::corrupt, "facts: seqs above");
    return {};
}

Result<void> check_fields(const Facts& facts) {
    const struct {
        FactsField which;
        std::size_t bytes;  // 0: any
    } of_accounts[] = {
        {FactsField::rev, 13},     {FactsField::data_cid, 36},   {FactsField::commit_cid, 36},
        {FactsField::statuses, 2}, {FactsField::index_delta, 0},
    };
    for (const auto& [which, bytes] : of_accounts) {
        const Bytes field = facts.field(which);
        if (field.empty()) continue;
        if (!is_about_account(facts.kind) || (bytes != 0 && field.size() != bytes)) {
            return fail(Errc::corrupt, "facts: field of an account");
        }
    }
    const bool says_too_little =
        (facts.kind == FactsKind::late_verification &&
         (facts.field(FactsField::rev).empty() || facts.field(FactsField::data_cid).empty())) ||
        (facts.kind == FactsKind::account_standing && facts.field(FactsField::statuses).empty());
    if (says_too_little) return fail(Errc::corrupt, "facts: field of its kind missing");
    if (auto fits = check_ack_lag(facts); !fits) return fits;
    return check_seqs_above(facts);
}

// What makes no sense, whoever wrote it.
Result<void> check_sense(const Facts& facts) {
    bool has_frame = facts.wire_length > 0;
    if (is_event(facts.kind) != has_frame) return fail(Errc::corrupt, "facts: frame");
    if (has_frame != (facts.seq > 0)) return fail(Errc::corrupt, "facts: seq without frame");
    if (facts.seq >= seq_limit || facts.upstream_seq >= seq_limit) {
        return fail(Errc::corrupt, "facts: seq out of range");
    }
    if (facts.host_id == 0) return fail(Errc::corrupt, "facts: no host");
    if (facts.text.empty() != (facts.kind == FactsKind::host_cursor)) {
        return fail(Errc::corrupt, "facts: text");
    }
    if (facts.text.size() > proto::max_did_bytes) return fail(Errc::corrupt, "facts: text length");
    return check_fields(facts);
}

}  // namespace

void append_facts(Buffer& out, const Facts& facts) {
    RINGLAY_ASSERT(check_sense(facts).has_value());
    RINGLAY_ASSERT((facts.verdicts & ~known_verdicts) == 0);
    const std::size_t start = out.size();
    std::uint32_t presence = 0;
    for (std::size_t i = 0; i < facts_field_count; ++i) {
        if (!facts.fields[i].empty()) presence |= 1u << i;
    }
    append_le(out, std::uint32_t{0});
    append_le(out, std::uint32_t{0});
    append_le(out, record_version);
    append_le(out, static_cast<std::uint8_t>(facts.kind));
    append_le(out, facts.verdicts);
    append_le(out, presence);
    append_le(out, facts.wire_offset);
    append_le(out, facts.wire_length);
    append_le(out, facts.wire_crc);
    append_le(out, facts.host_id);
    append_le(out, facts.seq);
    append_le(out, facts.upstream_seq);
    append_le(out, static_cast<std::uint64_t>(facts.received.count()));
    append_le(out, static_cast<std::uint16_t>(facts.text.size()));
    out.insert(out.end(), facts.text.begin(), facts.text.end());
    for (Bytes field : facts.fields) {
        if (field.empty()) continue;
        append_le(out, static_cast<std::uint32_t>(field.size()));
        out.insert(out.end(), field.begin(), field.end());
    }

    const std::size_t size = out.size() - start;
    RINGLAY_ASSERT(size <= max_facts_bytes);
    auto size_field = static_cast<std::uint32_t>(size);
    std::memcpy(&out[start + crc_bytes], &size_field, sizeof size_field);
    std::uint32_t crc = crc32c(Bytes(out).subspan(start + crc_bytes));
    std::memcpy(&out[start], &crc, sizeof crc);
}

Result<DecodedFacts> decode_facts(Bytes bytes) {
    if (bytes.size() < min_facts_bytes) return fail(Errc::malformed, "facts: incomplete");
    const std::size_t size = load_le<std::uint32_t>(bytes, 4);
    if (size < min_facts_bytes || size > max_facts_bytes) {
        return fail(Errc::corrupt, "facts: length");
    }
    if (bytes.size() < size) return fail(Errc::malformed, "facts: incomplete");
    Bytes record = bytes.first(size);
    if (load_le<std::uint32_t>(record, 0) != crc32c(record.subspan(crc_bytes))) {
        return fail(Errc::corrupt, "facts: checksum");
    }
    if (load_le<std::uint8_t>(record, 8) != record_version) {
        return fail(Errc::unsupported, "facts: version");
    }
    if (!is_known_kind(load_le<std::uint8_t>(record, 9))) {
        return fail(Errc::unsupported, "facts: kind");
    }

    Facts facts;
    facts.kind = static_cast<FactsKind>(load_le<std::uint8_t>(record, 9));
    facts.verdicts = load_le<std::uint16_t>(record, 10);
    if ((facts.verdicts & ~known_verdicts) != 0) return fail(Errc::unsupported, "facts: verdicts");
    std::uint32_t presence = load_le<std::uint32_t>(record, 12);
    if ((presence & ~known_presence) != 0) return fail(Errc::unsupported, "facts: presence");
    facts.wire_offset = load_le<std::uint32_t>(record, 16);
    facts.wire_length = load_le<std::uint32_t>(record, 20);
    facts.wire_crc = load_le<std::uint32_t>(record, 24);
    facts.host_id = load_le<std::uint32_t>(record, 28);
    facts.seq = load_le<std::uint64_t>(record, 32);
    facts.upstream_seq = load_le<std::uint64_t>(record, 40);
    facts.received = WallMillis(static_cast<std::int64_t>(load_le<std::uint64_t>(record, 48)));
    if (auto read = decode_tail(record, presence, facts); !read) {
        return std::unexpected(read.error());
    }
    if (auto sane = check_sense(facts); !sane) return std::unexpected(sane.error());
    return DecodedFacts{facts, size};
}

std::uint64_t host_ack_of(const Facts& facts) {
    if (facts.upstream_seq == 0) return 0;
    const Bytes lag = facts.field(FactsField::ack_lag);
    return facts.upstream_seq - 1 - (lag.empty() ? 0 : load_le<std::uint64_t>(lag, 0));
}

}  // namespace ringlay::event_log
