#!/usr/bin/env python3
"""Each metric that the documents name is one of a running relay.

    metrics_docs.py RINGLAY README.md DOCS...

Starts the program on ports of its own, with nobody to talk to, and reads /metrics. A label that a
document gives a value must have that value in some series; `...` is any value.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

NAMED = re.compile(r"(?<![\w/])(relay_[a-z0-9_]+)(?:\{([^}\n]*)\})?(?![\w/])")
LABEL = re.compile(r'(\w+)="([^"]*)"')
# Programs of the tests are called alike.
PROGRAMS = re.compile(r"relay_\w+_test")


def names_in(text):
    for name, labels in NAMED.findall(text):
        if not PROGRAMS.fullmatch(name):
            yield name, tuple(LABEL.findall(labels))


def page_of(program, directory):
    nobody = "http://127.0.0.1:9"
    environment = {"PATH": os.environ["PATH"], "RELAY_UPSTREAM": nobody, "RELAY_PLC_URL": nobody}
    options = ["--port", "0", "--http-port", "0", "--http-bind", "127.0.0.1", "--bind", "127.0.0.1"]
    options += ["--data-dir", directory, "--log-format", "json", "--workers", "1"]
    relay = subprocess.Popen([program, *options], env=environment, text=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        for line in relay.stderr:
            if '"http":"' not in line:
                continue
            with urllib.request.urlopen(json.loads(line)["http"] + "/metrics") as answer:
                return answer.read().decode()
        sys.exit("the relay ended without a word of its ports")
    finally:
        relay.terminate()
        relay.stderr.read()
        relay.wait()


def main():
    program, *documents = sys.argv[1:]
    with tempfile.TemporaryDirectory() as directory:
        page = page_of(program, directory)
    series = {}
    for line in page.splitlines():
        if not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})?", line).groups()
            labels = dict(LABEL.findall(labels or ""))
            series.setdefault(name, []).append(labels)
            series.setdefault(name.removesuffix("_bucket"), []).append(labels)  # of a histogram
    missing = 0
    named = 0
    for document in documents:
        for name, labels in names_in(Path(document).read_text("utf-8")):
            named += 1
            wanted = {key: value for key, value in labels if value != "..."}
            known = any(wanted.items() <= labels.items() for labels in series.get(name, []))
            if not known:
                print(f"{document}: {name} {wanted or ''} is no metric of the relay")
                missing += 1
    if named < 30:
        sys.exit(f"only {named} names were found: the documents are not read as they are written")
    print(f"{named} names, {missing} of them unknown")
    sys.exit(1 if missing else 0)


if __name__ == "__main__":
    main()
