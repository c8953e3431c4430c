// What the event log costs: CPU of appending and publishing an event, by batch size, and how fast
// it is read from the memory tail, from the shared blocks and from files. Frames are of the size
// that the network has (5.4 KB). Ratios say more than figures: the machine is shared.
//
//     build/bench/log_bench [directory]

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "proto/event.hpp"
#include "proto/frame.hpp"
#include "relay/env/uring/uring_runtime.hpp"
#include "relay/event_log/reader.hpp"
#include "relay/event_log/sequencer.hpp"

namespace {

using namespace ringlay;
using namespace ringlay::event_log;
using namespace std::chrono_literals;

constexpr std::size_t message_bytes = 5400;
constexpr std::size_t view_bytes = 256 * 1024;

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double as_seconds(Nanos time) {
    return static_cast<double>(time.count()) / 1e9;
}

class Bench {
  public:
    explicit Bench(std::string directory) : directory_(std::move(directory)) {
        proto::IdentityEvent event;
        event.seq = 1;
        event.did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
        const std::string time(message_bytes - 90, 'z');
        event.time = time;
        message_ = proto::encode_frame(event);
        peek_ = proto::peek(message_).value();
    }

    void run() {
        std::printf("%-34s %10s %10s %10s\n", "append and publish", "CPU us/ev", "us/ev", "GB/s");
        for (std::size_t batch : std::vector<std::size_t>{1, 10, 100}) append(batch);
        std::printf("%-34s %10s %10s\n", "read", "CPU s/GB", "GB/s");
        read_all();
    }

  private:
    std::unique_ptr<Log> open() {
        LogOptions options;
        options.space.reserve_bytes = 1;
        auto log = Log::open(env_, directory_, std::move(options));
        if (!log) {
            std::printf("cannot open %s: %s\n", directory_.c_str(), log.error().what.data());
            std::exit(1);
        }
        return std::move(*log);
    }

    void fill(Entry& entry) {
        entry.message = message_;
        entry.seq_offset = peek_.seq_offset;
        entry.seq_length = peek_.seq_bytes;
        entry.kind = FactsKind::identity;
        entry.host_id = 1;
        entry.upstream_seq = ++upstream_seq_;
        entry.host_ack = upstream_seq_ - 1;
        entry.text = peek_.did;
        entry.is_done.store(false, std::memory_order_relaxed);
    }

    // As the sequencer does it, without mailboxes: that is the fibers' bench.
    void append(std::size_t batch_size) {
        std::filesystem::remove_all(directory_);
        auto log = open();
        Entry host;
        host.kind = FactsKind::host_name;
        host.text = "pds.example";
        Entry* host_batch[] = {&host};
        static_cast<void>(log->append(host_batch));
        std::deque<Entry> entries(batch_size);
        std::vector<Entry*> batch;
        for (Entry& entry : entries) batch.push_back(&entry);

        constexpr std::size_t events = 100'000;
        const double cpu = cpu_seconds();
        const Nanos began = fiber::now();
        for (std::size_t done = 0; done < events; done += batch_size) {
            for (Entry& entry : entries) fill(entry);
            static_cast<void>(log->append(batch));
        }
        const double wall = as_seconds(fiber::now() - began);
        const double used = cpu_seconds() - cpu;
        std::printf("  batches of %-3zu (with syncs)         %10.2f %10.2f %10.2f\n", batch_size,
                    used / events * 1e6, wall / events * 1e6,
                    static_cast<double>(log->head()) / wall / 1e9);
        log->close();
    }

    void read(Log& log, ReadPort& port, const char* name, std::uint64_t cursor) {
        auto reader = Reader::open(port, cursor).value();
        const Position begin = reader.position();
        std::uint64_t sum = 0;
        const double cpu = cpu_seconds();
        const Nanos began = fiber::now();
        while (!reader.is_at_head()) {
            auto view = reader.view(view_bytes).value();
            // A socket would copy it: touch every line.
            for (std::size_t at = 0; at < view.bytes().size(); at += 64) sum += view.bytes()[at];
            reader.advance(view, view.bytes().size());
        }
        const double gb = static_cast<double>(log.head() - begin) / 1e9;
        std::printf("  %-32s %10.2f %10.2f%s\n", name, (cpu_seconds() - cpu) / gb,
                    gb / as_seconds(fiber::now() - began), sum == 1 ? "!" : "");
    }

    void read_all() {
        auto log = open();
        ReadPort port(*log);
        const std::uint64_t oldest = log->counters().oldest_seq.load() - 1;
        read(*log, port, "files, page cache warm", oldest);
        Entry entry;
        Entry* batch[] = {&entry};
        while (log->head() - log->recovery().head_position < 50'000'000) {
            fill(entry);
            static_cast<void>(log->append(batch));
        }
        read(*log, port, "memory tail", log->recovery().head_seq);
        log->close();
        drop_page_cache();
        auto again = open();
        ReadPort cold(*again);
        read(*again, cold, "files, page cache dropped", oldest);
        again->close();
        std::filesystem::remove_all(directory_);
    }

    void drop_page_cache() {
        for (const auto& file : std::filesystem::directory_iterator(directory_)) {
            std::FILE* opened = std::fopen(file.path().c_str(), "re");
            if (opened == nullptr) continue;
            posix_fadvise(fileno(opened), 0, 0, POSIX_FADV_DONTNEED);
            std::fclose(opened);
        }
    }

    env::Env env_;
    std::string directory_;
    Buffer message_;
    proto::Peek peek_;
    std::uint64_t upstream_seq_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    std::string directory = argc > 1 ? argv[1] : "/tmp/ringlay-log-bench";
    env::UringRuntimeOptions options;
    options.files_inline_workers = {"log"};
    env::UringRuntime runtime(std::move(options));
    fiber::WorkerOptions worker;
    worker.name = "log";
    runtime.start_worker(worker, [&] { Bench(directory).run(); });
    runtime.join();
}
