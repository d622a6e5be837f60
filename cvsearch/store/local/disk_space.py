"""Room on the disk for what is paid for: looked at before a run sends, and kept in reserve while it runs."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3

from cvsearch.errors import CvsearchError
from cvsearch.store.local.vectors import row_bytes

RESERVE = "reserve"
RESERVE_BYTES = 2_000_000
"""More than one commit takes, so that what was paid for can be written when the disk is full."""
LOW_BYTES = 16_000_000
"""With less than this left a run ends."""
NAME_BYTES = 2_000
"""What the catalogue takes for a photo, about."""


class DiskFullError(CvsearchError):
    """There is no room left for what a run would pay for."""

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"the disk is full: {folder}",
            hint="make room and run it again; what was committed is kept",
        )


def is_full(error: Exception) -> bool:
    """Whether an error says that the disk, or the user's share of it, is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, sqlite3.Error) and _primary(error) == sqlite3.SQLITE_FULL


def is_busy(error: sqlite3.Error) -> bool:
    """Whether an error says that another process holds SQLite's lock."""
    return _primary(error) == sqlite3.SQLITE_BUSY


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def bytes_needed(vectors: int, dimension: int) -> int:
    """What so many new vectors with their names take on disk, about."""
    return vectors * (row_bytes(dimension) + NAME_BYTES)


def is_low(folder: str) -> bool:
    """Whether little room is left where a folder is."""
    return shutil.disk_usage(folder).free < LOW_BYTES


def has_room(folder: str, size: int) -> bool:
    """Whether so many bytes fit, and leave more than little."""
    return shutil.disk_usage(folder).free >= size + LOW_BYTES


def take_reserve(folder: str) -> None:
    """Sets room aside.  Raises `DiskFullError` when there is none."""
    handle = os.open(os.path.join(folder, RESERVE), os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(handle, 0, RESERVE_BYTES)
    except OSError as error:
        if not is_full(error):
            return  # a file system that sets nothing aside
        release_reserve(folder)
        raise DiskFullError(folder) from error
    finally:
        os.close(handle)


def release_reserve(folder: str) -> bool:
    """Gives the room back; says whether there was some."""
    path = os.path.join(folder, RESERVE)
    if not os.path.exists(path):
        return False
    os.unlink(path)
    return True
