// A relay among the hosts of a simulated network, with a directory and a consumer; everything that
// is done to them is noted in a history. At the end the relay is stopped, and its log and database
// are read as they lie on its disk.
//
//     TruthWorld it(setup);
//     ... it.network.say_commit(...); it.run_for(10ms); it.crash(kill); ...
//     it.become_quiet(); it.settle(); it.stop(); auto problem = find_problem(it, it.inspect());
//
// Owner    a test.
// Thread   outside of the world's fibers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "index/database.hpp"
#include "tests/sim/line.hpp"
#include "tests/sim/truth_history.hpp"
#include "tests/support/sim_network.hpp"
#include "tests/support/sim_plc.hpp"

namespace ringlay::support {

struct TruthSetup {
    std::uint64_t seed = 1;
    std::uint32_t workers = 1;
    std::uint32_t shards = 1;
    std::size_t hosts = 2;
    bool passes_unverified = true;
    bool keeps_handles = false;
};

// A record of the relay's log.
struct LogRecord {
    event_log::FactsKind kind = event_log::FactsKind::commit;
    bool is_unverified = false;
    std::uint64_t seq = 0;
    std::uint32_t host_id = 0;
    std::uint64_t upstream_seq = 0;
    std::string text;  // the DID
    std::map<event_log::FactsField, Buffer> fields;
    std::optional<std::size_t> number;  // of its emission; nothing: the relay's own
    std::string content;                // of its frame, without the seq
};

// What was found on the relay's disk, and what it has answered.
struct Findings {
    std::optional<std::string> failure;  // to read it
    std::vector<LogRecord> records;
    std::map<std::uint32_t, std::string> hosts;  // by number of the log
    std::map<std::string, index::AccountRow> rows;
    std::map<std::string, std::string> statuses;  // getRepoStatus, by DID, before it was stopped
    std::uint64_t consumer_repeats = 0;  // emissions that the consumer was sent more than once
};

class TruthWorld {
  public:
    enum class Directory : std::uint8_t { well, slow, failing, mute, lagging };

    explicit TruthWorld(const TruthSetup& setup);
    ~TruthWorld();

    void run_for(Nanos duration);
    void run_events(std::uint64_t count);  // of the world: for stops at any step

    void start_relay();
    void crash(env::CrashMode mode);  // and stay down until start_relay()
    bool is_relay_up() const { return is_up_; }
    void set_directory(Directory manner);
    void set_manner(std::size_t host, SimPds::Manner manner);
    void part_from_relay(std::size_t host);
    void heal(std::size_t host);
    void restore(std::size_t host);

    // Everything is well again, and has been for so long that everything said is dealt with.
    void become_quiet();
    // Every account says once more what is true of it. From the first of `settled` on.
    void settle();

    // Asks the relay for each account, stops it, and reads what it has left.
    Findings inspect();

    const TruthSetup setup;
    History history;
    std::optional<SimPlc> plc;
    std::size_t settled = SIZE_MAX;  // the first emission of settle()
    std::uint64_t power_losses = 0;

  private:
    void note_seen();
    void collect_log(Findings& findings);
    void collect_statuses(Findings& findings);
    void read_disk(Findings& findings);
    std::optional<std::string> read_log(Findings& findings);
    std::optional<std::string> read_rows(Findings& findings);
    bool run_until(const std::function<bool()>& is_true);

    bool is_up_ = false;
    std::size_t noted_ = 0;  // of what the consumer has seen
    std::map<std::size_t, std::uint64_t> times_seen_;
    std::map<std::uint64_t, std::string> content_by_seq_;
    env::Env env_;

    std::optional<SimNetwork> network_place_;

  public:
    Line line;  // last but for a reference: its world sees the fibers of all these end
    SimNetwork& network;
};

// Nothing: what the relay has done is right. Otherwise the first thing that is not.
std::optional<std::string> find_problem(const TruthWorld& world, const Findings& findings);

// How many emissions had to pass, and how many might be missing.
struct Strictness {
    std::size_t must = 0;
    std::size_t may = 0;
    std::size_t lies = 0;
    std::size_t unverified = 0;  // records
    std::map<std::string, std::size_t> excuses;
};
Strictness measure(const TruthWorld& world, const Findings& findings);

}  // namespace ringlay::support
