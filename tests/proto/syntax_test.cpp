#include "proto/syntax.hpp"

#include <catch2/catch.hpp>
#include <sstream>
#include <vector>

#include "proto/cid.hpp"
#include "proto/limits.hpp"
#include "proto/tid.hpp"
#include "tests/support/fixtures.hpp"

using namespace ringlay::proto;

namespace {

using Check = bool (*)(std::string_view);
using Texts = std::vector<std::string>;

std::string times(std::size_t count, std::string_view text) {
    std::string out;
    for (; count > 0; --count) out += text;
    return out;
}

void check_all(Check check, bool is_valid, const Texts& texts) {
    for (const std::string& text : texts) {
        CAPTURE(text);
        CHECK(check(text) == is_valid);
    }
}

// One value a line; `#` begins a comment, blank lines count for nothing, spaces are part of values.
int check_lines(Check check, bool is_valid, const std::string& file) {
    auto content = ringlay::support::read_fixture("atproto-interop-tests/syntax/" + file);
    if (!content) return 1;
    std::istringstream lines(*content);
    int checked = 0;
    for (std::string line; std::getline(lines, line);) {
        if (line.empty() || line.starts_with('#')) continue;
        CAPTURE(file, line);
        CHECK(check(line) == is_valid);
        ++checked;
    }
    return checked;
}

// A DID of exactly so many bytes.
std::string long_did(std::size_t size) {
    return "did:web:" + std::string(size - 8, 'a');
}

// A handle or NSID authority of `size` bytes, in labels of 50.
std::string long_name(std::size_t size) {
    std::string name;
    while (name.size() < size) name += name.size() % 51 == 50 ? '.' : 'a';
    return name;
}

}  // namespace

TEST_CASE("a DID is did, a method of lower-case letters, and an identifier") {
    check_all(is_did, true,
              {"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa", "did:web:example.com", "did:a:b", "did:z:0",
               "did:web:localhost%3A1234", "did:m:a:b:c", "did:m::::v", "did:m:-", "did:m:.",
               "did:m:_", "did:m:A", "did:m:Z9", long_did(max_did_bytes)});
    check_all(is_did, false,
              {"",
               "did",
               "did:",
               "did:plc",
               "did:plc:",
               "did::x",
               "plc:did:x",
               "DID:plc:x",
               "did:PLC:x",
               "did:pl3:x",
               "did:pl-c:x",
               "did:plc:x:",
               "did:plc:x%",
               "did:plc:x/y",
               "did:plc:x?y",
               "did:plc:x#y",
               "did:plc:x y",
               " did:plc:x",
               "did:plc:x ",
               "did:plc:\xc3\xa4x",
               "did:plc:x@y",
               "did:plc:x+y",
               "did:`:x",
               "did:{:x",
               long_did(max_did_bytes + 1)});
}

TEST_CASE("a did:plc has 24 digits of base32") {
    std::string id(24, 'a');
    check_all(
        is_did_plc, true,
        {"did:plc:" + id, "did:plc:abcdefghijklmnopqrstuvwx", "did:plc:yz234567" + times(16, "q")});
    check_all(is_did_plc, false,
              {"", "did:plc:", "did:plc:" + id + "a", "did:plc:" + id.substr(1), "did:web:" + id,
               "did:plc:1" + id.substr(1), "did:plc:8" + id.substr(1), "did:plc:A" + id.substr(1),
               "did:plc:." + id.substr(1), "xdid:plc:" + id.substr(1)});
}

TEST_CASE("a handle is a domain name of two labels or more whose last begins with a letter") {
    check_all(is_handle, true,
              {"john.test", "a.co", "8.cn", "0.a.b1", "a-b.c--d.e-f", "XX.LCS.MIT.EDU", "a.b0",
               "handle.invalid", "xn--ls8h.test", std::string(63, 'a') + ".test",
               "test." + std::string(63, 'a'), long_name(max_handle_bytes)});
    check_all(is_handle, false,
              {"",
               "john",
               "john.",
               ".john",
               "john..test",
               "john.test.",
               "-john.test",
               "john-.test",
               "john.-test",
               "john.test-",
               "john.0",
               "john.0a",
               "127.0.0.1",
               "jo_hn.test",
               "jo hn.test",
               "john.test ",
               "@john.test",
               "john.t\xc3\xa4st",
               "did:plc:x",
               std::string(64, 'a') + ".test",
               "test." + std::string(64, 'a'),
               long_name(max_handle_bytes + 1)});
}

TEST_CASE("an NSID is an authority of two labels or more and a name of letters and digits") {
    check_all(is_nsid, true,
              {"app.bsky.feed.post", "a.b.c", "a.0.c", "a-b.c-d.eF9", "one.2.three",
               "com.example." + std::string(63, 'a'), "com." + std::string(63, 'a') + ".foo",
               long_name(max_nsid_bytes)});
    check_all(is_nsid, false,
              {"",
               "a",
               "a.b",
               "a.b.",
               ".a.b",
               "a..b.c",
               "a.b..c",
               "0a.b.c",
               "-a.b.c",
               "a-.b.c",
               "a.-b.c",
               "a.b-.c",
               "a.b.0c",
               "a.b.c-d",
               "a.b.c_d",
               "a.b.c*",
               "a.b.c d",
               "a.b.c ",
               "a.b_b.c",
               "a.b.\xc3\xa4",
               "com.example." + std::string(64, 'a'),
               "com." + std::string(64, 'a') + ".foo",
               long_name(max_nsid_bytes + 1)});
}

TEST_CASE("a record key is 1 to 512 letters, digits and _~.:- but no dot or two alone") {
    check_all(is_record_key, true,
              {"self", "3jzfcijpj2z2a", "a", "Z", "0", "_", "~", ":", "-", "...", ".a", "a.", "a:b",
               std::string(max_record_key_bytes, 'o')});
    check_all(is_record_key, false,
              {"", ".", "..", "a/b", "/", "a b", "a+b", "a#", "@a", "a%20", "a=", "\xc3\xa4",
               std::string("a\0", 2), std::string(max_record_key_bytes + 1, 'o')});
}

TEST_CASE("a repo path is an NSID and a record key with one slash between them") {
    auto path = split_repo_path("app.bsky.feed.post/3jzf:c~");
    REQUIRE(path.has_value());
    CHECK(path->collection == "app.bsky.feed.post");
    CHECK(path->record_key == "3jzf:c~");
    std::string longest = long_name(max_nsid_bytes) + "/" + std::string(512, 'o');
    CHECK(longest.size() == max_repo_path_bytes);
    check_all(is_repo_path, true, {"a.b.c/self", longest});
    check_all(is_repo_path, false,
              {"", "/", "a.b.c", "a.b.c/", "/self", "/a.b.c/self", "a.b.c/self/", "a.b.c/x/y",
               "a.b/self", "a.b.c/.", "a.b.c//self", "a.b.c/a b"});
}

TEST_CASE("an AT-URI names an account, perhaps a collection, perhaps a record") {
    std::string did = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    check_all(is_at_uri, true,
              {did, "at://john.test", did + "/app.bsky.feed.post", did + "/app.bsky.feed.post/self",
               "at://john.test/a.b.c/..."});
    check_all(is_at_uri, false,
              {"",
               "at://",
               "at:///",
               "AT://john.test",
               "at:/john.test",
               "at:john.test",
               "http://john.test",
               "at://john",
               "at://DID:plc:x",
               did + "/",
               did + "//",
               did + "/a.b",
               did + "/a.b.c/",
               did + "/a.b.c/self/",
               did + "/a.b.c/x/y",
               did + "/a.b.c/.",
               did + "#x",
               did + "?x",
               did + "/a.b.c?x",
               did + " ",
               " " + did,
               "at://" + long_did(max_did_bytes + 1)});
    check_all(is_at_uri, true, {"at://" + long_did(max_did_bytes) + "/a.b.c/self"});
}

TEST_CASE("a datetime is a moment that exists, with a zone") {
    check_all(is_datetime, true,
              {"1985-04-12T23:20:50Z", "1985-04-12T23:20:50.1Z",
               "1985-04-12T23:20:50." + times(20, "0") + "Z", "1985-04-12T23:20:50+00:00",
               "1985-04-12T23:20:50.123-23:59", "0000-01-01T00:00:00Z", "0000-01-01T01:00:00+01:00",
               "0000-01-01T00:00:00-01:00", "0000-01-02T00:00:00+23:59", "0000-02-29T00:00:00Z",
               "0001-01-01T00:00:00+01:00", "2000-02-29T00:00:00Z", "2024-02-29T00:00:00Z",
               "9999-12-31T23:59:59Z", "2023-01-31T00:00:00Z", "2023-04-30T00:00:00Z"});
    check_all(is_datetime, false,
              {"",
               "1985-04-12",
               "1985-04-12T23:20:50",
               "1985-04-12T23:20Z",
               "1985-04-12t23:20:50Z",
               "1985-04-12T23:20:50z",
               "1985-04-12 23:20:50Z",
               "1985-04-12T23:20:50.Z",
               "1985-04-12T23:20:50.." + times(1, "0") + "Z",
               "1985-04-12T23:20:50,1Z",
               "1985-04-12T23:20:50." + times(21, "0") + "Z",
               "1985-04-12T23:20:50.1",
               "1985-04-12T23:20:50-00:00",
               "1985-04-12T23:20:50+24:00",
               "1985-04-12T23:20:50+00:60",
               "1985-04-12T23:20:50+0000",
               "1985-04-12T23:20:50+00:0",
               "1985-04-12T23:20:50+00:000",
               "1985-04-12T23:20:50+0a:00",
               "1985-04-12T23:20:50+00:a0",
               "1985-04-12T23:20:50*00:00",
               "1985-04-12T23:20:50+00-00",
               "1985-04-12T23:20:50ZZ",
               "1985-04-12T23:20:50Z ",
               " 1985-04-12T23:20:50Z",
               "985-04-12T23:20:50Z",
               "19850-04-12T23:20:50Z",
               "-985-04-12T23:20:50Z",
               "1985-00-12T23:20:50Z",
               "1985-13-12T23:20:50Z",
               "1985-04-00T23:20:50Z",
               "1985-04-31T23:20:50Z",
               "1985-01-32T23:20:50Z",
               "1985-02-29T00:00:00Z",
               "1900-02-29T00:00:00Z",
               "2023-02-29T00:00:00Z",
               "1985-04-12T24:00:00Z",
               "1985-04-12T23:60:00Z",
               "1985-04-12T23:20:60Z",
               "1985/04/12T23:20:50Z",
               "1985-04-12T23.20.50Z",
               "198a-04-12T23:20:50Z",
               "0000-01-01T00:00:00+01:00",
               "0000-01-01T00:00:00+00:01",
               "0000-01-01T00:59:00+01:00"});
}

TEST_CASE("every public example of an identifier is taken or refused as it should be") {
    const struct {
        Check check;
        bool is_valid;
        std::string file;
    } files[] = {
        {is_did, true, "did_syntax_valid.txt"},
        {is_did, false, "did_syntax_invalid.txt"},
        {is_handle, true, "handle_syntax_valid.txt"},
        {is_handle, false, "handle_syntax_invalid.txt"},
        {is_nsid, true, "nsid_syntax_valid.txt"},
        {is_nsid, false, "nsid_syntax_invalid.txt"},
        {is_record_key, true, "recordkey_syntax_valid.txt"},
        {is_record_key, false, "recordkey_syntax_invalid.txt"},
        {is_tid, true, "tid_syntax_valid.txt"},
        {is_tid, false, "tid_syntax_invalid.txt"},
        {is_at_uri, true, "aturi_syntax_valid.txt"},
        {is_at_uri, false, "aturi_syntax_invalid.txt"},
        {is_datetime, true, "datetime_syntax_valid.txt"},
        {is_datetime, false, "datetime_syntax_invalid.txt"},
        {is_datetime, false, "datetime_parse_invalid.txt"},
        {[](std::string_view text) { return is_did(text) || is_handle(text); }, true,
         "atidentifier_syntax_valid.txt"},
        {[](std::string_view text) { return is_did(text) || is_handle(text); }, false,
         "atidentifier_syntax_invalid.txt"},
        {[](std::string_view text) { return Cid::from_text(text).has_value(); }, false,
         "cid_syntax_invalid.txt"},
    };
    for (const auto& [check, is_valid, file] : files) {
        CAPTURE(file);
        CHECK(check_lines(check, is_valid, file) > 0);
    }
}
