#include "relay/identity/resolver.hpp"

#include <algorithm>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "proto/base/assert.hpp"
#include "proto/did_document.hpp"
#include "proto/syntax.hpp"
#include "proto/url.hpp"
#include "relay/identity/directory_pace.hpp"
#include "relay/identity/refresh_budget.hpp"
#include "relay/identity/web_did.hpp"
#include "relay/net/http_client.hpp"

namespace ringlay::identity {
namespace {

using Done = Resolver::Done;

struct Domain;

// One DID that is asked about, by one look_up() or by several.
struct Request {
    std::string did;
    std::string url;
    Domain* domain = nullptr;   // nothing: the directory
    std::uint32_t host_id = 0;  // in whose lane to the directory it waits
    bool is_queued = true;      // else it is under way
    Nanos asked_at{};
    std::vector<Done> waiting;
    std::list<Request*>::iterator in_lane;  // these two only while it waits for its turn
    std::list<Request*>::iterator in_age;
};

// What one host's events want to know of the directory. It exists as long as it has a place among
// those whose turn comes; one that is found there without a request is forgotten.
using HostLane = std::list<Request*>;

// The lane of one did:web site. One that is neither busy nor listed does not exist: whoever finds
// it in the list without a request forgets it.
struct Domain {
    std::string site;
    std::list<Request*> queue;
    std::size_t look_ups = 0;  // that wait for a request in the queue or under way
    bool is_busy = false;
    bool is_listed = false;  // among those that may begin a request
};

struct Answer {
    std::vector<Done> waiting;
    LookUp look_up;
    bool is_counted = true;  // in waiting()
};

struct Reply {
    LookUp look_up;
    bool has_failed = false;        // the server, not this one DID
    std::uint16_t http_status = 0;  // of an answer, when it has failed; else `what`
    std::string_view what;          // a literal
    std::optional<Nanos> retry_after;
};

// Seconds; a date is not read: the back-off of our own covers it.
std::optional<Nanos> retry_after_of(const net::HttpResponse& response) {
    std::string_view text = response.headers.find("retry-after").value_or("");
    bool is_number = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
    if (text.empty() || !is_number) return std::nullopt;
    if (text.size() > 6) return DirectoryPace::longest_asked_for;
    std::int64_t seconds = 0;
    for (char c : text) seconds = seconds * 10 + (c - '0');
    return std::chrono::seconds(seconds);
}

Reply unavailable(std::string reason, bool has_failed) {
    Reply reply;
    reply.look_up.reason = std::move(reason);
    reply.has_failed = has_failed;
    return reply;
}

// What an answer means; an answer of a server that works, unless it says otherwise.
Reply read_answer(const net::HttpResponse& response, std::string_view did) {
    if (response.status == 404 || response.status == 410) {
        Reply reply = unavailable("status " + std::to_string(response.status), false);
        reply.look_up.kind = LookUp::Kind::none;
        return reply;
    }
    if (response.status != 200) {
        bool has_failed = response.status == 429 || response.status >= 500;
        Reply reply = unavailable("status " + std::to_string(response.status), has_failed);
        reply.http_status = response.status;
        if (response.status == 429 || response.status == 503) {
            reply.retry_after = retry_after_of(response);
        }
        return reply;
    }
    auto document = proto::parse_did_document(response.body, did);
    if (!document) return unavailable(std::string(document.error().what), false);
    Reply reply;
    reply.look_up.kind = LookUp::Kind::found;
    reply.look_up.identity = identity_of(*document);
    return reply;
}

std::string_view lane_name(const Request& request) {
    return request.domain == nullptr ? "PLC directory" : "did:web";
}

}  // namespace

struct Resolver::Core {
    Core(env::Env& doors, ResolverOptions chosen, IdentityMetrics& counters)
        : env(doors),
          options(std::move(chosen)),
          metrics(counters),
          budget(options.refreshes_per_host_per_minute),
          allowed(options.outbound != nullptr ? options.outbound->allowed()
                                              : base::PrivateHosts::parse("all").value()) {
        RINGLAY_ASSERT(options.plc_concurrency > 0 && options.web_concurrency > 0);
        RINGLAY_ASSERT(options.max_waiting > 0 && options.max_waiting_per_domain > 0);
        while (options.plc_url.ends_with('/')) options.plc_url.pop_back();
        conductor = fiber::spawn("identity resolver", [this] { conduct(); });
    }

    void look_up(std::string_view did, std::uint32_t host_id, Done done);
    void join(Request& request, Done done);
    void begin(std::string_view did, std::uint32_t host_id, std::optional<WebDid> web, Done done);
    bool is_full(const Domain* domain) const;
    LookUp not_found(std::string reason) const;  // unavailable, unless changed
    void answer_uncounted(Done done, std::string reason);
    void refuse(Done done);
    void stop();

    // In the conductor: starts requests, gives up those whose turn does not come, hands answers
    // over.
    void conduct();
    void give_up_old();
    void start_requests();
    void start(Request& request);
    void deliver();
    Deadline next_look() const;

    // In a fiber for each request.
    void run(Request& request);
    Reply ask(const Request& request);
    void finish(Request& request, Reply reply, Nanos began);

    void enlist(Domain& domain);
    void enter_lane(Request& request);
    void move_if_shorter(Request& request, std::uint32_t host_id);
    std::size_t lane_length(std::uint32_t host_id) const;
    void leave_queue(Request& request);
    void settle(Request& request, LookUp look_up);
    void count(const Request& request, LookUp::Kind kind);
    std::uint32_t worker() const { return fiber::Worker::current().index(); }

    env::Env& env;
    ResolverOptions options;
    IdentityMetrics& metrics;
    RefreshBudget budget;
    const base::PrivateHosts allowed;
    DirectoryPace pace;
    std::string directory_failure;  // the last one; empty: it answers
    Nanos directory_fails_since{};
    std::map<std::string, Request, std::less<>> requests;  // by DID: in a queue or under way
    std::list<Request*> by_age;                            // those in a queue, the oldest first
    std::map<std::uint32_t, HostLane> plc_lanes;           // by host
    std::deque<std::uint32_t> plc_turns;                   // each of plc_lanes once
    std::size_t plc_running = 0;
    std::map<std::string, Domain, std::less<>> domains;  // by site
    std::deque<Domain*> listed;
    std::size_t web_running = 0;
    std::deque<Answer> answers;  // not handed over yet
    std::size_t waiting = 0;
    bool is_stopping = false;
    bool has_stopped = false;
    fiber::Event changed;
    fiber::TaskGroup fetches;
    fiber::Task conductor;  // last: the fibers end before the rest goes
};

void Resolver::Core::look_up(std::string_view did, std::uint32_t host_id, Done done) {
    if (is_stopping) {
        if (has_stopped) return done(not_found("stopping"));  // nobody is left to do it later
        return answer_uncounted(std::move(done), "stopping");
    }
    changed.set();
    if (auto found = requests.find(did); found != requests.end()) {
        move_if_shorter(found->second, host_id);
        return join(found->second, std::move(done));
    }
    bool is_plc = proto::is_did_plc(did);
    std::optional<WebDid> web;
    if (!is_plc) web = parse_web_did(did, allowed);
    if (is_plc || web) return begin(did, host_id, std::move(web), std::move(done));

    if (is_full(nullptr)) return refuse(std::move(done));
    bool is_web = did.starts_with("did:web:");
    (is_web ? metrics.web_none : metrics.other_none).add(worker());
    ++waiting;
    metrics.waiting.add(1);
    Answer& answer = answers.emplace_back();
    answer.waiting.push_back(std::move(done));
    answer.look_up = not_found(is_web ? "did:web: not the name of a public host"
                                      : "DID of a method that is not resolved");
    answer.look_up.kind = LookUp::Kind::none;
}

LookUp Resolver::Core::not_found(std::string reason) const {
    LookUp look_up;
    look_up.at = env.clock.wall();
    look_up.reason = std::move(reason);
    return look_up;
}

void Resolver::Core::answer_uncounted(Done done, std::string reason) {
    Answer& answer = answers.emplace_back();
    answer.waiting.push_back(std::move(done));
    answer.look_up = not_found(std::move(reason));
    answer.is_counted = false;
}

bool Resolver::Core::is_full(const Domain* domain) const {
    return waiting >= options.max_waiting ||
           (domain != nullptr && domain->look_ups >= options.max_waiting_per_domain);
}

void Resolver::Core::refuse(Done done) {
    metrics.refused_full.add(worker());
    answer_uncounted(std::move(done), "too many look-ups wait");
}

void Resolver::Core::join(Request& request, Done done) {
    if (is_full(request.domain)) return refuse(std::move(done));
    request.waiting.push_back(std::move(done));
    if (request.domain != nullptr) ++request.domain->look_ups;
    ++waiting;
    metrics.waiting.add(1);
}

void Resolver::Core::begin(std::string_view did, std::uint32_t host_id, std::optional<WebDid> web,
                           Done done) {
    Domain* domain = nullptr;
    if (web) {
        auto found = domains.find(web->site);
        if (found != domains.end()) domain = &found->second;
    }
    if (is_full(domain)) return refuse(std::move(done));
    if (web && domain == nullptr) {
        domain = &domains[web->site];
        domain->site = web->site;
    }
    Request& request = requests[std::string(did)];
    request.did = did;
    request.url = web ? std::move(web->url) : options.plc_url + "/" + request.did;
    request.domain = domain;
    request.host_id = host_id;
    request.asked_at = env.clock.now();
    enter_lane(request);
    request.in_age = by_age.insert(by_age.end(), &request);
    if (domain != nullptr) enlist(*domain);
    join(request, std::move(done));
}

void Resolver::Core::enlist(Domain& domain) {
    if (domain.is_listed || domain.is_busy) return;
    domain.is_listed = true;
    listed.push_back(&domain);
}

void Resolver::Core::enter_lane(Request& request) {
    std::list<Request*>* queue = nullptr;
    if (request.domain != nullptr) {
        queue = &request.domain->queue;
    } else {
        auto [lane, is_new] = plc_lanes.try_emplace(request.host_id);
        if (is_new) plc_turns.push_back(request.host_id);
        queue = &lane->second;
    }
    request.in_lane = queue->insert(queue->end(), &request);
}

// Who asked first may have a long lane, perhaps on purpose: nobody else has to wait for that.
void Resolver::Core::move_if_shorter(Request& request, std::uint32_t host_id) {
    const bool is_elsewhere =
        request.domain == nullptr && request.is_queued && request.host_id != host_id;
    if (!is_elsewhere || lane_length(host_id) >= lane_length(request.host_id)) return;
    plc_lanes.at(request.host_id).erase(request.in_lane);
    request.host_id = host_id;
    enter_lane(request);
}

std::size_t Resolver::Core::lane_length(std::uint32_t host_id) const {
    auto found = plc_lanes.find(host_id);
    return found == plc_lanes.end() ? 0 : found->second.size();
}

void Resolver::Core::leave_queue(Request& request) {
    request.is_queued = false;
    (request.domain == nullptr ? plc_lanes.at(request.host_id) : request.domain->queue)
        .erase(request.in_lane);
    by_age.erase(request.in_age);
}

void Resolver::Core::conduct() {
    for (;;) {
        changed.reset();
        give_up_old();
        start_requests();
        deliver();
        auto woken = changed.wait(next_look());
        if (!woken && woken.error().code == Errc::cancelled) return;
    }
}

Deadline Resolver::Core::next_look() const {
    Deadline deadline = Deadline::never();
    if (!by_age.empty()) deadline = {by_age.front()->asked_at + options.longest_wait};
    if (!plc_turns.empty() && pace.opens_at() > env.clock.now()) {
        deadline = earlier(deadline, {pace.opens_at()});
    }
    return deadline;
}

void Resolver::Core::give_up_old() {
    Nanos now = env.clock.now();
    while (!by_age.empty() && by_age.front()->asked_at + options.longest_wait <= now) {
        Request& request = *by_age.front();
        leave_queue(request);
        std::string reason(lane_name(request));
        reason += ": its turn has not come";
        if (request.domain == nullptr && !directory_failure.empty()) {
            reason += "; last failure: " + directory_failure;
        }
        settle(request, not_found(std::move(reason)));
    }
}

void Resolver::Core::start_requests() {
    while (!plc_turns.empty() &&
           plc_running < pace.allowed(env.clock.now(), options.plc_concurrency)) {
        const std::uint32_t host_id = plc_turns.front();
        plc_turns.pop_front();
        HostLane& lane = plc_lanes.at(host_id);
        if (!lane.empty()) {
            ++plc_running;
            start(*lane.front());
        }
        if (lane.empty()) {
            plc_lanes.erase(host_id);
        } else {
            plc_turns.push_back(host_id);
        }
    }
    while (!listed.empty() && web_running < options.web_concurrency) {
        Domain& domain = *listed.front();
        listed.pop_front();
        domain.is_listed = false;
        if (domain.queue.empty()) {
            RINGLAY_ASSERT(!domain.is_busy && domain.look_ups == 0);
            domains.erase(domains.find(domain.site));
            continue;
        }
        ++web_running;
        domain.is_busy = true;
        start(*domain.queue.front());
    }
}

void Resolver::Core::start(Request& request) {
    leave_queue(request);
    (request.domain == nullptr ? metrics.plc_requests : metrics.web_requests).add(worker());
    fetches.spawn("identity request", [this, &request] { run(request); });
}

void Resolver::Core::run(Request& request) {
    Nanos began = env.clock.now();
    WallMillis at = env.clock.wall();
    Reply reply = ask(request);
    if (is_stopping) return;  // stop() answers what is left
    reply.look_up.at = at;
    if (reply.look_up.kind != LookUp::Kind::found) {
        reply.look_up.reason.insert(0, std::string(lane_name(request)) + ": ");
    }
    finish(request, std::move(reply), began);
}

Reply Resolver::Core::ask(const Request& request) {
    auto url = proto::parse_url(request.url);
    if (!url) return unavailable(std::string(url.error().what), false);
    net::FetchOptions fetch;
    fetch.headers = {{"User-Agent", options.user_agent}, {"Accept", "*/*"}};
    fetch.max_body_bytes = options.max_document_bytes;
    fetch.deadline = Deadline::in(options.request_timeout);
    fetch.outbound = options.outbound;
    auto response = net::fetch(env, *url, fetch);
    if (response) return read_answer(*response, request.did);
    Errc code = response.error().error.code;
    bool has_failed = code != Errc::unsupported && code != Errc::too_large;
    Reply reply = unavailable(std::move(response.error().reason), has_failed);
    reply.what = response.error().error.what;
    // A name that leads into a private network is as good as one that the public cannot know.
    if (request.domain != nullptr && response.error().is_guarded) {
        reply.look_up.kind = LookUp::Kind::none;
    }
    return reply;
}

void Resolver::Core::finish(Request& request, Reply reply, Nanos began) {
    Nanos now = env.clock.now();
    metrics.seconds.observe(worker(), std::chrono::duration<double>(now - began).count());
    Domain* domain = request.domain;
    if (domain != nullptr) {
        --web_running;
        domain->is_busy = false;
    } else {
        --plc_running;
        if (reply.has_failed) {
            if (directory_failure.empty()) directory_fails_since = now;
            directory_failure = reply.look_up.reason;
            pace.failed(began, now, reply.retry_after, env.random.next());
            // One that failed alone says nothing of the directory.
            if (pace.is_backing_off()) {
                metrics.directory.failed(directory_fails_since, reply.http_status, reply.what);
            }
        } else {
            directory_failure.clear();
            pace.succeeded();
            metrics.directory.succeeded();
        }
    }
    settle(request, std::move(reply.look_up));
    if (domain != nullptr) enlist(*domain);
    changed.set();
}

// The request is over: what waits for it has its answer, which is handed over later.
void Resolver::Core::settle(Request& request, LookUp look_up) {
    if (request.domain != nullptr) request.domain->look_ups -= request.waiting.size();
    count(request, look_up.kind);
    Answer& answer = answers.emplace_back();
    answer.waiting = std::move(request.waiting);
    answer.look_up = std::move(look_up);
    requests.erase(requests.find(request.did));
}

void Resolver::Core::count(const Request& request, LookUp::Kind kind) {
    bool is_plc = request.domain == nullptr;
    base::Counter* counter = nullptr;
    switch (kind) {
        case LookUp::Kind::found:
            counter = is_plc ? &metrics.plc_found : &metrics.web_found;
            break;
        case LookUp::Kind::none:
            counter = is_plc ? &metrics.plc_none : &metrics.web_none;
            break;
        case LookUp::Kind::unavailable:
            counter = is_plc ? &metrics.plc_unavailable : &metrics.web_unavailable;
            break;
    }
    counter->add(worker(), request.waiting.size());
}

void Resolver::Core::deliver() {
    std::deque<Answer> batch = std::exchange(answers, {});
    for (Answer& answer : batch) {
        for (Done& done : answer.waiting) {
            if (answer.is_counted) {
                --waiting;
                metrics.waiting.add(-1);
            }
            done(answer.look_up);
        }
    }
}

void Resolver::Core::stop() {
    if (is_stopping) return;
    is_stopping = true;
    conductor.cancel_and_join();  // first: it is the one who begins requests
    fetches.cancel_and_join();
    while (!requests.empty()) {
        settle(requests.begin()->second, not_found("stopping"));
    }
    by_age.clear();
    plc_lanes.clear();
    plc_turns.clear();
    listed.clear();
    domains.clear();
    while (!answers.empty()) deliver();
    has_stopped = true;
    RINGLAY_ASSERT(waiting == 0);
}

Resolver::Resolver(env::Env& env, ResolverOptions options, IdentityMetrics& metrics)
    : core_(std::make_unique<Core>(env, std::move(options), metrics)) {}

Resolver::~Resolver() {
    stop();
}

void Resolver::look_up(std::string_view did, std::uint32_t host_id, Done done) {
    core_->look_up(did, host_id, std::move(done));
}

void Resolver::hasten(std::string_view did, std::uint32_t host_id) {
    auto found = core_->requests.find(did);
    if (found == core_->requests.end()) return;
    core_->move_if_shorter(found->second, host_id);
    core_->changed.set();
}

bool Resolver::take_refresh(std::uint32_t host_id) {
    if (core_->budget.take(host_id, core_->env.clock.now())) return true;
    core_->metrics.refused_budget.add(core_->worker());
    return false;
}

void Resolver::stop() {
    core_->stop();
}

std::size_t Resolver::waiting() const {
    return core_->waiting;
}

std::size_t Resolver::web_lanes() const {
    return core_->domains.size();
}

}  // namespace ringlay::identity
