#include "bench/fleet/shape.hpp"

#include <algorithm>
#include <vector>

#include "bench/fleet/accounts.hpp"
#include "bench/fleet/traffic.hpp"
#include "proto/base/json_writer.hpp"
#include "proto/car.hpp"
#include "proto/event.hpp"
#include "proto/frame.hpp"

namespace ringlay::bench {
namespace {

constexpr std::uint64_t event_count = 4000, account_count = 20;
constexpr std::uint64_t start_micros = 1'767'225'600'000'000;  // 2026-01-01

std::size_t at_percent(std::vector<std::size_t>& values, std::size_t percent) {
    std::ranges::sort(values);
    return values[(values.size() - 1) * percent / 100];
}

std::size_t count_blocks(Bytes payload) {
    auto car = proto::CarReader::open(proto::parse_commit_event(payload).value().blocks).value();
    std::size_t count = 0;
    while (car.next().value()) ++count;
    return count;
}

}  // namespace

std::string shape(std::uint64_t seed) {
    AccountBook book{seed, account_count};
    auto records = invent_records(seed, usual_record_count, start_micros);
    std::vector<Repo> repos;
    for (std::uint64_t i = 0; i < account_count; ++i) {
        repos.emplace_back(book.did(i), book.key(i), records);
    }
    Traffic traffic(seed);
    std::vector<std::size_t> bytes, blocks;
    std::uint64_t sum_bytes = 0;
    for (std::uint64_t i = 1; i <= event_count; ++i) {
        Buffer frame = traffic.next_frame(repos[i % account_count], i, start_micros + i * 1000);
        sum_bytes += frame.size();
        auto peek = proto::peek(frame).value();
        if (peek.kind != proto::FrameKind::commit) continue;
        bytes.push_back(frame.size());
        blocks.push_back(count_blocks(proto::payload_of(frame, peek)));
    }
    JsonWriter json;
    json.begin_object();
    json.key("events").number(event_count);
    json.key("commits").number(bytes.size());
    json.key("mean_bytes").number(sum_bytes / event_count);
    json.key("commit_median_bytes").number(at_percent(bytes, 50));
    json.key("commit_p99_bytes").number(at_percent(bytes, 99));
    json.key("commit_median_blocks").number(at_percent(blocks, 50));
    json.key("commit_p99_blocks").number(at_percent(blocks, 99));
    return json.end_object().take();
}

}  // namespace ringlay::bench
