// What went wrong in TLS, in words for an operator. Inside of this room only: it speaks of the
// library's objects, by their names that BoringSSL and OpenSSL share.
//
// Owner    nobody: functions.
// Thread   any; the library's queue of errors is the thread's own.
// Bound    what comes out of a certificate is printable and at most 64 bytes a name, four names.
#pragma once

#include <string>
#include <string_view>

struct x509_store_ctx_st;

namespace ringlay::crypto::tls {

// Why a certificate of the chain is not believed. `source`: the bundle; empty: none with a name.
std::string certificate_problem(x509_store_ctx_st* checked, std::string_view host,
                                std::string_view source);

// A certificate that the library would believe, but that is too weak; nullptr: none such.
const char* weakness(x509_store_ctx_st* checked);

// What the library left in its queue, which is empty afterwards.
std::string problem_in_queue();

}  // namespace ringlay::crypto::tls
