// The program: reads the command line and the environment, makes the real world, and hands over.
// Exit codes: 0 ended as asked, 1 could not go on, 2 a wrong setting or command.
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "relay/capacity.hpp"
#include "relay/env/uring/error_file.hpp"
#include "relay/env/uring/password_file.hpp"
#include "relay/env/uring/process_info.hpp"
#include "relay/env/uring/program.hpp"
#include "relay/fiber/stack_pool.hpp"
#include "relay/fiber_dump.hpp"
#include "relay/log_command.hpp"
#include "relay/relay.hpp"
#include "relay/tail.hpp"
#include "relay/watch.hpp"

extern char** environ;

namespace ringlay {
namespace {

using env::Program;
using env::write_all;

constexpr auto flush_interval = std::chrono::milliseconds(100);
constexpr std::uint64_t log_file_bytes = 100'000'000;
constexpr std::string_view version = RINGLAY_VERSION;

constexpr std::string_view commands_help =
    "Commands:\n"
    "  ringlay [FLAGS]                    run the relay\n"
    "  ringlay tail URL [--cursor N] [--count N]\n"
    "                                     print a firehose, one line of JSON an event\n"
    "  ringlay watch [URL]                show how a relay is doing (http://127.0.0.1:3001)\n"
    "  ringlay log check DIR              look whether an event log is sound\n"
    "  ringlay log verify DIR             the same, and compare its facts with its frames\n\n";

int refuse(int exit_code, std::string_view text) {
    write_all(STDERR_FILENO, "ringlay: " + std::string(text) + "\n");
    return exit_code;
}

base::Environment environment() {
    base::Environment all;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        std::string_view text(*entry);
        std::size_t equals = text.find('=');
        if (equals != text.npos) all.emplace_back(text.substr(0, equals), text.substr(equals + 1));
    }
    return all;
}

base::LogFormat log_format(base::LogFormat wanted) {
    if (wanted != base::LogFormat::automatic) return wanted;
    return isatty(STDERR_FILENO) != 0 ? base::LogFormat::text : base::LogFormat::json;
}

// What TLS believes; without it the relay runs all the same, and says so.
struct Trust {
    std::unique_ptr<crypto::TlsClientContext> context;
    std::string obstacle;
};

Trust load_trust(const std::string& bundle) {
    auto loaded = crypto::TlsClientContext::load(bundle);
    if (!loaded) return {nullptr, std::move(loaded.error())};
    return {std::move(*loaded), {}};
}

std::string joined(const std::vector<std::string>& words) {
    std::string all;
    for (const std::string& word : words) all += (all.empty() ? "" : ",") + word;
    return all;
}

std::uint64_t unix_ms() {
    return static_cast<std::uint64_t>(fiber::wall().count());
}

// The settings become what the machine can bear.
Capacity fit_to_machine(base::Config& config) {
    const MachineLimits machine{
        .descriptors = env::raise_descriptor_limit(),
        .mappings = fiber::StackPool::guards_cost_mappings() ? env::mapping_limit() : 0};
    const Capacity capacity = capacity_of(machine,
                                          {.hosts = config.max_hosts,
                                           .consumers = config.max_consumers,
                                           .connections = RelayOptions().max_connections},
                                          config.workers);
    config.max_hosts = static_cast<std::uint32_t>(capacity.places.hosts);
    config.max_consumers = static_cast<std::uint32_t>(capacity.places.consumers);
    return capacity;
}

void log_start(base::Logger& logger, const base::Invocation& invocation, const Address& firehose,
               const Address& http, const Trust& trust, const Capacity& capacity) {
    const base::Config& config = invocation.config;
    logger.log(base::LogLevel::info, unix_ms(), "serving",
               {{"version", version},
                {"firehose", "ws://" + firehose.text() + std::string(firehose::subscribe_path)},
                {"http", "http://" + http.text()},
                {"data_dir", config.data_dir},
                {"workers", config.workers},
                {"hosts", config.hosts.size()},
                {"upstream", joined(config.upstream)}});
    if (trust.context) {
        logger.log(
            base::LogLevel::info, unix_ms(), "certificate authorities",
            {{"file", trust.context->source()}, {"count", trust.context->authority_count()}});
    } else {
        logger.log(base::LogLevel::error, unix_ms(), "no TLS: nothing is reached by https or wss",
                   {{"reason", trust.obstacle},
                    {"cure", "install ca-certificates, or name a bundle with --ca-bundle"}});
    }
    for (const std::string& shortage : capacity.shortages) {
        logger.log(
            capacity.is_tight ? base::LogLevel::warn : base::LogLevel::info, unix_ms(),
            "this machine has less room than the settings",
            {{"reason", shortage},
             {"cure", "docs/operations.md, Files; or lower --max-hosts and --max-consumers"}});
    }
    if (config.admin_passwords.empty()) {
        logger.log(base::LogLevel::info, unix_ms(), "no administration",
                   {{"cure", "set RELAY_ADMIN_PASSWORD or --admin-password-file"}});
    }
    if (config.hosts.empty() && config.upstream.empty()) {
        logger.log(base::LogLevel::warn, unix_ms(),
                   "no hosts are named: whoever calls requestCrawl",
                   {{"cure", "--hosts https://pds.example, or --upstream bsky.network"}});
    }
}

void add_process_metrics(base::Metrics& metrics, const env::UringRuntime& runtime,
                         const base::Logger& logger, std::uint64_t worker_count) {
    metrics.callback(base::Metrics::Kind::gauge, "relay_process_rss_bytes",
                     "Resident memory of the process.",
                     [] { return static_cast<double>(env::process_rss_bytes()); });
    auto of_malloc = [&metrics](std::string_view name, std::string_view help, auto member) {
        metrics.callback(base::Metrics::Kind::gauge, name, help,
                         [member] { return static_cast<double>(env::malloc_bytes().*member); });
    };
    of_malloc("relay_malloc_arena_bytes", "Memory that malloc has for small blocks.",
              &env::MallocBytes::arena);
    of_malloc("relay_malloc_in_use_bytes", "Of the arena, what is in use.",
              &env::MallocBytes::in_use);
    of_malloc("relay_malloc_free_bytes", "Of the arena, what is free.", &env::MallocBytes::free);
    of_malloc("relay_malloc_mmap_bytes", "Memory of large blocks.", &env::MallocBytes::mapped);
    auto sum = [&runtime](auto member) {
        double total = 0;
        runtime.for_each_worker([&](const fiber::Worker&, const env::UringGauges& gauges) {
            total += static_cast<double>((gauges.*member).load(std::memory_order_relaxed));
        });
        return total;
    };
    using Gauges = env::UringGauges;
    metrics.callback(base::Metrics::Kind::counter, "relay_ring_enters_total",
                     "System calls that submit to a ring or wait for it.",
                     [sum] { return sum(&Gauges::system_calls); });
    metrics.callback(base::Metrics::Kind::counter, "relay_sockets_refused_total",
                     "Connections, in or out, that were not made for want of a descriptor.",
                     [sum] { return sum(&Gauges::sockets_refused); });
    metrics.callback(base::Metrics::Kind::counter, "relay_receive_buffers_missing_total",
                     "Times data had come and no receive buffer was free.",
                     [sum] { return sum(&Gauges::buffers_missing); });
    metrics.queue("receive_buffers", env::UringOptions().receive_buffers * worker_count,
                  [sum] { return sum(&Gauges::buffers_held); });
    // Each fiber waits for one call at most, so what waits here is bounded by fibers.
    std::uint64_t bound = fiber::WorkerOptions().max_fibers;
    metrics.queue("blocking_pool", bound,
                  [&runtime] { return static_cast<double>(runtime.pool().queued()); });
    metrics.queue("names_pool", bound,
                  [&runtime] { return static_cast<double>(runtime.names().queued()); });
    metrics.queue("log_lines", base::Logger::default_slot_count,
                  [&logger] { return static_cast<double>(logger.waiting()); });
}

env::UringRuntimeOptions runtime_options(const Capacity& capacity) {
    env::UringRuntimeOptions options;
    options.files_inline_workers = {"log"};
    options.kernel.socket_descriptors = capacity.sockets;
    if (capacity.names > 0 && capacity.names < options.names.places) {
        options.names.places = capacity.names;
        options.names.places_for_strangers = (3 * capacity.names + 3) / 4;
    }
    options.on_stall = [](std::string_view worker, Nanos since) {
        write_all(STDERR_FILENO, "ringlay: worker " + std::string(worker) +
                                     " has not come back for " +
                                     std::to_string(since.count() / 1'000'000) + " ms\n");
    };
    return options;
}

int run_relay(base::Invocation invocation) {
    std::optional<env::ErrorFile> log_file;
    if (const std::string& path = invocation.config.log_file; !path.empty()) {
        auto opened = env::ErrorFile::open(path, log_file_bytes);
        if (!opened) return refuse(base::config_exit_code, "log_file: " + opened.error());
        log_file.emplace(std::move(*opened));
    }
    const Capacity capacity = fit_to_machine(invocation.config);
    const Trust trust = load_trust(invocation.config.ca_bundle);
    if (!trust.context && !invocation.config.ca_bundle.empty()) {
        return refuse(base::config_exit_code, "ca_bundle: " + trust.obstacle);
    }
    base::Logger logger(invocation.config.log_level, log_format(invocation.config.log_format));
    auto flush = [&] {
        logger.flush([](std::string_view line) { write_all(STDERR_FILENO, line); });
        if (log_file) log_file->keep_bounded();
    };
    Program program(runtime_options(capacity));
    env::Env env;
    RelayOptions options;
    options.config = invocation.config;
    options.version = version;
    options.user_agent = "ringlay/" + std::string(version) + " (atproto-relay)";
    options.tls = trust.context.get();
    options.on_started = [&](const Address& firehose, const Address& http) {
        log_start(logger, invocation, firehose, http, trust, capacity);
    };
    options.max_connections = capacity.places.connections;
    if (capacity.is_tight) options.shortages = capacity.shortages;
    options.descriptors = {.limit = capacity.descriptors,
                           .for_connections = capacity.sockets,
                           .in_use = env::open_descriptors};
    options.add_metrics = [&](base::Metrics& metrics) {
        add_process_metrics(metrics, program.runtime(), logger, invocation.config.workers + 3);
    };
    Relay relay(program.runtime(), env, logger, std::move(options));

    std::optional<std::string> failure;
    auto first = [&] {
        for (const std::string& warning : invocation.warnings) {
            logger.log(base::LogLevel::warn, unix_ms(), "settings", {{"warning", warning}});
        }
        fiber::Task flusher = fiber::spawn("log flusher", [&] {
            while (fiber::sleep_for(flush_interval)) {
                if (logger.waiting() > 0) fiber::blocking([&](MayBlock) { flush(); });
            }
        });
        failure = relay.run();
    };
    bool was_asked_to_stop = false;  // otherwise than by a terminal that is closed
    FiberDump dump([](std::string_view text) { write_all(STDERR_FILENO, text); });
    program.run(first, [&](int number) {
        if (number == SIGUSR1) {
            program.runtime().for_each_worker([&](const fiber::Worker& worker, const auto&) {
                dump.request(const_cast<fiber::Worker&>(worker));
            });
            return;
        }
        // A second time: at once. A closed terminal may say so twice, and others beside it.
        if (number != SIGHUP && std::exchange(was_asked_to_stop, true)) _exit(1);
        relay.request_stop();
    });
    flush();
    return failure ? refuse(1, *failure) : 0;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::uint64_t number = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
}

int run_tail(std::span<const std::string_view> arguments) {
    constexpr std::string_view usage =
        "usage: ringlay tail URL [--cursor N] [--count N], with URL such as ws://127.0.0.1:3000";
    TailOptions options;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        std::string_view argument = arguments[i];
        if (argument == "--cursor" || argument == "--count") {
            auto number = i + 1 < arguments.size() ? parse_number(arguments[++i]) : std::nullopt;
            if (!number)
                return refuse(2, std::string(argument) + " wants a number\n" + std::string(usage));
            if (argument == "--cursor") options.cursor = *number;
            if (argument == "--count") options.count = *number;
        } else if (argument.starts_with("-") || !options.url.empty()) {
            return refuse(2, usage);
        } else {
            options.url = argument;
        }
    }
    if (options.url.empty()) return refuse(2, usage);

    Program program({});
    env::Env env;
    std::optional<std::string> failure;
    auto first = [&] {
        failure = tail(env, options, [](std::string_view line) {
            write_all(STDOUT_FILENO, std::string(line) + "\n");
            return true;
        });
    };
    program.run(first, [](int) { _exit(0); });
    return failure ? refuse(1, *failure) : 0;
}

std::optional<ScreenSize> screen_size() {
    if (isatty(STDOUT_FILENO) == 0) return std::nullopt;
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
        return ScreenSize();
    }
    return ScreenSize{size.ws_col, size.ws_row};
}

int run_watch(std::span<const std::string_view> arguments) {
    constexpr std::string_view usage =
        "usage: ringlay watch [URL] [--seconds N] [--note TEXT], URL such as http://127.0.0.1:3001";
    WatchOptions options;
    bool has_url = false;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const std::string_view argument = arguments[i];
        const bool has_more = i + 1 < arguments.size();
        if (argument == "--seconds") {
            auto number = has_more ? parse_number(arguments[++i]) : std::nullopt;
            if (!number) return refuse(2, "--seconds wants a number\n" + std::string(usage));
            options.seconds = *number;
        } else if (argument == "--note" && has_more) {
            options.notes.emplace_back(arguments[++i]);
        } else if (argument.starts_with("-") || std::exchange(has_url, true)) {
            return refuse(2, usage);
        } else {
            options.url = argument;
        }
    }
    const bool is_terminal = screen_size().has_value();
    std::mutex writing;  // what a signal writes is the last of all
    auto leave = [&] {
        writing.lock();
        if (is_terminal) write_all(STDOUT_FILENO, screen_closes);
    };
    const WatchScreen screen{.size = screen_size,
                             .write =
                                 [&](std::string_view text) {
                                     std::lock_guard lock(writing);
                                     write_all(STDOUT_FILENO, text);
                                 },
                             .has_colour = std::getenv("NO_COLOR") == nullptr};
    Program program({});
    env::Env env;
    std::optional<std::string> failure;
    if (is_terminal) screen.write(screen_opens);
    program.run([&] { failure = watch(env, options, screen); },
                [&](int) {
                    leave();
                    _exit(0);
                });
    leave();
    writing.unlock();
    return failure ? refuse(2, *failure) : 0;
}

int run_log_command(std::span<const std::string_view> arguments) {
    if (arguments.size() != 2 || (arguments[0] != "check" && arguments[0] != "verify")) {
        return refuse(2, "usage: ringlay log check|verify DIR");
    }
    Program program({});
    env::Env env;
    LogCommandResult result;
    program.run([&] { result = log_command(env, arguments[1], arguments[0] == "verify"); },
                [](int) { _exit(1); });
    write_all(STDOUT_FILENO, result.text);
    return result.is_sound ? 0 : 1;
}

int run(std::span<const std::string_view> arguments) {
    if (!arguments.empty() && arguments[0] == "tail") return run_tail(arguments.subspan(1));
    if (!arguments.empty() && arguments[0] == "watch") return run_watch(arguments.subspan(1));
    if (!arguments.empty() && arguments[0] == "log") return run_log_command(arguments.subspan(1));

    auto invocation =
        base::parse_config(arguments, environment(), std::thread::hardware_concurrency());
    if (!invocation) return refuse(base::config_exit_code, invocation.error().text);
    switch (invocation->action) {
        case base::Invocation::Action::help:
            write_all(STDOUT_FILENO, std::string(commands_help) + base::help_text());
            return 0;
        case base::Invocation::Action::version:
            write_all(STDOUT_FILENO, "ringlay " + std::string(version) + "\n");
            return 0;
        case base::Invocation::Action::print_config_table:
            write_all(STDOUT_FILENO, base::config_table_markdown());
            return 0;
        case base::Invocation::Action::print_settings:
            write_all(STDOUT_FILENO, base::settings_text(invocation->settings));
            return 0;
        case base::Invocation::Action::run:
            break;
    }
    std::string obstacle = env::UringKernel::probe();
    if (!obstacle.empty()) return refuse(1, obstacle);
    base::Config& config = invocation->config;
    if (!config.admin_password_file.empty()) {
        auto passwords = env::read_password_file(config.admin_password_file);
        if (!passwords) return refuse(base::config_exit_code, passwords.error());
        for (std::string& password : *passwords) {
            config.admin_passwords.push_back(std::move(password));
        }
    }
    return run_relay(std::move(*invocation));
}

}  // namespace
}  // namespace ringlay

int main(int argc, char** argv) {
    std::vector<std::string_view> arguments(argv + 1, argv + argc);
    return ringlay::run(arguments);
}
