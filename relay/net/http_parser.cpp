#include "relay/net/http_parser.hpp"

#include <algorithm>
#include <array>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <cstring>
#include <optional>
#include <type_traits>

#include "proto/base/assert.hpp"
#include "relay/net/http_body.hpp"

namespace ringlay::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::size_t max_interim_responses = 8;

struct Refusal {
    std::uint16_t status;
    Errc code;
    std::string_view what;
};

std::string_view text_of(beast::string_view text) {
    return {text.data(), text.size()};
}

// `name`, `1.2.3.4`, `[::1]`, each with or without a port; no user, no path, no list.
bool is_authority(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               (c != '\0' && std::strchr("-._~:[]%!$&'()*+;=", c) != nullptr);
    });
}

bool is_target(HttpMethod method, std::string_view target) {
    bool is_visible =
        std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7f && c != '#'; });
    if (!is_visible || target.empty()) return false;
    if (target.front() == '/') return true;
    if (target == "*") return method == HttpMethod::options;
    for (std::string_view scheme : {"http://", "https://"}) {
        if (target.size() > scheme.size() &&
            equals_ignoring_case(target.substr(0, scheme.size()), scheme)) {
            return target[scheme.size()] != '/' && target[scheme.size()] != '?';
        }
    }
    return false;
}

Refusal refusal_of(const error_code& error) {
    if (error == http::error::body_limit) return {413, Errc::too_large, "http: body too large"};
    if (error == http::error::header_limit) return {431, Errc::too_large, "http: header too large"};
    if (error == http::error::bad_method) return {400, Errc::malformed, "http: method"};
    if (error == http::error::bad_target) return {400, Errc::malformed, "http: target"};
    if (error == http::error::bad_version) return {505, Errc::unsupported, "http: version"};
    if (error == http::error::bad_status) return {400, Errc::malformed, "http: status"};
    if (error == http::error::bad_reason) return {400, Errc::malformed, "http: reason"};
    if (error == http::error::bad_field) return {400, Errc::malformed, "http: field name"};
    if (error == http::error::bad_value) return {400, Errc::malformed, "http: field value"};
    if (error == http::error::bad_content_length) {
        return {400, Errc::malformed, "http: content-length"};
    }
    if (error == http::error::bad_transfer_encoding) {
        return {400, Errc::malformed, "http: transfer-encoding"};
    }
    return {400, Errc::malformed, "http: malformed"};
}

// Finds the end of a header and refuses what must not be in it, line by line, looking at each byte
// once however the header is cut.
class HeaderScanner {
  public:
    // `header` is all that has come so far. The size of the header once its end is in it.
    std::optional<std::size_t> find_end(std::string_view header, std::optional<Refusal>& refusal) {
        for (;;) {
            std::size_t feed = header.find('\n', scanned_);
            if (feed == header.npos) {
                scanned_ = header.size();
                return std::nullopt;
            }
            if (feed == line_ || header[feed - 1] != '\r') {
                refusal = {400, Errc::malformed, "http: line feed without carriage return"};
                return std::nullopt;
            }
            if (feed == line_ + 1) return feed + 1;
            if (header[line_] == ' ' || header[line_] == '\t') {
                refusal = {400, Errc::malformed, "http: folded or indented line"};
                return std::nullopt;
            }
            if (line_ == 0) first_line_bytes_ = feed;
            scanned_ = line_ = feed + 1;
        }
    }

    // Of the start line, as far as it has come.
    std::size_t first_line_bytes() const { return line_ == 0 ? scanned_ : first_line_bytes_; }

  private:
    std::size_t scanned_ = 0;
    std::size_t line_ = 0;  // where the present line begins
    std::size_t first_line_bytes_ = 0;
};

// Beast parses a header that lies in one piece and calls back; the rules on top are in the
// callbacks. Bodies are not its business (http_body.hpp).
template <bool is_request>
class Grammar final : public http::basic_parser<is_request> {
  public:
    using Message = std::conditional_t<is_request, HttpRequest, HttpResponse>;

    Grammar(const HttpLimits& limits, Message& message) : limits_(limits), message_(message) {
        this->header_limit(static_cast<std::uint32_t>(limits.header_bytes));
        this->body_limit(limits.body_bytes);
    }

    const std::optional<Refusal>& refusal() const { return refusal_; }

  private:
    void refuse(error_code& error, std::uint16_t status, Errc code, std::string_view what) {
        refusal_ = Refusal{status, code, what};
        error = http::make_error_code(http::error::bad_value);
    }

    void on_request_impl(http::verb, beast::string_view method_text, beast::string_view target_text,
                         int version, error_code& error) override {
        if constexpr (is_request) {
            auto method = parse_http_method(text_of(method_text));
            if (!method) return refuse(error, 501, Errc::unsupported, "http: method not known");
            std::string_view target = text_of(target_text);
            if (target.size() > limits_.target_bytes) {
                return refuse(error, 414, Errc::too_large, "http: target too long");
            }
            if (!is_target(*method, target)) {
                return refuse(error, 400, Errc::malformed, "http: target");
            }
            message_.method = *method;
            message_.target = target;
            message_.minor_version = version == 11 ? 1 : 0;
        }
    }

    void on_response_impl(int status, beast::string_view, int version, error_code& error) override {
        if constexpr (!is_request) {
            if (status < 100 || status > 599) {
                return refuse(error, 400, Errc::malformed, "http: status");
            }
            message_.status = static_cast<std::uint16_t>(status);
            message_.minor_version = version == 11 ? 1 : 0;
        }
    }

    void on_field_impl(http::field field, beast::string_view name_text,
                       beast::string_view value_text, error_code& error) override {
        if (++field_count_ > limits_.header_count) {
            return refuse(error, 431, Errc::too_large, "http: too many header fields");
        }
        std::string_view name = text_of(name_text), value = text_of(value_text);
        if (field == http::field::transfer_encoding) {
            if (!equals_ignoring_case(value, "chunked") || message_.minor_version == 0) {
                return refuse(error, 400, Errc::malformed, "http: transfer-encoding");
            }
        } else if (field == http::field::content_length) {
            bool is_number =
                std::ranges::all_of(value, [](char c) { return c >= '0' && c <= '9'; });
            if (has_length_ || !is_number) {
                return refuse(error, 400, Errc::malformed, "http: content-length");
            }
            has_length_ = true;
        } else if (is_request && field == http::field::host) {
            ++host_count_;
            if (!is_authority(value)) return refuse(error, 400, Errc::malformed, "http: host");
        } else if (is_request && field == http::field::expect) {
            if (!equals_ignoring_case(value, "100-continue")) {
                return refuse(error, 417, Errc::unsupported, "http: expect");
            }
        }
        message_.headers.add(name, value);
    }

    void on_header_impl(error_code& error) override {
        if constexpr (is_request) {
            bool is_right = host_count_ == 1 || (host_count_ == 0 && message_.minor_version == 0);
            if (!is_right) return refuse(error, 400, Errc::malformed, "http: not exactly one host");
            message_.is_keep_alive = this->keep_alive();
        }
    }

    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}

    std::size_t on_body_impl(beast::string_view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, error_code&) override {
        return 0;
    }
    void on_finish_impl(error_code&) override {}

    const HttpLimits& limits_;
    Message& message_;
    std::optional<Refusal> refusal_;
    std::size_t field_count_ = 0;
    std::size_t host_count_ = 0;
    bool has_length_ = false;
};

// One message after the other. A header that comes in pieces is collected first.
template <bool is_request>
class Core {
  public:
    using Message = typename Grammar<is_request>::Message;

    Core(const HttpLimits& limits, bool to_head) : limits_(limits), to_head_(to_head) { reset(); }

    Result<std::size_t> feed(Bytes bytes) {
        RINGLAY_ASSERT(!refusal_ && !is_complete());
        std::string_view input(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        std::size_t taken = 0;
        if (!has_header_) {
            auto header = feed_header(input);
            if (!header) return header;
            taken = *header;
            if (!has_header_) return taken;
        }
        auto body = body_.feed(input.substr(taken), message_.body);
        if (!body) {
            bool is_large = body.error().code == Errc::too_large;
            return refuse({is_large ? std::uint16_t{413} : std::uint16_t{400}, body.error().code,
                           body.error().what});
        }
        return taken + *body;
    }

    Result<void> finish() {
        if (has_header_ && body_.finish()) return {};
        return refuse({400, Errc::closed, "http: ended too early"});
    }

    bool has_begun() const { return has_header_ || !pending_.empty(); }
    bool has_header() const { return has_header_; }
    bool is_complete() const { return has_header_ && body_.is_complete(); }
    const Message& message() const { return message_; }
    std::uint16_t refusal_status() const { return refusal_ ? refusal_->status : 400; }

    Message take() {
        RINGLAY_ASSERT(is_complete());
        Message message = std::move(message_);
        reset();
        return message;
    }

    void reset() {
        message_ = Message();
        scanner_ = HeaderScanner();
        body_ = HttpBodyReader::none();
        has_header_ = false;
    }

  private:
    std::unexpected<Error> refuse(const Refusal& refusal) {
        refusal_ = refusal;
        return fail(refusal.code, refusal.what);
    }

    // A header that lies wholly in the input is parsed there; else it is collected.
    Result<std::size_t> feed_header(std::string_view input) {
        if (input.empty()) return 0;
        if (pending_.empty() && !is_http_token_char(input.front())) {
            return refuse({400, Errc::malformed, "http: not a start line"});
        }
        std::size_t before = pending_.size();
        std::string_view seen = input.substr(0, limits_.header_bytes - before);
        std::size_t taken = seen.size();
        std::optional<Refusal> refusal;
        std::optional<std::size_t> end;
        if (before == 0) {
            end = scanner_.find_end(seen, refusal);
            if (!end && !refusal) pending_ = seen;
        } else {
            pending_ += seen;
            seen = pending_;
            end = scanner_.find_end(seen, refusal);
        }
        if (refusal) return refuse(*refusal);
        if (!end) {
            if (seen.size() < limits_.header_bytes) return taken;
            return refuse_long_header();
        }
        auto parsed = parse_header(seen.substr(0, *end));
        if (!parsed) return std::unexpected(parsed.error());
        pending_ = std::string();
        return *end - before;
    }

    Result<void> parse_header(std::string_view header) {
        Grammar<is_request> grammar(limits_, message_);
        if (!is_request) grammar.skip(to_head_);
        error_code error;
        std::size_t taken = grammar.put({header.data(), header.size()}, error);
        // The end is there, so a grammar that wants more has found a line that ends too early.
        if (error || taken != header.size()) {
            return refuse(grammar.refusal() ? *grammar.refusal() : refusal_of(error));
        }
        has_header_ = true;
        if (grammar.is_done()) return {};
        if (grammar.chunked()) {
            body_ = HttpBodyReader::chunked(limits_.body_bytes);
        } else if (auto length = grammar.content_length()) {
            body_ = HttpBodyReader::with_length(*length);
        } else {
            body_ = HttpBodyReader::until_end(limits_.body_bytes);
        }
        return {};
    }

    std::unexpected<Error> refuse_long_header() {
        constexpr std::size_t beside_target_bytes = 32;  // method, version, spaces
        if (is_request &&
            scanner_.first_line_bytes() > limits_.target_bytes + beside_target_bytes) {
            return refuse({414, Errc::too_large, "http: target too long"});
        }
        return refuse({431, Errc::too_large, "http: header too large"});
    }

    const HttpLimits limits_;
    const bool to_head_;
    Message message_;
    HeaderScanner scanner_;
    std::string pending_;  // a header whose end has not come
    HttpBodyReader body_ = HttpBodyReader::none();
    bool has_header_ = false;
    std::optional<Refusal> refusal_;
};

}  // namespace

struct HttpRequestParser::Impl : Core<true> {
    using Core::Core;
};

HttpRequestParser::HttpRequestParser(const HttpLimits& limits)
    : impl_(std::make_unique<Impl>(limits, false)) {}
HttpRequestParser::~HttpRequestParser() = default;
HttpRequestParser::HttpRequestParser(HttpRequestParser&&) noexcept = default;
HttpRequestParser& HttpRequestParser::operator=(HttpRequestParser&&) noexcept = default;

Result<std::size_t> HttpRequestParser::feed(Bytes bytes) {
    return impl_->feed(bytes);
}
bool HttpRequestParser::has_begun() const {
    return impl_->has_begun();
}
bool HttpRequestParser::has_header() const {
    return impl_->has_header();
}
bool HttpRequestParser::is_complete() const {
    return impl_->is_complete();
}
bool HttpRequestParser::expects_continue() const {
    return has_header() && !is_complete() && request().minor_version == 1 &&
           request().headers.find("expect").has_value();
}
const HttpRequest& HttpRequestParser::request() const {
    return impl_->message();
}
HttpRequest HttpRequestParser::take() {
    return impl_->take();
}
std::uint16_t HttpRequestParser::refusal_status() const {
    return impl_->refusal_status();
}

struct HttpResponseParser::Impl : Core<false> {
    using Core::Core;
    std::size_t interim_responses = 0;
};

HttpResponseParser::HttpResponseParser(const HttpLimits& limits, bool to_head)
    : impl_(std::make_unique<Impl>(limits, to_head)) {}
HttpResponseParser::~HttpResponseParser() = default;
HttpResponseParser::HttpResponseParser(HttpResponseParser&&) noexcept = default;
HttpResponseParser& HttpResponseParser::operator=(HttpResponseParser&&) noexcept = default;

Result<std::size_t> HttpResponseParser::feed(Bytes bytes) {
    std::size_t total = 0;
    for (;;) {
        auto taken = impl_->feed(bytes.subspan(total));
        if (!taken) return taken;
        total += *taken;
        bool is_interim =
            impl_->is_complete() && response().status < 200 && response().status != 101;
        if (!is_interim) return total;
        if (++impl_->interim_responses > max_interim_responses) {
            return fail(Errc::malformed, "http: too many interim responses");
        }
        impl_->reset();
    }
}
Result<void> HttpResponseParser::finish() {
    return impl_->finish();
}
bool HttpResponseParser::has_header() const {
    return impl_->has_header();
}
bool HttpResponseParser::is_complete() const {
    return impl_->is_complete();
}
const HttpResponse& HttpResponseParser::response() const {
    return impl_->message();
}
HttpResponse HttpResponseParser::take() {
    return impl_->take();
}

}  // namespace ringlay::net
