#include "bench/fleet/fleet.hpp"

#include <algorithm>

#include "proto/base/json_writer.hpp"

namespace ringlay::bench {
namespace {

std::string url_of(const Address& address) {
    return "http://" + address.text();
}

}  // namespace

struct Fleet::Room {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<Group> group;
};

std::string describe(const FleetStart& start) {
    JsonWriter json;
    json.begin_object();
    json.key("plc").text(start.plc);
    json.key("hosts").begin_array();
    for (const std::string& host : start.hosts) json.text(host);
    json.end_array();
    json.key("events").number(start.events);
    return json.end_object().take();
}

Fleet::Fleet(env::Runtime& runtime, const env::Env& env, const FleetOptions& options,
             StopRequest& stop)
    : runtime_(runtime), env_(env), options_(options), stop_(stop) {}

Fleet::~Fleet() = default;

std::optional<std::string> Fleet::run(const std::function<void(const FleetStart&)>& on_started) {
    FleetStart started;
    auto failure = start(started);
    if (!failure && !stop_.was_made()) {
        on_started(started);
        stop_.wait();
    }
    stop();
    return failure;
}

std::optional<std::string> Fleet::start(FleetStart& start) {
    if (auto failure = open_groups()) return failure;
    Address address = Address::loopback(static_cast<std::uint16_t>(options_.plc_port));
    auto listener = env_.net.listen(address);
    if (!listener) {
        return "cannot listen on " + address.text() +
               " (choose another with --plc-port): " + std::string(listener.error().what);
    }
    plc_listener_ = std::move(*listener);
    start.plc = url_of(plc_listener_.local());
    for (auto& room : rooms_) {
        for (const Address& host : room->group->addresses()) start.hosts.push_back(url_of(host));
    }
    plc_ = std::make_unique<Plc>(AccountBook{options_.seed, options_.accounts}, start.hosts);
    for_each_group([](Room& room) { room.group->prepare(); });
    if (stop_.was_made()) return std::nullopt;

    for (auto& room : rooms_) start.events += room->group->kept_events();
    plc_server_ = std::make_unique<net::HttpServer>(
        env_, net::HttpServerOptions(), plc_counters_,
        [this](const net::HttpRequest& request, const Address&) { return plc_->answer(request); });
    plc_serving_ =
        fiber::spawn("serves the directory", [this] { plc_server_->serve(plc_listener_); });
    for_each_group([](Room& room) { room.group->serve(); });
    return std::nullopt;
}

std::optional<std::string> Fleet::open_groups() {
    std::uint64_t count = std::min(options_.workers, options_.hosts);
    for (std::uint64_t i = 0; i < count; ++i) {
        auto room_of_worker = rooms_.emplace_back(std::make_shared<Room>());
        Room& room = *room_of_worker;
        fiber::WorkerOptions worker;
        worker.name = "hosts-" + std::to_string(i);
        worker.index = static_cast<std::uint32_t>(i + 1);
        room.worker = &runtime_.start_worker(
            std::move(worker), [room_of_worker] { static_cast<void>(room_of_worker->end.wait()); });
        std::optional<std::string> failure;
        fiber::call_on(*room.worker, "open a group", [&] {
            room.group = std::make_unique<Group>(env_, options_, options_.hosts * i / count,
                                                 options_.hosts * (i + 1) / count, stop_);
            failure = room.group->listen();
        });
        if (failure) return *failure + " (choose another with --base-port)";
    }
    return std::nullopt;
}

// All at once; returns when the last is done.
void Fleet::for_each_group(const std::function<void(Room&)>& function) {
    std::vector<fiber::Task> tasks;
    for (auto& room : rooms_) {
        tasks.push_back(fiber::spawn("asks a group", [&function, &room] {
            fiber::call_on(*room->worker, "group", [&] { function(*room); });
        }));
    }
    for (fiber::Task& task : tasks) task.join();
}

void Fleet::stop() {
    for_each_group([](Room& room) {
        room.group.reset();
        room.end.set();
    });
    plc_serving_.cancel_and_join();
    plc_server_.reset();
    plc_listener_.close();
}

}  // namespace ringlay::bench
