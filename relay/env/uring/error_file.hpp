// A file in the place of standard error: log lines, and also what a failed assertion or a library
// says. Two files at most: one that has reached its bound gets ".1" behind its name, in the place
// of the one before.
//
// Owner    main().
// Thread   any thread writes to standard error, at any time; keep_bounded() is called by one thread
//          at a time, and blocks.
// Bound    twice max_bytes, and what is written between two calls of keep_bounded().
#pragma once

#include <cstdint>
#include <expected>
#include <string>

namespace ringlay::env {

class ErrorFile {
  public:
    // Goes on behind what is there. Errors: a sentence with the path.
    static std::expected<ErrorFile, std::string> open(std::string path, std::uint64_t max_bytes);

    // Should it fail, the same file goes on.
    void keep_bounded();

  private:
    ErrorFile(std::string path, std::uint64_t max_bytes)
        : path_(std::move(path)), max_bytes_(max_bytes) {}
    int take_place() const;  // 0, or errno

    std::string path_;
    std::uint64_t max_bytes_;
};

}  // namespace ringlay::env
