// The event log through thousands of crashes: a witness remembers everything that was ever
// published, synced or seen by a consumer, and holds the log to it after each of them.

#include <catch2/catch.hpp>
#include <list>
#include <set>
#include <stdexcept>

#include "proto/base/crc32c.hpp"
#include "relay/event_log/check.hpp"
#include "relay/event_log/facts_feed.hpp"
#include "tests/relay/event_log/log_fixture.hpp"
#include "tests/sim/crash_harness.hpp"

using namespace std::chrono_literals;
using namespace ringlay;
using namespace ringlay::event_log;
using ringlay::support::CrashRun;

namespace {

constexpr std::uint32_t host_count = 3;

struct Event {
    std::uint32_t host = 0;
    std::uint64_t upstream_seq = 0;
    std::uint32_t crc = 0;

    bool operator==(const Event&) const = default;
};

// One event's message says who it is from, and is never the same twice.
std::string did_of(std::uint32_t host, std::uint64_t upstream_seq, std::uint64_t nonce) {
    return "did:web:h" + std::to_string(host) + ".n" + std::to_string(upstream_seq) + ".x" +
           std::to_string(nonce);
}

std::optional<std::string> named(std::string_view what, std::uint64_t number) {
    return std::string(what) + " " + std::to_string(number);
}

// Everything that outsiders know.
class Witness {
  public:
    // Somebody was told that this is in the log.
    std::optional<std::string> published(std::uint64_t seq, const Event& event) {
        auto [known, is_new] = known_.emplace(seq, event);
        if (!is_new && known->second != event) return named("one seq, two events:", seq);
        if (!is_new && is_lost_.contains(seq)) return named("a lost seq is used again:", seq);
        return std::nullopt;
    }
    void synced(SyncedTo to) { synced_seq_ = std::max(synced_seq_, to.seq); }
    std::uint64_t highest() const { return known_.empty() ? 0 : known_.rbegin()->first; }

    // After a start: `found` is what the log holds, from its first event on.
    std::optional<std::string> recovered(const std::map<std::uint64_t, Event>& found,
                                         std::uint64_t floor_seq, const std::vector<Host>& hosts) {
        const std::uint64_t head = found.empty() ? floor_seq : found.rbegin()->first;
        if (head < synced_seq_) return named("synced and lost:", synced_seq_);
        for (const auto& [seq, event] : found) {
            if (is_lost_.contains(seq)) return named("was lost and is back:", seq);
            if (auto wrong = published(seq, event)) return wrong;
        }
        // No holes: what comes before the head and has not left the window is there.
        for (const auto& [seq, event] : known_) {
            if (seq > head) is_lost_.insert(seq);
            bool must_be_there = seq <= head && seq > floor_seq && !is_lost_.contains(seq);
            if (must_be_there && !found.contains(seq)) return named("missing:", seq);
        }
        for (const auto& [seq, event] : known_) {
            const bool is_named = std::ranges::find(hosts, event.host, &Host::id) != hosts.end();
            if (!is_lost_.contains(seq) && !is_named) {
                return named("events of a host without a name:", event.host);
            }
        }
        return std::nullopt;
    }

    // What a feed has given: all up to its end that is not lost, and nothing that is.
    std::optional<std::string> agrees_with(const std::set<std::uint64_t>& folded) const {
        for (std::uint64_t seq : folded) {
            if (is_lost_.contains(seq)) return named("fed, and then lost:", seq);
        }
        for (const auto& [seq, event] : known_) {
            const bool is_due = !folded.empty() && seq <= *folded.rbegin();
            if (is_due && !is_lost_.contains(seq) && !folded.contains(seq)) {
                return named("never fed:", seq);
            }
        }
        return std::nullopt;
    }

  private:
    std::map<std::uint64_t, Event> known_;
    std::set<std::uint64_t> is_lost_;
    std::uint64_t synced_seq_ = 0;
};

// Which events a host has, and which of them the relay drops, is the same in every life.
bool host_has(std::uint32_t host, std::uint64_t upstream_seq) {
    return (upstream_seq * 5 + host) % 4 != 0;
}
bool is_dropped(std::uint32_t host, std::uint64_t upstream_seq) {
    return (upstream_seq * 3 + host) % 7 == 0;
}

// Stands for the database that is folded from the facts: it believes what it was given, and has
// after a crash what it had when it was last flushed.
class Fold {
  public:
    std::optional<std::string> take(const FactsFeed::Item& item) {
        Buffer record;
        append_facts(record, item.facts);
        auto [known, is_new] = records_.emplace(item.behind, crc32c(record));
        if (known->second != crc32c(record)) return "a record that was fed is another one now";
        point_ = item.behind;
        if (!is_new) return std::nullopt;
        if (known != std::prev(records_.end())) return "a record that was fed has moved";
        if (!is_event(item.facts.kind)) return std::nullopt;
        if (!seqs_.empty() && item.facts.seq <= *seqs_.rbegin()) return "fed out of order";
        seqs_.insert(item.facts.seq);
        if (!logged_[item.facts.host_id].insert(item.facts.upstream_seq).second) {
            return named("an event of a host is twice in the log:", item.facts.upstream_seq);
        }
        return std::nullopt;
    }
    void flush() { flushed_ = point_; }
    void crash() { point_ = flushed_; }
    FactsPoint flushed() const { return flushed_; }
    const std::set<std::uint64_t>& seqs() const { return seqs_; }

    // Once it is where the log is: of each host everything up to its cursor was dropped or is in
    // the log, and what is in the log above is known by number.
    std::optional<std::string> agrees_with(const std::vector<Host>& hosts) {
        for (const Host& host : hosts) {
            const auto& logged = logged_[host.id];
            for (std::uint64_t seq = 1; seq <= host.upstream_seq; ++seq) {
                const bool is_due = host_has(host.id, seq) && !is_dropped(host.id, seq);
                if (is_due && !logged.contains(seq)) return named("passed over and lost:", seq);
            }
            std::vector<std::uint64_t> above(logged.upper_bound(host.upstream_seq), logged.end());
            if (above != host.seqs_above) return named("seqs above the cursor of host", host.id);
        }
        return std::nullopt;
    }

  private:
    std::map<FactsPoint, std::uint32_t> records_;  // by the point behind
    FactsPoint point_;
    FactsPoint flushed_;
    std::set<std::uint64_t> seqs_;
    std::map<std::uint32_t, std::set<std::uint64_t>> logged_;
};

struct Tally {
    std::optional<std::string> failure;  // met while working
    std::uint64_t events = 0;
    std::uint64_t rolled = 0;
    std::uint64_t removed = 0;
    std::uint64_t cuts = 0;
    std::uint64_t clean_starts = 0;
    std::uint64_t full_disks = 0;
    std::uint64_t caught_up = 0;
    std::uint64_t passed_over = 0;  // that were sent again, and known by number
    std::uint64_t facts_kept = 0;   // segments without frames, found at a start
    std::uint64_t followed = 0;
};

class LogScenario final : public support::CrashScenario {
  public:
    LogScenario(std::uint64_t seed, Tally& tally) : choices_(seed + 77), tally_(tally) {
        worker_count_ = 1 + choices_.below(3);
        has_small_disk_ = choices_.below(4) == 0;
    }

    std::optional<std::string> check(CrashRun& run) override {
        if (has_small_disk_) run.machine().disk().set_capacity(24 << 10);
        auto log = Log::open(run.env(), "/log", options());
        if (!log) return run.is_alive() ? "open: " + std::string(log.error().what) : "dead";
        log_ = std::move(*log);
        auto wrong = look_at_log(run);
        if (!run.is_alive()) log_.reset();
        if (wrong) log_.reset();
        return wrong;
    }

    void work(CrashRun& run) override {
        auto sequencer = std::make_unique<Sequencer>(*log_);
        std::vector<Colleague> colleagues(worker_count_ - 1);
        for (Colleague& one : colleagues) one.start(run.machine());
        {
            fiber::TaskGroup tasks;
            for (std::uint32_t i = 0; i < host_count; ++i) {
                fiber::Worker& worker = pick(colleagues, i);
                tasks.spawn("sender", [&, i] {
                    fiber::call_on(worker, "send", [&, i] { send(run, *sequencer, i); });
                });
            }
            fiber::Task follower = fiber::spawn("follower", [&] {
                fiber::call_on(pick(colleagues, 2), "follow", [&] { follow(run); });
            });
            fiber::Task watch = fiber::spawn("watch", [&] { watch_sync(run); });
            fiber::Task consumer = fiber::spawn("consumer", [&] {
                fiber::call_on(pick(colleagues, 1), "consume", [&] { consume(run); });
            });
            while (tasks.size() > 0) {
                if (!fiber::sleep_for(100us)) break;
            }
            tasks.cancel_and_join();
            is_over_ = true;
            consumer.join();
            follower.join();
            watch.cancel_and_join();
            is_over_ = false;
        }
        finish(run, *sequencer);
        sequencer.reset();
        log_.reset();
        if (choices_.below(4) == 0) fail_with(run, inspect(run));
        for (Colleague& one : colleagues) one.stop();
    }

  private:
    // Another worker of the same process.
    struct Colleague {
        fiber::Worker* worker = nullptr;
        std::unique_ptr<fiber::Event> end = std::make_unique<fiber::Event>();
        void start(env::Machine& machine) {
            worker = &machine.start_worker({.name = "colleague"}, [its = end.get()] {
                fiber::CancelBlocker blocker;
                static_cast<void>(its->wait());
            });
        }
        void stop() {
            fiber::call_on(*worker, "stop", [this] { end->set(); });
        }
    };

    static fiber::Worker& pick(std::vector<Colleague>& colleagues, std::size_t number) {
        std::size_t choice = number % (colleagues.size() + 1);
        return choice == 0 ? fiber::Worker::current() : *colleagues[choice - 1].worker;
    }

    LogOptions options() const {
        LogOptions options = event_log::test::small_log();
        options.segment_bytes = 1500;
        options.reservation_block = 20;
        options.sync_interval = 1ms;
        options.keeps_facts = true;
        options.space.retention_bytes = has_small_disk_ ? 1 << 20 : 8000;
        options.space.interval = 3ms;
        options.on_fatal = [](std::string_view what) {
            throw std::runtime_error(std::string(what));
        };
        return options;
    }

    void fail_with(CrashRun& run, std::optional<std::string> wrong) {
        if (run.is_alive() && wrong && !tally_.failure) tally_.failure = wrong;
    }

    std::optional<std::string> look_at_log(CrashRun& run) {
        if (tally_.failure) return tally_.failure;
        if (log_->highest_issued_seq() < witness_.highest()) return "a seq may be used again";
        if (log_->recovery().cut_anything()) ++tally_.cuts;
        if (log_->recovery().was_clean) ++tally_.clean_starts;
        if (log_->recovery().segments_dropped > 0) return "recovery took a crash for damage";
        std::map<std::uint64_t, Event> found;
        std::uint64_t floor = 0;
        // Again, if old segments went meanwhile.
        for (bool is_whole = false; !is_whole;) {
            ReadPort port(*log_);
            auto reader = Reader::open(port, 0);
            if (!reader) return "open from 0: " + std::string(reader.error().what);
            auto stream = event_log::test::read_to_head(*reader, 300);
            if (!stream && stream.error().code == Errc::not_found) continue;
            if (!stream) return "read: " + std::string(stream.error().what);
            if (auto wrong = take_stream(*stream, found)) return wrong;
            floor = floor_seq();
            is_whole = true;
        }
        if (run.is_alive()) {
            if (auto wrong = witness_.recovered(found, floor, log_->hosts())) return wrong;
            witness_.synced(log_->synced());
        }
        tally_.facts_kept += log_->recovery().facts_kept;
        return look_at_facts(run);
    }

    // The fold goes on where it was flushed, and comes to where the log was opened.
    std::optional<std::string> look_at_facts(CrashRun& run) {
        if (!run.is_alive()) return std::nullopt;
        fold_.crash();
        auto feed = FactsFeed::open(*log_, fold_.flushed());
        if (!feed) return "facts feed: " + std::string(feed.error().what);
        if (feed->began_with_gap()) return "facts were gone before they were folded";
        while (feed->point() < log_->opened_facts()) {
            if (auto wrong = fold_next(run, *feed)) return wrong;
        }
        if (!run.is_alive()) return std::nullopt;
        if (auto wrong = witness_.agrees_with(fold_.seqs())) return wrong;
        if (auto wrong = fold_.agrees_with(log_->hosts())) return wrong;
        flush(run);
        return std::nullopt;
    }

    std::optional<std::string> fold_next(CrashRun& run, FactsFeed& feed) {
        auto items = feed.read(1 + choices_.below(20));
        if (!run.is_alive()) return std::nullopt;
        if (!items) return "facts feed: " + std::string(items.error().what);
        for (const FactsFeed::Item& item : *items) {
            if (auto wrong = fold_.take(item)) return wrong;
            ++tally_.followed;
        }
        return std::nullopt;
    }

    void flush(CrashRun& run) {
        if (!run.is_alive()) return;
        fold_.flush();
        log_->facts_needed_from(fold_.flushed());
    }

    void follow(CrashRun& run) {
        auto feed = FactsFeed::open(*log_, fold_.flushed());
        if (!feed) return fail_with(run, "facts feed: " + std::string(feed.error().what));
        while (run.is_alive() && !is_over_) {
            fail_with(run, fold_next(run, *feed));
            if (choices_.below(4) == 0) flush(run);
            static_cast<void>(fiber::sleep_for(300us));
        }
    }

    // Of a log that nobody has open.
    std::optional<std::string> inspect(CrashRun& run) {
        auto report = check_log(run.env(), "/log");
        if (!report) return "check: " + std::string(report.error().what);
        if (report->is_sound()) return std::nullopt;
        return "check: " + report->findings[0].file + ": " + report->findings[0].what;
    }

    // The lowest cursor that is not outdated: everything above it is there, or was never synced.
    std::uint64_t floor_seq() {
        std::uint64_t low = 1;
        std::uint64_t high = log_->highest_issued_seq();
        while (low < high) {
            std::uint64_t middle = low + (high - low) / 2;
            auto place = log_->find_cursor(middle);
            RINGLAY_ASSERT(place.has_value());
            if (place->kind == Log::Place::Kind::outdated) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    std::optional<std::string> take_stream(Bytes stream, std::map<std::uint64_t, Event>& found) {
        std::uint64_t last = 0;
        while (!stream.empty()) {
            std::size_t header = stream[1] < 126 ? 2 : 4;
            std::size_t length = stream[1];
            if (length >= 126) length = std::size_t{stream[2]} << 8 | stream[3];
            if (stream.size() < header + length) return "half a frame at the head";
            auto event = event_of(stream.first(header + length));
            if (!event) return "not a frame";
            if (event->first <= last) return named("seq does not rise:", event->first);
            last = event->first;
            found.insert(*event);
            stream = stream.subspan(header + length);
        }
        return std::nullopt;
    }

    static std::optional<std::pair<std::uint64_t, Event>> event_of(Bytes frame) {
        auto parts = parse_ws_frame(frame);
        if (!parts) return std::nullopt;
        auto peeked = proto::peek(parts->message);
        if (!peeked) return std::nullopt;
        Event event;
        event.crc = crc32c(frame);
        unsigned long long host = 0;
        unsigned long long upstream_seq = 0;
        std::string did(peeked->did);
        if (std::sscanf(did.c_str(), "did:web:h%llu.n%llu.", &host, &upstream_seq) != 2) {
            return std::nullopt;
        }
        event.host = static_cast<std::uint32_t>(host);
        event.upstream_seq = upstream_seq;
        return std::pair{peeked->seq, event};
    }

    struct Sent {
        Entry entry;
        std::string did;
        Buffer message;
        bool is_pushed = false;  // else it is parked, as one whose key is being looked up
    };
    using Window = std::list<Sent>;

    // A host's stream: goes on where the log says that it has come, passing over what the log has
    // above that. Events are parked, overtaken, dropped.
    void send(CrashRun& run, Sequencer& sequencer, std::uint32_t number) {
        auto id = sequencer.register_host("host" + std::to_string(number) + ".example");
        if (!id) return;
        Host host;
        for (const Host& known : log_->hosts()) {
            if (known.id == *id) host = known;
        }
        Window window;
        std::uint64_t upstream_seq = host.upstream_seq;
        const std::uint64_t count = 5 + choices_.below(20);
        for (std::uint64_t i = 0; i < count && run.is_alive(); ++i) {
            do ++upstream_seq;
            while (!host_has(*id, upstream_seq));
            if (std::ranges::binary_search(host.seqs_above, upstream_seq)) {
                ++tally_.passed_over;
                continue;
            }
            receive(window, *id, upstream_seq);
            if (choices_.below(3) > 0) release(window, sequencer, window.size() - 1);
            settle(run, sequencer, window, choices_.below(6));
            if (choices_.below(3) == 0) {
                if (!fiber::sleep_for(Nanos(static_cast<std::int64_t>(choices_.below(2'000'000)))))
                    break;
            }
        }
        settle(run, sequencer, window, 0);
    }

    void receive(Window& window, std::uint32_t host_id, std::uint64_t upstream_seq) {
        Sent& sent = window.emplace_back();
        sent.did = did_of(host_id, upstream_seq, ++nonce_);
        sent.message = test::identity_message(sent.did, upstream_seq, 130 + choices_.below(300));
        auto frame = proto::peek(sent.message).value();
        sent.entry.message = sent.message;
        sent.entry.seq_offset = frame.seq_offset;
        sent.entry.seq_length = frame.seq_bytes;
        sent.entry.kind = FactsKind::identity;
        sent.entry.host_id = host_id;
        sent.entry.upstream_seq = upstream_seq;
        sent.entry.host_ack = window.front().entry.upstream_seq - 1;
        sent.entry.received = fiber::wall();
        sent.entry.text = sent.did;
    }

    // What was parked goes to the log, or nowhere.
    void release(Window& window, Sequencer& sequencer, std::size_t index) {
        auto sent = std::next(window.begin(), static_cast<std::ptrdiff_t>(index));
        if (sent->is_pushed) return;
        if (is_dropped(sent->entry.host_id, sent->entry.upstream_seq)) {
            window.erase(sent);
            return;
        }
        sent->is_pushed = true;
        sequencer.push(sent->entry);
    }

    void reap(CrashRun& run, Window& window) {
        for (auto sent = window.begin(); sent != window.end();) {
            const bool is_over = sent->is_pushed && sent->entry.is_done.load();
            if (is_over && sent->entry.is_logged && run.is_alive()) note(run, sent->entry);
            sent = is_over ? window.erase(sent) : std::next(sent);
        }
    }

    // Until no more than `limit` are on their way: whatever is released, in any order.
    void settle(CrashRun& run, Sequencer& sequencer, Window& window, std::size_t limit) {
        // Never leaves an entry behind that the log still uses.
        fiber::CancelBlocker blocker;
        for (;;) {
            reap(run, window);
            if (window.size() <= limit) return;
            release(window, sequencer, choices_.below(window.size()));
            static_cast<void>(fiber::sleep_for(20us));
            if (!run.is_alive()) give_up();
        }
    }

    // The world has ended: nobody will make room on a dead disk.
    void give_up() {
        fiber::call_on(log_->worker(), "give up", [this] { log_->give_up_stalls(); });
    }

    void note(CrashRun& run, const Entry& entry) {
        auto peeked = proto::peek(entry.message).value();
        Buffer message(proto::splice_size_bytes(entry.message, peeked, entry.seq));
        proto::splice_into(message, entry.message, peeked, entry.seq);
        WsHeader header = ws_header_for(message.size());
        Event event{entry.host_id, entry.upstream_seq, crc32c(message, crc32c(header.view()))};
        fail_with(run, witness_.published(entry.seq, event));
        ++tally_.events;
    }

    void watch_sync(CrashRun& run) {
        do {
            if (run.is_alive()) witness_.synced(log_->synced());
        } while (fiber::sleep_for(300us));
    }

    // Lives through all crashes: its cursor is what it has seen.
    void consume(CrashRun& run) {
        ReadPort port(*log_, {.block_bytes = 256, .max_blocks = 4});
        auto reader = Reader::open(port, cursor_);
        if (!reader) return fail_with(run, "consumer: " + std::string(reader.error().what));
        if (reader->start().kind == Start::Kind::future) {
            return fail_with(run, named("a cursor from before is called future:", cursor_));
        }
        Buffer pending;
        while (run.is_alive()) {
            if (reader->is_at_head()) {
                if (is_over_) break;
                static_cast<void>(reader->wait(Deadline::in(500us)));
                continue;
            }
            auto view = reader->view(1 + choices_.below(600));
            if (!view && view.error().code == Errc::not_found) return;  // too slow for the window
            if (!view) return fail_with(run, "consumer: " + std::string(view.error().what));
            std::size_t taken = 1 + choices_.below(view->bytes().size());
            pending.insert(pending.end(), view->bytes().begin(),
                           view->bytes().begin() + static_cast<std::ptrdiff_t>(taken));
            reader->advance(*view, taken);
            view = View();
            if (reader->at_frame_boundary() && run.is_alive()) digest(run, pending);
            if (choices_.below(8) == 0) static_cast<void>(fiber::sleep_for(200us));
        }
        if (reader->at_frame_boundary() && run.is_alive()) ++tally_.caught_up;
    }

    void digest(CrashRun& run, Buffer& pending) {
        std::map<std::uint64_t, Event> found;
        fail_with(run, take_stream(pending, found));
        for (const auto& [seq, event] : found) {
            if (seq <= cursor_) fail_with(run, named("consumer was sent twice:", seq));
            fail_with(run, witness_.published(seq, event));
            cursor_ = seq;
        }
        pending.clear();
    }

    void finish(CrashRun& run, Sequencer& sequencer) {
        fiber::CancelBlocker blocker;
        sequencer.stop();
        tally_.removed += log_->counters().segments_removed.load();
        tally_.rolled += log_->counters().segments.load() - 1;
        tally_.full_disks += log_->counters().no_space_retries.load();
        if (choices_.coin()) {
            log_->close();
            if (run.is_alive()) witness_.synced(log_->synced());
        }
    }

    env::Prng choices_;
    Tally& tally_;
    std::size_t worker_count_;
    bool has_small_disk_;
    Witness witness_;
    Fold fold_;
    std::unique_ptr<Log> log_;
    std::uint64_t cursor_ = 0;
    std::uint64_t nonce_ = 0;
    bool is_over_ = false;
};

}  // namespace

TEST_CASE("through ten thousand crashes the log loses nothing synced and repeats no seq") {
    Tally tally;
    support::CrashPlan plan;
    plan.seeds = support::sim_seeds(1000);
    plan.lives = 10;
    plan.world.time_limit = std::chrono::minutes(10);
    auto outcome = support::run_crash_seeds(
        plan, [&](std::uint64_t seed) { return std::make_unique<LogScenario>(seed, tally); });
    INFO(outcome.failure.value_or(""));
    CHECK_FALSE(outcome.failure.has_value());
    CHECK(tally.failure == std::nullopt);
    const auto& counts = outcome.counts;
    // What must have happened often, or the crashes prove nothing.
    CHECK(counts.kills + counts.power_losses == counts.seeds * plan.lives);
    if (counts.seeds < 100) return;
    CHECK(tally.events > counts.seeds * 100);
    CHECK(tally.rolled > counts.seeds * 20);
    CHECK(tally.removed > counts.seeds * 10);
    CHECK(tally.cuts > counts.seeds);
    CHECK(tally.clean_starts > counts.seeds / 4);
    CHECK(tally.full_disks > counts.seeds);
    CHECK(tally.caught_up > counts.seeds * 2);
    CHECK(tally.passed_over > counts.seeds);
    CHECK(tally.facts_kept > counts.seeds);
    CHECK(tally.followed > counts.seeds * 100);
}
