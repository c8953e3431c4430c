// The program: a fleet of fake hosts for tests and measurements. `ringlay-fleet --help` says what
// it takes. Exit codes: 0 ended as asked, 1 could not go on, 2 a wrong flag.
#include <signal.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/fleet/drain.hpp"
#include "bench/fleet/fleet.hpp"
#include "bench/fleet/options.hpp"
#include "bench/fleet/shape.hpp"
#include "relay/env/uring/program.hpp"

namespace ringlay::bench {
namespace {

using env::Program;
using env::write_all;

int refuse(int exit_code, std::string_view text) {
    write_all(STDERR_FILENO, "ringlay-fleet: " + std::string(text) + "\n");
    return exit_code;
}

// The first signal asks for an end in order, a second one does not wait for it.
std::function<void(int)> on_signal(StopRequest& stop) {
    return [&stop](int number) {
        if (number == SIGUSR1) return;
        if (stop.was_made()) _exit(1);
        stop.make();
    };
}

int run_fleet(const FleetOptions& options) {
    StopRequest stop;
    env::raise_descriptor_limit();
    Program program({});
    env::Env env;
    Fleet fleet(program.runtime(), env, options, stop);
    std::optional<std::string> failure;
    auto first = [&] {
        failure = fleet.run([&](const FleetStart& start) {
            if (options.prints_hosts) write_all(STDOUT_FILENO, describe(start) + "\n");
        });
    };
    program.run(first, on_signal(stop));
    return failure ? refuse(1, *failure) : 0;
}

int run_drain(const DrainOptions& options) {
    StopRequest stop;
    env::raise_descriptor_limit();
    Program program({});
    env::Env env;
    DrainResult result;
    program.run([&] { result = drain(env, options, stop); }, on_signal(stop));
    write_all(STDOUT_FILENO, describe(result) + "\n");
    return result.failure.empty() ? 0 : 1;
}

int run(std::span<const std::string_view> arguments) {
    if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "help")) {
        write_all(STDOUT_FILENO, help_text());
        return 0;
    }
    if (!arguments.empty() && arguments[0] == "shape") {
        write_all(STDOUT_FILENO, shape(1) + "\n");
        return 0;
    }
    std::string obstacle = env::UringKernel::probe();
    if (!arguments.empty() && arguments[0] == "drain") {
        auto options = parse_drain_options(arguments.subspan(1));
        if (!options) return refuse(2, options.error());
        return obstacle.empty() ? run_drain(*options) : refuse(1, obstacle);
    }
    auto options = parse_fleet_options(arguments);
    if (!options) return refuse(2, options.error());
    return obstacle.empty() ? run_fleet(*options) : refuse(1, obstacle);
}

}  // namespace
}  // namespace ringlay::bench

int main(int argc, char** argv) {
    std::vector<std::string_view> arguments(argv + 1, argv + argc);
    return ringlay::bench::run(arguments);
}
