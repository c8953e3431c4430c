// Up to which of a shard's pushes the fold has come. The log says how many of them it has and its
// seq then (Receipt), the fold up to which seq it has applied: this puts the two together.
//
// Pure: numbers in, numbers out.
//
// Owner    Shard::Core.
// Bound    one mark for each look at a receipt that has moved and whose seq is not yet applied.
#pragma once

#include <cstdint>
#include <deque>

namespace ringlay::ingest {

class Watermark {
  public:
    // The number of the next push. A fact without a frame has no seq of its own: the fold may have
    // applied the event before it and not yet the fact, so the fold has to be beyond that seq.
    std::uint64_t push(bool has_frame) {
        ++pushed_;
        if (!has_frame) newest_without_frame_ = pushed_;
        return pushed_;
    }

    // What Receipt says (its count read before its seq), and FoldProgress. Returns the highest push
    // such that it and all before it are applied.
    std::uint64_t look(std::uint64_t logged_count, std::uint64_t logged_seq,
                       std::uint64_t applied_seq) {
        const std::uint64_t marked = marks_.empty() ? folded_ : marks_.back().count;
        if (logged_count > marked) {
            marks_.push_back({logged_count, logged_seq, newest_without_frame_ > marked});
        }
        while (!marks_.empty() && marks_.front().is_applied(applied_seq)) {
            folded_ = marks_.front().count;
            marks_.pop_front();
        }
        return folded_;
    }

    std::uint64_t folded() const { return folded_; }
    bool is_behind() const { return folded_ < pushed_; }

  private:
    struct Mark {
        std::uint64_t count;
        std::uint64_t seq;
        bool is_passed_only;  // there may be a fact without a frame behind the event `seq`

        bool is_applied(std::uint64_t applied_seq) const {
            return is_passed_only ? applied_seq > seq : applied_seq >= seq;
        }
    };
    std::uint64_t pushed_ = 0;
    std::uint64_t folded_ = 0;
    std::uint64_t newest_without_frame_ = 0;
    std::deque<Mark> marks_;  // rising
};

}  // namespace ringlay::ingest
