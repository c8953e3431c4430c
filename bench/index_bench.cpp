// What the database of accounts costs: rows a second of apply(), bytes a row on disk, microseconds
// of a look-up and of a page.
//
//     index_bench [accounts] [directory]    (1000000, and a new one in the temporary directory)
//
// First every account once, in random order, as a relay meets them; then as many changes again,
// most of them to a few accounts, flushed every 36,000 changes as in a minute at 600 events/s.
// RocksDB's own threads are at work, so CPU is of the process.
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "crypto/did_key.hpp"
#include "index/database.hpp"

namespace {

using namespace ringlay;
using index::AccountChange;
using index::Database;

constexpr std::size_t batch_size = 256;
constexpr std::size_t flush_every = 36'000;
const auto may_block = MayBlock::on_own_thread();

double seconds() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double>(now).count();
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto as_seconds = [](timeval time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return as_seconds(usage.ru_utime) + as_seconds(usage.ru_stime);
}

template <class T>
T must(Result<T> result) {
    if (!result) {
        std::printf("%s\n", result.error().what.data());
        std::exit(1);
    }
    if constexpr (!std::is_void_v<T>) return std::move(*result);
}

std::string did_of(std::uint64_t number) {
    std::mt19937_64 random(number);
    std::string did = "did:plc:";
    while (did.size() < 32) did += "234567abcdefghijklmnopqrstuvwxyz"[random() % 32];
    return did;
}

class Bench {
  public:
    Bench(std::uint64_t accounts, std::string directory)
        : accounts_(accounts), directory_(std::move(directory)) {
        options_.path = directory_ + "/index";
        database_ = must(Database::open(may_block, options_));
    }

    void run() {
        std::printf("%-28s %12s %10s\n", "apply, batches of 256", "rows/s", "CPU us/row");
        apply("  every account once", [this](std::uint64_t i) { return i * 7919 % accounts_; });
        apply("  changes, skewed", [this](std::uint64_t) {
            const auto u = static_cast<double>(random_() >> 11) * 0x1p-53;
            return static_cast<std::uint64_t>(u * u * u * u * static_cast<double>(accounts_));
        });
        put_identities();
        reopen();
        std::printf("%-28s %12s %10s %10s\n", "read, microseconds", "p50", "p99", "max");
        get("  account, cold or warm", 100'000, accounts_);
        get("  account, the same 1,000", 100'000, 1000);
        get("  account, absent", 100'000, 0);
        identities();
        pages();
    }

  private:
    AccountChange change(const std::string& did, std::uint64_t number) {
        auto cid = [this] {
            std::array<std::uint8_t, proto::Cid::digest_bytes> digest;
            for (std::size_t at = 0; at < digest.size(); at += 8) {
                const std::uint64_t word = random_();
                std::memcpy(digest.data() + at, &word, sizeof word);
            }
            return proto::Cid::of_digest(digest);
        };
        ++seq_;
        const auto host = static_cast<std::uint32_t>(1 + number % 2800);
        const auto repo =
            index::RepoState{(1'700'000'000'000'000 + seq_ * 1000) << 10, cid(), cid()};
        return {did, 170'000'000'000'000 + seq_, host, repo, std::nullopt, std::nullopt};
    }

    template <class Choose>
    void apply(const char* name, Choose choose) {
        std::vector<std::string> dids(batch_size);
        std::vector<AccountChange> changes(batch_size);
        double wall = 0, worst_flush = 0;
        const double cpu = cpu_seconds();
        double making = 0;
        std::uint64_t since_flush = 0, done = 0;
        for (; done < accounts_; done += batch_size) {
            const double before = cpu_seconds();
            for (std::size_t i = 0; i < batch_size; ++i) {
                const std::uint64_t number = choose(done + i);
                dids[i] = did_of(number);
                changes[i] = change(dids[i], number);
            }
            making += cpu_seconds() - before;
            const double began = seconds();
            must(database_->apply(may_block, changes, {1, 0, 0, seq_}));
            wall += seconds() - began;
            since_flush += batch_size;
            if (since_flush < flush_every) continue;
            since_flush = 0;
            const double flush_began = seconds();
            must(database_->flush(may_block));
            worst_flush = std::max(worst_flush, seconds() - flush_began);
        }
        must(database_->flush(may_block));
        const double used = cpu_seconds() - cpu - making;
        std::printf("%-28s %12.0f %10.2f   (worst flush %.0f ms)\n", name,
                    static_cast<double>(done) / wall, used / static_cast<double>(done) * 1e6,
                    worst_flush * 1e3);
    }

    void put_identities() {
        auto key =
            crypto::parse_multikey("zQ3shqwJEJyMBsBXCWyCBpUBMqxcon9oHB7mCvx4sSpMdLJwc").value();
        std::vector<Database::Named> named(batch_size);
        const double began = seconds();
        const std::uint64_t before = database_->size().disk_bytes;
        for (std::uint64_t i = 0; i < identity_count; i += batch_size) {
            for (std::size_t at = 0; at < batch_size; ++at) {
                named[at] = {did_of(i + at),
                             {key, "morel.us-east.host.example", 1'700'000'000'000}};
            }
            must(database_->put_identities(may_block, named));
        }
        must(database_->flush(may_block));
        const auto bytes = static_cast<double>(database_->size().disk_bytes - before);
        std::printf("identities put              %12.0f rows/s, at most %.0f bytes/row (one key)\n",
                    static_cast<double>(identity_count) / (seconds() - began),
                    bytes / static_cast<double>(identity_count));
    }

    void show_size(const char* name) {
        auto size = database_->size();
        std::printf("%-28s %8.1f MB on disk, %.1f bytes/account, %.1f MB in memory\n", name,
                    static_cast<double>(size.disk_bytes) / 1e6,
                    static_cast<double>(size.disk_bytes) / static_cast<double>(size.accounts),
                    static_cast<double>(size.memory_bytes) / 1e6);
    }

    void reopen() {
        show_size("size");
        const double began = seconds();
        database_.reset();
        database_ = must(Database::open(may_block, options_));
        std::printf("%-28s %12.1f ms\n", "close and open", (seconds() - began) * 1e3);
    }

    template <class Call>
    void time(const char* name, std::size_t count, Call call) {
        std::vector<double> times;
        times.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            const double began = seconds();
            call();
            times.push_back((seconds() - began) * 1e6);
        }
        std::ranges::sort(times);
        std::printf("%-28s %12.2f %10.2f %10.1f\n", name, times[count / 2], times[count * 99 / 100],
                    times.back());
    }

    void get(const char* name, std::size_t count, std::uint64_t among) {
        std::vector<std::string> dids;
        for (std::size_t i = 0; i < count; ++i) {
            dids.push_back(did_of(among == 0 ? accounts_ + i : random_() % among));
        }
        std::size_t next = 0;
        time(name, count, [&] { must(database_->account(may_block, dids[next++])); });
    }

    void identities() {
        std::vector<std::string> dids;
        for (std::size_t i = 0; i < 20'000; ++i) dids.push_back(did_of(random_() % identity_count));
        std::size_t next = 0;
        time("  identity", dids.size(),
             [&] { must(database_->identity(may_block, dids[next++])); });
    }

    void pages() {
        std::string after;
        time("  page of 1,000", std::min<std::size_t>(500, accounts_ / 1000), [&] {
            auto page = must(database_->list_accounts(may_block, after, Database::max_page));
            if (!page.empty()) after = page.back().did;
        });
        time("  accounts by host", 50, [&] { must(database_->accounts_by_host(may_block)); });
        show_size("size at the end");
    }

    static constexpr std::uint64_t identity_count = 99'840;

    std::uint64_t accounts_;
    std::string directory_;
    index::Options options_;
    std::unique_ptr<Database> database_;
    std::mt19937_64 random_{1};
    std::uint64_t seq_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const std::uint64_t accounts = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
    std::string directory = std::filesystem::temp_directory_path() / "ringlay-index-bench-XXXXXX";
    if (argc > 2) {
        directory = argv[2];
        std::filesystem::create_directories(directory);
    } else if (::mkdtemp(directory.data()) == nullptr) {
        std::printf("cannot make a directory\n");
        return 1;
    }
    Bench(accounts, directory).run();
    if (argc <= 2) std::filesystem::remove_all(directory);
    return 0;
}
