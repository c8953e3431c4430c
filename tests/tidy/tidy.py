#!/usr/bin/env python3
"""Holds the source tree to its rules: who may include whom, what only some rooms may use, form.

    tidy.py [ROOT]

Prints `ok RULE`, `not ok RULE` after what was found, or `skip RULE` when a tool is missing. Exit 1
if anything was found. Only Python's own library is used. tidy_test.py proves each rule.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

# docs/design.md, "Rooms". A room may include its own files and those of rooms of smaller rank.
RANKS = {
    "proto/base": 0,
    "proto": 1,
    "crypto": 2,
    "index": 3,
    "relay/base": 4,
    "relay/fiber": 5,
    "relay/env": 6,
    "relay/net": 7,
    "relay/store": 8,
    "relay/event_log": 9,
    "relay/identity": 10,
    "relay/accounts": 11,
    "relay/ingest": 12,
    "relay/hosts": 13,
    "relay/firehose": 14,
    "relay/backfill": 15,
    "relay/api": 16,
    "relay": 17,
}
# They use every room; no room uses them.
OUTSIDE = ("bench", "tests")

RUNTIME = ("relay/fiber", "relay/env")
MAIN = ("relay/main.cpp",)

# (what, pattern in code without comments and strings, where it is allowed)
BANS = (
    ("threads and locks belong to the runtime",
     r"\bstd::(jthread|thread|\w*mutex|lock_guard|unique_lock|scoped_lock|condition_variable\w*|"
     r"async|promise|future|barrier|latch|counting_semaphore|binary_semaphore)\b|\bpthread_\w+",
     RUNTIME + MAIN + OUTSIDE),
    ("thread_local belongs to the runtime", r"\bthread_local\b", RUNTIME + OUTSIDE),
    ("the time comes from the Clock door",
     r"\b\w+_clock::now\b|\bclock_gettime\b|\bgettimeofday\b|(?<![\w.>:])(std::|::)?time\s*\(\s*"
     r"(nullptr|NULL|0|&)", RUNTIME + OUTSIDE),
    ("randomness comes from the Random door",
     r"\brandom_device\b|(?<![\w.>:])(std::|::)?s?rand\s*\(|\bgetrandom\b|\bgetentropy\b",
     RUNTIME),
    ("sleeping is parking a fiber",
     r"\bthis_thread::|\bnanosleep\b|(?<![\w.>:])(::)?u?sleep\s*\(", RUNTIME + OUTSIDE),
    ("the environment is read by main alone", r"\bgetenv\b|\bsecure_getenv\b|\benviron\b",
     MAIN + OUTSIDE),
    ("descriptors belong to the doors",
     r"(?<![\w>])::(open|openat|creat|socket|accept4?|connect|bind|listen|read|write|pread|pwrite|"
     r"send|recv|sendto|recvfrom|sendmsg|recvmsg|close|dup[23]?|pipe2?|poll|epoll_\w+|fsync|"
     r"fdatasync|ftruncate|unlink|rename|mkdir)\s*\(|\bf(open|reopen)\s*\(|\bstd::[io]?fstream\b",
     RUNTIME + MAIN + OUTSIDE),
    ("no exceptions of our own", r"\bthrow\b", RUNTIME + OUTSIDE),
    ("not in gcc 12's library", r"\bstd::(format|print|println)\b|\branges::to\b", ()),
    ("an assertion of ours is RINGLAY_ASSERT", r"(?<!\w)assert\s*\(", OUTSIDE),
)

# (what, pattern of the included name, where it is allowed, headers too?)
INCLUDE_BANS = (
    ("threads belong to the runtime",
     r"(thread|mutex|shared_mutex|condition_variable|future|barrier|latch|semaphore|pthread\.h)",
     RUNTIME + MAIN + OUTSIDE, True),
    ("the operating system is behind the doors",
     r"(sys/.*|netinet/.*|net/.*|netdb\.h|fcntl\.h|unistd\.h|poll\.h|linux/.*|liburing.*|fstream|"
     r"filesystem)", RUNTIME + MAIN + OUTSIDE, True),
    ("addresses are text behind one file", r"arpa/inet\.h",
     ("proto/base/address.cpp",) + RUNTIME + OUTSIDE, True),
    ("Boost.Context is wrapped in relay/fiber", r"boost/context/.*", ("relay/fiber",), True),
    ("TLS libraries are wrapped in crypto", r"openssl/.*", ("crypto", "tests/crypto"), True),
    ("costly headers stay out of headers", r"(fmt/.*|simdjson.*|boost/(beast|asio)/.*|rocksdb/.*|"
     r"openssl/.*|iostream|regex)", OUTSIDE, False),
    ("fmt begins at rank 4", r"fmt/.*", ("relay",) + OUTSIDE, True),
    ("not in gcc 12's library", r"(format|print)", (), True),
    ("an assertion of ours is RINGLAY_ASSERT", r"(cassert|assert\.h)", OUTSIDE, True),
)

MAX_COLUMNS = 100
MAX_FILE_LINES = 700
MAX_FUNCTION_LINES = 70
CATCH_MACROS = ("CHECK", "REQUIRE", "INFO", "WARN", "FAIL", "CAPTURE", "SECTION", "TEST_CASE")
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
README_MARKS = ("<!-- config table: begin -->", "<!-- config table: end -->")
CLANG_FORMAT = "clang-format-19"

NOT_CODE = re.compile(
    r'R"(?P<mark>[^(\s\\]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Za-z_])'(?:\\[^'\n]+|\\'|[^'\\\n])'"
    r"|//[^\n]*"
    r"|/\*.*?\*/",
    re.S,
)


def without_comments_and_strings(text):
    return NOT_CODE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def is_under(path, places):
    return any(path == place or path.startswith(place + "/") for place in places)


def room_of(path):
    """The longest folder with a rank; None outside of the rooms."""
    folder = path.rpartition("/")[0]
    while folder:
        if folder in RANKS:
            return folder
        folder = folder.rpartition("/")[0]
    return None


class Tree:
    """The files that are ours, read once; paths relative to the root."""

    IGNORED = re.compile(r"build.*|data|node_modules|__pycache__|\.git|\.cache|packagecache|corpus")
    TEXT = (".cpp", ".hpp", ".py", ".sh", ".mjs", ".md", ".wrap", ".txt", ".json", ".yml", ".yaml")
    NAMES = ("meson.build", "meson_options.txt", "justfile", ".clang-format", ".gitignore")

    def __init__(self, root):
        self.root = Path(root)
        self.files = {}
        for folder, names, files in os.walk(self.root):
            names[:] = sorted(name for name in names if not self.IGNORED.fullmatch(name))
            for name in sorted(files):
                path = Path(folder, name)
                if path.is_symlink() or not self.is_text(path):
                    continue
                self.files[path.relative_to(self.root).as_posix()] = path.read_text("utf-8")
        self.cpp = [path for path in self.files if path.endswith((".cpp", ".hpp"))]
        self.headers = [path for path in self.cpp if path.endswith(".hpp")]
        self.code = {path: without_comments_and_strings(self.files[path]) for path in self.cpp}
        self.builds = [t for path, t in self.files.items() if path.endswith("meson.build")]
        self.shell = [
            path
            for path, text in self.files.items()
            if path.endswith(".sh") or re.match(r"#!.*\b(ba)?sh\b", text)
        ]

    def is_text(self, path):
        if path.name in self.NAMES or path.suffix in self.TEXT:
            return True
        with open(path, "rb") as file:
            return not path.suffix and file.read(2) == b"#!"

    def matches(self, path, pattern):
        """(line number, matched text) in code."""
        code = self.code[path]
        for match in re.finditer(pattern, code):
            yield code.count("\n", 0, match.start()) + 1, match[0].strip()

    def includes(self, path):
        """(line number, name, quoted?)"""
        for number, line in enumerate(self.files[path].splitlines(), 1):
            if match := re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line):
                yield number, match[2], match[1] == '"'


# ----- the rules: each yields (path, line or 0, what) ---------------------------------------------


def rule_ranks(tree):
    for path in tree.cpp:
        outside = is_under(path, OUTSIDE)
        room = room_of(path)
        if room is None and not outside:
            yield path, 0, "is in no room: give its folder a rank in tests/tidy/tidy.py"
            continue
        for number, name, quoted in tree.includes(path):
            if not quoted:
                continue
            if outside and f"{path.rpartition('/')[0]}/{name}" in tree.files:
                continue  # a test's own helper, beside it
            if name not in tree.files:
                yield path, number, f'"{name}" is no file of ours (paths begin at the root)'
                continue
            other = room_of(name)
            if outside or other == room:
                continue
            if other is None:
                yield path, number, f'"{name}" is in no room'
            elif RANKS[other] >= RANKS[room]:
                ranks = f"{room} is rank {RANKS[room]}, {other} is rank {RANKS[other]}"
                yield path, number, f'"{name}": {ranks}'


def rule_bans(tree):
    for what, pattern, allowed in BANS:
        for path in tree.cpp:
            if is_under(path, allowed):
                continue
            for number, text in tree.matches(path, pattern):
                yield path, number, f"{text}: {what}"


def rule_include_bans(tree):
    for what, pattern, allowed, in_sources in INCLUDE_BANS:
        for path in tree.cpp if in_sources else tree.headers:
            if is_under(path, allowed):
                continue
            for number, name, quoted in tree.includes(path):
                if not quoted and re.fullmatch(pattern, name):
                    yield path, number, f"<{name}>: {what}"


def rule_line_length(tree):
    for path, text in tree.files.items():
        if path.endswith((".md", ".json", ".txt", ".wrap", ".yml", ".yaml", ".mjs")):
            continue
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > MAX_COLUMNS:
                yield path, number, f"{len(line)} columns; the most are {MAX_COLUMNS}"


def rule_file_length(tree):
    for path, text in tree.files.items():
        lines = text.count("\n")
        if lines > MAX_FILE_LINES and not path.endswith((".md", ".json")):
            yield path, 0, f"{lines} lines; the most are {MAX_FILE_LINES}"


def rule_function_length(tree):
    """Formatted code: what begins at column 0, holds a bracket and opens a brace is a function."""
    for path in tree.cpp:
        if is_under(path, OUTSIDE):
            continue
        begin = None
        for number, line in enumerate(tree.code[path].splitlines(), 1):
            line = line.rstrip()
            if line.startswith("}") and begin is not None:
                lines = number - begin + 1
                if lines > MAX_FUNCTION_LINES:
                    yield path, begin, f"{lines} lines; the most are {MAX_FUNCTION_LINES}"
                begin, is_open = None, False
            elif re.match(r"[A-Za-z_].*\(", line):
                begin, is_open = number, line.endswith("{")
            if begin is not None and not is_open:
                is_open = line.endswith("{")
                if line.endswith(";"):
                    begin = None  # a declaration over several lines


def rule_headers(tree):
    for path in tree.headers:
        lines = tree.files[path].splitlines()
        code_at = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
        words = " ".join(line.lstrip("/ ") for line in lines[:code_at]).split()
        if len(words) < 8:
            yield path, 1, "begins with no contract: what for, whose, which thread, what bound"
        if code_at == len(lines) or lines[code_at] != "#pragma once":
            yield path, code_at + 1, "the contract is followed by #pragma once"
        for number, _ in tree.matches(path, r"\busing\s+namespace\b"):
            yield path, number, "no using namespace in a header"


def rule_macros(tree):
    for path in tree.cpp:
        for number, text in tree.matches(path, r"(?m)^\s*#\s*define\s+\w+"):
            name = text.split()[-1]
            if name in CATCH_MACROS:
                yield path, number, f"{name} is Catch2's"
            elif re.search(rf"#\s*if(ndef {name}$| !defined\({name}\)$)", tree.code[path], re.M):
                continue  # a name of the system that an older system lacks
            elif not name.startswith("RINGLAY_") and not is_under(path, OUTSIDE):
                yield path, number, f"{name}: a macro of ours begins with RINGLAY_"


def rule_finished(tree):
    for path, text in tree.files.items():
        for number, line in enumerate(text.splitlines(), 1):
            if match := UNFINISHED.search(line):
                yield path, number, f"{match[0]}: do it or leave it"


def rule_white_space(tree):
    for path, text in tree.files.items():
        if not text.endswith("\n") or text.endswith("\n\n"):
            yield path, 0, "ends in exactly one line feed"
        for number, line in enumerate(text.splitlines(), 1):
            if line != line.rstrip():
                yield path, number, "space at the end of the line"
            if "\t" in line:
                yield path, number, "a tab"


def rule_listed(tree):
    """A source that no meson.build names is never compiled, and a test that is not never fails."""
    for path in tree.cpp:
        if not path.endswith(".cpp"):
            continue
        folder, _, name = path.rpartition("/")
        word = name.removesuffix("_fuzz.cpp") if name.endswith("_fuzz.cpp") else name
        builds = []
        while folder:
            builds.append(tree.files.get(f"{folder}/meson.build", ""))
            folder = folder.rpartition("/")[0]
        builds.append(tree.files.get("meson.build", ""))
        far = f"{Path(path).parent.name}/{name}'"  # named from another folder
        is_near = any(re.search(rf"['/]{re.escape(word)}'", text) for text in builds)
        if not is_near and not any(far in text for text in tree.builds):
            yield path, 0, "is in no meson.build"


def rule_readme(tree):
    text = tree.files.get("README.md", "")
    if any(text.count(mark) != 1 for mark in README_MARKS):
        yield "README.md", 0, "holds the table of settings between its two marks"


def run_tool(tree, command, paths, what):
    """Shows a tool's own words; None if it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    found = []
    for at in range(0, len(paths), 50):
        done = subprocess.run(
            [*command, *paths[at : at + 50]], cwd=tree.root, capture_output=True, text=True
        )
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).splitlines()
            places = [re.match(r"(\S+?):(\d+):\d+: (.*)", line) for line in lines]
            if not any(places):
                found.append((command[0], 0, " ".join(lines)[:200]))
            found += [(place[1], int(place[2]), f"{what}: {place[3]}") for place in places if place]
    return found


def rule_format(tree):
    what = f"run {CLANG_FORMAT} -i"
    found = run_tool(tree, [CLANG_FORMAT, "--dry-run", "-Werror"], tree.cpp, what)
    first = {path: (path, line, what) for path, line, _ in reversed(found or [])}
    return None if found is None else sorted(first.values())


def rule_shell(tree):
    return run_tool(tree, ["shellcheck", "-x", "-f", "gcc"], tree.shell, "shellcheck")


RULES = {
    "a room includes only rooms of smaller rank": rule_ranks,
    "banned names stay in their rooms": rule_bans,
    "banned headers stay in their rooms": rule_include_bans,
    "lines are short": rule_line_length,
    "files have one subject": rule_file_length,
    "functions fit on a screen": rule_function_length,
    "headers begin with their contract": rule_headers,
    "macros are named after the project": rule_macros,
    "nothing is left for later": rule_finished,
    "white space is regular": rule_white_space,
    "every source is built": rule_listed,
    "README has the table of settings": rule_readme,
    "code is formatted": rule_format,
    "shell scripts pass shellcheck": rule_shell,
}


def check(root):
    """Rule name -> list of findings, or None where a tool is missing."""
    tree = Tree(root)
    results = {}
    for name, rule in RULES.items():
        found = rule(tree)
        results[name] = None if found is None else list(found)
    return results


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    bad = False
    for name, found in check(root).items():
        for path, line, what in found or []:
            print(f"  {path}:{line}: {what}" if line else f"  {path}: {what}")
        print(f"{'skip' if found is None else 'not ok' if found else 'ok'} {name}")
        bad = bad or bool(found)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
