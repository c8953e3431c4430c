// What the fifteen checks cost an event, check by check: real commits, signed, with covering
// proofs, of the size that the network has (5.4 KB, some 10 blocks at the median).
//
//     build/bench/rules_bench

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "bench/fleet/traffic.hpp"
#include "proto/car.hpp"
#include "proto/frame.hpp"
#include "relay/ingest/rules.hpp"

namespace {

using namespace ringlay;
using namespace ringlay::ingest;
using Clock = std::chrono::steady_clock;

constexpr std::size_t account_count = 16, events_per_account = 64, repeats = 40;
constexpr std::uint64_t start_micros = 1'767'225'600'000'000;  // 2026-01-01

const HostRef host{1, "pds.example"};

struct Sample {
    Buffer message;
    Event event;
    Knowledge known;
};

struct Samples {
    explicit Samples(crypto::Curve curve) {
        auto start = bench::invent_records(1, bench::usual_record_count, start_micros);
        bench::TrafficMix mix;
        mix.syncs = mix.identities = mix.accounts = 0;
        bench::Traffic traffic(1, mix);
        for (std::size_t account = 0; account < account_count; ++account) {
            bench::Repo repo(bench::invented_did(1, account),
                             bench::invented_key(curve, 1, account), start);
            for (std::size_t i = 0; i < events_per_account; ++i) {
                std::uint64_t rev = repo.rev().value();
                std::uint64_t at = repo.rev().micros() + 1'000'000;
                add(traffic.next_frame(repo, i + 1, at), repo, rev, at);
            }
        }
    }

    void add(Buffer frame, const bench::Repo& repo, std::uint64_t rev, std::uint64_t at) {
        Sample& sample = all.emplace_back();
        sample.message = std::move(frame);
        auto place = proto::peek(sample.message).value();
        sample.event.message = sample.message;
        sample.event.kind = event_log::FactsKind::commit;
        sample.event.host = &host;
        sample.event.host_id = host.id;
        sample.event.upstream_seq = place.seq;
        sample.event.text = place.did;
        sample.event.header_bytes = place.header_bytes;
        sample.event.payload_bytes = place.payload_bytes;
        sample.known.has_identity = true;
        sample.known.key = repo.public_key();
        sample.known.pds_host = host.name;
        sample.known.rev = rev;
        sample.known.now = WallMillis(at / 1000);
    }

    std::deque<Sample> all;
};

// The whole run; the best of several, because the machine is shared.
double us_per_event(const Samples& samples, Check last) {
    double best = 1e9;
    for (std::size_t repeat = 0; repeat < repeats; ++repeat) {
        auto begin = Clock::now();
        for (const Sample& sample : samples.all) {
            Ruling ruling = examine(sample.event, sample.known, last);
            if (ruling.disposition != Disposition::pass) std::abort();
        }
        std::chrono::duration<double, std::micro> time = Clock::now() - begin;
        best = std::min(best, time.count() / static_cast<double>(samples.all.size()));
    }
    return best;
}

void print_shape(const Samples& samples) {
    std::vector<std::size_t> sizes, blocks;
    for (const Sample& sample : samples.all) {
        sizes.push_back(sample.message.size());
        auto event = proto::parse_commit_event(sample.event.payload()).value();
        auto car = proto::CarReader::open(event.blocks).value();
        std::size_t count = 0;
        while (car.next().value()) ++count;
        blocks.push_back(count);
    }
    auto median = [](std::vector<std::size_t>& values) {
        std::ranges::sort(values);
        return values[values.size() / 2];
    };
    std::printf("%zu commits, %zu B and %zu blocks at the median\n", samples.all.size(),
                median(sizes), median(blocks));
}

void run(crypto::Curve curve) {
    const Samples samples(curve);
    print_shape(samples);
    std::printf("%2s %-10s %10s %10s   (%s)\n", "", "check", "us", "sum us",
                std::string(crypto::to_string(curve)).c_str());
    double before = 0;
    for (std::size_t i = 0; i < check_count; ++i) {
        double sum = us_per_event(samples, check_table()[i].check);
        std::printf("%2zu %-10s %10.2f %10.2f\n", i + 1, std::string(check_table()[i].name).c_str(),
                    sum - before, sum);
        before = sum;
    }
}

}  // namespace

int main() {
    run(crypto::Curve::k256);
    run(crypto::Curve::p256);
}
