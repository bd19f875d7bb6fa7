"""
Start a program that ends when its parent does, even when that is killed.

Run as a file: `leash.py PARENT PROGRAM ARGUMENT...`. Linux sends the signal; on
other systems the program merely starts.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """
    Ask for SIGTERM when the parent dies.

    Survives exec. The parent is compared afterwards, since it may have died before
    the kernel was asked.
    """
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606
