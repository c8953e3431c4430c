#include "tests/sim/truth_world.hpp"

#include <algorithm>
#include <chrono>

#include "relay/event_log/facts_feed.hpp"
#include "relay/net/http_client.hpp"

namespace ringlay::support {

using namespace std::chrono_literals;
using event_log::FactsKind;

namespace {

// Longer than anything is remembered, waited for or given up after.
constexpr Nanos quiet_time = 220s;

void close_span(std::vector<Span>& spans, Nanos at) {
    if (!spans.empty() && spans.back().to == Nanos::max()) spans.back().to = at;
}

env::WorldOptions world_options(std::uint64_t seed) {
    env::WorldOptions options;
    options.seed = seed;
    return options;
}

}  // namespace

TruthWorld::TruthWorld(const TruthSetup& its_setup)
    : setup(its_setup),
      line(world_options(its_setup.seed), setup.workers),
      network(network_place_.emplace(line.world)) {
    history.passes_unverified = setup.passes_unverified;
    plc.emplace(line.world, "plc");
    network.publish = [this](const SimAccount& account) {
        const Binding& binding = account.bindings.back();
        plc->set(account.did(), network.key(binding.key).public_key(),
                 network.host(binding.host).endpoint());
    };
    for (std::size_t i = 0; i < setup.hosts; ++i) network.add_host("pds" + std::to_string(i));
    line.adjust = [this](RelayOptions& options) {
        base::Config& config = options.config;
        config.plc_url = plc->url();
        config.shards = setup.shards;
        config.key_wait_ms = 2000;
        config.cached_accounts = 1000;
        config.unverified =
            setup.passes_unverified ? base::Unverified::pass : base::Unverified::drop;
        config.identity_handle =
            setup.keeps_handles ? base::IdentityHandle::keep : base::IdentityHandle::strip;
        for (std::size_t i = 0; i < network.host_count(); ++i) {
            config.hosts.push_back({network.host(i).address().ip_text(), SimPds::port});
        }
        options.shard.identity_events_per_minute =
            ingest::ShardOptions().identity_events_per_minute;
    };
}

TruthWorld::~TruthWorld() = default;

// ----- time -----------------------------------------------------------------------------------

void TruthWorld::note_seen() {
    if (line.consumers.empty()) return;
    const auto& seen = line.consumers[0]->seen();
    for (; noted_ < seen.size(); ++noted_) {
        content_by_seq_.emplace(seen[noted_].seq, seen[noted_].event);
        auto number = number_of_frame(seen[noted_].event);
        if (!number) continue;
        ++times_seen_[*number];
        history.seen.emplace(*number, line.world.now());
    }
}

void TruthWorld::run_for(Nanos duration) {
    // In steps, so that it is known about when the consumer saw what.
    const Nanos until = line.world.now() + duration;
    while (line.world.now() < until) {
        line.world.run_until(std::min(until, line.world.now() + 250ms));
        note_seen();
    }
}

void TruthWorld::run_events(std::uint64_t count) {
    line.world.run_to_event(line.world.event_count() + count);
    note_seen();
}

bool TruthWorld::run_until(const std::function<bool()>& is_true) {
    auto stuck = line.world.run_until_true(is_true);
    note_seen();
    return !stuck;
}

// ----- the relay and those around it ------------------------------------------------------------

void TruthWorld::start_relay() {
    RINGLAY_ASSERT(!is_up_);
    line.start_relay();
    is_up_ = true;
    if (line.consumers.empty()) {
        line.consumers.push_back(
            std::make_unique<SimConsumer>(line.world, "consumer", line.relay_address(), 0));
    }
}

void TruthWorld::crash(env::CrashMode mode) {
    RINGLAY_ASSERT(is_up_);
    line.crash_relay(mode);
    history.crashes.push_back(line.world.now());
    if (mode == env::CrashMode::power_loss) ++power_losses;
    is_up_ = false;
}

void TruthWorld::set_directory(Directory manner) {
    const Nanos now = line.world.now();
    close_span(history.directory_bad, now);
    close_span(history.directory_lags, now);
    plc->be_well();
    plc->catch_up();
    switch (manner) {
        case Directory::well:
            return;
        case Directory::slow:
            plc->be_slow(1ms * (500 + line.world.prng().below(6000)));
            break;
        case Directory::failing:
            plc->fail_with(line.world.prng().coin() ? 503 : 429);
            break;
        case Directory::mute:
            plc->be_silent();
            break;
        case Directory::lagging:
            plc->lag();
            history.directory_lags.push_back({now});
            return;
    }
    history.directory_bad.push_back({now});
}

void TruthWorld::set_manner(std::size_t host, SimPds::Manner manner) {
    close_span(history.status_bad[host], line.world.now());
    network.host(host).set_manner(manner);
    if (manner != SimPds::Manner::prompt) history.status_bad[host].push_back({line.world.now()});
}

void TruthWorld::part_from_relay(std::size_t host) {
    line.world.net().partition(network.host(host).machine(), line.world.machine("relay"));
    history.status_bad[host].push_back({line.world.now()});
}

void TruthWorld::heal(std::size_t host) {
    line.world.net().heal(network.host(host).machine(), line.world.machine("relay"));
    close_span(history.status_bad[host], line.world.now());
}

void TruthWorld::restore(std::size_t host) {
    history.restores[host].push_back(line.world.now());
    network.restore(host);
}

void TruthWorld::become_quiet() {
    if (!is_up_) start_relay();
    line.world.net().heal_all();
    set_directory(Directory::well);
    for (std::size_t i = 0; i < network.host_count(); ++i) {
        network.host(i).set_hang_ups(0);
        network.host(i).set_silent(false);
        set_manner(i, SimPds::Manner::prompt);
    }
    for (std::size_t i = 0; i < network.account_count(); ++i) network.show_move(i);
    run_for(quiet_time);
    history.quiet.push_back(line.world.now());
}

void TruthWorld::settle() {
    // A restored host is followed again from what it says first.
    for (std::size_t host = 0; host < network.host_count(); ++host) {
        for (std::size_t i = 0; i < network.account_count(); ++i) {
            if (network.account(i).home != host) continue;
            network.say_standing(i);
            break;
        }
    }
    run_for(5s);
    settled = network.ledger().size();
    for (std::size_t i = 0; i < network.account_count(); ++i) {
        if (!network.account(i).is_gone) network.say_identity(i);
        network.say_standing(i);
        if (network.account(i).standing.is_active) network.say_commit(i, 1);
    }
    run_for(20s);
    history.quiet.push_back(line.world.now());
}

// ----- what it has left -------------------------------------------------------------------------

Findings TruthWorld::inspect() {
    Findings findings;
    collect_log(findings);
    if (!findings.failure) collect_statuses(findings);
    if (findings.failure) return findings;
    for (const auto& [number, times] : times_seen_) findings.consumer_repeats += times - 1;

    line.lives.back()->relay->request_stop();
    if (!run_until([&] { return line.world.machine("relay").has_ended(); })) {
        findings.failure = "the relay does not stop: " + line.world.dump();
        return findings;
    }
    if (line.lives.back()->failure) {
        findings.failure = "the relay: " + *line.lives.back()->failure;
        return findings;
    }
    is_up_ = false;
    read_disk(findings);
    return findings;
}

// By a consumer that comes late and wants everything.
void TruthWorld::collect_log(Findings& findings) {
    const SimConsumer& late = *line.consumers.emplace_back(
        std::make_unique<SimConsumer>(line.world, "late", line.relay_address(), 0));
    const auto& first = line.consumers[0]->seen();
    if (!run_until([&] {
            return first.empty() ||
                   (!late.seen().empty() && late.seen().back().seq >= first.back().seq);
        })) {
        findings.failure = "a late consumer does not get the whole log";
        return;
    }
    for (const auto& consumer : line.consumers) {
        if (!consumer->complaint().empty()) findings.failure = consumer->complaint();
    }
    for (const auto& seen : late.seen()) {
        auto before = content_by_seq_.emplace(seen.seq, seen.event);
        if (before.first->second != seen.event) findings.failure = "a seq with two contents";
    }
}

void TruthWorld::collect_statuses(Findings& findings) {
    std::size_t left = network.account_count();
    const std::string base = "http://" + line.world.machine("relay").address(firehose_port).text() +
                             "/xrpc/com.atproto.sync.getRepoStatus?did=";
    line.world.machine("asks").start_worker({.name = "asks", .index = 0}, [&] {
        for (std::size_t i = 0; i < network.account_count(); ++i, --left) {
            const std::string& did = network.account(i).did();
            net::FetchOptions options;
            options.deadline = Deadline::in(10s);
            auto answer = net::fetch(env_, proto::parse_url(base + did).value(), options);
            findings.statuses[did] = answer ? answer->body : answer.error().reason;
        }
    });
    if (!run_until([&] { return left == 0; })) findings.failure = "getRepoStatus does not end";
}

void TruthWorld::read_disk(Findings& findings) {
    bool is_done = false;
    line.world.machine("relay").start_worker({.name = "inspector", .index = 0}, [&] {
        findings.failure = read_log(findings);
        if (!findings.failure) findings.failure = read_rows(findings);
        is_done = true;
    });
    if (!run_until([&] { return is_done; })) findings.failure = "the inspection does not end";
}

std::optional<std::string> TruthWorld::read_log(Findings& findings) {
    event_log::LogOptions options;
    options.tail.chunk_count = static_cast<std::uint32_t>((16 << 20) / options.tail.chunk_bytes);
    options.space.reserve_bytes = 1;
    auto log = event_log::Log::open(env_, "/data", options);
    if (!log) return "the log: " + std::string(log.error().what);
    for (const event_log::Host& host : (*log)->hosts()) findings.hosts[host.id] = host.name;
    auto feed = event_log::FactsFeed::open(**log, {});
    if (!feed) return "the facts: " + std::string(feed.error().what);
    for (;;) {
        auto items = feed->read(100);
        if (!items) return "the facts: " + std::string(items.error().what);
        if (items->empty()) break;
        for (const auto& item : *items) {
            LogRecord record;
            record.kind = item.facts.kind;
            record.is_unverified = (item.facts.verdicts & event_log::verdict_unverified) != 0;
            record.seq = item.facts.seq;
            record.host_id = item.facts.host_id;
            record.upstream_seq = item.facts.upstream_seq;
            record.text = item.facts.text;
            for (std::size_t i = 0; i < event_log::facts_field_count; ++i) {
                Bytes bytes = item.facts.fields[i];
                if (bytes.empty()) continue;
                record.fields[static_cast<event_log::FactsField>(i)] =
                    Buffer(bytes.begin(), bytes.end());
            }
            if (event_log::is_event(record.kind)) {
                auto content = content_by_seq_.find(record.seq);
                if (content == content_by_seq_.end()) {
                    return "seq " + std::to_string(record.seq) + " was sent to nobody";
                }
                record.content = content->second;
                record.number = number_of_frame(record.content);
            }
            findings.records.push_back(std::move(record));
        }
    }
    (*log)->close();
    return std::nullopt;
}

std::optional<std::string> TruthWorld::read_rows(Findings& findings) {
    std::optional<std::string> failure;
    fiber::blocking([&](MayBlock may) {
        index::Options options;
        options.path = "/data/index";
        options.env = line.lives.back()->index_disk->env();
        options.compacts_by_itself = false;
        auto database = index::Database::open(may, options);
        if (!database) {
            failure = "the database: " + std::string(database.error().what);
            return;
        }
        auto rows = (*database)->list_accounts(may, {}, index::Database::max_page);
        if (!rows) {
            failure = "the rows: " + std::string(rows.error().what);
            return;
        }
        for (auto& listed : *rows) findings.rows.emplace(listed.did, listed.row);
    });
    return failure;
}

}  // namespace ringlay::support
