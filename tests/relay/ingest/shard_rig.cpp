#include "tests/relay/ingest/shard_rig.hpp"

#include "relay/event_log/frame_walk.hpp"
#include "relay/event_log/segment_header.hpp"

namespace ringlay::ingest::test {
namespace {

constexpr std::uint16_t host_port = 2583;

env::WorldOptions options_of(std::uint64_t seed) {
    env::WorldOptions options;
    options.seed = seed;
    return options;
}

event_log::LogOptions log_options() {
    event_log::LogOptions options;
    options.segment_bytes = 64 << 20;
    options.tail = {.chunk_bytes = 64 * 1024, .chunk_count = 32};
    options.max_message_bytes = 400'000;
    options.max_batch_bytes = 400'000;
    options.max_batch_entries = 64;
    options.initial_seq = 1000;
    options.space.reserve_bytes = 1;
    return options;
}

std::string text_of(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

Buffer copy_of(Bytes bytes) {
    return {bytes.begin(), bytes.end()};
}

}  // namespace

// ----- hosts ----------------------------------------------------------------------------------

StatusHost::StatusHost(env::World& world, const std::string& machine)
    : address_(world.machine(machine).address(host_port)) {
    world.machine(machine).start_worker({.name = machine, .index = 0}, [this] { run(); });
}

void StatusHost::say_active(std::string_view did, bool is_active) {
    answer_with(200, R"({"did":")" + std::string(did) + R"(","active":)" +
                         (is_active ? "true" : R"(false,"status":"deactivated")") + "}");
}

void StatusHost::run() {
    auto listener = env_.net.listen(address_);
    RINGLAY_ASSERT(listener.has_value());
    net::HttpServerOptions options;
    options.max_connections_per_address = options.max_connections;
    net::HttpServer server(env_, options, counters_,
                           [this](const net::HttpRequest& request, const Address&) {
                               ++requests_;
                               last_target_ = request.target;
                               most_at_once_ = std::max(most_at_once_, ++at_once_);
                               if (delay_ > Nanos(0)) static_cast<void>(fiber::sleep_for(delay_));
                               --at_once_;
                               return net::HttpResponse{status_, {}, body_};
                           });
    server.serve(*listener);
}

// ----- a life ---------------------------------------------------------------------------------

ShardRig::ShardRig(std::uint64_t seed) : world_(options_of(seed)) {
    identity_metrics_ = std::make_unique<identity::IdentityMetrics>(registry_, 64 * 1024);
    metrics = std::make_unique<IngestMetrics>(registry_, 1);
    plc.emplace(world_, "plc");
    for (std::size_t i = 0; i < host_count; ++i) {
        hosts_.push_back(std::make_unique<StatusHost>(world_, "pds-" + std::to_string(i)));
        host_refs_.emplace_back().name = hosts_.back()->name();
    }
    machine_ = &world_.machine("relay");
    options.resolver.plc_url = plc->url();
    options.resolver.user_agent = "ringlay (test)";
}

ShardRig::~ShardRig() = default;

void ShardRig::run(const std::function<void()>& body) {
    bool has_ended = false;
    machine_->start_worker({.name = "relay", .index = 0}, [&] {
        begin();
        body();
        end();
        has_ended = true;
    });
    auto stuck = world_.run_until_true([&] { return has_ended; });
    INFO(stuck.value_or(""));
    REQUIRE_FALSE(stuck.has_value());
}

void ShardRig::begin() {
    auto opened = event_log::Log::open(env, "/log", log_options());
    RINGLAY_ASSERT(opened.has_value());
    log = std::move(*opened);
    sequencer = std::make_unique<event_log::Sequencer>(*log);
    for (HostRef& ref : host_refs_) ref.id = sequencer->register_host(ref.name).value();
    auto made = fiber::blocking([&](MayBlock may_block) {
        return index::Database::open(
            may_block,
            {.path = "/database", .env = database_disk_.env(), .compacts_by_itself = false});
    });
    RINGLAY_ASSERT(made.has_value());
    database = std::move(*made);
    context = std::make_unique<ShardContext>(ShardContext{.env = env,
                                                          .log = *log,
                                                          .sequencer = *sequencer,
                                                          .database = *database,
                                                          .fold = fold,
                                                          .logger = logger,
                                                          .metrics = *metrics,
                                                          .identity_metrics = *identity_metrics_,
                                                          .user_agent = "ringlay (test)",
                                                          .outbound = nullptr,
                                                          .strangers = strangers});
    shard = std::make_unique<Shard>(*context, options);
}

void ShardRig::end() {
    shard->stop();
    sequencer->stop();
    log->close();
    shard.reset();
    sequencer.reset();
    log.reset();
    fiber::blocking([&](MayBlock may_block) {
        static_cast<void>(database->flush(may_block));
        database.reset();
    });
    for (const Sent& sent : sent_) CHECK(sent.event.is_done.load());
    sent_.clear();
    CHECK(metrics->parked.depth() == 0);
}

// ----- in the body ----------------------------------------------------------------------------

const HostRef& ShardRig::add_host(std::string name) {
    HostRef& ref = host_refs_.emplace_back();
    ref.name = std::move(name);
    ref.id = sequencer->register_host(ref.name).value();
    return ref;
}

SignedRepo ShardRig::new_account(std::size_t host_number) {
    SignedRepo repo(next_account_++);
    publish(repo, host_number);
    return repo;
}

void ShardRig::publish(const SignedRepo& repo, std::size_t host_number) {
    plc->set(repo.did(), repo.public_key(), "http://" + host_refs_[host_number].name);
}

Sent& ShardRig::send(const HostRef& ref, const Buffer& frame) {
    Sent& sent = sent_.emplace_back(ref, frame, wall());
    shard->push(sent.event);
    return sent;
}

bool ShardRig::is_done_within(const Sent& sent, Nanos within) {
    const Nanos end = now() + within;
    while (is_waiting(sent) && now() < end) sleep(std::chrono::milliseconds(5));
    return !is_waiting(sent);
}

bool ShardRig::passes(const Sent& sent, Nanos within) {
    CHECK(is_done_within(sent, within));
    return sent.event.is_logged;
}

void ShardRig::remember(const SignedRepo& repo, std::size_t host_number, index::AccountRow row) {
    row.host_id = host_refs_[host_number].id;
    auto change = index::AccountChange{.did = repo.did(),
                                       .seq = row.last_seq,
                                       .host_id = row.host_id,
                                       .repo = row.repo,
                                       .local = row.local,
                                       .upstream = row.upstream};
    index::Database::Named named{repo.did(),
                                 {.key = repo.public_key(),
                                  .pds_host = host_refs_[host_number].name,
                                  .fetched_ms = wall().count()}};
    fiber::blocking([&](MayBlock may_block) {
        index::LogPoint point{log->log_id(), 0, 0, row.last_seq};
        RINGLAY_ASSERT(database->apply(may_block, {&change, 1}, point).has_value());
        RINGLAY_ASSERT(database->put_identities(may_block, {&named, 1}).has_value());
    });
}

std::vector<LoggedFact> ShardRig::logged() {
    using event_log::FactsField;
    RINGLAY_ASSERT(log->sync_now().has_value());
    std::vector<LoggedFact> all;
    auto content = [&](event_log::SegmentFile which) {
        return machine_->disk().content("/log/" + event_log::segment_file_name(0, which)).value();
    };
    const Buffer facts = content(event_log::SegmentFile::facts);
    const Buffer wire = content(event_log::SegmentFile::wire);
    Bytes rest = Bytes(facts).subspan(event_log::segment_header_bytes);
    Bytes frames = Bytes(wire).subspan(event_log::segment_header_bytes);
    while (auto decoded = event_log::decode_facts(rest)) {
        rest = rest.subspan(decoded->size_bytes);
        const event_log::Facts& its = decoded->facts;
        if (its.kind == event_log::FactsKind::host_name) continue;
        LoggedFact fact{.kind = its.kind,
                        .verdicts = its.verdicts,
                        .seq = its.seq,
                        .host_id = its.host_id,
                        .upstream_seq = its.upstream_seq,
                        .did = std::string(its.text),
                        .rev = text_of(its.field(FactsField::rev)),
                        .data = copy_of(its.field(FactsField::data_cid)),
                        .commit = copy_of(its.field(FactsField::commit_cid)),
                        .statuses = copy_of(its.field(FactsField::statuses)),
                        .frame = {}};
        if (its.wire_length > 0) {
            auto frame =
                event_log::parse_ws_frame(frames.subspan(its.wire_offset, its.wire_length));
            RINGLAY_ASSERT(frame.has_value());
            fact.frame = copy_of(frame->message);
        }
        all.push_back(std::move(fact));
    }
    return all;
}

std::string ShardRig::log_lines() {
    std::string all;
    logger.flush([&](std::string_view line) { all += line; });
    return all;
}

}  // namespace ringlay::ingest::test
