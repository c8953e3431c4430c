#include "relay/net/connect_race.hpp"

#include <algorithm>

#include "proto/base/assert.hpp"

namespace ringlay::net {
namespace {

Failure failure_at(const Address& address, const Error& error) {
    return failure_of(error, "cannot connect to " + address.text());
}

// What the attempts have told so far.
struct Course {
    std::optional<env::Socket> winner;
    std::optional<Failure> failure;  // the latest
    std::size_t running = 0;
    fiber::Event news;
};

void attempt(env::Env& env, const Address& address, Deadline deadline, Course& course) {
    auto socket = env.net.connect(address, deadline);
    --course.running;
    if (!socket) {
        course.failure = failure_at(address, socket.error());
    } else if (!course.winner) {
        course.winner = std::move(*socket);
    }
    course.news.set();
}

}  // namespace

std::vector<Address> racing_order(const std::vector<Address>& addresses) {
    std::vector<Address> six, four, order;
    for (const Address& address : addresses) (address.is_v4() ? four : six).push_back(address);
    for (std::size_t i = 0; i < std::max(six.size(), four.size()); ++i) {
        if (i < six.size()) order.push_back(six[i]);
        if (i < four.size()) order.push_back(four[i]);
    }
    if (order.size() > max_raced_addresses) order.resize(max_raced_addresses);
    return order;
}

std::expected<env::Socket, Failure> connect_race(env::Env& env,
                                                 const std::vector<Address>& addresses,
                                                 Deadline deadline) {
    RINGLAY_ASSERT(!addresses.empty());
    if (addresses.size() == 1) {
        auto socket = env.net.connect(addresses.front(), deadline);
        if (socket) return std::move(*socket);
        return std::unexpected(failure_at(addresses.front(), socket.error()));
    }
    Course course;
    fiber::TaskGroup attempts;  // behind the course: they end before it does
    std::size_t started = 0;
    Nanos next_at{};
    for (;;) {
        course.news.reset();
        Nanos now = env.clock.now();
        bool is_next_due = course.running == 0 || now >= next_at;
        if (started < addresses.size() && is_next_due) {
            ++course.running;
            next_at = now + race_head_start;
            attempts.spawn("connect", [&env, &course, deadline, address = addresses[started]] {
                attempt(env, address, deadline, course);
            });
            ++started;
        }
        if (course.running == 0) return std::unexpected(std::move(*course.failure));
        bool are_more = started < addresses.size();
        auto woken = course.news.wait(are_more ? Deadline{next_at} : Deadline::never());
        bool is_cancelled = !woken && woken.error().code == Errc::cancelled;
        if (!course.winner && !is_cancelled) continue;
        // What still runs is called off as the group ends.
        if (course.winner) return std::move(*course.winner);
        return std::unexpected(failure_at(addresses.front(), woken.error()));
    }
}

}  // namespace ringlay::net
