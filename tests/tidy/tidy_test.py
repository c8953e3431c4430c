#!/usr/bin/env python3
"""Proves the rules of tidy.py: a clean tree passes, each planted violation is found where it is.

Prints `ok NAME`, `not ok NAME` or `skip NAME` for each case; exit 1 if one failed.
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import tidy  # noqa: E402

HEADER = """\
// A thing that stands here so that rules have something to look at.
// Owner    nobody. Thread   any. Bound    one of it.
#pragma once

namespace ringlay::net {

int thing(int a);

}  // namespace ringlay::net
"""

SOURCE = """\
#include "relay/net/thing.hpp"

#include <chrono>
#include <vector>

#include "proto/base/bytes.hpp"

namespace ringlay::net {

// std::thread and rand() in a comment are words, and so they are in "a string".
int thing(int a) {
    const char* text = "std::mutex, rand(), getenv(), throw, ::open(";
    const char* raw = R"x(steady_clock::now() // not a comment)x";
    int separated = 1'000'000, quote = '"', other = '\\'';
    return a + separated + quote + other + (text == raw);
}

}  // namespace ringlay::net
"""

CLEAN = {
    ".clang-format": (Path(__file__).parents[2] / ".clang-format").read_text(),
    "README.md": "# x\n\n" + "\n".join(tidy.README_MARKS) + "\n",
    "meson.build": "subdir('proto')\n",
    "proto/base/bytes.hpp": HEADER.replace("net", "proto"),
    "relay/net/meson.build": "files('thing.cpp')\n",
    "relay/net/thing.hpp": HEADER,
    "relay/net/thing.cpp": SOURCE,
    "tests/relay/net/meson.build": "files('thing_test.cpp')\n",
    "tests/relay/net/thing_test.cpp": (
        '#include "relay/net/thing.hpp"\n\n#include <thread>\n\n#include "helper.hpp"\n\n'
        "void test() {\n    std::thread().detach();\n}\n"
    ),
    "tests/relay/net/helper.hpp": HEADER,
    "scripts/run": '#!/usr/bin/env bash\necho "$1"\n',
}

RANKS = "a room includes only rooms of smaller rank"
BANS = "banned names stay in their rooms"
HEADERS = "banned headers stay in their rooms"
LONG = "lines are short"
FILE = "files have one subject"
FUNCTION = "functions fit on a screen"
CONTRACT = "headers begin with their contract"
MACRO = "macros are named after the project"
LATER = "nothing is left for later"
SPACE = "white space is regular"
LISTED = "every source is built"
README = "README has the table of settings"
FORMAT = "code is formatted"
SHELL = "shell scripts pass shellcheck"

NET = "relay/net/thing.cpp"
TEST = "tests/relay/net/thing_test.cpp"


def line_in(path, line):
    """The clean file with one more line inside the function, or after the includes."""
    marker = "    return a" if not line.startswith("#") else "namespace"
    return {path: CLEAN[path].replace(marker, f"{line}\n{marker}", 1)}


def statement(code):
    return line_in(NET, f"    {code}")


def room_file(path, text):
    folder, _, name = path.rpartition("/")
    return {path: text, f"{folder}/meson.build": f"files('{name}')\n"}


API = HEADER.replace("net", "api")
LONG_FUNCTION = "int long_one() {\n" + "    (void)0;\n" * 69 + "}\n"

# (name, rule that must find it, path it must name, changed files)
CASES = [
    ("a room of higher rank", RANKS, NET,
     line_in(NET, '#include "relay/api/x.hpp"') | {"relay/api/x.hpp": API}),
    ("a room of the same rank but another", RANKS, "relay/base/x.cpp",
     room_file("relay/base/x.cpp", '#include "relay/fiber/x.hpp"\n') | {"relay/fiber/x.hpp": API}),
    ("the inner room above the outer one", RANKS, "proto/base/x.hpp",
     {"proto/base/x.hpp": HEADER.replace("once\n", 'once\n\n#include "proto/x.hpp"\n'),
      "proto/x.hpp": HEADER}),
    ("a room includes the tests", RANKS, NET,
     line_in(NET, '#include "tests/relay/net/helper.hpp"')),
    ("a file beside, without its path", RANKS, NET, line_in(NET, '#include "thing.hpp"')),
    ("a file that is not there", RANKS, NET, line_in(NET, '#include "relay/net/gone.hpp"')),
    ("a folder without a rank", RANKS, "misc/x.cpp", room_file("misc/x.cpp", "int x;\n")),
    ("std::thread", BANS, NET, statement("std::thread t;")),
    ("std::mutex", BANS, NET, statement("std::mutex m;")),
    ("std::shared_mutex", BANS, NET, statement("std::shared_mutex m;")),
    ("std::condition_variable_any", BANS, NET, statement("std::condition_variable_any c;")),
    ("pthread_create", BANS, NET, statement("pthread_create(&a, 0, 0, 0);")),
    ("thread_local", BANS, NET, statement("thread_local int b = 0;")),
    ("steady_clock::now", BANS, NET, statement("std::chrono::steady_clock::now();")),
    ("time(nullptr)", BANS, NET, statement("time(nullptr);")),
    ("std::time(0)", BANS, NET, statement("std::time(0);")),
    ("clock_gettime", BANS, NET, statement("clock_gettime(CLOCK_REALTIME, &t);")),
    ("random_device", BANS, NET, statement("std::random_device device;")),
    ("random_device in a test", BANS, TEST,
     {TEST: CLEAN[TEST].replace("{\n", "{\n    std::random_device x;\n")}),
    ("rand()", BANS, NET, statement("a += rand();")),
    ("getrandom", BANS, NET, statement("getrandom(&a, 4, 0);")),
    ("this_thread::sleep_for", BANS, NET, statement("std::this_thread::sleep_for(1s);")),
    ("usleep", BANS, NET, statement("usleep(1);")),
    ("getenv", BANS, NET, statement('getenv("X");')),
    ("::open", BANS, NET, statement('::open("x", 0);')),
    ("fopen", BANS, NET, statement('fopen("x", "r");')),
    ("std::ofstream", BANS, NET, statement("std::ofstream file;")),
    ("throw", BANS, NET, statement("throw 1;")),
    ("std::format", BANS, NET, statement("std::format(text);")),
    ("std::format in a test", BANS, TEST,
     {TEST: CLEAN[TEST].replace("{\n", "{\n    std::format(0);\n")}),
    ("assert()", BANS, NET, statement("assert(a);")),
    ("<mutex>", HEADERS, NET, line_in(NET, "#include <mutex>")),
    ("<sys/socket.h>", HEADERS, NET, line_in(NET, "#include <sys/socket.h>")),
    ("<liburing.h>", HEADERS, NET, line_in(NET, "#include <liburing.h>")),
    ("<unistd.h>", HEADERS, NET, line_in(NET, "#include <unistd.h>")),
    ("<arpa/inet.h>", HEADERS, NET, line_in(NET, "#include <arpa/inet.h>")),
    ("<boost/context>", HEADERS, NET, line_in(NET, "#include <boost/context/detail/fcontext.hpp>")),
    ("<openssl/ssl.h>", HEADERS, NET, line_in(NET, "#include <openssl/ssl.h>")),
    ("<fmt/format.h> in a header", HEADERS, "relay/net/thing.hpp",
     {"relay/net/thing.hpp": HEADER.replace("once\n", "once\n\n#include <fmt/format.h>\n")}),
    ("<fmt/format.h> below rank 4", HEADERS, "proto/x.cpp",
     room_file("proto/x.cpp", "#include <fmt/format.h>\n")),
    ("<format>", HEADERS, TEST, {TEST: CLEAN[TEST].replace("<thread>", "<format>")}),
    ("<cassert>", HEADERS, NET, line_in(NET, "#include <cassert>")),
    ("a line of 101 columns", LONG, NET, {NET: SOURCE + "// " + "x" * 98 + "\n"}),
    ("a long line in a script", LONG, "scripts/run",
     {"scripts/run": CLEAN["scripts/run"] + "# " + "x" * 100 + "\n"}),
    ("a file of 701 lines", FILE, NET, {NET: SOURCE + "// x\n" * 690}),
    ("a function of 71 lines", FUNCTION, NET,
     {NET: SOURCE.replace("// std::thread", LONG_FUNCTION + "\n// std::thread", 1)}),
    ("a header without a contract", CONTRACT, "relay/net/thing.hpp",
     {"relay/net/thing.hpp": "// A thing.\n#pragma once\n"}),
    ("a header with a guard instead", CONTRACT, "relay/net/thing.hpp",
     {"relay/net/thing.hpp": HEADER.replace("#pragma once", "#ifndef RINGLAY_X")}),
    ("using namespace in a header", CONTRACT, "relay/net/thing.hpp",
     {"relay/net/thing.hpp": HEADER.replace("int thing", "using namespace std;\nint thing")}),
    ("a macro named CHECK", MACRO, NET, line_in(NET, "#define CHECK(x) x")),
    ("a macro without our name", MACRO, NET, line_in(NET, "#define TWICE(x) x x")),
    ("a note for later", LATER, NET, {NET: SOURCE + "// TO" + "DO: more\n"}),
    ("a note for later in a script", LATER, "scripts/run",
     {"scripts/run": CLEAN["scripts/run"] + "# FIX" + "ME\n"}),
    ("space at the end of a line", SPACE, "README.md", {"README.md": CLEAN["README.md"] + "x \n"}),
    ("a tab", SPACE, "scripts/run", {"scripts/run": CLEAN["scripts/run"] + "\ttrue\n"}),
    ("no line feed at the end", SPACE, "README.md", {"README.md": CLEAN["README.md"] + "x"}),
    ("an empty line at the end", SPACE, "README.md", {"README.md": CLEAN["README.md"] + "\n"}),
    ("a source that is not built", LISTED, "relay/net/more.cpp",
     {"relay/net/more.cpp": SOURCE}),
    ("a test whose name is only part of a built one", LISTED, "tests/relay/net/test.cpp",
     {"tests/relay/net/test.cpp": "int x;\n"}),
    ("a fuzz target that is not listed", LISTED, "tests/fuzz/url_fuzz.cpp",
     {"tests/fuzz/url_fuzz.cpp": "int x;\n", "tests/fuzz/meson.build": "t = [['cbor', d]]\n"}),
    ("a README without its table", README, "README.md", {"README.md": "# x\n"}),
    ("unformatted code", FORMAT, NET, {NET: SOURCE.replace("(int a) {", "( int a ) {")}),
    ("an unquoted variable", SHELL, "scripts/run",
     {"scripts/run": "#!/usr/bin/env bash\nrm $1\n"}),
]

# What would be a violation elsewhere and is none here.
ALLOWED = [
    ("the runtime may use threads", room_file("relay/env/x.cpp",
     "#include <mutex>\n\nstd::mutex lock;\n")),
    ("a room may use one far below", line_in(NET, '#include "proto/base/bytes.hpp"')),
    ("methods may be called open, close, time and connect",
     statement("door.open(a), door->close(a), clock.time(0), net::connect(a);")),
    ("a function of 70 lines",
     {NET: SOURCE.replace("// std::thread", LONG_FUNCTION.replace("    (void)0;\n", "", 1)
                          + "\n// std::thread", 1)}),
    ("a declaration over several lines before a long class",
     {"relay/net/thing.hpp": HEADER.replace(
         "int thing(int a);", "int thing(int a,\n          int b);\n\nstruct Big {\n"
         + "    int x;\n" * 80 + "};")}),
    ("a line of 100 columns", {NET: SOURCE + "// " + "x" * 97 + "\n"}),
    ("a listed fuzz target",
     {"tests/fuzz/url_fuzz.cpp": "int x;\n", "tests/fuzz/meson.build": "t = [['url', d]]\n"}),
    ("main reads the environment", room_file("relay/main.cpp", 'int x = getenv("X") != 0;\n')),
    ("a name that an older system lacks",
     line_in(NET, "#ifndef MADV_X\n#define MADV_X 1\n#endif")),
    ("the same, said otherwise", line_in(NET, "#if !defined(MADV_X)\n#define MADV_X 1\n#endif")),
    ("main takes signals on a thread of its own",
     room_file("relay/main.cpp", "#include <thread>\n\nstd::thread signals;\n")),
    ("a helper of tests that another folder builds",
     {"tests/support/x.cpp": "int x;\n", "tests/relay/net/meson.build":
      "files('thing_test.cpp', '../../support/x.cpp')\n"}),
]

# Planted code is about one rule; these two see the form of everything that is planted.
FORM = {FORMAT, SHELL}


def findings(changed):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in (CLEAN | changed).items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return tidy.check(folder)


def wrong_in_case(rule, path, results):
    found = results[rule]
    if found is None:
        return None
    if not any(place == path for place, _, _ in found):
        return f"{rule}: not found in {path}: {found}"
    others = [name for name, list_ in results.items() if list_ and name not in FORM | {rule}]
    return f"found by other rules, too: {others}" if others else ""


def main():
    bad = 0

    def report(name, wrong):
        nonlocal bad
        bad += bool(wrong)
        if wrong:
            print(f"  {wrong}")
        word = "skip" if wrong is None else "not ok" if wrong else "ok"
        print(f"{word} tidy: {name}", flush=True)

    clean = {name: list_ for name, list_ in findings({}).items() if list_}
    report("a clean tree passes", str(clean) if clean else "")
    for name, changed in ALLOWED:
        found = {rule: l for rule, l in findings(changed).items() if l and rule not in FORM}
        report(f"{name} (allowed)", str(found) if found else "")
    for name, rule, path, changed in CASES:
        report(name, wrong_in_case(rule, path, findings(changed)))
    covered = {rule for _, rule, _, _ in CASES}
    report("every rule is proved", str(set(tidy.RULES) - covered or ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
