#include "relay/watch.hpp"

#include <chrono>
#include <expected>
#include <utility>

#include "proto/url.hpp"
#include "relay/net/http_client.hpp"
#include "relay/watch_panel.hpp"

namespace ringlay {
namespace {

using watching::Reading;

constexpr auto fetch_timeout = std::chrono::seconds(3);
constexpr auto interval = std::chrono::seconds(1);
constexpr auto line_interval = std::chrono::seconds(10);
constexpr std::uint64_t max_page_bytes = 8 * 1024 * 1024;

class Watcher {
  public:
    Watcher(env::Env& env, std::string base, const WatchScreen& screen)
        : env_(env), base_(std::move(base)), screen_(screen) {}

    Reading read() {
        Reading reading;
        auto stats = fetch("/_stats");
        if (!stats) {
            reading.obstacle = std::move(stats.error());
            return reading;
        }
        if (!watching::read_stats(*stats, reading)) {
            reading.obstacle = "what answers is no relay of this kind";
            return reading;
        }
        // Not ready is an answer, too: 503 with the reasons.
        if (auto health = fetch("/_health")) watching::read_health(*health, reading);
        if (auto metrics = fetch("/metrics")) watching::read_metrics(*metrics, reading);
        return reading;
    }

    void show(const Reading& reading, const WatchOptions& options) {
        history_.add(env_.clock.now(), reading);
        const auto size = screen_.size();
        if (!size) return show_line(reading);
        const watching::Frame frame{.width = size->columns,
                                    .height = size->rows,
                                    .has_colour = screen_.has_colour,
                                    .url = base_,
                                    .notes = options.notes,
                                    .now = env_.clock.wall()};
        // Each row is cleared behind its text, and the rest of the page at the end: no flicker.
        std::string page = "\x1b[H";
        bool is_first = true;
        for (const std::string& row : watching::panel(reading, history_, frame)) {
            if (!std::exchange(is_first, false)) page += "\r\n";
            page += row + "\x1b[K";
        }
        screen_.write(page + "\x1b[J");
    }

  private:
    std::expected<std::string, std::string> fetch(std::string_view path) {
        const std::string text = base_ + std::string(path);
        auto url = proto::parse_url(text);
        if (!url) return std::unexpected("not a URL: " + text);
        auto answer = net::fetch(env_, *url,
                                 {.headers = {},
                                  .body = {},
                                  .max_body_bytes = max_page_bytes,
                                  .deadline = Deadline::in(fetch_timeout)});
        if (!answer) return std::unexpected(std::move(answer.error().reason));
        if (answer->status != 200 && answer->status != 503) {
            return std::unexpected(text + " answers " + std::to_string(answer->status));
        }
        return std::move(answer->body);
    }

    // When the relay comes or goes, and every ten seconds while it is there.
    void show_line(const Reading& reading) {
        const bool is_there = reading.obstacle.empty();
        const Nanos now = env_.clock.now();
        const bool is_news = !was_there_ || *was_there_ != is_there;
        if (!is_news && (!is_there || now - last_line_ < line_interval)) return;
        was_there_ = is_there;
        last_line_ = now;
        screen_.write(watching::one_line(reading, history_, env_.clock.wall()) + "\n");
    }

    env::Env& env_;
    const std::string base_;
    const WatchScreen& screen_;
    watching::History history_;
    std::optional<bool> was_there_;
    Nanos last_line_{};
};

}  // namespace

std::optional<std::string> watch(env::Env& env, const WatchOptions& options,
                                 const WatchScreen& screen) {
    std::string base = options.url;
    while (base.ends_with('/')) base.pop_back();
    auto url = proto::parse_url(base);
    if (!url || url->scheme != proto::Scheme::http || !url->path.empty() || !url->query.empty()) {
        return "not http://host:port: " + options.url;
    }
    Watcher watcher(env, base, screen);
    const Nanos began = env.clock.now();
    do {
        watcher.show(watcher.read(), options);
        const auto past = env.clock.now() - began;
        if (options.seconds > 0 && past >= std::chrono::seconds(options.seconds)) return {};
    } while (fiber::sleep_for(interval));
    return {};
}

}  // namespace ringlay
