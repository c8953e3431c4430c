#!/usr/bin/env python3
"""Runs the tests of a Meson build directory that belong to given suites, and counts their cases.

    run_suites.py BUILD_DIR COUNTS_FILE SUITE...
    run_suites.py --targets BUILD_DIR SUITE...      names the programs, for ninja

A Catch2 program counts as many cases as its summary says; a program that prints `ok NAME`,
`not ok NAME` and `skip NAME` counts those; any other one is a single case, by its exit status. A
program that fails in another way (crash, timeout, no case at all) is one failed case. COUNTS_FILE
gets `PASSED FAILED SKIPPED`. Output is shown of what fails only. RINGLAY_TEST_TIMEOUT_FACTOR
(default 3: machines are slower than those of authors) makes Meson's timeouts longer.
"""

import concurrent.futures
import json
import os
import re
import subprocess
import sys
import time

SKIPPED_STATUS = 77  # Meson's
SHOWN_LINES = 120
ALL_PASSED = re.compile(r"^All tests passed \(\d+ assertions? in (\d+) test cases?\)", re.M)
SOME_FAILED = re.compile(r"^test cases:\s*(\d+)\s*\|(.*)$", re.M)
TIMEOUT_FACTOR = float(os.environ.get("RINGLAY_TEST_TIMEOUT_FACTOR", "3"))
LINES = re.compile(r"^(ok|not ok|skip) ", re.M)


def catch_counts(output):
    """(passed, failed) of a Catch2 summary, or None. `failed as expected` has passed."""
    if match := ALL_PASSED.search(output):
        return int(match[1]), 0
    if match := SOME_FAILED.search(output):
        failed = re.search(r"(\d+) failed(?! as expected)", match[2])
        failed = int(failed[1]) if failed else 0
        return int(match[1]) - failed, failed
    return None


def count(output, status):
    """(passed, failed, skipped) of a program that has ended; status None: timed out."""
    if status == SKIPPED_STATUS:
        return 0, 0, 1
    counts = catch_counts(output)
    if counts is not None:
        passed, failed, skipped = *counts, 0
    elif kinds := LINES.findall(output):
        passed, failed, skipped = (kinds.count(kind) for kind in ("ok", "not ok", "skip"))
    elif re.search(r"^No tests ran", output, re.M):
        return 0, 1, 0
    else:
        return (1, 0, 0) if status == 0 else (0, 1, 0)
    if status != 0 and failed == 0:
        failed = 1  # a crash after the summary, a leak found at the end
    return passed, failed, skipped


def run(test):
    began = time.monotonic()
    try:
        done = subprocess.run(
            test["cmd"],
            cwd=test["workdir"],
            env={**os.environ, **test["env"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=test["timeout"] * TIMEOUT_FACTOR if test["timeout"] > 0 else None,
        )
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = expired.stdout or b"", None
    except OSError as error:
        output, status = str(error).encode(), 1
    return test, output.decode(errors="replace"), status, time.monotonic() - began


def report(test, output, status, seconds, counts):
    passed, failed, skipped = counts
    word = "not ok" if failed else "skip" if skipped and not passed else "ok"
    how = "timed out" if status is None else f"{passed} passed, {failed} failed, {skipped} skipped"
    if failed:
        print("\n".join(output.splitlines()[-SHOWN_LINES:]))
    print(f"{word} {test['name']}: {how} ({seconds:.1f} s)", flush=True)


def introspect(build_dir, what):
    command = ["meson", "introspect", what, build_dir]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def tests_of(build_dir, suites):
    tests = [
        test
        for test in introspect(build_dir, "--tests")
        if any(suite.split(":")[-1] in suites for suite in test["suite"])
    ]
    for test in tests:
        test["workdir"] = test["workdir"] or build_dir  # commands may be relative to it
    return tests


def print_targets(build_dir, suites):
    """Files, relative to the build directory, that must be built before these tests can run."""
    needed = {target for test in tests_of(build_dir, suites) for target in test["depends"]}
    top = os.path.abspath(build_dir)
    for target in introspect(build_dir, "--targets"):
        if target["id"] in needed:
            for file in target["filename"]:
                print(os.path.relpath(file, top))


def main():
    if sys.argv[1] == "--targets":
        print_targets(sys.argv[2], set(sys.argv[3:]))
        return 0
    build_dir, counts_file, suites = sys.argv[1], sys.argv[2], set(sys.argv[3:])
    tests = tests_of(build_dir, suites)
    total = [0, 0, 0]
    parallel = [test for test in tests if test.get("is_parallel", True)]
    alone = [test for test in tests if not test.get("is_parallel", True)]
    for group, workers in ((parallel, os.cpu_count() or 1), (alone, 1)):
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            for test, output, status, seconds in pool.map(run, group):
                counts = count(output, status)
                report(test, output, status, seconds, counts)
                total = [a + b for a, b in zip(total, counts)]
    if not tests:
        print(f"not ok {' '.join(sorted(suites))}: no such tests in {build_dir}")
        total[1] += 1
    with open(counts_file, "w", encoding="ascii") as file:
        print(*total, file=file)
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
