// The hosts that the log knows or that have sent something, by small numbers, for accounts to name
// their PDS by. What a document names and nobody has met is one number, "another host", so that
// inventing documents fills no memory: should that host come one day, its first event for such an
// account is a contradiction, and the account is looked up again.
//
// Owner    Shard::Core.
// Thread   its worker.
// Bound    hosts with a number of the log's.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "relay/accounts/account_table.hpp"

namespace ringlay::ingest {

class HostsMet {
  public:
    HostsMet() : another_host_(names_.number("?")) {}  // no host is called so

    void meet(std::uint32_t host_id, std::string_view name) {
        if (host_id < is_met_.size() && is_met_[host_id]) return;
        if (host_id >= is_met_.size()) is_met_.resize(host_id + 1);
        is_met_[host_id] = true;
        numbers_.emplace(name, names_.number(name));
    }

    // 0: none.
    std::uint32_t number_of_pds(std::string_view name) const {
        if (name.empty()) return 0;
        auto found = numbers_.find(name);
        return found == numbers_.end() ? another_host_ : found->second;
    }

    std::string_view name(std::uint32_t number) const { return names_.name(number); }

  private:
    accounts::HostNames names_;
    std::map<std::string, std::uint32_t, std::less<>> numbers_;
    std::vector<bool> is_met_;  // by the log's number
    const std::uint32_t another_host_;
};

}  // namespace ringlay::ingest
