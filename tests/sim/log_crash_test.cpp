// The event log through thousands of crashes: a witness remembers everything that was ever
// published, synced or seen by a consumer, and holds the log to it after each of them.

#include <catch2/catch.hpp>
#include <set>
#include <stdexcept>

#include "proto/base/crc32c.hpp"
#include "relay/event_log/check.hpp"
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
        std::map<std::uint32_t, std::uint64_t> cursors;
        for (const auto& [seq, event] : known_) {
            if (is_lost_.contains(seq)) continue;
            cursors[event.host] = std::max(cursors[event.host], event.upstream_seq);
        }
        for (const Host& host : hosts) {
            if (host.upstream_seq != cursors[host.id]) return named("cursor of host", host.id);
            cursors.erase(host.id);
        }
        for (const auto& [host, cursor] : cursors) {
            if (cursor > 0) return named("events of a host without a name:", host);
        }
        return std::nullopt;
    }

  private:
    std::map<std::uint64_t, Event> known_;
    std::set<std::uint64_t> is_lost_;
    std::uint64_t synced_seq_ = 0;
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
        return std::nullopt;
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

    // A host's stream: goes on where the log says that it has come.
    void send(CrashRun& run, Sequencer& sequencer, std::uint32_t number) {
        struct Sent {
            Entry entry;
            std::string did;
            Buffer message;
        };
        auto id = sequencer.register_host("host" + std::to_string(number) + ".example");
        if (!id) return;
        std::uint64_t upstream_seq = 0;
        for (const Host& host : log_->hosts()) {
            if (host.id == *id) upstream_seq = host.upstream_seq;
        }
        std::deque<Sent> window;
        auto settle = [&](std::size_t limit) {
            while (window.size() > limit) {
                Sent& oldest = window.front();
                // Never leaves an entry behind that the log still uses.
                fiber::CancelBlocker blocker;
                while (!oldest.entry.is_done.load()) {
                    static_cast<void>(fiber::sleep_for(20us));
                    if (!run.is_alive()) give_up();
                }
                if (oldest.entry.is_logged && run.is_alive()) note(run, *id, oldest.entry);
                window.pop_front();
            }
        };
        const std::uint64_t count = 4 + choices_.below(16);
        for (std::uint64_t i = 0; i < count && run.is_alive(); ++i) {
            Sent& sent = window.emplace_back();
            ++upstream_seq;
            sent.did = did_of(*id, upstream_seq, ++nonce_);
            sent.message =
                test::identity_message(sent.did, upstream_seq, 130 + choices_.below(300));
            auto frame = proto::peek(sent.message).value();
            sent.entry.message = sent.message;
            sent.entry.seq_offset = frame.seq_offset;
            sent.entry.seq_length = frame.seq_bytes;
            sent.entry.kind = FactsKind::identity;
            sent.entry.host_id = *id;
            sent.entry.upstream_seq = upstream_seq;
            sent.entry.host_ack = upstream_seq - 1;
            sent.entry.received = fiber::wall();
            sent.entry.text = sent.did;
            sequencer.push(sent.entry);
            settle(choices_.below(6));
            if (choices_.below(3) == 0) {
                if (!fiber::sleep_for(Nanos(static_cast<std::int64_t>(choices_.below(2'000'000)))))
                    break;
            }
        }
        settle(0);
    }

    // The world has ended: nobody will make room on a dead disk.
    void give_up() {
        fiber::call_on(log_->worker(), "give up", [this] { log_->give_up_stalls(); });
    }

    void note(CrashRun& run, std::uint32_t host, const Entry& entry) {
        auto peeked = proto::peek(entry.message).value();
        Buffer message(proto::splice_size_bytes(entry.message, peeked, entry.seq));
        proto::splice_into(message, entry.message, peeked, entry.seq);
        WsHeader header = ws_header_for(message.size());
        Event event{host, entry.upstream_seq, crc32c(message, crc32c(header.view()))};
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
}
