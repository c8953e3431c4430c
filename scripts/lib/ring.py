#!/usr/bin/env python3
"""Says whether this machine lets a program use io_uring; exit 1, and why on standard error, if not.

The relay looks again, and closer, when it starts: this is to know before minutes of building.
"""

import ctypes
import errno
import os
import sys

IO_URING_SETUP = 425  # of every architecture
LEAST_KERNEL = (6, 1)


def main():
    release = os.uname().release
    numbers = tuple(int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit())
    if len(numbers) == 2 and numbers < LEAST_KERNEL:
        print(f"Linux {release} is too old: the relay needs 6.1 or later.", file=sys.stderr)
        return 1
    # A ring of no entries is refused as invalid where rings are allowed.
    ctypes.CDLL(None, use_errno=True).syscall(IO_URING_SETUP, 0, None)
    refused = ctypes.get_errno()
    if refused in (errno.EPERM, errno.EACCES, errno.ENOSYS):
        print(
            "io_uring is not allowed here, and the relay needs it"
            f" ({errno.errorcode[refused]}): docs/operations.md, \"io_uring is forbidden here\".",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
