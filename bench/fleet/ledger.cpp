#include "bench/fleet/ledger.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "crypto/sha256.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "relay/net/dial.hpp"

namespace ringlay::bench {
namespace {

constexpr std::size_t digits = 16;

std::uint64_t number_of(Bytes frame, const proto::Peek& seen) {
    Buffer identity;
    if (seen.kind == proto::FrameKind::identity) {
        auto event = proto::parse_identity_event(proto::payload_of(frame, seen));
        Bytes time = event ? net::bytes_of(event->time) : Bytes();
        identity.assign(time.begin(), time.end());
        identity.push_back('i');
    } else {
        Bytes before = frame.first(seen.seq_offset);
        Bytes behind = frame.subspan(seen.seq_offset + seen.seq_bytes);
        identity.assign(before.begin(), before.end());
        identity.insert(identity.end(), behind.begin(), behind.end());
    }
    return load_le<std::uint64_t>(crypto::sha256(identity), 0);
}

LedgerVerdict compare_account(const Ledger::Events& sent, const Ledger::Events& got) {
    LedgerVerdict verdict;
    // The same event may have been sent more than once: its places, and how many have come out.
    struct Places {
        std::vector<std::size_t> at;
        std::size_t used = 0;
    };
    std::unordered_map<std::uint64_t, Places> places;
    for (std::size_t i = 0; i < sent.size(); ++i) places[sent[i]].at.push_back(i);
    std::size_t first = sent.size(), last = 0;
    for (std::uint64_t event : got) {
        auto found = places.find(event);
        if (found == places.end()) {
            ++verdict.unexpected;
            continue;
        }
        Places& of_event = found->second;
        if (of_event.used == of_event.at.size()) {
            ++verdict.doubled;
            continue;
        }
        std::size_t at = of_event.at[of_event.used++];
        ++verdict.matched;
        if (verdict.matched > 1 && at < last) ++verdict.misplaced;
        last = std::max(last, at);
        first = std::min(first, at);
    }
    verdict.sent = sent.size();
    for (const auto& [event, of_event] : places) {
        for (std::size_t i = of_event.used; i < of_event.at.size(); ++i) {
            ++(of_event.at[i] < first ? verdict.missing_head : verdict.missing);
        }
    }
    return verdict;
}

}  // namespace

void Ledger::add(Bytes frame) {
    auto seen = proto::peek(frame);
    if (!seen || !proto::is_event(seen->kind) || seen->fault != proto::FrameFault::none) return;
    accounts_[std::string(seen->did)].push_back(number_of(frame, *seen));
}

std::string Ledger::text() const {
    std::string out;
    for (const auto& [did, events] : accounts_) {
        out += did;
        for (std::uint64_t event : events) {
            char text[digits + 2];
            std::snprintf(text, sizeof text, " %016llx", static_cast<unsigned long long>(event));
            out += text;
        }
        out += '\n';
    }
    return out;
}

Result<void> Ledger::read(std::string_view text) {
    while (!text.empty()) {
        std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        std::size_t space = std::min(line.find(' '), line.size());
        Events& events = accounts_[std::string(line.substr(0, space))];
        line.remove_prefix(space);
        while (!line.empty()) {
            if (line.size() < digits + 1) return fail(Errc::malformed, "ledger: a short number");
            std::uint64_t event = 0;
            const char* begin = line.data() + 1;
            auto parsed = std::from_chars(begin, begin + digits, event, 16);
            if (line[0] != ' ' || parsed.ptr != begin + digits) {
                return fail(Errc::malformed, "ledger: not a number");
            }
            events.push_back(event);
            line.remove_prefix(digits + 1);
        }
    }
    return {};
}

std::uint64_t Ledger::event_count() const {
    std::uint64_t sum = 0;
    for (const auto& [did, events] : accounts_) sum += events.size();
    return sum;
}

void LedgerVerdict::add(const LedgerVerdict& other) {
    sent += other.sent;
    matched += other.matched;
    missing += other.missing;
    missing_head += other.missing_head;
    doubled += other.doubled;
    misplaced += other.misplaced;
    unexpected += other.unexpected;
    strangers += other.strangers;
}

LedgerVerdict compare(const Ledger& sent, const Ledger& got) {
    static const Ledger::Events none;
    LedgerVerdict verdict;
    for (const auto& [did, events] : sent.accounts()) {
        auto found = got.accounts().find(did);
        verdict.add(compare_account(events, found == got.accounts().end() ? none : found->second));
    }
    for (const auto& [did, events] : got.accounts()) {
        if (!sent.accounts().contains(did)) verdict.strangers += events.size();
    }
    return verdict;
}

}  // namespace ringlay::bench
