"""Vectors of texts and pictures that were asked before, so that asking again costs nothing.

They lie beside the catalogue in a database of their own, so that a query never waits for a run that
indexes; where the index cannot be written they are kept in the user's cache folder.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.store.catalogue import is_writable, uri_of
from cvsearch.values import Space

if TYPE_CHECKING:
    from cvsearch.values import Vector

NAME = "queries.sqlite"
_TABLE = (
    "CREATE TABLE IF NOT EXISTS query (space TEXT, kind TEXT, key BLOB, vector BLOB NOT NULL,"
    " PRIMARY KEY (space, kind, key)) WITHOUT ROWID"
)


class QueryCache:
    """Looks in each folder in turn, writes to the first that can be written."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def find(self, space: Space, kind: str, key: bytes) -> Vector | None:
        """The vector as received (float32), if this was asked before in this space."""
        for folder in self._folders:
            found = _read(os.path.join(folder, NAME), (str(space), kind, key))
            if found is not None:
                return np.frombuffer(found, np.float32)
        return None

    def add(self, space: Space, kind: str, key: bytes, vector: Vector) -> bool:
        """Keeps a vector; says whether any folder could take it."""
        row = (str(space), kind, key, np.asarray(vector, np.float32).tobytes())
        return any(_write(folder, row) for folder in self._folders)


def _read(path: str, key: tuple[str, str, bytes]) -> bytes | None:
    if not os.path.exists(path):
        return None
    try:
        uri = uri_of(path, "rw" if is_writable(path) else "ro")
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            found = connection.execute(
                "SELECT vector FROM query WHERE space = ? AND kind = ? AND key = ?", key
            ).fetchone()
    except sqlite3.Error:
        return None
    return None if found is None else bytes(found[0])


def _write(folder: str, row: tuple[str, str, bytes, bytes]) -> bool:
    try:
        os.makedirs(folder, exist_ok=True)
        with closing(sqlite3.connect(os.path.join(folder, NAME), timeout=10)) as connection, connection:
            connection.execute(_TABLE)
            connection.execute("INSERT OR REPLACE INTO query VALUES (?, ?, ?, ?)", row)
    except (OSError, sqlite3.Error):
        return False
    return True
