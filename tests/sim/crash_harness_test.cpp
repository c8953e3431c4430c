#include "tests/sim/crash_harness.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using namespace ringlay;
using env::CrashMode;
using env::File;
using env::OpenMode;
using support::CrashOutcome;
using support::CrashPlan;
using support::CrashRun;
using support::CrashScenario;
using support::run_crash_seeds;

namespace {

// What a careless writer leaves out.
enum class Carelessness { none, no_sync, no_directory_sync, no_checksum, waits_for_ever };

// A file of records of ten equal bytes, synced one by one. A record is promised once it is synced.
class Journal final : public CrashScenario {
  public:
    explicit Journal(Carelessness carelessness) : carelessness_(carelessness) {}

    std::optional<std::string> check(CrashRun& run) override {
        auto directory = run.env().disk.open_directory("/journal");
        if (!directory) return "no directory";
        auto file = directory->open("f", OpenMode::read);
        std::vector<std::uint8_t> records;
        if (file) {
            Buffer bytes(record_bytes);
            for (std::uint64_t at = 0; file->read_at(at, bytes) == record_bytes;
                 at += record_bytes) {
                if (!is_whole(bytes)) break;
                records.push_back(bytes[0]);
            }
        }
        if (records.size() < promised_) return "promised records are lost";
        for (std::size_t i = 0; i < records.size(); ++i) {
            if (records[i] != i + 1) return "a record is not what was written";
        }
        if (run.is_alive()) found_ = records.size();
        return std::nullopt;
    }

    void work(CrashRun& run) override {
        auto directory = run.env().disk.open_directory("/journal");
        auto file = directory->open("f", OpenMode::write_or_create);
        if (carelessness_ != Carelessness::no_directory_sync && !directory->sync()) return;
        if (carelessness_ == Carelessness::waits_for_ever) {
            fiber::Event never;
            static_cast<void>(never.wait());
        }
        // What a killed life has left may be in the page cache only: it is no promise before it is
        // synced once more.
        if (!file->truncate(found_ * record_bytes) || !file->sync()) return;
        if (run.is_alive()) promised_ = found_;
        for (std::size_t i = found_; i < found_ + 8; ++i) {
            Buffer record(record_bytes, static_cast<std::uint8_t>(i + 1));
            if (!file->write_at(i * record_bytes, record)) return;
            if (carelessness_ != Carelessness::no_sync && !file->sync()) return;
            if (run.is_alive()) promised_ = i + 1;
            if (!fiber::sleep_for(100us)) return;
        }
    }

  private:
    static constexpr std::size_t record_bytes = 100;

    bool is_whole(const Buffer& bytes) const {
        if (carelessness_ == Carelessness::no_checksum) return true;
        return std::ranges::all_of(
            bytes, [&](std::uint8_t byte) { return byte != 0 && byte == bytes[0]; });
    }

    Carelessness carelessness_;
    std::size_t found_ = 0;     // by the last check
    std::size_t promised_ = 0;  // records that must be found from now on
};

CrashOutcome run_journal(Carelessness carelessness, std::optional<CrashMode> mode = {}) {
    CrashPlan plan;
    plan.seeds = support::sim_seeds(200);
    plan.mode = mode;
    return run_crash_seeds(plan,
                           [&](std::uint64_t) { return std::make_unique<Journal>(carelessness); });
}

}  // namespace

TEST_CASE("a careful journal keeps its promises through every crash") {
    CrashOutcome outcome = run_journal(Carelessness::none);
    INFO(outcome.failure.value_or(""));
    CHECK_FALSE(outcome.failure.has_value());
    const auto& counts = outcome.counts;
    CHECK(counts.kills + counts.power_losses == counts.seeds * 3);
    CHECK(counts.kills > counts.seeds);
    CHECK(counts.power_losses > counts.seeds);
    CHECK(counts.checks > counts.seeds * 3);
    CHECK(counts.crashes_after_work < counts.seeds);
}

TEST_CASE("a record that is promised before it is synced is found lost, by power loss only") {
    CrashOutcome outcome = run_journal(Carelessness::no_sync, CrashMode::power_loss);
    REQUIRE(outcome.failure.has_value());
    CHECK(outcome.failure->find("promised records are lost") != std::string::npos);
    CHECK(outcome.failure->find("power loss at event") != std::string::npos);
    CHECK_FALSE(run_journal(Carelessness::no_sync, CrashMode::kill).failure.has_value());
}

TEST_CASE("a file without a synced name is found lost") {
    CHECK(run_journal(Carelessness::no_directory_sync).failure.has_value());
    CHECK_FALSE(run_journal(Carelessness::no_directory_sync, CrashMode::kill).failure.has_value());
}

TEST_CASE("a reader that believes in sizes is found out by a hole") {
    CrashOutcome outcome = run_journal(Carelessness::no_checksum);
    REQUIRE(outcome.failure.has_value());
    CHECK(outcome.failure->find("not what was written") != std::string::npos);
}

TEST_CASE("a life that cannot be ended is a failure, with a dump") {
    CrashOutcome outcome = run_journal(Carelessness::waits_for_ever);
    REQUIRE(outcome.failure.has_value());
    CHECK(outcome.failure->find("fibers wait") != std::string::npos);
    CHECK(outcome.counts.seeds == 1);
}

TEST_CASE("a failure says which seed it was, and that seed alone fails again") {
    CrashOutcome outcome = run_journal(Carelessness::no_directory_sync);
    REQUIRE(outcome.failure.has_value());
    CrashPlan plan;
    plan.seeds = {outcome.counts.seeds, outcome.counts.seeds};
    CrashOutcome again = run_crash_seeds(plan, [](std::uint64_t) {
        return std::make_unique<Journal>(Carelessness::no_directory_sync);
    });
    CHECK(again.failure == outcome.failure);
}
