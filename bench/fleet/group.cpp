#include "bench/fleet/group.hpp"

#include <algorithm>
#include <cmath>

namespace ringlay::bench {
namespace {

// A generator that has fallen behind makes up for so much, and forgets the rest.
constexpr Nanos longest_arrears = std::chrono::seconds(1);

// Every so many hosts there is a busy one, so that all workers have some.
bool is_busy(const FleetOptions& options, std::uint64_t host) {
    return host * options.busy / options.hosts != (host + 1) * options.busy / options.hosts;
}

// How much hosts [first, end) say, in parts of all_shares().
std::uint64_t shares_of(const FleetOptions& options, std::uint64_t first, std::uint64_t end) {
    constexpr std::uint64_t busy_percent = 95;
    std::uint64_t busy = end * options.busy / options.hosts - first * options.busy / options.hosts;
    std::uint64_t quiet = end - first - busy;
    if (options.busy == 0 || options.busy == options.hosts) return end - first;
    return busy * busy_percent * (options.hosts - options.busy) +
           quiet * (100 - busy_percent) * options.busy;
}

std::uint64_t all_shares(const FleetOptions& options) {
    return shares_of(options, 0, options.hosts);
}

// The events of hosts [first, end): those of all groups together are the total.
std::uint64_t events_of(const FleetOptions& options, std::uint64_t first, std::uint64_t end) {
    auto before = [&](std::uint64_t host) {
        return options.events * shares_of(options, 0, host) / all_shares(options);
    };
    return before(end) - before(first);
}

}  // namespace

Group::Group(const env::Env& env, const FleetOptions& options, std::uint64_t first_host,
             std::uint64_t end_host, const crypto::TlsServerContext* tls, const StopRequest& stop)
    : env_(env),
      options_(options),
      first_host_(first_host),
      event_share_(events_of(options, first_host, end_host)),
      rate_share_(static_cast<double>(options.rate) *
                  static_cast<double>(shares_of(options, first_host, end_host)) /
                  static_cast<double>(all_shares(options))),
      stop_(stop),
      random_(options.seed * 1'000'037 + first_host),
      tls_(tls),
      places_(end_host - first_host) {
    for (std::size_t i = 0; i < places_.size(); ++i) {
        (is_busy(options_, first_host_ + i) ? busy_ : quiet_).push_back(i);
    }
}

Group::~Group() {
    generator_.cancel_and_join();
    serving_.cancel_and_join();
}

std::optional<std::string> Group::listen() {
    for (std::size_t i = 0; i < places_.size(); ++i) {
        std::uint64_t port = options_.base_port == 0 ? 0 : options_.base_port + first_host_ + i;
        Address address = Address::loopback(static_cast<std::uint16_t>(port));
        auto listener = env_.net.listen(address);
        if (!listener) {
            return "cannot listen on " + address.text() + ": " + std::string(listener.error().what);
        }
        places_[i].listener = std::move(*listener);
    }
    return std::nullopt;
}

std::vector<Address> Group::addresses() const {
    std::vector<Address> all;
    for (const Place& place : places_) all.push_back(place.listener.local());
    return all;
}

void Group::prepare() {
    std::shared_ptr<const StartingRecords> records;
    if (options_.records > 0) {
        auto now = static_cast<std::uint64_t>(env_.clock.wall().count()) * 1000;
        constexpr std::uint64_t minute_micros = 60'000'000;
        records = invent_records(options_.seed, options_.records, now - minute_micros);
    }
    AccountBook book{options_.seed, options_.accounts};
    std::size_t log_bytes = (options_.window_mib << 20) / options_.hosts;
    for (std::size_t i = 0; i < places_.size(); ++i) {
        places_[i].host = std::make_unique<Host>(
            env_, HostOptions{book, first_host_ + i, log_bytes, records, options_.keeps_ledger});
        for (std::size_t account = 0; account < options_.accounts; ++account) {
            if (stop_.was_made()) return;
            places_[i].host->introduce(account);
        }
    }
    if (options_.rate > 0) return;
    for (std::uint64_t i = 0; i < event_share_ && !stop_.was_made(); ++i) emit();
}

void Group::serve() {
    for (Place& place : places_) {
        place.door = std::make_unique<Door>(
            tls_, [&host = *place.host, local = place.listener.local()](
                      const net::HttpRequest& request) { return host.answer(request, local); });
        serving_.spawn("serves a host", [&place] { place.door->serve(place.listener); });
    }
    if (options_.rate > 0) generator_ = fiber::spawn("generator", [this] { emit_paced(); });
}

void Group::emit() {
    std::uint64_t first = first_host_, end = first_host_ + places_.size();
    std::uint64_t draw = random_() % shares_of(options_, first, end);
    std::uint64_t of_busy = 0;
    if (!busy_.empty() && !quiet_.empty()) {
        of_busy = shares_of(options_, first, end) -
                  quiet_.size() * shares_of(options_, first + quiet_[0], first + quiet_[0] + 1);
    } else if (quiet_.empty()) {
        of_busy = shares_of(options_, first, end);
    }
    const std::vector<std::size_t>& those = draw < of_busy ? busy_ : quiet_;
    places_[those[random_() % those.size()]].host->emit();
}

// At random instants, independent of each other, as on a real network: an even pace would never
// make a reader wait for two.
void Group::emit_paced() {
    Nanos due = env_.clock.now();
    for (std::uint64_t i = 0; options_.events == 0 || i < event_share_; ++i) {
        double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
        due += Nanos(static_cast<std::int64_t>(-std::log1p(-uniform) / rate_share_ * 1e9));
        Nanos now = env_.clock.now();
        if (due > now) {
            if (!fiber::sleep_until(Deadline{due})) return;
        } else {
            due = std::max(due, now - longest_arrears);
            fiber::yield();
            if (fiber::is_cancelled()) return;
        }
        emit();
    }
}

std::vector<const Host*> Group::hosts() const {
    std::vector<const Host*> all;
    for (const Place& place : places_) all.push_back(place.host.get());
    return all;
}

std::uint64_t Group::kept_events() const {
    std::uint64_t sum = 0;
    for (const Place& place : places_) sum += place.host->log().kept_events();
    return sum;
}

}  // namespace ringlay::bench
