#include "relay/net/http_message.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "proto/base/assert.hpp"
#include "proto/url.hpp"

namespace ringlay::net {
namespace {

constexpr std::array<std::string_view, 7> method_names{"GET",   "HEAD",   "POST",   "PUT",
                                                       "PATCH", "DELETE", "OPTIONS"};

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

std::string_view trim(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// A byte that could end a line, or that a proxy might take for one, leaves as a space.
void append_field_text(std::string& out, std::string_view text) {
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        out.push_back((byte < 0x20 && c != '\t') || byte == 0x7f ? ' ' : c);
    }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
    append_field_text(out, name);
    out += ": ";
    append_field_text(out, value);
    out += "\r\n";
}

bool is_framing(std::string_view name) {
    return equals_ignoring_case(name, "content-length") ||
           equals_ignoring_case(name, "transfer-encoding") ||
           equals_ignoring_case(name, "connection");
}

void append_json_text(std::string& out, std::string_view text) {
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out.push_back('\\');
            out.push_back(c);
        } else if (byte < 0x20 || byte >= 0x7f) {
            out.push_back('?');
        } else {
            out.push_back(c);
        }
    }
}

}  // namespace

std::string_view name_of(HttpMethod method) {
    return method_names.at(static_cast<std::size_t>(method));
}

std::optional<HttpMethod> parse_http_method(std::string_view name) {
    const auto* found = std::ranges::find(method_names, name);
    if (found == method_names.end()) return std::nullopt;
    return static_cast<HttpMethod>(found - method_names.begin());
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, {}, lower, lower);
}

bool list_has_token(std::string_view list, std::string_view token) {
    while (!list.empty()) {
        std::string_view member = list.substr(0, list.find(','));
        if (equals_ignoring_case(trim(member), token)) return true;
        list.remove_prefix(std::min(list.size(), member.size() + 1));
    }
    return false;
}

HttpHeaders::HttpHeaders(std::initializer_list<Field> fields) {
    for (const Field& field : fields) add(field.name, field.value);
}

void HttpHeaders::add(std::string_view name, std::string_view value) {
    std::size_t at = text_.size();
    RINGLAY_ASSERT(at + name.size() + value.size() <= UINT32_MAX);
    text_ += name;
    text_ += value;
    entries_.push_back({static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(name.size()),
                        static_cast<std::uint32_t>(value.size())});
}

void HttpHeaders::clear() {
    text_.clear();
    entries_.clear();
}

HttpHeaders::Field HttpHeaders::operator[](std::size_t index) const {
    const Entry& entry = entries_.at(index);
    std::string_view text = text_;
    return {text.substr(entry.at, entry.name_size),
            text.substr(entry.at + entry.name_size, entry.value_size)};
}

std::optional<std::string_view> HttpHeaders::find(std::string_view name) const {
    for (std::size_t i = 0; i < size(); ++i) {
        Field field = (*this)[i];
        if (equals_ignoring_case(field.name, name)) return field.value;
    }
    return std::nullopt;
}

std::size_t HttpHeaders::count(std::string_view name) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < size(); ++i) {
        if (equals_ignoring_case((*this)[i].name, name)) ++count;
    }
    return count;
}

bool HttpHeaders::has_token(std::string_view name, std::string_view token) const {
    for (std::size_t i = 0; i < size(); ++i) {
        Field field = (*this)[i];
        if (equals_ignoring_case(field.name, name) && list_has_token(field.value, token)) {
            return true;
        }
    }
    return false;
}

std::string_view HttpRequest::path() const {
    std::string_view text = target;
    text = text.substr(0, text.find('?'));
    if (text.empty() || text.front() == '/' || text == "*") return text;
    std::size_t authority = text.find("://");
    if (authority == text.npos) return text;
    std::size_t slash = text.find('/', authority + 3);
    return slash == text.npos ? "/" : text.substr(slash);
}

std::string_view HttpRequest::query_text() const {
    std::string_view text = target;
    std::size_t mark = text.find('?');
    return mark == text.npos ? "" : text.substr(mark + 1);
}

Result<std::optional<std::string>> HttpRequest::query(std::string_view name) const {
    return proto::query_parameter(query_text(), name);
}

HttpResponse json_error(std::uint16_t status, std::string_view error, std::string_view message) {
    HttpResponse response{status, {{"Content-Type", "application/json"}}, {}};
    response.body = "{\"error\":\"";
    append_json_text(response.body, error);
    response.body += "\",\"message\":\"";
    append_json_text(response.body, message);
    response.body += "\"}";
    return response;
}

std::string_view reason_phrase(std::uint16_t status) {
    switch (status) {
        case 100:
            return "Continue";
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 301:
            return "Moved Permanently";
        case 302:
            return "Found";
        case 303:
            return "See Other";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 308:
            return "Permanent Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 417:
            return "Expectation Failed";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "";
    }
}

std::string http_date(WallMillis wall) {
    constexpr std::array<const char*, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array<const char*, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::chrono::sys_time<std::chrono::milliseconds> instant{wall};
    auto midnight = std::chrono::floor<std::chrono::days>(instant);
    std::chrono::year_month_day date{midnight};
    std::chrono::hh_mm_ss time{std::chrono::floor<std::chrono::seconds>(instant - midnight)};
    std::array<char, 64> text{};
    int size = std::snprintf(
        text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
        days.at(std::chrono::weekday{midnight}.c_encoding()), static_cast<unsigned>(date.day()),
        months.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
        static_cast<int>(time.hours().count()), static_cast<int>(time.minutes().count()),
        static_cast<int>(time.seconds().count()));
    RINGLAY_ASSERT(size > 0 && static_cast<std::size_t>(size) < text.size());
    return std::string(text.data(), static_cast<std::size_t>(size));
}

std::string encode_response_head(const HttpResponse& response, const ResponseHeadOptions& options) {
    std::string out;
    out.reserve(256);
    out += "HTTP/1.1 ";
    out += std::to_string(response.status);
    out += ' ';
    out += reason_phrase(response.status);
    out += "\r\n";
    for (std::size_t i = 0; i < response.headers.size(); ++i) {
        HttpHeaders::Field field = response.headers[i];
        if (!is_framing(field.name)) append_field(out, field.name, field.value);
    }
    if (options.defaults != nullptr) {
        for (std::size_t i = 0; i < options.defaults->size(); ++i) {
            HttpHeaders::Field field = (*options.defaults)[i];
            if (response.headers.find(field.name) || is_framing(field.name)) continue;
            append_field(out, field.name, field.value);
        }
    }
    if (options.date && !response.headers.find("date")) {
        append_field(out, "Date", http_date(*options.date));
    }
    bool has_length = response.status >= 200 && response.status != 204 && response.status != 304;
    if (has_length) append_field(out, "Content-Length", std::to_string(response.body.size()));
    bool upgrades = response.headers.find("upgrade").has_value();
    if (options.close) {
        append_field(out, "Connection", upgrades ? "upgrade, close" : "close");
    } else if (upgrades) {
        append_field(out, "Connection", "upgrade");
    } else if (options.to_http_1_0) {
        append_field(out, "Connection", "keep-alive");
    }
    out += "\r\n";
    return out;
}

std::string encode_request(HttpMethod method, std::string_view target, std::string_view authority,
                           const HttpHeaders& headers, std::string_view body) {
    std::string out;
    out.reserve(256 + body.size());
    out += name_of(method);
    out += ' ';
    append_field_text(out, target);
    out += " HTTP/1.1\r\n";
    append_field(out, "Host", authority);
    for (std::size_t i = 0; i < headers.size(); ++i) {
        HttpHeaders::Field field = headers[i];
        bool is_ours = equals_ignoring_case(field.name, "host") ||
                       equals_ignoring_case(field.name, "content-length") ||
                       equals_ignoring_case(field.name, "transfer-encoding");
        if (!is_ours) append_field(out, field.name, field.value);
    }
    if (!body.empty() || method == HttpMethod::post || method == HttpMethod::put) {
        append_field(out, "Content-Length", std::to_string(body.size()));
    }
    out += "\r\n";
    out += body;
    return out;
}

}  // namespace ringlay::net
