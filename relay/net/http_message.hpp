// An HTTP/1.x message as a value, and how it is written to the wire. Reading is http_parser.hpp.
//
// Header names compare without regard to case. What is written can never be split by a line break
// in a name or a value: control bytes leave as spaces.
//
// Owner    whoever holds the value. No thread, no bound of its own: the parser bounds what comes
//          in.
// Source   RFC 9110, RFC 9112.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/result.hpp"
#include "relay/fiber/time.hpp"

namespace ringlay::net {

enum class HttpMethod : std::uint8_t { get, head, post, put, patch, del, options };

std::string_view name_of(HttpMethod method);
std::optional<HttpMethod> parse_http_method(std::string_view name);  // upper-case only

bool equals_ignoring_case(std::string_view a, std::string_view b);
// Whether a comma-separated list has this member, in any case.
bool list_has_token(std::string_view list, std::string_view token);

class HttpHeaders {
  public:
    struct Field {
        std::string_view name;
        std::string_view value;
    };

    HttpHeaders() = default;
    HttpHeaders(std::initializer_list<Field> fields);

    void add(std::string_view name, std::string_view value);
    void clear();

    std::size_t size() const { return entries_.size(); }
    Field operator[](std::size_t index) const;  // in the order of add()

    std::optional<std::string_view> find(std::string_view name) const;  // the first of that name
    std::size_t count(std::string_view name) const;
    // list_has_token() over all fields of that name.
    bool has_token(std::string_view name, std::string_view token) const;

  private:
    struct Entry {
        std::uint32_t at;
        std::uint32_t name_size;
        std::uint32_t value_size;
    };

    std::string text_;  // name and value of each entry, without anything between
    std::vector<Entry> entries_;
};

struct HttpRequest {
    HttpMethod method = HttpMethod::get;
    std::string target;  // as sent: origin-form, absolute-form or `*`
    std::uint8_t minor_version = 1;
    bool is_keep_alive = true;  // what version and Connection say
    HttpHeaders headers;
    std::string body;

    // As sent, escapes included; of an absolute-form without scheme and authority.
    std::string_view path() const;
    std::string_view query_text() const;  // behind the `?`; empty without one

    // The first parameter of this name, decoded; malformed if its escapes are broken.
    Result<std::optional<std::string>> query(std::string_view name) const;
};

struct HttpResponse {
    std::uint16_t status = 200;
    HttpHeaders headers;
    std::string body;
    std::uint8_t minor_version = 1;  // of one that was read
};

// `{"error":...,"message":...}` with a content type. The message may hold any bytes.
HttpResponse json_error(std::uint16_t status, std::string_view error, std::string_view message);

// `Not Found`; empty for a code without a name.
std::string_view reason_phrase(std::uint16_t status);

// `Tue, 15 Nov 1994 08:12:31 GMT`
std::string http_date(WallMillis wall);

struct ResponseHeadOptions {
    const HttpHeaders* defaults = nullptr;  // those that the response has not set itself
    bool close = false;                     // says `Connection: close`
    bool to_http_1_0 = false;               // says `Connection: keep-alive` otherwise
    std::optional<WallMillis> date;
};

// Status line and headers with the empty line. The framing headers (Content-Length, Connection) are
// written here and ignored when the response carries them; an `Upgrade` is named in Connection.
std::string encode_response_head(const HttpResponse& response, const ResponseHeadOptions& options);

// A whole request: `Host` and, with a body, Content-Length are added; the rest is the caller's.
std::string encode_request(HttpMethod method, std::string_view target, std::string_view authority,
                           const HttpHeaders& headers, std::string_view body = {});

}  // namespace ringlay::net
