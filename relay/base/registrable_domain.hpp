// The part of a name that somebody registers: `b.co.uk` of `a.b.co.uk`, `alice.github.io` of
// `x.alice.github.io`. Who has one can make any number of names below it, so quotas and lanes are
// counted by it.
//
// Thread   pure. Source   the public suffix list, as libpsl has it built in.
#pragma once

#include <string_view>

namespace ringlay::base {

// A view of `name`, which is in lower case and without a dot at its end. A name that is itself a
// public suffix, has no dot, or is an address, is its own.
std::string_view registrable_domain(std::string_view name);

}  // namespace ringlay::base
