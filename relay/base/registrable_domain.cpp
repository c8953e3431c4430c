#include "relay/base/registrable_domain.hpp"

#include <libpsl.h>

#include <string>

#include "proto/base/address.hpp"

namespace ringlay::base {

std::string_view registrable_domain(std::string_view name) {
    if (Address::parse(name, 0)) return name;
    const std::string text(name);
    const char* domain = psl_registrable_domain(psl_builtin(), text.c_str());
    if (domain == nullptr) return name;
    return name.substr(static_cast<std::size_t>(domain - text.c_str()));
}

}  // namespace ringlay::base
