#include <deque>
#include <map>
#include <string>

#include "proto/base/assert.hpp"
#include "relay/accounts/account_table.hpp"

namespace ringlay::accounts {

struct HostNames::Core {
    std::deque<std::string> names;  // number - 1; never move
    // A tree: names come from strangers, and a tree has no bad case.
    std::map<std::string_view, std::uint32_t> numbers;
};

HostNames::HostNames() : core_(std::make_unique<Core>()) {}
HostNames::~HostNames() = default;

std::uint32_t HostNames::number(std::string_view name) {
    if (name.empty()) return 0;
    auto known = core_->numbers.find(name);
    if (known != core_->numbers.end()) return known->second;
    if (core_->names.size() == max_names) return 0;
    core_->names.emplace_back(name);
    auto number = static_cast<std::uint32_t>(core_->names.size());
    core_->numbers.emplace(core_->names.back(), number);
    return number;
}

std::string_view HostNames::name(std::uint32_t number) const {
    if (number == 0) return {};
    RINGLAY_ASSERT(number <= core_->names.size());
    return core_->names[number - 1];
}

}  // namespace ringlay::accounts
