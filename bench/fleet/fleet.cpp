#include "bench/fleet/fleet.hpp"

#include <algorithm>
#include <set>

#include "proto/base/json_writer.hpp"
#include "relay/firehose/cursor_parameter.hpp"
#include "relay/net/dial.hpp"

namespace ringlay::bench {
namespace {

constexpr std::uint64_t default_page = 200, largest_page = 1000;
constexpr std::uint32_t certificate_days = 30;
constexpr std::size_t max_user_agents = 8;

net::HttpResponse json_answer(JsonWriter& json) {
    net::HttpResponse response;
    response.headers.add("Content-Type", "application/json");
    response.body = json.take();
    return response;
}

// A parameter that is a number; the default when it is absent or none.
std::uint64_t number_parameter(const net::HttpRequest& request, std::string_view name,
                               std::uint64_t absent) {
    auto text = request.query(name);
    if (!text) return absent;
    auto number = firehose::parse_cursor(*text);
    return number ? number->value_or(absent) : absent;
}

Result<void> write_file(env::Env& env, const std::string& path, std::string_view text) {
    std::size_t slash = path.rfind('/');
    std::string name = slash == path.npos ? path : path.substr(slash + 1);
    auto directory = env.disk.open_directory(slash == path.npos ? "." : path.substr(0, slash + 1));
    if (!directory) return std::unexpected(directory.error());
    auto file = directory->open(name, env::OpenMode::write_or_create);
    if (!file) return std::unexpected(file.error());
    auto written = file->truncate(0);
    return written ? file->write_at(0, net::bytes_of(text)) : written;
}

}  // namespace

struct Fleet::Room {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::unique_ptr<Group> group;
};

struct Fleet::HostileRoom {
    fiber::Worker* worker = nullptr;
    fiber::Event end;
    std::vector<std::unique_ptr<HostileHost>> hosts;
    fiber::TaskGroup serving;
};

std::string describe(const FleetStart& start) {
    JsonWriter json;
    json.begin_object();
    json.key("plc").text(start.plc);
    json.key("hosts").begin_array();
    for (const std::string& host : start.hosts) json.text(host);
    json.end_array();
    json.key("hostile").begin_object();
    for (const auto& [name, url] : start.hostile) json.key(name).text(url);
    json.end_object();
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
    if (auto failure = prepare_tls(start)) return failure;
    if (auto failure = open_groups()) return failure;
    if (auto failure = open_hostile()) return failure;
    for (auto& room : rooms_) {
        for (const Address& host : room->group->addresses()) start.hosts.push_back(url_of(host));
    }
    if (hostile_) {
        for (std::size_t i = 0; i < hostile_->hosts.size(); ++i) {
            start.hostile.emplace_back(name_of(options_.hostile[i]),
                                       url_of(hostile_->hosts[i]->local()));
        }
    }
    if (auto failure = open_directory(start)) return failure;
    for_each_group([](Room& room) { room.group->prepare(); });
    if (stop_.was_made()) return std::nullopt;

    for (auto& room : rooms_) start.events += room->group->kept_events();
    plc_server_ = std::make_unique<net::HttpServer>(
        env_, net::HttpServerOptions(), plc_counters_,
        [this](const net::HttpRequest& request, const Address&) { return answer(request); });
    plc_serving_ =
        fiber::spawn("serves the directory", [this] { plc_server_->serve(plc_listener_); });
    for_each_group([](Room& room) { room.group->serve(); });
    if (!hostile_) return std::nullopt;
    fiber::call_on(*hostile_->worker, "serve hostile hosts", [&room = *hostile_] {
        for (auto& host : room.hosts) {
            room.serving.spawn("serves a hostile host", [&host] { host->serve(); });
        }
    });
    return std::nullopt;
}

std::string Fleet::url_of(const Address& address) const {
    if (!options_.is_tls) return "http://" + address.text();
    return "https://localhost:" + std::to_string(address.port);
}

std::optional<std::string> Fleet::prepare_tls(FleetStart& start) {
    if (!options_.is_tls) return std::nullopt;
    const std::string names[] = {"localhost", "127.0.0.1"};
    constexpr std::int64_t day_s = 86'400;
    std::int64_t now_s = env_.clock.wall().count() / 1000;
    auto identity = crypto::make_self_signed(names, now_s - day_s, certificate_days);
    if (!identity) return "cannot make a certificate: " + std::string(identity.error().what);
    auto context =
        crypto::TlsServerContext::from_pem(identity->certificate_pem, identity->private_key_pem);
    if (!context) return "cannot use the certificate: " + context.error();
    tls_ = std::move(*context);
    start.certificate = identity->certificate_pem;
    if (options_.ca_out.empty()) return std::nullopt;
    auto written = write_file(env_, options_.ca_out, start.certificate);
    if (written) return std::nullopt;
    return "cannot write --ca-out " + options_.ca_out + ": " + std::string(written.error().what);
}

std::optional<std::string> Fleet::open_directory(FleetStart& start) {
    Address address = Address::loopback(static_cast<std::uint16_t>(options_.plc_port));
    auto listener = env_.net.listen(address);
    if (!listener) {
        return "cannot listen on " + address.text() +
               " (choose another with --plc-port): " + std::string(listener.error().what);
    }
    plc_listener_ = std::move(*listener);
    start.plc = "http://" + plc_listener_.local().text();
    std::vector<std::string> urls = start.hosts;
    for (const auto& [name, url] : start.hostile) urls.push_back(url);
    // A name of this machine is plain unless it says otherwise.
    for (const std::string& url : urls) {
        listed_.push_back(options_.is_tls ? url : url.substr(url.find("://") + 3));
    }
    plc_ = std::make_unique<Plc>(AccountBook{options_.seed, options_.accounts}, std::move(urls));
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
            room.group =
                std::make_unique<Group>(env_, options_, options_.hosts * i / count,
                                        options_.hosts * (i + 1) / count, tls_.get(), stop_);
            failure = room.group->listen();
        });
        if (failure) return *failure + " (choose another with --base-port)";
    }
    return std::nullopt;
}

// On a worker of their own: what they do to a relay they must not do to the other hosts.
std::optional<std::string> Fleet::open_hostile() {
    if (options_.hostile.empty()) return std::nullopt;
    hostile_ = std::make_shared<HostileRoom>();
    fiber::WorkerOptions worker;
    worker.name = "hostile";
    worker.index = static_cast<std::uint32_t>(rooms_.size() + 1);
    hostile_->worker = &runtime_.start_worker(
        std::move(worker), [room = hostile_] { static_cast<void>(room->end.wait()); });
    std::optional<std::string> failure;
    fiber::call_on(*hostile_->worker, "open hostile hosts", [&] {
        for (std::uint64_t i = 0; i < options_.hostile.size() && !failure; ++i) {
            HostileOptions options{.hostility = options_.hostile[i],
                                   .book = {options_.seed, options_.accounts},
                                   .index = options_.hosts + i,
                                   .tls = tls_.get()};
            auto& host = hostile_->hosts.emplace_back(std::make_unique<HostileHost>(env_, options));
            std::uint64_t port =
                options_.base_port == 0 ? 0 : options_.base_port + options_.hosts + i;
            failure = host->listen(static_cast<std::uint16_t>(port));
        }
    });
    if (failure) return *failure + " (choose another with --base-port)";
    return std::nullopt;
}

net::HttpResponse Fleet::answer(const net::HttpRequest& request) {
    if (request.path() == "/xrpc/com.atproto.sync.listHosts") return list_hosts(request);
    if (request.path() == "/fleet/ledger") return ledger(request);
    if (request.path() == "/fleet/stats") return stats();
    return plc_->answer(request);
}

net::HttpResponse Fleet::list_hosts(const net::HttpRequest& request) const {
    std::uint64_t limit = std::clamp<std::uint64_t>(
        number_parameter(request, "limit", default_page), 1, largest_page);
    std::uint64_t begin =
        std::min<std::uint64_t>(number_parameter(request, "cursor", 0), listed_.size());
    std::uint64_t end = std::min<std::uint64_t>(begin + limit, listed_.size());
    JsonWriter json;
    json.begin_object();
    if (end < listed_.size()) json.key("cursor").text(std::to_string(end));
    json.key("hosts").begin_array();
    for (std::uint64_t i = begin; i < end; ++i) {
        json.begin_object();
        json.key("hostname").text(listed_[i]);
        json.key("status").text("active");
        json.end_object();
    }
    json.end_array().end_object();
    return json_answer(json);
}

// What one honest host has sent; 404 behind the last.
net::HttpResponse Fleet::ledger(const net::HttpRequest& request) {
    std::uint64_t host = number_parameter(request, "host", 0);
    if (!options_.keeps_ledger || host >= options_.hosts) {
        return net::json_error(404, "NotFound", "no ledger is kept of such a host");
    }
    net::HttpResponse response;
    response.headers.add("Content-Type", "text/plain");
    std::uint64_t first = 0;
    for (auto& room : rooms_) {
        std::uint64_t count = room->group->addresses().size();
        if (host < first + count) {
            fiber::call_on(*room->worker, "ledger", [&] {
                response.body = room->group->hosts()[host - first]->ledger().text();
            });
            return response;
        }
        first += count;
    }
    return response;
}

net::HttpResponse Fleet::stats() {
    std::uint64_t events = 0, subscribers = 0;
    std::set<std::string> user_agents;
    for (auto& room : rooms_) {
        fiber::call_on(*room->worker, "stats", [&] {
            for (const Host* host : room->group->hosts()) {
                events += host->events();
                subscribers += host->subscribers();
                bool is_new = !host->user_agent().empty() && user_agents.size() < max_user_agents;
                if (is_new) user_agents.insert(host->user_agent());
            }
        });
    }
    JsonWriter json;
    json.begin_object();
    json.key("events").number(events).key("subscribers").number(subscribers);
    json.key("user_agents").begin_array();
    for (const std::string& name : user_agents) json.text(name);
    json.end_array();
    json.key("hostile").begin_object();
    if (hostile_) {
        fiber::call_on(*hostile_->worker, "stats", [&] {
            for (std::size_t i = 0; i < hostile_->hosts.size(); ++i) {
                json.key(name_of(options_.hostile[i])).begin_object();
                json.key("connections").number(hostile_->hosts[i]->accepted());
                json.key("subscriptions").number(hostile_->hosts[i]->subscriptions());
                json.end_object();
            }
        });
    }
    json.end_object().end_object();
    return json_answer(json);
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
    plc_serving_.cancel_and_join();
    plc_server_.reset();
    for_each_group([](Room& room) {
        room.group.reset();
        room.end.set();
    });
    if (hostile_) {
        fiber::call_on(*hostile_->worker, "end", [&room = *hostile_] {
            room.serving.cancel_and_join();
            room.hosts.clear();
            room.end.set();
        });
    }
    plc_listener_.close();
}

}  // namespace ringlay::bench
