#include "relay/env/uring/password_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ringlay::env {
namespace {

constexpr std::size_t max_file_bytes = 64 * 1024;

std::unexpected<std::string> cannot(const std::string& path, std::string_view why) {
    return std::unexpected("cannot take passwords from " + path + ": " + std::string(why));
}

}  // namespace

std::expected<std::vector<std::string>, std::string> parse_passwords(std::string_view content) {
    std::vector<std::string> passwords;
    while (!content.empty()) {
        const std::size_t end = std::min(content.find('\n'), content.size());
        std::string_view line = content.substr(0, end);
        content.remove_prefix(std::min(end + 1, content.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty()) continue;
        if (line.size() > max_password_bytes) return std::unexpected("a line is too long");
        const bool is_text = std::ranges::all_of(
            line, [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 0x7f; });
        if (!is_text) return std::unexpected("it has bytes that are no text");
        passwords.emplace_back(line);
    }
    if (passwords.empty()) return std::unexpected("it has no password");
    return passwords;
}

std::expected<std::vector<std::string>, std::string> read_password_file(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) return cannot(path, std::strerror(errno));
    std::string content;
    char part[4096];
    ssize_t count = 0;
    while (content.size() <= max_file_bytes && (count = ::read(file, part, sizeof part)) > 0) {
        content.append(part, static_cast<std::size_t>(count));
    }
    const int failure = count < 0 ? errno : 0;
    ::close(file);
    if (failure != 0) return cannot(path, std::strerror(failure));
    if (content.size() > max_file_bytes) return cannot(path, "it is too large");
    auto passwords = parse_passwords(content);
    if (!passwords) return cannot(path, passwords.error());
    return passwords;
}

}  // namespace ringlay::env
