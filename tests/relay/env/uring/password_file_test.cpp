#include "relay/env/uring/password_file.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>

using namespace ringlay::env;

namespace {

using Passwords = std::vector<std::string>;

// A file that is gone with this.
class File {
  public:
    explicit File(std::string_view content) {
        const int handle = mkstemp(path.data());
        REQUIRE(handle >= 0);
        REQUIRE(::write(handle, content.data(), content.size()) ==
                static_cast<ssize_t>(content.size()));
        ::close(handle);
    }
    ~File() { std::remove(path.c_str()); }
    std::string path = "/tmp/ringlay-passwords-XXXXXX";
};

std::string error_of(std::string_view content) {
    auto passwords = parse_passwords(content);
    return passwords ? "" : passwords.error();
}

}  // namespace

TEST_CASE("a file has a password on each line, with or without an end of the last one") {
    CHECK(parse_passwords("one").value() == Passwords{"one"});
    CHECK(parse_passwords("one\n").value() == Passwords{"one"});
    CHECK(parse_passwords("one\r\ntwo, and a half \r\n").value() ==
          Passwords{"one", "two, and a half "});
    CHECK(parse_passwords("\n\none\n\n\r\ntwo\n\n").value() == Passwords{"one", "two"});
    CHECK(parse_passwords("gr\xc3\xbc\xc3\x9f").value() == Passwords{"gr\xc3\xbc\xc3\x9f"});
    CHECK(parse_passwords(std::string(1000, 'x')).value().size() == 1);
}

TEST_CASE("a file without a password, or with what cannot be one, is refused with the reason") {
    for (std::string_view empty : {"", "\n", "\r\n\n"})
        CHECK(error_of(empty) == "it has no password");
    CHECK(error_of(std::string(1001, 'x')) == "a line is too long");
    for (std::string_view bad : {std::string_view("a\0b", 3), std::string_view("a\tb"),
                                 std::string_view("\x7f"), std::string_view("a\rb")}) {
        CHECK(error_of(bad) == "it has bytes that are no text");
    }
}

TEST_CASE("a password file is read; what is in the way is said with its path, never its content") {
    File good("secret one\nsecret two\n");
    CHECK(read_password_file(good.path).value() == Passwords{"secret one", "secret two"});
    CHECK(read_password_file("/nonexistent/file").error() ==
          "cannot take passwords from /nonexistent/file: No such file or directory");
    CHECK(read_password_file("/tmp").error() == "cannot take passwords from /tmp: Is a directory");
    CHECK(read_password_file("/dev/zero").error() ==
          "cannot take passwords from /dev/zero: it is too large");
    File bad("secret\1");
    CHECK(read_password_file(bad.path).error() ==
          "cannot take passwords from " + bad.path + ": it has bytes that are no text");
}
