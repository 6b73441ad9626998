"""What tests have worker processes do: a module of its own, which those can import."""

import os
import time

from suite.measuring import in_worker


def pid_after(what):
    """One cell: its process, and perhaps the end of it."""
    if what == "dies":
        os.abort()
    if what == "exits":
        os._exit(in_worker.REPLACE_EXIT_CODE)
    if what == "hangs":
        time.sleep(3600)
    if what == "spoils":
        in_worker.spoil("test")
    if what == "raises":
        raise RuntimeError("no such luck\nsecond line")
    if what == "quits":
        raise SystemExit(3)
    return os.getpid()


def take(n_bytes):
    return len(bytearray(n_bytes))
