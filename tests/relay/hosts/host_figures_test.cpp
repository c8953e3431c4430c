#include "relay/hosts/host_figures.hpp"

#include "tests/support/worlds.hpp"

using namespace ringlay;
using namespace ringlay::hosts;
using namespace std::chrono_literals;

namespace {

struct Sources {
    std::vector<event_log::Host> hosts{{.id = 1, .name = "a.example", .upstream_seq = 70},
                                       {.id = 2, .name = "b.example", .upstream_seq = 0}};
    std::map<std::string, std::uint64_t, std::less<>> accounts{{"a.example", 5}, {"x.example", 9}};
    std::size_t reads = 0;
    Nanos delay{0};

    FigureSources functions() {
        return {.log_hosts =
                    [this] {
                        ++reads;
                        if (delay > Nanos(0)) static_cast<void>(fiber::sleep_for(delay));
                        return hosts;
                    },
                .accounts = [this] { return accounts; }};
    }
};

}  // namespace

TEST_ON_BOTH_KERNELS("each host has what the log has acknowledged of it, and its accounts") {
    Sources sources;
    FigureBook book(world.env(), sources.functions());
    auto figures = book.get();
    CHECK(figures->size() == 2);
    CHECK(figure_of(*figures, "a.example") == HostFigure{.seq = 70, .accounts = 5});
    CHECK(figure_of(*figures, "b.example") == HostFigure{});
    CHECK(figure_of(*figures, "c.example") == HostFigure{});
}

TEST_ON_BOTH_KERNELS("figures are read anew when they are a second old") {
    Sources sources;
    FigureBook book(world.env(), sources.functions());
    auto before = book.get();
    sources.hosts[0].upstream_seq = 71;
    sources.accounts["a.example"] = 6;
    CHECK(sources.reads == 1);
    static_cast<void>(fiber::sleep_for(FigureBook::max_age));
    CHECK(figure_of(*book.get(), "a.example") == HostFigure{.seq = 71, .accounts = 6});
    CHECK(figure_of(*before, "a.example").seq == 70);  // whoever has a snapshot keeps it
    CHECK(sources.reads == 2);
}

RINGLAY_TEST_ON(asked_once, ([](auto body) { support::in_simulation({1}, body); }),
                "however many ask at once, the log is asked once, and nobody gets nothing") {
    Sources sources;
    sources.delay = 100ms;
    FigureBook book(world.env(), sources.functions());
    std::size_t answered = 0;
    auto ask_five = [&] {
        std::vector<fiber::Task> tasks;
        for (int i = 0; i < 5; ++i) {
            tasks.push_back(fiber::spawn("asks", [&] {
                CHECK(figure_of(*book.get(), "a.example").seq == sources.hosts[0].upstream_seq);
                ++answered;
            }));
        }
        for (auto& task : tasks) task.join();
    };
    ask_five();
    CHECK(answered == 5);
    CHECK(sources.reads == 1);
    // While they are read anew, what there was will do.
    static_cast<void>(fiber::sleep_for(2s));
    fiber::Task reader = fiber::spawn("reads", [&] { book.get(); });
    while (sources.reads < 2) static_cast<void>(fiber::sleep_for(1ms));
    Nanos before = fiber::now();
    ask_five();
    CHECK(fiber::now() - before < 1ms);
    CHECK(sources.reads == 2);
    reader.join();
}
