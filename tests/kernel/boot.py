#!/usr/bin/env python3
"""Boots Debian 12's own kernel in an emulator, and runs the relay and its kernel's tests on it.

    boot.py BUILD_DIR

The machine that tests run on may have any kernel; this one is the oldest that is promised. It has
two processors without hardware's help, 4 GiB, busybox and what BUILD_DIR holds, and no network but
its own. Prints `ok NAME` and `not ok NAME`; exit 1 if one failed, 77 if it cannot be tried here.
The kernel is Debian's package, fetched once into BUILD_DIR/kernel.
"""

import gzip
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIMIT_S = 600
TESTS = ("relay/fiber/fiber_test", "relay/env/env_test")
KERNEL = re.compile(r"linux-image-6\.1\.\d+-\d+-amd64")


class CannotTry(Exception):
    pass


def output_of(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def kernel(folder):
    """The kernel's image, of the newest package of Debian 12."""
    folder.mkdir(exist_ok=True)
    found = sorted(folder.glob("image/boot/vmlinuz-6.1.*"))
    if found:
        return found[-1]
    try:
        names = KERNEL.findall(output_of("apt-cache", "depends", "linux-image-amd64"))
        if not names:
            raise CannotTry("this system's packages have no Linux 6.1")
        subprocess.run(["apt-get", "download", names[0]], cwd=folder, check=True,
                       capture_output=True)
        package = max(folder.glob("linux-image-*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, folder / "image"], check=True)
        package.unlink()
    except (OSError, subprocess.CalledProcessError) as error:
        raise CannotTry(f"no package of the kernel: {error}") from None
    shutil.rmtree(folder / "image/lib", ignore_errors=True)  # modules: nothing here is one
    return max(folder.glob("image/boot/vmlinuz-6.1.*"))


def files(build):
    """What the machine's file system holds: name -> path here."""
    busybox = shutil.which("busybox")
    if not busybox:
        raise CannotTry("busybox-static is not installed")
    programs = [build / "ringlay", build / "bench/ringlay-fleet"]
    programs += [build / "tests" / name for name in TESTS]
    held = {"bin/busybox": Path(busybox), "init": HERE / "init"}
    for program in programs:
        held[f"r/{program.name}"] = program
        for library in re.findall(r"(/\S+) \(0x", output_of("ldd", program)):
            held[library.lstrip("/")] = Path(library)
    return held


def archive(held):
    """A cpio archive in the form that the kernel unpacks (its docs: buffer-format, `newc`)."""
    out = bytearray()

    def add(name, mode, content):
        fields = [len(out) + 1, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        out.extend(b"070701" + "".join(f"{field:08X}" for field in fields).encode())
        out.extend(name.encode() + b"\0")
        out.extend(b"\0" * (-len(out) % 4))
        out.extend(content)
        out.extend(b"\0" * (-len(out) % 4))

    folders = {"proc", "sys", "dev", "tmp", "etc"}
    for name in held:
        folders.update(str(parent) for parent in Path(name).parents if str(parent) != ".")
    for name in sorted(folders):
        add(name, stat.S_IFDIR | 0o755, b"")
    for name, path in held.items():
        add(name, stat.S_IFREG | 0o755, path.read_bytes())
    add("bin/sh", stat.S_IFLNK | 0o777, b"busybox")
    add("etc/hosts", stat.S_IFREG | 0o644, b"127.0.0.1 localhost\n")
    add("TRAILER!!!", 0, b"")
    return bytes(out)


def boot(image, disk):
    emulator = shutil.which("qemu-system-x86_64")
    if not emulator:
        raise CannotTry("qemu-system-x86 is not installed")
    command = [emulator, "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "4096", "-nographic",
               "-no-reboot", "-nic", "none", "-kernel", image, "-initrd", disk,
               "-append", "console=ttyS0 quiet panic=1 rdinit=/init"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False,
                              timeout=LIMIT_S)
        said = done.stdout
    except subprocess.TimeoutExpired as late:
        said = late.stdout or b""
    return said.decode(errors="replace").replace("\r", "")


def value_of(said, name):
    found = re.search(rf"^{re.escape(name)}[= ](\d+)$", said, re.M)
    return int(found[1]) if found else -1


def cases(said):
    """name -> whether it is so."""
    yield "it is Linux 6.1", re.search(r"^kernel 6\.1\.", said, re.M) is not None
    for name in TESTS:
        program = Path(name).name
        yield f"{program} passes", value_of(said, f"status {program}") == 0
    yield "47 workers, 20 hosts: all are connected", value_of(said, "relay_connected_inbound") == 20
    verified = value_of(said, 'relay_events_total{verdict="verified"}')
    yield "events are verified and come out", verified > 100 and value_of(said, "lines") == 100
    yield "it ends by SIGTERM", value_of(said, "status relay") == 0


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    build = Path(sys.argv[1]).resolve()
    folder = build / "kernel"
    try:
        image = kernel(folder)
        disk = folder / "disk.gz"
        disk.write_bytes(gzip.compress(archive(files(build)), 1))
        said = boot(image, disk)
    except CannotTry as why:
        print(f"skip kernel: {why}")
        return 77
    bad = 0
    for name, holds in cases(said):
        print(f"{'ok' if holds else 'not ok'} kernel: {name}", flush=True)
        bad += not holds
    if bad:
        print("\n".join(said.splitlines()[-60:]))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
