#include "relay/base/metrics.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <thread>

using namespace ringlay::base;
using Catch::Contains;
using Kind = Metrics::Kind;

TEST_CASE("a counter is the sum of its workers' cells and the shared one") {
    Metrics metrics(3);
    Counter& counter = metrics.counter("relay_frames_total", "Frames.");
    counter.add(0);
    counter.add(2, 10);
    counter.add(2, 5);
    counter.add_shared(100);
    CHECK(counter.value() == 116);
    CHECK(metrics.expose() ==
          "# HELP relay_frames_total Frames.\n"
          "# TYPE relay_frames_total counter\n"
          "relay_frames_total 116\n");
}

TEST_CASE("the page is sorted by name and labels, whatever the order of registration") {
    Metrics metrics(1);
    metrics.counter("relay_b_total", "B.", {{"kind", "y"}}).add(0, 2);
    metrics.gauge("relay_c", "C.").set(-3);
    metrics.counter("relay_a_total", "A.").add(0, 1);
    metrics.counter("relay_b_total", "B.", {{"kind", "x"}, {"also", "z"}}).add(0, 4);
    CHECK(metrics.expose() ==
          "# HELP relay_a_total A.\n"
          "# TYPE relay_a_total counter\n"
          "relay_a_total 1\n"
          "# HELP relay_b_total B.\n"
          "# TYPE relay_b_total counter\n"
          "relay_b_total{also=\"z\",kind=\"x\"} 4\n"
          "relay_b_total{kind=\"y\"} 2\n"
          "# HELP relay_c C.\n"
          "# TYPE relay_c gauge\n"
          "relay_c -3\n");
}

TEST_CASE("label values and help texts are escaped as the format asks") {
    Metrics metrics(1);
    metrics.gauge("relay_x", "Back\\slash, \"quote\"\nand line.", {{"v", "a\\b\"c\nd"}}).set(1);
    CHECK(metrics.expose() ==
          "# HELP relay_x Back\\\\slash, \"quote\"\\nand line.\n"
          "# TYPE relay_x gauge\n"
          "relay_x{v=\"a\\\\b\\\"c\\nd\"} 1\n");
}

TEST_CASE("a gauge can be set and changed by steps") {
    Gauge gauge;
    gauge.set(10);
    gauge.add(-12);
    CHECK(gauge.value() == -2);
}

TEST_CASE("a callback is asked at each scrape") {
    Metrics metrics(1);
    double now = 1.5;
    metrics.callback(Kind::gauge, "relay_lag_seconds", "Lag.", [&] { return now; });
    metrics.callback(Kind::counter, "relay_lost_total", "Lost.", [] { return 12345678901234.0; });
    CHECK_THAT(metrics.expose(), Contains("relay_lag_seconds 1.5\n"));
    now = NAN;
    CHECK_THAT(metrics.expose(), Contains("relay_lag_seconds NaN\n"));
    now = -INFINITY;
    CHECK_THAT(metrics.expose(), Contains("relay_lag_seconds -Inf\n"));
    CHECK_THAT(metrics.expose(), Contains("relay_lost_total 12345678901234\n"));
}

TEST_CASE("a histogram's buckets are cumulative, closed above, and end at infinity") {
    Metrics metrics(2);
    Histogram& histogram =
        metrics.histogram("relay_wait_seconds", "Wait.", {0.25, 1, 2.5}, {{"of", "x"}});
    histogram.observe(0, 0.25);  // on a bound: in its bucket
    histogram.observe(1, 0.5);
    histogram.observe_shared(1.0);
    histogram.observe_shared(100);
    CHECK(histogram.bucket_counts() == std::vector<std::uint64_t>{1, 2, 0, 1});
    CHECK(metrics.expose() ==
          "# HELP relay_wait_seconds Wait.\n"
          "# TYPE relay_wait_seconds histogram\n"
          "relay_wait_seconds_bucket{of=\"x\",le=\"0.25\"} 1\n"
          "relay_wait_seconds_bucket{of=\"x\",le=\"1\"} 3\n"
          "relay_wait_seconds_bucket{of=\"x\",le=\"2.5\"} 3\n"
          "relay_wait_seconds_bucket{of=\"x\",le=\"+Inf\"} 4\n"
          "relay_wait_seconds_sum{of=\"x\"} 101.75\n"
          "relay_wait_seconds_count{of=\"x\"} 4\n");
}

TEST_CASE("a histogram without labels has only `le`") {
    Metrics metrics(1);
    metrics.histogram("relay_h", "H.", {1}).observe(0, 7);
    std::string page = metrics.expose();
    CHECK_THAT(page, Contains("relay_h_bucket{le=\"1\"} 0\nrelay_h_bucket{le=\"+Inf\"} 1\n"
                              "relay_h_sum 7\nrelay_h_count 1\n"));
}

TEST_CASE("every queue shows its depth and its bound under its name") {
    Metrics metrics(1);
    QueueGauge& queue = metrics.queue("resolver", 64);
    metrics.queue("mailbox_bytes", 1 << 20).set_depth(77);
    queue.set_depth(3);
    queue.add(2);
    CHECK(queue.depth() == 5);
    CHECK(queue.bound() == 64);
    std::string page = metrics.expose();
    CHECK_THAT(page, Contains("relay_queue_bound{queue=\"mailbox_bytes\"} 1048576\n"
                              "relay_queue_bound{queue=\"resolver\"} 64\n"));
    CHECK_THAT(page, Contains("relay_queue_depth{queue=\"mailbox_bytes\"} 77\n"
                              "relay_queue_depth{queue=\"resolver\"} 5\n"));
}

TEST_CASE("workers count while another thread scrapes: nothing is lost") {
    constexpr std::size_t workers = 3;
    constexpr std::uint64_t each = 20'000;
    Metrics metrics(workers);
    Counter& counter = metrics.counter("relay_n_total", "N.");
    Histogram& histogram = metrics.histogram("relay_h", "H.", {0.5});
    std::vector<std::thread> threads;
    for (std::size_t w = 0; w < workers; ++w) {
        threads.emplace_back([&, w] {
            for (std::uint64_t i = 0; i < each; ++i) {
                counter.add(w);
                counter.add_shared();
                histogram.observe(w, 1);
                histogram.observe_shared(0);
            }
        });
    }
    std::uint64_t before = 0;
    bool rises = true;
    for (int i = 0; i < 50; ++i) {
        std::uint64_t now = counter.value();
        rises = rises && now >= before;
        before = now;
        metrics.expose();
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(rises);
    CHECK(counter.value() == 2 * workers * each);
    CHECK(histogram.bucket_counts() == std::vector<std::uint64_t>{workers * each, workers * each});
    CHECK(histogram.sum() == static_cast<double>(workers * each));
}
