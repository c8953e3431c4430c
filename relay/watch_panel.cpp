#include "relay/watch_panel.hpp"

#include <algorithm>
#include <array>

namespace ringlay::watching {
namespace {

using Number = Reading::Number;

constexpr std::size_t label_columns = 12;
constexpr auto history_span = std::chrono::minutes(1);
constexpr auto least_span = std::chrono::seconds(10);

constexpr std::string_view bold = "\x1b[1m", dim = "\x1b[2m", red = "\x1b[31m";
constexpr std::string_view green = "\x1b[32m", yellow = "\x1b[33m", plain = "\x1b[0m";

std::string printable(std::string_view text) {
    std::string out(text);
    std::ranges::replace_if(out, [](char c) { return c < ' ' || c > '~'; }, '?');
    return out;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
    return digits;
}

std::string grouped(const Number& number) {
    return number ? grouped(*number) : "-";
}

// 1.2 GB; whole numbers from 100 on.
std::string bytes_text(const Number& bytes) {
    if (!bytes) return "-";
    static constexpr std::array<std::string_view, 7> units = {"B",  "kB", "MB", "GB",
                                                              "TB", "PB", "EB"};
    std::uint64_t unit = 1;
    std::size_t at = 0;
    while (at + 1 < units.size() && *bytes / unit >= 1000) {
        unit *= 1000;
        ++at;
    }
    const std::uint64_t tenths = at == 0 ? *bytes * 10 : *bytes / (unit / 10);
    std::string text = std::to_string(tenths / 10);
    if (at > 0 && tenths < 1000) text += "." + std::to_string(tenths % 10);
    return text + " " + std::string(units[at]);
}

std::string duration_text(std::uint64_t seconds) {
    auto both = [](std::uint64_t large, std::string_view large_unit, std::uint64_t small,
                   std::string_view small_unit) {
        return std::to_string(large) + std::string(large_unit) + " " + std::to_string(small) +
               std::string(small_unit);
    };
    if (seconds < 60) return std::to_string(seconds) + " s";
    if (seconds < 3600) return both(seconds / 60, " min", seconds % 60, " s");
    if (seconds < 48 * 3600) return both(seconds / 3600, " h", seconds / 60 % 60, " min");
    return both(seconds / 86400, " d", seconds / 3600 % 24, " h");
}

// How far back consumers can go.
std::string window_text(const Reading& reading, WallMillis now) {
    if (!reading.oldest_received_ms || *reading.oldest_received_ms == 0) return "-";
    const auto oldest = static_cast<std::int64_t>(*reading.oldest_received_ms);
    return duration_text(
        static_cast<std::uint64_t>(std::max<std::int64_t>((now.count() - oldest) / 1000, 0)));
}

// One row that never gets wider than it may; colours count nothing.
class Row {
  public:
    Row(std::size_t width, bool has_colour) : width_(width), has_colour_(has_colour) {}

    Row& add(std::string_view ascii, std::string_view colour = {}) {
        const std::string_view fits = ascii.substr(0, width_ - columns_);
        return add_wide(fits, fits.size(), colour);
    }
    // Text whose columns are not its bytes.
    Row& add_wide(std::string_view text, std::size_t columns, std::string_view colour = {}) {
        if (text.empty() || columns_ + columns > width_) return *this;
        if (has_colour_ && !colour.empty()) text_ += colour;
        text_ += text;
        if (has_colour_ && !colour.empty()) text_ += plain;
        columns_ += columns;
        return *this;
    }
    Row& to(std::size_t column) {
        if (column > columns_) add(std::string(column - columns_, ' '));
        return *this;
    }
    std::size_t left() const { return width_ - columns_; }
    std::string take() { return std::move(text_); }

  private:
    std::size_t width_;
    bool has_colour_;
    std::size_t columns_ = 0;
    std::string text_;
};

class Painter {
  public:
    Painter(const Reading& reading, const History& history, const Frame& frame)
        : reading_(reading), history_(history), frame_(frame) {}

    std::vector<std::string> paint() {
        title();
        obstacles();
        figures();
        notes();
        hosts();
        const std::size_t room = frame_.height - std::min(frame_.height, bottom_.size());
        if (top_.size() > room) top_.resize(room);
        top_.resize(std::max(top_.size(), bottom_.empty() ? top_.size() : room));
        top_.insert(top_.end(), bottom_.begin(), bottom_.end());
        if (top_.size() > frame_.height) top_.resize(frame_.height);
        return std::move(top_);
    }

  private:
    Row row() const { return Row(frame_.width, frame_.has_colour); }

    void title() {
        Row line = row();
        line.add("ringlay " + printable(reading_.version), bold).add("  " + frame_.url);
        if (reading_.uptime_seconds) {
            line.add("  up " + duration_text(*reading_.uptime_seconds), dim);
        }
        line.add("  ");
        if (!reading_.obstacle.empty()) {
            line.add("waiting", yellow);
        } else if (!reading_.is_ok) {
            line.add("-");
        } else {
            line.add(*reading_.is_ok ? "ok" : "error", *reading_.is_ok ? green : red);
        }
        top_.push_back(line.take());
    }

    void obstacles() {
        if (!reading_.obstacle.empty()) {
            top_.push_back(
                row().add("No relay there yet: " + printable(reading_.obstacle), yellow).take());
        }
        for (const std::string& reason : reading_.reasons) {
            const bool is_ok = reading_.is_ok.value_or(false);
            top_.push_back(row().add("! " + printable(reason), is_ok ? yellow : red).take());
        }
        top_.emplace_back();
    }

    Row labelled(std::string_view label) const {
        Row line = row();
        line.add(label, dim).to(label_columns);
        return line;
    }

    void figures() {
        Row hosts = labelled("hosts");
        hosts.add(grouped(reading_.hosts_connected) + " of " + grouped(reading_.hosts_known), bold);
        for (const auto& [state, count] : reading_.hosts_by_state) {
            hosts.add("  " + printable(state) + " " + grouped(count), dim);
        }
        top_.push_back(hosts.take());

        Row events = labelled("events/s");
        events.add(grouped(reading_.events_per_second), bold).to(label_columns + 8);
        const std::size_t columns = std::min(history_.rates().size(), events.left());
        events.add_wide(sparkline(history_.rates(), columns), columns, green);
        top_.push_back(events.take());

        const std::string verified =
            reading_.verified_percent ? grouped(*reading_.verified_percent) + " %" : "-";
        Row checked = labelled("verified");
        checked.add(verified, bold);
        if (reading_.verified_percent && *reading_.verified_percent < 90) {
            checked.add("  rises as the accounts' keys are looked up", dim);
        }
        top_.push_back(checked.take());
        figure("consumers", grouped(reading_.consumers), "");
        figure("head seq", reading_.head_seq ? std::to_string(*reading_.head_seq) : "-", "");
        figure("log", window_text(reading_, frame_.now),
               "  " + bytes_text(reading_.disk_bytes) + " of " + bytes_text(reading_.budget_bytes) +
                   ", " + bytes_text(history_.bytes_per_hour()) + "/h");
        figure("accounts", grouped(reading_.accounts), "");
        figure("memory", bytes_text(reading_.memory_bytes), "");
    }

    void figure(std::string_view label, std::string_view value, std::string_view more) {
        top_.push_back(labelled(label).add(value, bold).add(more, dim).take());
    }

    void notes() {
        if (frame_.notes.empty()) return;
        bottom_.emplace_back();
        for (const std::string& note : frame_.notes) {
            bottom_.push_back(row().add(printable(note)).take());
        }
    }

    // Half of what is left for each, and all of it if the other needs less.
    void hosts() {
        const std::size_t used = top_.size() + bottom_.size();
        std::size_t left = frame_.height - std::min(frame_.height, used);
        const std::size_t failing = reading_.failures.size(), busy = reading_.busiest.size();
        auto with_title = [](std::size_t rows) { return rows == 0 ? 0 : rows + 2; };
        const std::size_t for_failing = std::min(
            with_title(failing), std::max(left / 2, left - std::min(left, with_title(busy))));
        if (for_failing > 2) failing_hosts(for_failing - 2);
        left -= for_failing > 2 ? for_failing : 0;
        if (busy > 0 && left > 2) busiest_hosts(left - 2);
    }

    void failing_hosts(std::size_t rows) {
        top_.emplace_back();
        top_.push_back(row().add("not connected, because", dim).take());
        for (const FailureReason& reason : reading_.failures) {
            if (rows-- == 0) break;
            Row line = row();
            line.add(grouped(reason.hosts), yellow).to(8).add(printable(reason.words));
            line.add(" (" + printable(reason.example) + ")", dim);
            top_.push_back(line.take());
        }
    }

    void busiest_hosts(std::size_t rows) {
        top_.emplace_back();
        top_.push_back(row().add("busiest, events/s", dim).take());
        for (const Host& host : reading_.busiest) {
            if (rows-- == 0) break;
            Row line = row();
            line.add(grouped(host.events_per_second), green).to(8).add(printable(host.name));
            top_.push_back(line.take());
        }
    }

    const Reading& reading_;
    const History& history_;
    const Frame& frame_;
    std::vector<std::string> top_;
    std::vector<std::string> bottom_;
};

}  // namespace

void History::add(Nanos now, const Reading& reading) {
    if (reading.events) {
        if (last_events_ && *reading.events < last_events_->count) {
            *this = {};  // another life of the relay
        } else if (last_events_ && now > last_events_->at) {
            const double seconds = static_cast<double>((now - last_events_->at).count()) / 1e9;
            rates_.push_back(static_cast<double>(*reading.events - last_events_->count) / seconds);
            if (rates_.size() > max_rates) rates_.pop_front();
        }
        last_events_ = {now, *reading.events};
    }
    if (!reading.written_bytes) return;
    if (!written_.empty() && *reading.written_bytes < written_.back().count) written_.clear();
    written_.push_back({now, *reading.written_bytes});
    while (now - written_.front().at > history_span) written_.pop_front();
}

std::optional<std::uint64_t> History::bytes_per_hour() const {
    if (written_.empty() || written_.back().at - written_.front().at < least_span) {
        return std::nullopt;
    }
    const double seconds =
        static_cast<double>((written_.back().at - written_.front().at).count()) / 1e9;
    const auto bytes = static_cast<double>(written_.back().count - written_.front().count);
    return static_cast<std::uint64_t>(bytes / seconds * 3600);
}

std::string sparkline(const std::deque<double>& values, std::size_t width) {
    static constexpr std::array<std::string_view, 8> bars = {"▁", "▂", "▃", "▄",
                                                             "▅", "▆", "▇", "█"};
    const std::size_t count = std::min(values.size(), width);
    const auto first = values.end() - static_cast<std::ptrdiff_t>(count);
    const double highest = count == 0 ? 0 : *std::max_element(first, values.end());
    std::string line;
    for (auto value = first; value != values.end(); ++value) {
        const double share = highest > 0 ? *value / highest : 0;
        line += bars[static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * 7 + 0.5)];
    }
    return line;
}

std::vector<std::string> panel(const Reading& reading, const History& history, const Frame& frame) {
    return Painter(reading, history, frame).paint();
}

std::string one_line(const Reading& reading, const History& history, WallMillis now) {
    if (!reading.obstacle.empty()) return "no relay there yet: " + printable(reading.obstacle);
    std::string line = grouped(reading.hosts_connected) + "/" + grouped(reading.hosts_known) +
                       " hosts, " + grouped(reading.events_per_second) + " events/s, " +
                       (reading.verified_percent ? grouped(*reading.verified_percent) : "-") +
                       " % verified, " + grouped(reading.consumers) + " consumers, seq " +
                       (reading.head_seq ? std::to_string(*reading.head_seq) : "-") + ", log " +
                       window_text(reading, now) + " " + bytes_text(reading.disk_bytes) + ", " +
                       bytes_text(history.bytes_per_hour()) + "/h, memory " +
                       bytes_text(reading.memory_bytes) + ", ";
    line += !reading.is_ok ? "-" : *reading.is_ok ? "ok" : "error";
    for (const std::string& reason : reading.reasons) line += "; " + printable(reason);
    return line;
}

}  // namespace ringlay::watching
