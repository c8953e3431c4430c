// Reads HTTP/1.x messages from bytes that come in any pieces. What is accepted never depends on how
// the bytes were cut.
//
// The grammar is Boost.Beast's; the rules on top are ours, and each of them closes a door to
// request smuggling or to unbounded memory: a Transfer-Encoding that is not exactly `chunked`, a
// repeated or listed Content-Length, both together, either in the wrong place, folded lines, bare
// line feeds, other than one Host, and every size. There is no recovery: after an error the
// connection is over.
//
// Owner    one connection: the parser is reused for one message after the other.
// Bound    HttpLimits: header bytes, fields, target, body; chunk lines and trailers by
//          http_body.hpp.
// Errors   malformed, too_large, unsupported; refusal_status() is the answer for the peer.
// Source   RFC 9112.
#pragma once

#include <cstdint>
#include <memory>

#include "proto/base/bytes.hpp"
#include "proto/base/result.hpp"
#include "relay/net/http_message.hpp"

namespace ringlay::net {

struct HttpLimits {
    std::size_t header_bytes = 16 * 1024;  // start line and fields
    std::size_t header_count = 100;
    std::size_t target_bytes = 8 * 1024;
    std::uint64_t body_bytes = 64 * 1024;
};

class HttpRequestParser {
  public:
    explicit HttpRequestParser(const HttpLimits& limits);
    ~HttpRequestParser();
    HttpRequestParser(HttpRequestParser&&) noexcept;
    HttpRequestParser& operator=(HttpRequestParser&&) noexcept;

    // Returns how many bytes belong to the present message: all of them unless it is complete now;
    // the rest is the next message. Not to be called when complete, or after an error.
    Result<std::size_t> feed(Bytes bytes);

    bool has_begun() const;   // at least one byte of the present message is here
    bool has_header() const;  // request() holds everything but the body
    bool is_complete() const;
    // The client waits for `100 Continue` before it sends the body.
    bool expects_continue() const;

    const HttpRequest& request() const;
    HttpRequest take();  // of a complete message; the parser is then ready for the next

    // 400, 413, 414, 417, 431, 501 or 505, after an error.
    std::uint16_t refusal_status() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

class HttpResponseParser {
  public:
    // `to_head`: the answer to HEAD has no body whatever its fields say.
    explicit HttpResponseParser(const HttpLimits& limits, bool to_head = false);
    ~HttpResponseParser();
    HttpResponseParser(HttpResponseParser&&) noexcept;
    HttpResponseParser& operator=(HttpResponseParser&&) noexcept;

    // As above. Interim responses (1xx but 101) are read and dropped, at most eight of them.
    Result<std::size_t> feed(Bytes bytes);
    // The peer has finished sending: completes a body without length, else an error.
    Result<void> finish();

    bool has_header() const;
    bool is_complete() const;
    const HttpResponse& response() const;
    HttpResponse take();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace ringlay::net
