// Base32 (RFC 4648, lower-case, no padding): the text form of a CID without its leading `b`, and
// the identifier of a did:plc.
#pragma once

#include <string>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"

namespace ringlay {

std::string to_base32(Bytes bytes);

// Refuses upper-case, padding, impossible lengths and bits that are set beyond the last byte, so
// that every value has exactly one text.
Result<Buffer> from_base32(std::string_view text);

}  // namespace ringlay
