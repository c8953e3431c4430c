// A good event with some of its bytes changed, or any bytes at all: the rules never end the
// process, and what they call verified is signed by the account, byte for byte as it was made here.
//
// The input is a list of changes to one of a few frames: which frame, then (offset u16, value u8)
// each. An input whose first byte is 255 is a whole frame.
#include <algorithm>
#include <vector>

#include "proto/base/assert.hpp"
#include "proto/frame.hpp"
#include "tests/support/arrival.hpp"
#include "tests/support/frame_parts.hpp"
#include "tests/support/signed_repo.hpp"

using namespace ringlay;
using namespace ringlay::ingest;
using namespace std::chrono_literals;

namespace {

constexpr WallMillis now = 1'767'225'600s;
const HostRef host{7, "pds.example"};

// Each commit block was signed here under its CID; a changed frame may carry any of them.
struct Samples {
    Samples() {
        add(repo.create(1, now, "a.b.c/1"));
        add(repo.sync(2, now));
        add(repo.update(3, now, "a.b.c/1"));
        support::CommitParts parts(frames.back());
        parts.commit.set_text("note", "signed, too");
        parts.sign(repo.key());
        add(parts.frame());
        frames.push_back(repo.identity(4, now));
        frames.push_back(repo.account(5, now, false, "deactivated"));
    }

    void add(Buffer frame) {
        support::CommitParts parts(frame);
        commits.push_back(support::cid_of(parts.commit.encode()));
        frames.push_back(std::move(frame));
    }

    support::SignedRepo repo{1};
    std::vector<Buffer> frames;
    std::vector<proto::Cid> commits;
};

const Samples& samples() {
    static const Samples made;
    return made;
}

Buffer frame_of(Bytes input) {
    if (input[0] == 255) return Buffer(input.begin() + 1, input.end());
    Buffer frame = samples().frames[input[0] % samples().frames.size()];
    for (std::size_t at = 1; at + 3 <= input.size(); at += 3) {
        std::size_t offset = std::size_t{input[at]} << 8 | input[at + 1];
        frame[offset % frame.size()] = input[at + 2];
    }
    return frame;
}

void check_proof(const Ruling& ruling, bool may_verify) {
    if (!ruling.proof || !ruling.proof->is_verified) return;
    RINGLAY_ASSERT(may_verify);
    RINGLAY_ASSERT(std::ranges::find(samples().commits, ruling.proof->commit) !=
                   samples().commits.end());
}

void rule_on(const Event& event) {
    Knowledge known = support::knowledge_of(samples().repo, host, now);
    Ruling ruling = examine(event, known);
    RINGLAY_ASSERT(ruling.disposition == Disposition::pass || !ruling.why.empty());
    check_proof(ruling, true);
    bool has_repo =
        event.kind == event_log::FactsKind::commit || event.kind == event_log::FactsKind::sync;
    if (ruling.disposition == Disposition::pass && has_repo) {
        RINGLAY_ASSERT(ruling.proof && ruling.proof->is_verified);
    }

    known.has_identity = false;
    known.skips_identity = true;
    check_proof(examine(event, known), false);
    known = support::knowledge_of(support::SignedRepo(2), host, now);
    check_proof(examine(event, known), false);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    Buffer frame = frame_of(Bytes(data, size));
    auto peeked = proto::peek(frame);
    if (!peeked || !proto::is_event(peeked->kind)) return 0;
    if (peeked->fault != proto::FrameFault::none) return 0;
    support::Arrival arrival(host, frame);
    rule_on(arrival.event);
    return 0;
}
