// Asks hosts whether an account that we hold inactive is active there (getRepoStatus, protocol
// 4.7): it heals a lost #account event.
//
// An account's host is asked at once, then not before 10 s, 1 min, 5 min, 5 min ... have passed.
//
// Owner    Shard::Core.
// Thread   its worker; a fiber for each question.
// Bound    max_at_once questions, max_at_once_per_host, max_accounts remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "relay/env/env.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/ingest/event.hpp"
#include "relay/net/outbound.hpp"

namespace ringlay::ingest {

// When a question may be asked. Pure.
class QuestionBook {
  public:
    static constexpr std::size_t max_at_once = 16;
    static constexpr std::uint32_t max_at_once_per_host = 2;
    static constexpr std::size_t max_accounts = 64 * 1024;

    bool may_ask(std::string_view did, std::uint32_t host_id, Nanos now);
    void begin(std::string_view did, std::uint32_t host_id, Nanos now);
    void end(std::string_view did, std::uint32_t host_id, bool is_active);

    std::size_t under_way() const { return under_way_; }

  private:
    bool has_room(Nanos now);

    struct Asked {
        std::uint32_t times = 0;
        Nanos again_at{};
    };
    std::map<std::string, Asked, std::less<>> asked_;
    std::unordered_map<std::uint32_t, std::uint32_t> under_way_by_host_;
    std::size_t under_way_ = 0;
    Nanos swept_{};
};

enum class HostAnswer : std::uint8_t { active, inactive, none };

// Of a getRepoStatus answer's body.
HostAnswer read_repo_status(std::string_view json, std::string_view did);

class StatusAsker {
  public:
    static constexpr Nanos patience = std::chrono::seconds(5);

    // `outbound`: as in net::FetchOptions; `strangers`: for hosts that strangers announced.
    StatusAsker(env::Env& env, std::string user_agent, const net::Outbound* outbound,
                const net::Outbound* strangers)
        : env_(env),
          user_agent_(std::move(user_agent)),
          outbound_(outbound),
          strangers_(strangers) {}

    bool may_ask(std::string_view did, std::uint32_t host_id) {
        return book_.may_ask(did, host_id, env_.clock.now());
    }
    // Only if it may. `done` is called in a fiber of this worker, unless stop() comes first.
    using Done = std::move_only_function<void(HostAnswer)>;
    void ask(std::string_view did, const HostRef& host, Done done);
    void stop() { questions_.cancel_and_join(); }

  private:
    HostAnswer question(std::string_view did, const std::string& origin,
                        const net::Outbound* outbound);

    env::Env& env_;
    const std::string user_agent_;
    const net::Outbound* const outbound_;
    const net::Outbound* const strangers_;
    QuestionBook book_;
    fiber::TaskGroup questions_;
};

}  // namespace ringlay::ingest
