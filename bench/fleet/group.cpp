#include "bench/fleet/group.hpp"

#include <algorithm>
#include <cmath>

namespace ringlay::bench {
namespace {

// A generator that has fallen behind makes up for so much, and forgets the rest.
constexpr Nanos longest_arrears = std::chrono::seconds(1);

// The share of hosts [first, end) in a total: all shares together are the total.
std::uint64_t share(std::uint64_t total, std::uint64_t hosts, std::uint64_t first,
                    std::uint64_t end) {
    return total * end / hosts - total * first / hosts;
}

}  // namespace

Group::Group(const env::Env& env, const FleetOptions& options, std::uint64_t first_host,
             std::uint64_t end_host, const StopRequest& stop)
    : env_(env),
      options_(options),
      first_host_(first_host),
      event_share_(share(options.events, options.hosts, first_host, end_host)),
      rate_share_(static_cast<double>(options.rate) * static_cast<double>(end_host - first_host) /
                  static_cast<double>(options.hosts)),
      stop_(stop),
      random_(options.seed * 1'000'037 + first_host),
      places_(end_host - first_host) {}

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
        places_[i].host =
            std::make_unique<Host>(env_, HostOptions{book, first_host_ + i, log_bytes, records});
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
        place.server =
            std::make_unique<net::HttpServer>(env_, net::HttpServerOptions(), counters_,
                                              [&host = *place.host, local = place.listener.local()](
                                                  const net::HttpRequest& request, const Address&) {
                                                  return host.answer(request, local);
                                              });
        serving_.spawn("serves a host", [&place] { place.server->serve(place.listener); });
    }
    if (options_.rate > 0) generator_ = fiber::spawn("generator", [this] { emit_paced(); });
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

std::uint64_t Group::kept_events() const {
    std::uint64_t sum = 0;
    for (const Place& place : places_) sum += place.host->log().kept_events();
    return sum;
}

}  // namespace ringlay::bench
