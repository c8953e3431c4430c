#!/usr/bin/env python3
"""Finds ports of 127.0.0.1, and says what holds those that are taken.

    ports.py pair FIRST                   the first free pair P P+1, from FIRST on, in steps of two
    ports.py check ADDRESS PORT [...]     exit 1 if one of them is taken; 0 is never

Of a taken port one line goes to standard error, with the process if its name may be read. Whatever
else is wrong with an address or a port is left for the relay to say.
"""

import errno
import os
import re
import socket
import sys
from pathlib import Path

PAIRS = 500
LISTENING = "0A"


def is_free(port, address="127.0.0.1"):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            probe.bind((address, port))
            probe.listen()
    except OSError as error:
        return error.errno != errno.EADDRINUSE
    return True


def sockets_of(port):
    """Inodes of the sockets that listen on it."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if fields[3] == LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def holder(port):
    """`NAME (process N)`, or nothing: it is somebody else's."""
    inodes = sockets_of(port)
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.scandir(f"/proc/{process}/fd"):
                found = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(descriptor.path))
                if found and found[1] in inodes:
                    name = Path(f"/proc/{process}/comm").read_text().strip()
                    return f"{name} (process {process})"
        except OSError:
            continue
    return None


def say_taken(port):
    who = holder(port) or "another user's process"
    print(f"Port {port} is taken by {who}.", file=sys.stderr)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "pair":
        first = int(sys.argv[2])
        for port in range(first, min(first + 2 * PAIRS, 65535), 2):
            taken = [one for one in (port, port + 1) if not is_free(one)]
            if not taken:
                print(port, port + 1)
                return 0
            if port == first:
                for one in taken:
                    say_taken(one)
        print("no free ports", file=sys.stderr)
        return 1
    if len(sys.argv) >= 4 and len(sys.argv) % 2 == 0 and sys.argv[1] == "check":
        asked = zip(sys.argv[2::2], map(int, sys.argv[3::2]))
        taken = [port for address, port in asked if port != 0 and not is_free(port, address)]
        for port in taken:
            say_taken(port)
        return 1 if taken else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
