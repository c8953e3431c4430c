"""The built relay where the system gives it little: few descriptors, a terminal that goes away.

usage: limits.py RINGLAY
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

RINGLAY = sys.argv[1]
PATIENCE_S = 60


class Relay:
    """A relay of its own directory and ports, without hosts."""

    def __init__(self, directory, descriptors=None, flags=(), has_nohup=False):
        self.log_path = os.path.join(directory, "lines")

        def limit():
            # Not as whoever runs the tests has it.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if has_nohup else signal.SIG_DFL)
            if descriptors is not None:
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))

        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                [RINGLAY, "--data-dir", os.path.join(directory, "data"), "--port", "0",
                 "--http-port", "0", "--upstream", "", "--plc-url", "http://127.0.0.1:9",
                 "--segment-bytes", "1MiB", "--workers", "2", "--log-format", "json", *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=limit,
                env={k: v for k, v in os.environ.items() if not k.startswith("RELAY_")})
        serving = self.line("serving")
        self.http = serving["http"]
        self.port = int(self.http.rsplit(":", 1)[1])

    def lines(self):
        with open(self.log_path, encoding="utf-8") as log:
            return [json.loads(line) for line in log if line.startswith("{")]

    def line(self, event):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            for line in self.lines():
                if line.get("event") == event:
                    return line
            assert self.process.poll() is None, "the relay has ended:\n" + self.text()
            time.sleep(0.05)
        raise AssertionError(f"no line '{event}':\n" + self.text())

    def text(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def page(self, path):
        try:
            with urllib.request.urlopen(self.http + path, timeout=PATIENCE_S) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read().decode()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def few_descriptors():
    """Two hundred strangers on a relay of 128 descriptors: it lives, answers, says what it is."""
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(directory, descriptors=128)
        try:
            room = relay.line("this machine has less room than the settings")
            assert room["reason"].startswith("descriptors: the hard limit is 128 "), room
            strangers = [socket.create_connection(("127.0.0.1", relay.port)) for _ in range(200)]
            status, alive = relay.page("/_healthz")
            assert status == 200, alive
            reasons = json.loads(relay.page("/_health")[1])["reasons"]
            assert room["reason"] in reasons, reasons
            for stranger in strangers:
                stranger.close()
            assert relay.page("/_healthz")[0] == 200
            open_now = len(os.listdir(f"/proc/{relay.process.pid}/fd"))
            assert open_now < 64, open_now
            relay.process.send_signal(signal.SIGTERM)
            assert relay.process.wait(PATIENCE_S) == 0, relay.text()
        finally:
            relay.end()


def hangup():
    """A terminal that is closed says so twice; the log is synced and marked clean all the same."""
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(directory)
        try:
            relay.process.send_signal(signal.SIGHUP)
            relay.process.send_signal(signal.SIGHUP)
            assert relay.process.wait(PATIENCE_S) == 0, relay.text()
            assert os.path.exists(os.path.join(directory, "data", "clean"))
        finally:
            relay.end()


def nohup():
    """Below nohup a terminal that is closed ends nothing."""
    with tempfile.TemporaryDirectory() as directory:
        relay = Relay(directory, has_nohup=True)
        try:
            relay.process.send_signal(signal.SIGHUP)
            assert relay.page("/_healthz")[0] == 200
            assert len([line for line in relay.lines() if line["event"] == "stopping"]) == 0
            relay.process.send_signal(signal.SIGTERM)
            assert relay.process.wait(PATIENCE_S) == 0, relay.text()
        finally:
            relay.end()


def log_file():
    """Lines go to the file that is named, and one that cannot be written ends the start."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "lines")  # where this test reads, too
        relay = Relay(directory, flags=("--log-file", path))
        try:
            relay.process.send_signal(signal.SIGTERM)
            assert relay.process.wait(PATIENCE_S) == 0, relay.text()
            assert relay.line("stopped")
        finally:
            relay.end()
        done = subprocess.run([RINGLAY, "--data-dir", directory, "--log-file", "/nonexistent/log"],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 2, done
        assert "log_file: cannot write to /nonexistent/log" in done.stderr, done.stderr


for test in (few_descriptors, hangup, nohup, log_file):
    test()
    print("ok", test.__name__)
