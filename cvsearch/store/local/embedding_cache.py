"""Vectors of texts and pictures that were asked before, so that asking again costs nothing.

They lie beside the catalogue in a database of their own, so that a query never waits for a run that
indexes; where the index cannot be written they are kept in the user's cache folder.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from threading import RLock, Timer
from typing import Any

import numpy as np
import platformdirs

from cvsearch.model import Space, Vector
from cvsearch.store.local.catalogue import uri_of

NAME = "queries.sqlite"
MOST_PENDING = 64
MOST_SECONDS = 1.0
_TABLES = """
CREATE TABLE IF NOT EXISTS query (
    space TEXT, kind TEXT, key BLOB, vector BLOB NOT NULL, PRIMARY KEY (space, kind, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS traffic (
    host TEXT PRIMARY KEY, calls INTEGER NOT NULL, bytes INTEGER NOT NULL
) WITHOUT ROWID;
"""

_Key = tuple[str, str, bytes]


def open_embedding_cache(folder: str | None) -> EmbeddingCache:
    """Where asked texts and pictures are kept: in the index, or else in the user's cache folder."""
    users = str(platformdirs.user_cache_path("cvsearch"))
    return EmbeddingCache((users,) if folder is None else (folder, users))


class EmbeddingCache:
    """Looks in each folder in turn, writes to the first that can be written."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._most = 1
        self._pending: dict[_Key, bytes] = {}
        self._timer: Timer | None = None
        self._lock = RLock()

    @contextmanager
    def batching(self) -> Iterator[None]:
        """Within it vectors are written together, at most 64 or those of a second; what waits at the
        end is written however that comes about.
        """
        self._most = MOST_PENDING
        try:
            yield
        finally:
            self._most = 1
            self.flush()

    def find(self, space: Space, kind: str, key: bytes) -> Vector | None:
        """The vector as received (float32), if this was asked before in this space."""
        name = (str(space), kind, key)
        with self._lock:
            pending = self._pending.get(name)
        if pending is not None:
            return np.frombuffer(pending, np.float32)
        statement = "SELECT vector FROM query WHERE space = ? AND kind = ? AND key = ?"
        for folder in self._folders:
            found = _read(folder, statement, name)
            if found:
                return np.frombuffer(found[0][0], np.float32)
        return None

    def add(self, space: Space, kind: str, key: bytes, vector: Vector) -> None:
        """Keeps a vector, if any folder can take it."""
        with self._lock:
            self._pending[str(space), kind, key] = np.asarray(vector, np.float32).tobytes()
            if len(self._pending) >= self._most:
                self.flush()
            elif self._timer is None:
                self._timer = Timer(MOST_SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Writes what waits; called from any thread."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            rows = [(*name, vector) for name, vector in self._pending.items()]
            if rows:
                self._write("INSERT OR REPLACE INTO query VALUES (?, ?, ?, ?)", rows)
            self._pending.clear()

    def add_traffic(self, host: str, calls: int, size: int) -> bool:
        """Counts calls made and bytes sent for what was asked; says whether any folder could take it."""
        return self._write(
            "INSERT INTO traffic VALUES (?, ?, ?) ON CONFLICT (host)"
            " DO UPDATE SET calls = calls + excluded.calls, bytes = bytes + excluded.bytes",
            [(host, calls, size)],
        )

    def traffic(self) -> list[tuple[str, int, int]]:
        """Host, calls and bytes, over all folders."""
        return [row for folder in self._folders for row in _read(folder, "SELECT * FROM traffic", ())]

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> bool:
        for folder in self._folders:
            path = os.path.join(folder, NAME)
            with suppress(OSError, sqlite3.Error):
                os.makedirs(folder, mode=0o700, exist_ok=True)
                if not os.path.exists(path):  # it is history, so what is new is the user's alone
                    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
                with closing(sqlite3.connect(path, timeout=10)) as connection, connection:
                    connection.executescript(_TABLES)
                    connection.executemany(statement, rows)
                return True
        return False


def _read(folder: str, statement: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
    path = os.path.join(folder, NAME)
    if not os.path.exists(path):
        return []
    try:
        with closing(sqlite3.connect(uri_of(path), uri=True, timeout=10)) as connection:
            return connection.execute(statement, values).fetchall()
    except sqlite3.Error:
        return []
