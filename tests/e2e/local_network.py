#!/usr/bin/env python3
"""Runs scripts/run --local-network as a newcomer does, from a copy with programs that are built.

    local_network.py BUILD_DIR

Prints `ok NAME` and `not ok NAME`; exit 1 if one failed. The copy has a meson and a ninja that do
nothing, and a TMPDIR of its own, in which nothing may be left.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60


class Copy:
    def __init__(self, build):
        self.folder = Path(tempfile.mkdtemp(prefix="ringlay-copy-"))
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.tree = self.folder / "tree"
        shutil.copytree(ROOT / "scripts", self.tree / "scripts")
        (self.tree / "build/bench").mkdir(parents=True)
        for program in ("ringlay", "bench/ringlay-fleet"):
            (self.tree / "build" / program).symlink_to(build / program)
        (self.tree / "build/build.ninja").touch()
        bin_folder = self.folder / "bin"
        bin_folder.mkdir()
        for name, body in (("meson", ""), ("ninja", ""), ("dpkg-query", "printf installed")):
            (bin_folder / name).write_text(f"#!/bin/sh\n{body}\n")
            (bin_folder / name).chmod(0o755)
        self.path = f"{bin_folder}:{os.environ['PATH']}"

    def start(self, *flags, **environment):
        return subprocess.Popen(
            [self.tree / "scripts/run", "--local-network", *flags],
            env={**os.environ, "PATH": self.path, "TMPDIR": str(self.temporary), **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
            # As from a terminal; it is ignored below a shell's background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def processes(self):
        """Whatever runs with this copy's files in its command line, but not this test."""
        found = []
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
            except OSError:
                continue
            if str(self.folder).encode() in command and int(process) != os.getpid():
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def nothing_is_left(self):
        give_up = time.monotonic() + 10  # a killed script's processes are told by the kernel
        while self.processes() and time.monotonic() < give_up:
            time.sleep(0.1)
        assert not self.processes(), self.processes()
        assert not list(self.temporary.iterdir()), list(self.temporary.iterdir())

    def close(self):
        shutil.rmtree(self.folder)


def finish(process):
    """(status, output) of one that ends by itself or has been told to."""
    try:
        output, _ = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE_S)
        raise AssertionError(f"did not end: {output}") from None
    return process.returncode, output


def hosts_of(process):
    """Reads the script's lines until it names the list of hosts, then waits until all are there."""
    for line in process.stdout:
        found = re.search(r"curl (http://\S+)", line)
        if found:
            break
    else:
        raise AssertionError("no line to copy")
    give_up = time.monotonic() + PATIENCE_S
    names = []
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(found[1], timeout=5) as answer:
                names = [host["hostname"] for host in json.load(answer)["hosts"]]
        except OSError:
            pass
        if len(names) == 20:
            return found[1]
        time.sleep(0.2)
    raise AssertionError(f"{len(names)} hosts after {PATIENCE_S} s")


def events_flow(copy):
    status, output = finish(copy.start("--seconds", "20"))
    assert status == 0, (status, output)
    lines = re.findall(r"^(\d+)/(\d+) hosts, (\d+) events/s, (\d+) % verified.*$", output, re.M)
    assert lines and lines[-1][:2] == ("20", "20"), output
    assert int(lines[-1][2]) > 50, output
    assert lines[-1][3] == "100", output
    copy.nothing_is_left()


def copyable_lines_work(copy):
    first = copy.start()
    url = hosts_of(first)
    second = copy.start()
    assert hosts_of(second) != url, "a second one takes other ports"
    port = re.search(r":(\d+)/", url)[1]
    tail = subprocess.run(
        [copy.tree / "build/ringlay", "tail", f"ws://127.0.0.1:{port}", "--count", "5"],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )
    assert tail.returncode == 0, tail.stderr
    assert all("did" in json.loads(line) for line in tail.stdout.splitlines()), tail.stdout
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 143
    copy.nothing_is_left()


def ends_by_any_signal(copy):
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        process = copy.start()
        hosts_of(process)
        os.killpg(process.pid, number)  # as a terminal does
        ended, output = finish(process)
        assert ended == status, (number, ended, output)
        copy.nothing_is_left()


def a_killed_script_leaves_no_process(copy):
    process = copy.start()
    hosts_of(process)
    process.kill()
    process.wait()
    give_up = time.monotonic() + 20
    while any("ringlay" in command for command in copy.processes()):
        assert time.monotonic() < give_up, copy.processes()
        time.sleep(0.1)
    process.stdout.close()


def foreign_settings(copy):
    status, output = finish(copy.start("--seconds", "3", RELAY_HOSTS="http://198.51.100.1:1",
                                       RELAY_PORT="1", RELAY_UPSTREAM="nowhere.example",
                                       LOG_LEVEL="trace", SSL_CERT_FILE="/nowhere.pem",
                                       ATP_PLC_HOST="nowhere"))
    assert status == 0, (status, output)
    copy.nothing_is_left()


def ports_of_choice(copy):
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = [free.getsockname()[1] for free in (one, other)]
    process = copy.start("--port", str(ports[0]), "--http-port", str(ports[1]))
    assert f":{ports[0]}/" in hosts_of(process), "the line to copy has the port that was asked for"
    with urllib.request.urlopen(f"http://127.0.0.1:{ports[1]}/_stats", timeout=5) as answer:
        assert json.load(answer)["host_count"] == 20
    process.send_signal(signal.SIGTERM)
    status, output = finish(process)
    assert status == 143 and "No relay there" not in output, (status, output)
    status, output = finish(copy.start("--data-dir", "/tmp/of-mine"))
    assert status == 2 and "--data-dir" in output, (status, output)
    copy.nothing_is_left()


def wrong_flag(copy):
    status, output = finish(copy.start("--nonsense"))
    assert status == 2, (status, output)
    assert "--nonsense" in output, output
    copy.nothing_is_left()


CASES = {
    "run --local-network: 20 hosts connect, their events flow, nothing is left": events_flow,
    "run --local-network: the lines to copy work, beside a second one": copyable_lines_work,
    "run --local-network: ends by any signal, and leaves nothing": ends_by_any_signal,
    "run --local-network: a killed script leaves no process": a_killed_script_leaves_no_process,
    "run --local-network: settings of another relay do not matter": foreign_settings,
    "run --local-network: takes the ports that flags name": ports_of_choice,
    "run --local-network: a wrong flag is told, and nothing is left": wrong_flag,
}


def main():
    build = Path(sys.argv[1]).resolve()
    words = sys.argv[2:]
    bad = 0
    for name, case in CASES.items():
        if words and not any(word in name for word in words):
            continue
        copy = Copy(build)
        try:
            case(copy)
            print(f"ok {name}", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError) as error:
            bad += 1
            print(f"  line {error.__traceback__.tb_lineno}: {error}")
            print(f"not ok {name}", flush=True)
        copy.close()
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
