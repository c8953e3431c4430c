#!/usr/bin/env python3
"""Tests the scripts against commands that only pretend.

Each case gets a PATH of its own in which dpkg-query, apt-get, sudo, id, meson and ninja are small
scripts that write down how they were called. Prints `ok NAME` and `not ok NAME`; exit 1 if one
failed.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import run_suites  # noqa: E402

NEEDED = ("bash", "sh", "dirname", "basename", "mktemp", "rm", "cat", "tee", "grep", "tail", "awk",
          "nproc", "mkdir", "cmp", "env", "python3", "sleep", "cut", "true", "uname")


class Machine:
    """A temporary PATH; `calls` is what the pretended commands were called with, in order."""

    def __init__(self, **commands):
        self.folder = Path(tempfile.mkdtemp())
        self.log = self.folder / "calls"
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        for name in NEEDED:
            (bin_folder / name).symlink_to(shutil.which(name))
        for name, body in commands.items():
            file = bin_folder / name.replace("_", "-")
            file.write_text(
                f'#!/bin/bash\necho "{file.name} $*" >>"{self.log}"\n{body}\n', encoding="utf-8"
            )
            file.chmod(0o755)
        self.path = str(bin_folder)

    def run(self, *command, **environment):
        done = subprocess.run(
            [str(part) for part in command],
            env={"PATH": self.path, "HOME": str(self.folder), **environment},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        self.calls = self.log.read_text().splitlines() if self.log.exists() else []
        return done

    def called(self, start):
        return [call for call in self.calls if call.startswith(start)]

    def close(self):
        shutil.rmtree(self.folder)


def dpkg(*missing):
    """dpkg-query for a machine that lacks these packages."""
    names = "|".join(missing) or "nothing"
    return f'case "${{!#}}" in {names}) exit 1;; esac; printf installed'


ROOT_ID, USER_ID = "echo 0", "echo 1000"


def setup_nothing_missing():
    machine = Machine(dpkg_query=dpkg(), apt_get="", sudo="", id=ROOT_ID)
    for group in ("run", "test"):
        done = machine.run(ROOT / "scripts/setup", group)
        assert done.returncode == 0, done.stderr
    assert not machine.called("apt-get") and not machine.called("sudo"), machine.calls
    machine.close()


def setup_as_root():
    machine = Machine(dpkg_query=dpkg("meson", "g++"), apt_get="", id=ROOT_ID)
    done = machine.run(ROOT / "scripts/setup")
    assert done.returncode == 0, done.stderr
    assert "apt-get update && apt-get install -y" in done.stderr, done.stderr
    assert machine.called("apt-get") == [
        "apt-get update", "apt-get install -y --no-install-recommends g++ meson"
    ], machine.calls
    machine.close()


def setup_fails_in_words():
    """Whoever installs: apt's failure is no reason to send for root."""
    sudo = '[ "$1" = -n ] || exec "$@"'
    for who in ({"id": ROOT_ID}, {"id": USER_ID, "sudo": sudo}):
        for fails, calls in (("update", 1), ("install", 2)):
            machine = Machine(dpkg_query=dpkg("meson"), apt_get=f'[ "$1" != {fails} ]', **who)
            done = machine.run(ROOT / "scripts/setup")
            assert done.returncode == 3, (done.returncode, done.stderr)
            assert "could not be installed" in done.stderr and "meson" in done.stderr, done.stderr
            assert "as root" not in done.stdout + done.stderr, done.stdout
            assert len(machine.called("apt-get")) == calls, machine.calls
            machine.close()


def setup_with_sudo():
    machine = Machine(dpkg_query=dpkg("meson"), sudo='[ "$1" = -n ] || exec "$@"', apt_get="",
                      id=USER_ID)
    done = machine.run(ROOT / "scripts/setup")
    assert done.returncode == 0, done.stderr
    assert "apt-get install -y --no-install-recommends meson" in done.stderr
    assert len(machine.called("apt-get")) == 2, machine.calls
    machine.close()


def setup_without_rights():
    for commands in ({}, {"sudo": "exit 1"}):
        machine = Machine(dpkg_query=dpkg("meson"), apt_get="", id=USER_ID, **commands)
        done = machine.run(ROOT / "scripts/setup")
        assert done.returncode == 3, done.returncode
        assert done.stdout == (
            "apt-get update && apt-get install -y --no-install-recommends meson\n"
        ), done.stdout
        assert not machine.called("apt-get"), machine.calls
        machine.close()


def setup_pkgconf():
    machine = Machine(dpkg_query=dpkg("pkg-config"), apt_get="", id=ROOT_ID)
    assert machine.run(ROOT / "scripts/setup").returncode == 0
    assert not machine.called("apt-get"), machine.calls
    machine.close()


def setup_groups():
    machine = Machine(dpkg_query=dpkg("clang-19", "nodejs", "npm"), apt_get="", id=ROOT_ID)
    assert machine.run(ROOT / "scripts/setup", "run").returncode == 0
    assert not machine.called("apt-get"), "run needs no clang"
    machine.run(ROOT / "scripts/setup", "test")
    assert machine.called("apt-get install")[-1].endswith("recommends clang-19"), machine.calls
    machine.run(ROOT / "scripts/setup", "all")
    assert machine.called("apt-get install")[-1].endswith("clang-19 nodejs npm"), machine.calls
    assert machine.run(ROOT / "scripts/setup", "everything").returncode == 2
    machine.close()


def setup_foreign_npm():
    machine = Machine(dpkg_query=dpkg("nodejs", "npm"), apt_get="", npm="", id=ROOT_ID)
    assert machine.run(ROOT / "scripts/setup", "all").returncode == 0
    assert not machine.called("apt-get"), "an npm from elsewhere is enough"
    machine.close()


def a_copy_of_the_scripts():
    """A tree with our scripts and nothing else, in which suites can be planted."""
    tree = Path(tempfile.mkdtemp())
    shutil.copytree(ROOT / "scripts", tree / "scripts")
    (tree / "tests/tidy").mkdir(parents=True)
    (tree / "tests/e2e").mkdir()
    plant(tree, "tests/e2e/run_script.py", "print('ok local')")
    return tree


def plant(tree, path, text):
    file = tree / path
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def run_test(tree, *arguments, **environment):
    machine = Machine(dpkg_query=dpkg(), meson="", ninja="", npm="", id=USER_ID)
    (tree / "build").mkdir(exist_ok=True)
    (tree / "build/build.ninja").touch()
    (tree / "build/.options").write_text("-Dtests=true\n")
    done = machine.run(tree / "scripts/test", *arguments, **environment)
    machine.close()
    return done, done.stdout.splitlines()[-1] if done.stdout else done.stderr


def plant_tidy(tree, tidy="", tidy_test="print('ok c')", scripts_test="print('ok d')"):
    plant(tree, "tests/tidy/tidy.py", tidy)
    plant(tree, "tests/tidy/tidy_test.py", tidy_test)
    plant(tree, "tests/tidy/scripts_test.py", scripts_test)


def test_counts_lines():
    tree = a_copy_of_the_scripts()
    plant_tidy(tree, "print('ok a\\nskip b\\nnot okay\\n ok x')")
    done, last = run_test(tree, "tidy")
    assert (done.returncode, last) == (0, "3 passed, 0 failed, 1 skipped"), done.stdout
    plant_tidy(tree, "print('not ok a'); raise SystemExit(1)")
    done, last = run_test(tree, "tidy")
    assert (done.returncode, last) == (1, "2 passed, 1 failed, 0 skipped"), done.stdout
    shutil.rmtree(tree)


def test_counts_silence_and_crashes():
    tree = a_copy_of_the_scripts()
    plant_tidy(tree, "", "print('ok a'); raise SystemExit(3)")
    done, last = run_test(tree, "tidy")
    assert (done.returncode, last) == (1, "2 passed, 2 failed, 0 skipped"), done.stdout
    shutil.rmtree(tree)


def test_e2e_out_of_reach():
    tree = a_copy_of_the_scripts()
    plant(tree, "tests/e2e/run", "#!/bin/bash\necho skip all: no registry\nexit 77\n")
    done, last = run_test(tree, "e2e")
    assert (done.returncode, last) == (0, "1 passed, 0 failed, 1 skipped"), done.stdout
    assert "not run: e2e" in done.stdout
    for arguments, environment in ((["--require-all"], {}), ([], {"CI": "true"})):
        done, last = run_test(tree, "e2e", *arguments, **environment)
        assert (done.returncode, last) == (1, "1 passed, 1 failed, 0 skipped"), done.stdout
    shutil.rmtree(tree)


def test_fuzz_counts_each_step():
    tree = a_copy_of_the_scripts()
    (tree / "build-asan/tests/fuzz").mkdir(parents=True)
    (tree / "build-asan/build.ninja").touch()
    (tree / "build-asan/.options").touch()
    (tree / "tests/fuzz/corpus/url").mkdir(parents=True)
    for name, body in (("url", '[[ $* == *corpus/url* ]]'), ("tid", "sleep 0.2"),
                       ("car", '[[ $* != *-max_total_time* ]]')):
        plant(tree, f"build-asan/tests/fuzz/{name}_fuzz", f"#!/bin/bash\n{body}\n")
    done, last = run_test(tree, "fuzz")
    assert (done.returncode, last) == (1, "5 passed, 1 failed, 0 skipped"), done.stdout
    assert "not ok fuzz car: 10 s (input in build-asan/crashes)" in done.stdout, done.stdout
    (tree / "build-asan/tests/fuzz/car_fuzz").unlink()
    done, last = run_test(tree, "fuzz")
    assert (done.returncode, last) == (0, "4 passed, 0 failed, 0 skipped"), done.stdout
    shutil.rmtree(tree)


def test_goes_on_after_a_failure():
    tree = a_copy_of_the_scripts()
    plant_tidy(tree, "raise SystemExit(1)")
    plant(tree, "tests/e2e/run", "#!/bin/bash\necho ok one\necho ok two\n")
    done, last = run_test(tree, "tidy", "e2e")
    assert (done.returncode, last) == (1, "5 passed, 2 failed, 0 skipped"), done.stdout
    assert run_test(tree, "everything")[0].returncode == 2
    shutil.rmtree(tree)


DEFAULTS = {"data_dir": "./data", "port": "0", "http_port": "0", "bind": "127.0.0.1",
            "http_bind": "127.0.0.1", "hosts": "", "upstream": "https://bsky.network",
            "max_hosts": "20000", "retention_hours": "72", "retention_bytes": "0"}


def run_here(*flags, settings=None, ring="raise SystemExit(0)"):
    """scripts/run without a terminal, of a relay that has these settings and says how it was
    called."""
    tree = a_copy_of_the_scripts()
    (tree / "build").mkdir()
    (tree / "build/build.ninja").touch()
    told = "".join(f"{name}\t{value}\tdefault\n"
                   for name, value in {**DEFAULTS, **(settings or {})}.items())
    (tree / "build/settings").write_text(told)
    plant(tree, "scripts/lib/ring.py", f"#!/usr/bin/env python3\n{ring}\n")
    plant(tree, "build/ringlay", f"""#!/bin/bash
case "$*" in
    *--wrong*) echo "flag --wrong is not known" >&2; exit 2 ;;
    --print-settings*) cat {tree}/build/settings ;;
    *) echo "relay $*" ;;
esac
""")
    machine = Machine(dpkg_query=dpkg(), meson="", ninja="", id=ROOT_ID, df="echo 50",
                      du='printf "10\\tx\\n"')
    done = machine.run(tree / "scripts/run", *flags)
    machine.close()
    shutil.rmtree(tree)
    return done


def run_introduces():
    done = run_here("--port=0", "--http-port", "0", settings={"data_dir": "/nowhere/d"})
    assert done.returncode == 0, done.stderr
    assert done.stdout == "relay --port=0 --http-port 0\n", done.stdout
    for words in ("Data      /nowhere/d\n", "72 hours, at most 25 GB;", "about 9 GB/h",
                  "20 Mbit/s from about 2,800 hosts", "127.0.0.1:0", "--local-network",
                  "Running as root: the files in /nowhere/d will be root's.\n"):
        assert words in done.stderr, (words, done.stderr)
    assert "Hosts" not in done.stderr


def run_introduces_as_set():
    done = run_here(settings={"data_dir": "/tmp", "retention_hours": "5",
                              "retention_bytes": "7000000000", "hosts": "one.example",
                              "upstream": ""})
    for words in ("Data      /tmp\n", "5 hours, at most 7000 MB;", "Hosts     one.example\n"):
        assert words in done.stderr, (words, done.stderr)
    assert "2,800" not in done.stderr
    done = run_here(settings={"data_dir": "/tmp", "max_hosts": "9"})
    assert "from 9 hosts at most" in done.stderr, done.stderr
    assert "at most 30 GB" in done.stderr, "its own 10 GB count as free"


def run_help():
    done = run_here("--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, "relay --help\n", ""), done


def run_says_what_is_wrong_first():
    done = run_here("--wrong")
    assert done.returncode == 2 and "--wrong is not known" in done.stderr, done
    assert "Data" not in done.stderr
    done = run_here("--seconds", "5")
    assert done.returncode == 2 and "--local-network" in done.stderr, done
    done = run_here(ring="raise SystemExit('no rings here')")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no rings here\n"), done


def a_holder(address="127.0.0.1"):
    holder = socket.socket()
    holder.bind((address, 0))
    holder.listen()
    return holder, holder.getsockname()[1]


def run_port_taken():
    holder, port = a_holder()
    with holder:
        done = run_here(settings={"port": str(port)})
        assert (done.returncode, done.stdout) == (2, ""), done
        who = f"Port {port} is taken by python3 (process {os.getpid()})."
        assert who in done.stderr, done.stderr
        # Only where it is taken.
        assert run_here(settings={"port": str(port), "bind": "127.0.0.9"}).returncode == 0
        assert run_here(settings={"http_port": str(port), "http_bind": "::"}).returncode == 2
    # What else is wrong with an address or a port is the relay's to say.
    assert run_here(settings={"port": str(port), "bind": "203.0.113.1"}).returncode == 0


def suites_count_catch():
    counts = run_suites.count
    assert counts("All tests passed (8 assertions in 48 test cases)\n", 0) == (48, 0, 0)
    assert counts("All tests passed (1 assertion in 1 test case)\n", 0) == (1, 0, 0)
    some = "test cases:   48 |   46 passed | 2 failed\nassertions: 1 | 1 failed\n"
    assert counts(some, 2) == (46, 2, 0)
    assert counts("test cases: 3 | 3 failed\n", 3) == (0, 3, 0)
    assert counts("test cases: 3 | 2 passed | 1 failed as expected\n", 0) == (3, 0, 0)


def suites_count_what_goes_wrong():
    counts = run_suites.count
    assert counts("All tests passed (8 assertions in 48 test cases)\nleak\n", 1) == (48, 1, 0)
    assert counts("Segmentation fault\n", -11) == (0, 1, 0)
    assert counts("hangs", None) == (0, 1, 0)
    assert counts("No tests ran\n", 0) == (0, 1, 0)
    assert counts("anything", 77) == (0, 0, 1)
    assert counts("", 0) == (1, 0, 0)
    assert counts("ok a\nnot ok b\nskip c\nok d\n", 1) == (2, 1, 1)
    assert counts("ok a\n", 9) == (1, 1, 0)


CASES = {
    "setup: never calls apt when nothing is missing": setup_nothing_missing,
    "setup: root installs exactly what is missing": setup_as_root,
    "setup: what cannot be installed is told in words, and exits 3": setup_fails_in_words,
    "setup: sudo is used, and the line shown": setup_with_sudo,
    "setup: without rights it prints one line and exits 3": setup_without_rights,
    "setup: pkgconf stands for pkg-config": setup_pkgconf,
    "setup: each group asks for its own packages": setup_groups,
    "setup: an npm from elsewhere is left alone": setup_foreign_npm,
    "test: the last line sums the lines of all programs": test_counts_lines,
    "test: a silent program and a crash are failures": test_counts_silence_and_crashes,
    "test: e2e out of reach is skipped, and failed when all is required": test_e2e_out_of_reach,
    "test: the corpus and the search of each fuzz target count": test_fuzz_counts_each_step,
    "test: all suites run, whatever fails": test_goes_on_after_a_failure,
    "run: says what it will use, and hands its flags over": run_introduces,
    "run: what is set is what it says": run_introduces_as_set,
    "run: help is the relay's": run_help,
    "run: a wrong flag, and no io_uring, are told first": run_says_what_is_wrong_first,
    "run: names what holds a port that is taken": run_port_taken,
    "run_suites: Catch2's summaries are counted in cases": suites_count_catch,
    "run_suites: crashes, timeouts and empty runs are failures": suites_count_what_goes_wrong,
}


def main():
    bad = 0
    for name, case in CASES.items():
        try:
            case()
            print(f"ok {name}", flush=True)
        except AssertionError as error:
            bad += 1
            print(f"  line {error.__traceback__.tb_lineno}: {error}")
            print(f"not ok {name}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
