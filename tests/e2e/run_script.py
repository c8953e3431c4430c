#!/usr/bin/env python3
"""Runs scripts/run as a newcomer does, in a terminal and without, from a copy with built programs.

    run_script.py BUILD_DIR [WORD...]

Prints `ok NAME` and `not ok NAME`; exit 1 if one failed. The copy has a meson and a ninja that do
nothing, and a TMPDIR of its own, in which nothing may be left.
"""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
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
        return self.start_run("--local-network", *flags, **environment)

    def start_run(self, *flags, **environment):
        return subprocess.Popen(
            [self.tree / "scripts/run", *flags],
            env={**os.environ, "PATH": self.path, "TMPDIR": str(self.temporary), **environment},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
            # As from a terminal; it is ignored below a shell's background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def processes(self):
        """{number: command} of what runs with this copy's files, but not this test."""
        found = {}
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes()
            except OSError:
                continue
            if str(self.folder).encode() in command and int(process) != os.getpid():
                found[int(process)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def kill(self, words):
        for process, command in self.processes().items():
            if words in command:
                os.kill(process, signal.SIGKILL)

    def nothing_is_left(self):
        give_up = time.monotonic() + 10  # a killed script's processes are told by the kernel
        while self.processes() and time.monotonic() < give_up:
            time.sleep(0.1)
        assert not self.processes(), self.processes()
        assert not list(self.temporary.iterdir()), list(self.temporary.iterdir())

    def close(self):
        shutil.rmtree(self.folder)


class Terminal:
    """scripts/run with a terminal of 100 columns and 30 lines; `shown` is all that was written."""

    def __init__(self, copy, *flags, **environment):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, (30).to_bytes(2, "little")
                    + (100).to_bytes(2, "little") + bytes(4))
        self.process = subprocess.Popen(
            [copy.tree / "scripts/run", *flags], stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, "PATH": copy.path, "TMPDIR": str(copy.temporary), "TERM": "xterm",
                 **environment},
            start_new_session=True, preexec_fn=self.take_terminal,
        )
        os.close(slave)
        self.shown = ""

    @staticmethod
    def take_terminal():
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored below a shell's background
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self, seconds):
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            got = os.read(self.master, 65536)
        except OSError:  # nobody has it open any more
            return False
        self.shown += got.decode(errors="replace")
        return bool(got)

    def wait_for(self, *words):
        give_up = time.monotonic() + PATIENCE_S
        while not all(word in self.shown for word in words):
            assert time.monotonic() < give_up and self.read(1), (words, self.shown[-3000:])

    def press_ctrl_c(self):
        os.write(self.master, b"\x03")

    def finish(self):
        give_up = time.monotonic() + PATIENCE_S
        while self.read(1):
            if time.monotonic() > give_up:
                self.process.kill()
                raise AssertionError(f"did not end: {self.shown[-3000:]}")
        os.close(self.master)
        return self.process.wait(PATIENCE_S)


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
    while any("ringlay" in command for command in copy.processes().values()):
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
    ports = free_ports()
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


def panel_of_the_local_network(copy):
    terminal = Terminal(copy, "--local-network")
    terminal.wait_for("20 of 20", "100 %", "In another terminal", "com.atproto.sync.listHosts")
    terminal.press_ctrl_c()
    assert terminal.finish() == 130, terminal.shown[-3000:]
    assert "Stopping." in terminal.shown
    copy.nothing_is_left()


def free_ports():
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return [free.getsockname()[1] for free in (one, other)]


def real_network(copy):
    """Flags for the real network, where none is in reach: nothing listens at port 1."""
    port, http_port = free_ports()
    return ("--data-dir", str(copy.folder / "data"), "--port", str(port), "--http-port",
            str(http_port), "--upstream", "http://127.0.0.1:1", "--plc-url", "http://127.0.0.1:1")


def without_internet(copy):
    terminal = Terminal(copy, *real_network(copy))
    terminal.wait_for("not reachable", "scripts/run --local-network", "0 of 0")
    assert terminal.process.poll() is None, "it goes on"
    terminal.press_ctrl_c()
    assert terminal.finish() == 130, terminal.shown[-3000:]
    log = (copy.folder / "data/ringlay.log").read_text()
    assert "retrying in" in log and '"event":"stopped"' in log, log
    give_up = time.monotonic() + 10
    while copy.processes():
        assert time.monotonic() < give_up, copy.processes()
        time.sleep(0.1)


def relay_dies_below_the_panel(copy):
    terminal = Terminal(copy, *real_network(copy))
    terminal.wait_for("0 of 0")
    log = copy.folder / "data/ringlay.log"
    give_up = time.monotonic() + PATIENCE_S
    while "event log opened" not in log.read_text():
        assert time.monotonic() < give_up and terminal.read(0.1), terminal.shown[-3000:]
    copy.kill(f"ringlay --data-dir {copy.folder}")
    assert terminal.finish() == 137, terminal.shown[-3000:]
    for words in ("The relay has ended with status 137", '"event":"event log opened"'):
        assert words in terminal.shown, terminal.shown[-3000:]


CASES = {
    "run --local-network: 20 hosts connect, their events flow, nothing is left": events_flow,
    "run --local-network: the lines to copy work, beside a second one": copyable_lines_work,
    "run --local-network: ends by any signal, and leaves nothing": ends_by_any_signal,
    "run --local-network: a killed script leaves no process": a_killed_script_leaves_no_process,
    "run --local-network: settings of another relay do not matter": foreign_settings,
    "run --local-network: takes the ports that flags name": ports_of_choice,
    "run --local-network: the panel shows it in a terminal": panel_of_the_local_network,
    "run: without internet the panel says why, names the local network, and goes on":
        without_internet,
    "run: when the relay dies its last lines are shown": relay_dies_below_the_panel,
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
