// A book of hosts that a test decides about, and a network of servers that answer as it says.
//
// Thread   one.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "relay/base/logger.hpp"
#include "relay/fiber/fiber.hpp"
#include "relay/hosts/host_book.hpp"

namespace ringlay::support {

class FakeHosts {
  public:
    struct Offer {
        std::string name;
        hosts::HostSource source;
        std::optional<Address> from;
    };

    std::vector<Offer> offers;
    std::vector<std::size_t> batches;         // how many were offered together
    std::map<std::string, std::string> bans;  // by name; as they were asked for
    std::vector<std::string> changes;         // limits, cursors, lifted bans: in words
    // Of the next offers, by name; "" is of every name.
    std::map<std::string, hosts::Refusal::Why> refusals;

    // With ids 10, 20, 30 ...
    hosts::HostView& add(const std::string& name, hosts::HostState state) {
        hosts::HostView& view = views_.emplace_back();
        const std::size_t colon = name.rfind(':');
        view.row.address.name = name.substr(0, colon);
        view.row.address.port =
            colon == name.npos ? std::uint16_t{443}
                               : static_cast<std::uint16_t>(std::stoul(name.substr(colon + 1)));
        view.row.address.is_tls = colon == name.npos;
        view.row.state = state;
        view.id = views_.size() * 10;
        return view;
    }
    std::vector<std::string> offered() const {
        std::vector<std::string> names;
        for (const Offer& offer : offers) names.push_back(offer.name);
        return names;
    }

    hosts::HostBook book() {
        hosts::HostBook book;
        book.offer = [this](const base::HostAddress& address, hosts::HostSource source,
                            std::optional<Address> from) {
            return offer(hosts::host_name(address), source, from);
        };
        book.offer_all = [this](std::span<const base::HostAddress> addresses,
                                hosts::HostSource source) {
            batches.push_back(addresses.size());
            std::vector<std::expected<bool, hosts::Refusal>> answers;
            for (const base::HostAddress& address : addresses) {
                answers.push_back(offer(hosts::host_name(address), source, std::nullopt));
                const bool is_full =
                    !answers.back() && answers.back().error().why == hosts::Refusal::Why::full;
                if (is_full) break;
            }
            return answers;
        };
        book.remove = [this](std::string_view name) -> std::expected<void, hosts::Refusal> {
            if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
            changes.push_back("remove " + std::string(name));
            return {};
        };
        book.ban = [this](std::string_view name,
                          std::string_view reason) -> std::expected<std::size_t, hosts::Refusal> {
            if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
            bans.insert_or_assign(std::string(name), std::string(reason));
            return 1;
        };
        book.unban = [this](std::string_view name) -> std::expected<std::size_t, hosts::Refusal> {
            if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
            if (bans.erase(std::string(name)) == 0) {
                return std::unexpected(hosts::Refusal{hosts::Refusal::Why::unknown, "not banned"});
            }
            return 1;
        };
        book.change_limits =
            [this](std::string_view name,
                   const hosts::HostLimits& limits) -> std::expected<void, hosts::Refusal> {
            if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
            auto text = [](const auto& limit) { return limit ? std::to_string(*limit) : "-"; };
            changes.push_back("limits " + std::string(name) + " " + text(limits.events_per_second) +
                              " " + text(limits.bytes_per_second) + " " +
                              text(limits.new_accounts_per_hour));
            return {};
        };
        book.reset_cursor =
            [this](std::string_view name,
                   std::optional<std::uint64_t> cursor) -> std::expected<void, hosts::Refusal> {
            if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
            changes.push_back("cursor " + std::string(name) + " " +
                              (cursor ? std::to_string(*cursor) : "live"));
            return {};
        };
        book.ban_of = [this](std::string_view name) -> std::optional<std::string> {
            auto found = bans.find(std::string(name));
            return found == bans.end() ? std::nullopt : std::optional(found->second);
        };
        book.bans = [this] {
            return std::map<std::string, std::string, std::less<>>(bans.begin(), bans.end());
        };
        book.views = [this] { return snapshot(); };
        book.view = [this](std::string_view name) -> std::optional<hosts::HostView> {
            for (const hosts::HostView& view : views_) {
                if (hosts::host_name(view.row.address) == name) return view;
            }
            return std::nullopt;
        };
        return book;
    }

  private:
    std::optional<hosts::Refusal> refusal_of(std::string_view name) const {
        auto found = refusals.find(std::string(name));
        if (found == refusals.end()) found = refusals.find("");
        if (found == refusals.end()) return std::nullopt;
        return hosts::Refusal{found->second, "the book refuses"};
    }
    std::expected<bool, hosts::Refusal> offer(const std::string& name, hosts::HostSource source,
                                              std::optional<Address> from) {
        offers.push_back({name, source, from});
        if (auto refusal = refusal_of(name)) return std::unexpected(*refusal);
        const bool is_known = std::ranges::any_of(views_, [&](const hosts::HostView& view) {
            return hosts::host_name(view.row.address) == name;
        });
        if (!is_known) add(name, hosts::HostState::pending);
        return is_known;
    }
    std::shared_ptr<const std::vector<hosts::HostView>> snapshot() const {
        return std::make_shared<std::vector<hosts::HostView>>(views_.begin(), views_.end());
    }

    std::deque<hosts::HostView> views_;  // add()'s answer stays where it is
};

// Answers by URL, without a network.
class FakeServers {
  public:
    struct Answer {
        std::uint16_t status = 200;
        std::string body;
        std::string server;   // header
        std::string failure;  // instead of an answer
        Nanos delay{0};
    };

    std::map<std::string, Answer> answers;  // by the URL's text without query, or with it
    Answer otherwise{.status = 404, .body = "{}", .server = "", .failure = ""};
    std::vector<std::string> asked;
    std::vector<net::FetchOptions> options;
    std::size_t at_once = 0;
    std::size_t most_at_once = 0;

    hosts::Fetch fetch() {
        return [this](
                   const proto::Url& url,
                   const net::FetchOptions& how) -> std::expected<net::HttpResponse, net::Failure> {
            std::string text = std::string(proto::scheme_name(url.scheme)) + "://" +
                               net::authority_of(url) + std::string(url.path);
            std::string whole = text + (url.query.empty() ? "" : "?" + std::string(url.query));
            asked.push_back(whole);
            options.push_back(how);
            auto found = answers.find(whole);
            if (found == answers.end()) found = answers.find(text);
            Answer answer = found == answers.end() ? otherwise : found->second;
            most_at_once = std::max(most_at_once, ++at_once);
            auto slept = answer.delay > Nanos(0) ? fiber::sleep_for(answer.delay) : Result<void>();
            --at_once;
            if (!slept) return std::unexpected(net::Failure{slept.error(), "ended", 0, {}});
            if (!answer.failure.empty()) {
                return std::unexpected(
                    net::Failure{Error{Errc::unreachable, "gone"}, answer.failure, 0, {}});
            }
            net::HttpResponse response;
            response.status = answer.status;
            if (!answer.server.empty()) response.headers.add("Server", answer.server);
            response.body = answer.body;
            return response;
        };
    }
};

// What was logged, as JSON lines.
class LogLines {
  public:
    base::Logger logger{base::LogLevel::debug, base::LogFormat::json};

    std::vector<std::string> take() {
        std::vector<std::string> lines;
        logger.flush([&](std::string_view line) { lines.emplace_back(line); });
        return lines;
    }
};

}  // namespace ringlay::support
