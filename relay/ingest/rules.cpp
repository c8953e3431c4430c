#include "relay/ingest/rules.hpp"

#include <algorithm>
#include <cstring>

#include "proto/base/assert.hpp"
#include "proto/car.hpp"
#include "proto/limits.hpp"
#include "proto/syntax.hpp"
#include "proto/tid.hpp"
#include "relay/ingest/clock_judge.hpp"

namespace ringlay::ingest {

using event_log::FactsKind;
using proto::Cid;

// Filled from row to row; what is meaningful when is said at each member.
struct Case {
    Case(const Event& of_event, const Knowledge& of_account) : event(of_event), known(of_account) {}

    const Event& event;
    const Knowledge& known;
    Ruling ruling;

    bool is_too_large = false;  // from 2 on: decoded up to a limit, nothing below is known

    // From 2 on. Of the payload.
    std::string_view did;

    // From 2 on, of a commit or sync only.
    std::string_view rev_text;
    proto::Tid rev;
    Bytes blocks;
    Cid commit;  // of a sync from 11 on: its archive's root

    Cid root;                                 // from 11 on
    std::optional<Bytes> root_block;          // from 11 on
    std::optional<proto::CommitBlock> block;  // from 13 on

    bool is_commit() const { return event.kind == FactsKind::commit; }
    bool has_repo() const { return is_commit() || event.kind == FactsKind::sync; }
};

namespace {

constexpr std::string_view did_web = "did:web:";

void fails(Case& it, Disposition disposition, std::string_view why) {
    it.ruling.disposition = disposition;
    it.ruling.why = why;
}

void drops(Case& it, std::string_view why) {
    fails(it, Disposition::drop, why);
}

// A key to verify by and a host to compare with.
bool knows_identity(const Knowledge& known) {
    return known.has_identity && known.key.has_value() && !known.pds_host.empty();
}

// ----- 1 to 3: the frame ----------------------------------------------------------------------

void check_size(Case& it) {
    RINGLAY_ASSERT(it.event.message.size() <= proto::max_message_bytes);
}

template <class Parsed>
const Parsed* unless_failed(Case& it, const Result<Parsed>& parsed) {
    if (parsed) return &*parsed;
    // More than the protocol allows is decoded as far as that, and check 5 says so.
    it.is_too_large = parsed.error().code == Errc::too_large;
    it.ruling.why = parsed.error().what;
    if (!it.is_too_large) drops(it, parsed.error().what);
    return nullptr;
}

void set_repo(Case& it, std::string_view rev, Bytes blocks) {
    it.rev_text = rev;
    it.rev = proto::Tid::parse(rev).value_or(proto::Tid());  // its syntax was checked: is one
    it.blocks = blocks;
}

void read_commit(Case& it) {
    auto parsed = proto::parse_commit_event(it.event.payload());
    const proto::CommitEvent* event = unless_failed(it, parsed);
    if (event == nullptr) return;
    it.did = event->repo;
    it.commit = event->commit;
    set_repo(it, event->rev, event->blocks);
}

void read_sync(Case& it) {
    auto parsed = proto::parse_sync_event(it.event.payload());
    const proto::SyncEvent* event = unless_failed(it, parsed);
    if (event == nullptr) return;
    it.did = event->did;
    set_repo(it, event->rev, event->blocks);
}

void read_identity(Case& it) {
    auto parsed = proto::parse_identity_event(it.event.payload());
    if (const auto* event = unless_failed(it, parsed)) it.did = event->did;
}

void read_account(Case& it) {
    auto parsed = proto::parse_account_event(it.event.payload());
    const proto::AccountEvent* event = unless_failed(it, parsed);
    if (event == nullptr) return;
    it.did = event->did;
    it.ruling.standing = proto::account_standing(event->is_active, event->status);
}

void check_fields(Case& it) {
    switch (it.event.kind) {
        case FactsKind::commit:
            read_commit(it);
            break;
        case FactsKind::sync:
            read_sync(it);
            break;
        case FactsKind::identity:
            read_identity(it);
            break;
        case FactsKind::account:
            read_account(it);
            break;
        default:
            RINGLAY_ASSERT(false);  // facts without a frame are not examined
    }
    if (it.ruling.disposition != Disposition::pass) return;
    if (it.is_too_large) {
        it.did = it.event.text;
    } else if (it.did != it.event.text) {
        // State was loaded for that one, and an answer for it is no answer for this one.
        drops(it, "event: not of the account that it was routed by");
    }
}

void check_seq(Case& it) {
    RINGLAY_ASSERT(it.event.host_ack < it.event.upstream_seq);
}

// ----- 4 to 7: who speaks, and for whom -------------------------------------------------------

void check_did(Case& it) {
    bool is_web = it.did.starts_with(did_web) && proto::is_did(it.did);
    if (!is_web && !proto::is_did_plc(it.did)) drops(it, "did: no method that is resolved");
}

void check_limits(Case& it) {
    if (it.is_too_large) return drops(it, it.ruling.why);
    if (it.has_repo() && it.blocks.empty()) drops(it, "blocks: empty");
}

// A host may say that an account of its own is gone when its DID is gone, too: the domain of a
// did:web is given up, a did:plc is tombstoned. Nobody else has taken the account over then.
bool is_farewell(const Case& it) {
    return it.ruling.standing && !it.ruling.standing->is_active && it.known.host_id != 0 &&
           it.known.host_id == it.event.host_id &&
           (it.known.pds_host.empty() || it.known.pds_host == it.event.host->name);
}

void check_identity(Case& it) {
    if (knows_identity(it.known)) return;
    if (it.known.is_definite_none) {
        if (!is_farewell(it)) drops(it, "identity: there is none");
        return;
    }
    if (it.known.skips_identity) return;
    fails(it, Disposition::unknown, "identity: not known");
}

void check_authority(Case& it) {
    if (!knows_identity(it.known)) return;  // skipped, or a farewell
    if (it.known.pds_host == it.event.host->name) return;
    fails(it, Disposition::unknown, "authority: another host has this account");
}

// ----- 8 to 10: the account's state -----------------------------------------------------------

// What is decided here stands; what a host has said may have changed without our hearing of it.
void check_active(Case& it) {
    if (!it.has_repo()) return;
    if (!it.known.local.is_active) return drops(it, "account: taken down here");
    if (!it.known.upstream.is_active) {
        fails(it, Disposition::unknown, "account: inactive at its host");
    }
}

void check_rev(Case& it) {
    if (!it.has_repo()) return;
    bool is_stale = it.is_commit() ? it.rev.value() <= it.known.rev : it.rev.value() < it.known.rev;
    if (is_stale) drops(it, "rev: not above the account's");
}

void check_future(Case& it) {
    if (!it.has_repo()) return;
    const std::chrono::microseconds rev(static_cast<std::int64_t>(it.rev.micros()));
    const std::chrono::microseconds ahead = rev - std::max(it.known.now, WallMillis::zero());
    it.ruling.ahead = ahead;
    if (ahead > ClockJudge::slack && !it.known.ignores_future) drops(it, "rev: in the future");
}

// ----- 11 to 15: the proof --------------------------------------------------------------------

// Named by SHA-256, as blocks of dag-cbor and raw bytes are: others are of no use here. That it is
// a CID of version 1 the archive's reader has seen.
bool is_checkable(Bytes cid) {
    bool is_of_block = cid.size() == Cid::size_bytes && (cid[1] == 0x71 || cid[1] == 0x55);
    return is_of_block && cid[2] == 0x12;
}

bool is_equal(Bytes a, Bytes b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
}

void check_car(Case& it) {
    if (!it.has_repo()) return;
    auto archive = proto::CarReader::open(it.blocks);
    if (!archive) return drops(it, archive.error().what);
    auto root = Cid::parse(archive->root());
    if (!root) return drops(it, "car: root is no commit");
    it.root = *root;
    for (;;) {
        auto next = archive->next();
        if (!next) return drops(it, next.error().what);
        if (!*next) break;
        const proto::CarBlock& block = **next;
        if (!is_checkable(block.cid)) continue;
        if (!is_equal(block.cid.last(Cid::digest_bytes), crypto::sha256(block.data))) {
            return drops(it, "car: a block is not what its CID says");
        }
        if (is_equal(block.cid, it.root.bytes())) it.root_block = block.data;
    }
    if (!it.root_block) drops(it, "car: no root block");
}

void check_root(Case& it) {
    if (!it.has_repo()) return;
    if (!it.is_commit()) {
        it.commit = it.root;
    } else if (it.commit != it.root) {
        drops(it, "root: not the event's commit");
    }
}

void check_commit(Case& it) {
    if (!it.has_repo()) return;
    auto block = proto::parse_commit_block(*it.root_block);
    if (!block) return drops(it, block.error().what);
    it.block = *block;
}

// What the signature signs, hashed where it lies.
crypto::Digest digest_of(const proto::UnsignedParts& parts) {
    const Bytes pieces[] = {Bytes(&parts.head, 1), parts.before_sig, parts.after_sig};
    return crypto::sha256(pieces);
}

void check_match(Case& it) {
    if (!it.has_repo()) return;
    Ruling::Proof& proof = it.ruling.proof.emplace();
    proof.rev = it.rev.value();
    proof.rev_text = it.rev_text;
    proof.data = it.block->data;
    proof.commit = it.commit;
    proof.unsigned_digest = digest_of(it.block->unsigned_parts);
    std::memcpy(proof.signature.data(), it.block->sig.data(), proof.signature.size());
    if (it.block->did != it.did) return drops(it, "commit: did of another account");
    if (it.block->rev != it.rev_text) drops(it, "commit: another rev than the event");
}

void check_signature(Case& it) {
    if (!it.has_repo() || !knows_identity(it.known)) return;
    Ruling::Proof& proof = *it.ruling.proof;
    proof.is_verified = crypto::verify(*it.known.key, proof.unsigned_digest, proof.signature);
    if (!proof.is_verified) {
        fails(it, Disposition::unknown, "signature: not by the key that is known");
    }
}

constexpr std::array<CheckRow, check_count> table{{
    {Check::size, "size", "the message is not larger than 5 MB", true, check_size},
    {Check::fields, "fields", "the frame decodes, and has its fields", false, check_fields},
    {Check::seq, "seq", "seq rises on the connection", true, check_seq},
    {Check::did, "did", "a DID, of a method that is resolved", false, check_did},
    {Check::limits, "limits", "blocks: not empty; blocks and ops: not too many", false,
     check_limits},
    {Check::identity, "identity", "the DID has a signing key and a PDS", false, check_identity},
    {Check::authority, "authority", "the host is that PDS", false, check_authority},
    {Check::active, "active", "the account is active, here and at its host", false, check_active},
    {Check::rev, "rev", "rev is above the account's (#sync: not below)", false, check_rev},
    {Check::future, "future", "rev is not more than 5 minutes ahead", false, check_future},
    {Check::car, "car", "an archive; its blocks are what their CIDs say; its root is there", false,
     check_car},
    {Check::root, "root", "the root is the event's `commit`", false, check_root},
    {Check::commit, "commit", "the root is a commit of version 3, in canonical form", false,
     check_commit},
    {Check::match, "match", "its did and rev are the event's", false, check_match},
    {Check::signature, "signature", "signed by the account's key, low s", false, check_signature},
}};

constexpr bool is_in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (index_of(table[i].check) != i) return false;
    }
    return true;
}
static_assert(is_in_order());

}  // namespace

std::span<const CheckRow, check_count> check_table() {
    return table;
}

Ruling examine(const Event& event, const Knowledge& known, Check last) {
    RINGLAY_ASSERT(event.host != nullptr);
    Case it(event, known);
    for (const CheckRow& row : std::span(table).first(index_of(last) + 1)) {
        row.function(it);
        if (it.ruling.disposition == Disposition::pass) continue;
        it.ruling.check = row.check;
        break;
    }
    return it.ruling;
}

}  // namespace ringlay::ingest
