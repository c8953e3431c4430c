// The file with passwords of the administration: one a line, whatever ends the lines; empty lines
// mean nothing. So a password is in no command line and in no environment.
//
// Thread   before the runtime has started: it blocks.
// Bound    64 KiB, max_password_bytes a password.
// Errors   a sentence for the operator; never what the file holds.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace ringlay::env {

inline constexpr std::size_t max_password_bytes = 1000;

std::expected<std::vector<std::string>, std::string> read_password_file(const std::string& path);

// The same for what was read; the error lacks the path.
std::expected<std::vector<std::string>, std::string> parse_passwords(std::string_view content);

}  // namespace ringlay::env
