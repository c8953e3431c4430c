#include "relay/net/http_client.hpp"

namespace ringlay::net {
namespace {

bool is_redirect(std::uint16_t status) {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::expected<HttpResponse, Failure> fetch_once(env::Env& env, const proto::Url& url,
                                                const FetchOptions& options) {
    auto stream = dial(env, url, options.deadline, options.outbound);
    if (!stream) return std::unexpected(std::move(stream.error()));
    HttpHeaders headers = options.headers;
    headers.add("Connection", "close");
    std::string request =
        encode_request(options.method, target_of(url), authority_of(url), headers, options.body);
    HttpLimits limits;
    limits.body_bytes = options.max_body_bytes;
    HttpResponseParser parser(limits, options.method == HttpMethod::head);
    auto answer = exchange(*stream, request, parser, options.deadline);
    if (!answer) return std::unexpected(std::move(answer.error()));
    return std::move(answer->response);
}

// Where a Location points, as a whole URL; empty if it is none that we follow.
std::string redirect_target(const proto::Url& from, const HttpResponse& response) {
    std::string_view location = response.headers.find("location").value_or("");
    location = location.substr(0, location.find('#'));
    if (location.starts_with('/') && !location.starts_with("//")) {
        std::string text(proto::scheme_name(from.scheme));
        return text.append("://").append(authority_of(from)).append(location);
    }
    return std::string(location);
}

}  // namespace

std::expected<HttpResponse, Failure> fetch(env::Env& env, const proto::Url& url,
                                           const FetchOptions& options) {
    bool may_follow = options.method == HttpMethod::get || options.method == HttpMethod::head;
    proto::Url at = url;
    std::string text;  // of `at`, after a redirect
    for (std::uint32_t left = options.redirects;; --left) {
        auto response = fetch_once(env, at, options);
        if (!response || left == 0 || !may_follow || !is_redirect(response->status)) {
            return response;
        }
        text = redirect_target(at, *response);
        auto next = proto::parse_url(text);
        if (!next) {
            Failure failure = failure_of(next.error(), "redirected to a place out of form");
            failure.http_status = response->status;
            return std::unexpected(std::move(failure));
        }
        at = *next;
    }
}

std::expected<Exchange, Failure> exchange(Stream& stream, std::string_view request,
                                          HttpResponseParser& parser, Deadline deadline) {
    auto sent = stream.send(bytes_of(request), deadline);
    if (!sent) return std::unexpected(failure_of(sent.error(), "cannot send the request"));
    Exchange result;
    while (!parser.is_complete()) {
        auto chunk = stream.receive(deadline);
        if (!chunk) return std::unexpected(failure_of(chunk.error(), "no answer"));
        if (chunk->empty()) {
            auto finished = parser.finish();
            if (!finished) {
                return std::unexpected(failure_of(finished.error(), "the server hung up"));
            }
            break;
        }
        auto taken = parser.feed(chunk->bytes());
        if (!taken) return std::unexpected(failure_of(taken.error(), "answer out of form"));
        Bytes rest = chunk->bytes().subspan(*taken);
        result.rest.assign(rest.begin(), rest.end());
    }
    result.response = parser.take();
    return result;
}

}  // namespace ringlay::net
