"""The writer's lock: one cvsearch writes to an index at a time, and the others can say who it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cvsearch.errors import LockedError


@contextmanager
def open_lock(folder: str, wait_seconds: float = 0) -> Iterator[None]:
    """Holds the index's lock; raises `LockedError` (host, pid, start) when another has it."""
    from filelock import FileLock, Timeout  # late: readers need no lock, and it is slow to load

    holder = os.path.join(folder, "writer.json")
    lock = FileLock(os.path.join(folder, "lock"))
    try:
        lock.acquire(timeout=wait_seconds, poll_interval=0.2)
    except Timeout:
        raise LockedError(
            f"another cvsearch is writing to this index: {_read_holder(holder)}",
            hint="wait for it with --wait-lock 10m, or run this again later",
        ) from None
    who = {
        "host": os.uname().nodename,
        "pid": os.getpid(),
        "started": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    try:
        with open(holder, "w", encoding="ascii") as file:
            json.dump(who, file)
        yield
    finally:
        if os.path.exists(holder):
            os.unlink(holder)
        lock.release()


def _read_holder(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            who = json.load(file)
        return f"host {who['host']}, pid {who['pid']}, since {who['started']}"
    except (OSError, ValueError, KeyError):
        return "a process that has just begun"
