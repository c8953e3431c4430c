#include "bench/fleet/traffic.hpp"

#include <algorithm>
#include <cmath>

#include "crypto/sha256.hpp"
#include "proto/cbor.hpp"
#include "proto/tid.hpp"

namespace ringlay::bench {
namespace {

using proto::RepoAction;
using proto::Tid;

// Of a hundred records. A few collections have nearly all of them, and there is always a long tail.
constexpr struct {
    std::string_view name;
    std::uint32_t share;
} collections[] = {
    {"app.bsky.feed.like", 40},         {"app.bsky.feed.post", 20},
    {"app.bsky.feed.repost", 12},       {"app.bsky.graph.follow", 14},
    {"app.bsky.graph.block", 3},        {"app.bsky.graph.listitem", 3},
    {"app.bsky.feed.threadgate", 1},    {"app.bsky.feed.generator", 1},
    {"chat.bsky.actor.declaration", 1}, {"com.example.longform.entry", 1},
    {"fm.example.player.scrobble", 2},  {"org.example.annotations.note", 1},
    {"net.example.code.repo.issue", 1},
};

constexpr std::uint32_t all_shares = [] {
    std::uint32_t sum = 0;
    for (const auto& collection : collections) sum += collection.share;
    return sum;
}();

constexpr std::uint64_t micros_per_minute = 60'000'000;

std::string_view collection_of(std::uint64_t draw) {
    for (const auto& collection : collections) {
        if (draw < collection.share) return collection.name;
        draw -= collection.share;
    }
    return collections[0].name;
}

std::string path_in(std::string_view collection, std::uint64_t unix_micros, std::uint32_t clock) {
    return std::string(collection) + '/' + Tid::of_micros(unix_micros, clock).to_text();
}

}  // namespace

std::shared_ptr<const StartingRecords> invent_records(std::uint64_t seed, std::size_t count,
                                                      std::uint64_t unix_micros) {
    std::mt19937_64 random(seed);
    std::vector<proto::MstItem> items;
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t at = unix_micros - (count - i) * micros_per_minute;
        std::string_view collection = collection_of(random() % all_shares);
        auto clock = static_cast<std::uint32_t>(random() % 1024);
        paths.push_back(path_in(collection, at, clock));
        Buffer content(paths.back().begin(), paths.back().end());
        append_le(content, seed);
        items.push_back({paths.back(), proto::Cid::of_digest(crypto::sha256(content))});
    }
    std::ranges::sort(items, {}, &proto::MstItem::key);
    auto tree = proto::Mst::build(items, crypto::sha256);
    return std::make_shared<StartingRecords>(
        StartingRecords{std::move(tree), std::move(paths), unix_micros});
}

std::string_view Traffic::next_collection() {
    return collection_of(below(all_shares));
}

Buffer Traffic::next_record(std::string_view collection) {
    // Log-normal about 500 bytes: from 100 to a few thousand.
    constexpr double median_bytes = 500, spread = 0.7;
    constexpr std::size_t frame_bytes = 50;  // what is not text
    std::normal_distribution<double> normal;
    double size = std::clamp(median_bytes * std::exp(spread * normal(random_)), 100.0, 50'000.0);
    std::string text;
    auto wanted = static_cast<std::size_t>(size);
    std::size_t other = frame_bytes + collection.size();
    while (text.size() + other < wanted) {
        std::uint64_t draw = random_();  // a word: its length, then five bits for each letter
        for (std::uint64_t letters = 2 + draw % 8; letters > 0; --letters) {
            draw >>= 5;
            text.push_back(static_cast<char>('a' + (draw & 31) % 26));
        }
        text.push_back(' ');
    }
    Buffer record;
    proto::CborWriter out(record);
    auto map = out.write_map(4);
    out.write_key(map, "text");
    out.write_text(text);
    out.write_key(map, "$type");
    out.write_text(collection);
    out.write_key(map, "langs");
    out.write_array(1);
    out.write_text("en");
    out.write_key(map, "nonce");
    out.write_uint(below(std::uint64_t{1} << 53));
    return record;
}

std::string_view Traffic::next_path(const Repo& repo, const std::vector<WriteOp>& ops) {
    if (repo.path_count() == 0) return {};
    for (int attempt = 0; attempt < 4; ++attempt) {
        auto path = repo.path_at(below(repo.path_count()));
        if (path && std::ranges::find(ops, *path, &WriteOp::path) == ops.end()) return *path;
    }
    return {};
}

std::vector<WriteOp> Traffic::next_ops(const Repo& repo, std::uint64_t unix_micros) {
    std::size_t count = below(100) < mix_.batches ? 2 + below(9) : 1;
    std::vector<WriteOp> ops;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint64_t draw = below(100);
        std::string_view path;
        if (draw < mix_.updates + mix_.removals) path = next_path(repo, ops);
        if (path.empty()) {
            std::string_view collection = next_collection();
            // New in any case: revs rise, and each op of a commit has 100 clock ids of its own.
            auto clock = static_cast<std::uint32_t>(i * 100 + below(100));
            std::string created = path_in(collection, repo.next_rev(unix_micros).micros(), clock);
            ops.push_back({RepoAction::create, std::move(created), next_record(collection)});
        } else if (draw < mix_.updates) {
            std::string_view collection = path.substr(0, path.find('/'));
            ops.push_back({RepoAction::update, std::string(path), next_record(collection)});
        } else {
            ops.push_back({RepoAction::remove, std::string(path), {}});
        }
    }
    return ops;
}

Buffer Traffic::next_frame(Repo& repo, std::uint64_t seq, std::uint64_t unix_micros) {
    std::uint64_t draw = below(1000);
    if (draw < mix_.syncs) return repo.sync_frame(seq, unix_micros);
    draw -= mix_.syncs;
    if (draw < mix_.identities) {
        return repo.identity_frame(seq, unix_micros, repo.did().substr(8) + ".example.com");
    }
    draw -= mix_.identities;
    if (draw < mix_.accounts) return repo.account_frame(seq, unix_micros, true, std::nullopt);
    return repo.commit_frame(seq, unix_micros, next_ops(repo, unix_micros));
}

}  // namespace ringlay::bench
