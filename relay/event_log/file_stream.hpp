// Goes through a file from front to back in large reads, and through the facts records in one.
//
// Owner    its user; the file outlives it.
// Bound    a read of read_bytes, or the longest record or frame asked for.
// Errors   of the disk; FactsStream also those of decode_facts().
#pragma once

#include <cstdint>
#include <optional>

#include "relay/env/disk.hpp"
#include "relay/event_log/facts.hpp"

namespace ringlay::event_log {

class FileStream {
  public:
    static constexpr std::size_t read_bytes = 256 * 1024;

    // From begin up to `end` of the file, or its own end if that comes first.
    FileStream(const env::File& file, std::uint64_t begin, std::uint64_t end)
        : file_(file), next_(begin), end_(end) {}

    // The next `size` bytes, fewer at the end. Valid until the next call.
    Result<Bytes> peek(std::size_t size);
    void consume(std::size_t size);
    std::uint64_t offset() const { return next_ - (buffer_.size() - at_); }

  private:
    const env::File& file_;
    std::uint64_t next_;  // to be read
    std::uint64_t end_;
    Buffer buffer_;
    std::size_t at_ = 0;  // in the buffer: the next byte
};

class FactsStream {
  public:
    FactsStream(const env::File& file, std::uint64_t begin, std::uint64_t end)
        : stream_(file, begin, end) {}

    struct Item {
        Facts facts;
        std::uint64_t offset;  // in the file
    };
    // Nothing at the end. Views are valid until the next call. After an error: the same error.
    Result<std::optional<Item>> next();
    std::uint64_t offset() const { return stream_.offset(); }  // behind the last sound record

  private:
    FileStream stream_;
};

}  // namespace ringlay::event_log
