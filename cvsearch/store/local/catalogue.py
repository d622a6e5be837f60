"""The index's SQLite catalogue: opening it, and the statements about contents, vectors and skips.

The journal is a rollback journal: write-ahead logging works neither on network file systems nor
for readers in read-only folders.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError, NoIndexError
from cvsearch.model import METADATA, Metadata, PhotoFile, Receipt, Skip, Space
from cvsearch.store.local.schema import APPLICATION_ID, check_version, find_missing, migrate
from cvsearch.store.local.vectors import has_vectors

NAME = "catalogue.sqlite"
HASH_BYTES = 32
"""The length of a perceptual hash."""
CHUNK = 500
"""How many values a statement is given at once."""
_BUSY_SECONDS = 30.0
_NAMES = tuple(field.name for field in METADATA)


def open_catalogue(folder: str, *, write: bool) -> sqlite3.Connection:
    """The catalogue of an index folder.

    Raises `CvsearchError` when it is damaged or too new, and `NoIndexError` when it is to be read and
    its first writer has not yet begun.
    """
    path = os.path.join(folder, NAME)
    try:
        connection = _connect(path, write=write)
        try:
            # In this order: the first writer may make tables and mark at once between the two looks.
            tables = connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            (mark,) = connection.execute("PRAGMA application_id").fetchone()
            empty = not mark and not tables
            if empty and has_vectors(folder):
                raise CvsearchError(
                    f"the index has vectors, and its {NAME} is empty: {folder}",
                    hint=f"restore {NAME} from a copy, or remove the folder and index again",
                )
            if empty and not write:
                raise NoIndexError(
                    f"the index at {folder} is still empty", hint="make one: cvsearch index PATH"
                )
            if mark != APPLICATION_ID and not empty:
                raise CvsearchError(
                    f"this is no cvsearch index: {folder}", hint="name another folder with --index"
                )
            (migrate if write else check_version)(connection)
        except BaseException:
            connection.close()
            raise
    except sqlite3.OperationalError as error:
        raise CvsearchError(
            f"the index cannot be opened: {path}: {error}",
            hint="is it busy, or may you not read it? try again, and see cvsearch doctor",
        ) from error
    except sqlite3.DatabaseError as error:
        raise CvsearchError(
            f"the index is damaged: {path}: {error}",
            hint="restore the folder from a copy, or remove it and index again",
        ) from error
    return connection


def _connect(path: str, *, write: bool) -> sqlite3.Connection:
    if write:
        return sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    if not is_writable(path) and os.path.exists(f"{path}-journal"):
        return _open_copy(path)
    connection = sqlite3.connect(uri_of(path), uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA query_only = 1")
    return connection


def is_writable(path: str) -> bool:
    """Whether a reader can open a database read-write: only so can it roll a killed writer back."""
    return os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)


def _open_copy(path: str) -> sqlite3.Connection:
    """A private copy: a killed writer's journal cannot be rolled back in a read-only folder."""
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cvsearch-") as folder:
        copy = os.path.join(folder, NAME)
        for suffix in ("", "-journal"):
            shutil.copyfile(path + suffix, copy + suffix)
        connection = _connect(copy, write=False)
        # The first look rolls back; from then on the open file is all that is needed.
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    return connection


def uri_of(path: str) -> str:
    """SQLite's name for a file that a reader opens."""
    return f"file:{quote(os.fsencode(path))}?mode={'rw' if is_writable(path) else 'ro'}"


class Catalogue:
    """Statements about spaces, contents, vectors and skips, on one connection.

    `missing` are the fields of `METADATA` that an older index has no columns for: nothing is known of them.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.missing = find_missing(connection)

    def columns(self, names: Iterable[str] = _NAMES) -> str:
        """Fields of `METADATA` as a statement selects them of the content ``c``."""
        return ", ".join("NULL" if name in self.missing else f"c.{name}" for name in names)

    def spaces(self) -> list[tuple[int, Space]]:
        """Every space with its number, the oldest first."""
        rows = self.connection.execute(
            "SELECT id, provider, model, preparation, dimension FROM space ORDER BY id"
        )
        return [(row[0], Space(*row[1:])) for row in rows]

    def add_space(self, space: Space) -> int:
        """The number of a space, made when it is new."""
        self.connection.execute(
            "INSERT INTO space (provider, model, preparation, dimension) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (space.provider, space.model, space.preparation, space.dimension),
        )
        (number,) = self.connection.execute(
            "SELECT id FROM space WHERE provider = ? AND model = ? AND preparation = ?",
            (space.provider, space.model, space.preparation),
        ).fetchone()
        return int(number)

    def generation(self, space: int) -> int:
        """Which generation of a space's vector file is the present one."""
        (number,) = self.connection.execute("SELECT generation FROM space WHERE id = ?", (space,)).fetchone()
        return int(number)

    def rows(self, space: int) -> int:
        """How many rows of a space's vector file are named."""
        (last,) = self.connection.execute("SELECT max(row) FROM vector WHERE space = ?", (space,)).fetchone()
        return 0 if last is None else int(last) + 1

    def count_vectors(self, space: int) -> int:
        """How many vectors a space has, those that no file names included."""
        (number,) = self.connection.execute(
            "SELECT count(*) FROM vector WHERE space = ?", (space,)
        ).fetchone()
        return int(number)

    def renumber(self, space: int, live: Sequence[int]) -> None:
        """Begins a new generation of a space's vectors in which the live rows are 0, 1, 2 …"""
        self.connection.execute("CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER)")
        self.connection.executemany(
            "INSERT INTO moved VALUES (?, ?)", zip(live, range(len(live)), strict=True)
        )
        for table in ("vector", "embedding"):
            self.connection.execute(
                f"DELETE FROM {table} WHERE space = ? AND row NOT IN (SELECT old FROM moved)", (space,)
            )
            # By way of negative numbers, so that a new row never meets an old one.
            self.connection.execute(
                f"UPDATE {table} SET row = -1 - (SELECT new FROM moved WHERE old = row) WHERE space = ?",
                (space,),
            )
            self.connection.execute(f"UPDATE {table} SET row = -1 - row WHERE space = ?", (space,))
        self.connection.execute("UPDATE space SET generation = generation + 1 WHERE id = ?", (space,))
        self.connection.execute("DROP TABLE moved")

    def add_content(self, sha256: bytes, size: int) -> int:
        """The number of a content, made when it is new."""
        self.connection.execute(
            "INSERT INTO content (sha256, size) VALUES (?, ?) ON CONFLICT DO NOTHING", (sha256, size)
        )
        (number,) = self.connection.execute("SELECT id FROM content WHERE sha256 = ?", (sha256,)).fetchone()
        return int(number)

    def find_content(self, sha256: bytes) -> int | None:
        """The number of a content, if it is known."""
        found = self.connection.execute("SELECT id FROM content WHERE sha256 = ?", (sha256,)).fetchone()
        return None if found is None else int(found[0])

    def describe_content(self, content: int, metadata: Metadata, phash: bytes) -> None:
        """Keeps what one reading of the picture told."""
        self.connection.execute(
            f"UPDATE content SET {', '.join(f'{name} = ?' for name in _NAMES)}, phash = ? WHERE id = ?",
            (*(getattr(metadata, name) for name in _NAMES), phash, content),
        )

    def read_looks(
        self, space: int, rows: Sequence[int] | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.int64]]:
        """What the pictures of a space look like: vector rows (n), perceptual hashes (n × 32, uint8), and
        widths and heights in pixels (n × 2); of all rows, or of some.
        """
        select = (
            "SELECT e.row, c.width, c.height, c.phash FROM embedding e JOIN content c ON c.id = e.content"
            " WHERE e.space = ? AND c.phash IS NOT NULL"
        )
        if rows is None:
            found = self.connection.execute(f"{select} ORDER BY e.row", (space,)).fetchall()
        else:
            found = []
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                some = f"{select} AND e.row IN ({','.join('?' * len(part))})"
                found += self.connection.execute(some, (space, *part)).fetchall()
        numbers = np.array([row[:3] for row in found], np.int64).reshape(-1, 3)
        hashes = np.frombuffer(b"".join(row[3] for row in found), np.uint8).reshape(-1, HASH_BYTES)
        return numbers[:, 0], hashes, numbers[:, 1:]

    def is_described(self, content: int) -> bool:
        """Whether a reading of the picture was kept."""
        (name,) = self.connection.execute("SELECT format FROM content WHERE id = ?", (content,)).fetchone()
        return name is not None

    def row_of_content(self, space: int, sha256: bytes) -> int | None:
        """The vector row of a content, by its hash."""
        found = self.connection.execute(
            "SELECT e.row FROM content c JOIN embedding e ON e.content = c.id AND e.space = ?"
            " WHERE c.sha256 = ?",
            (space, sha256),
        ).fetchone()
        return None if found is None else int(found[0])

    def row_of_pixels(self, space: int, pixels: bytes) -> int | None:
        """The vector row of any content with these prepared pixels."""
        # Left to itself SQLite walks through the whole space, as its key begins with it.
        found = self.connection.execute(
            "SELECT row FROM embedding INDEXED BY embedding_pixels WHERE space = ? AND pixels = ? LIMIT 1",
            (space, pixels),
        ).fetchone()
        return None if found is None else int(found[0])

    def skip_of_content(self, space: int, sha256: bytes, extras: str) -> Skip | None:
        """The lasting skip of a content, if it was made with the same extras installed."""
        found = self.connection.execute(
            "SELECT s.reason, s.detail FROM content c JOIN skip s ON s.content = c.id AND s.space = ?"
            " WHERE c.sha256 = ? AND s.extras = ?",
            (space, sha256, extras),
        ).fetchone()
        return None if found is None else Skip(found[0], found[1], lasting=True)

    def add_embedding(self, space: int, content: int, row: int, pixels: bytes) -> None:
        """Ties a content to a vector row; a skip it had before is over."""
        self.connection.execute(
            "INSERT OR REPLACE INTO embedding (space, content, row, pixels) VALUES (?, ?, ?, ?)",
            (space, content, row, pixels),
        )
        self.connection.execute("DELETE FROM skip WHERE space = ? AND content = ?", (space, content))

    def add_vector(self, space: int, row: int, receipt: Receipt | None) -> None:
        """Names a row of the vector file, with what was sent for it."""
        sent = (
            (receipt.host, receipt.sent_at, receipt.request_id, receipt.size, receipt.sha256)
            if receipt
            else (None,) * 5
        )
        self.connection.execute(
            "INSERT INTO vector (space, row, host, sent_at, request_id, sent_size, sent_sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (space, row, *sent),
        )

    def add_skip(self, space: int, content: int, skip: Skip, extras: str) -> None:
        """Remembers a lasting skip of a content."""
        self.connection.execute(
            "INSERT OR REPLACE INTO skip (space, content, reason, detail, extras) VALUES (?, ?, ?, ?, ?)",
            (space, content, skip.reason, skip.detail, extras),
        )

    def find_reading(self, file: PhotoFile) -> bytes | None:
        """The hash a dry run took of this very file, if it has not changed since."""
        found = self.connection.execute(
            "SELECT sha256 FROM reading WHERE path = ? AND size = ? AND mtime_ns = ?",
            (os.fsencode(file.path), file.size, file.mtime_ns),
        ).fetchone()
        return None if found is None else bytes(found[0])

    def add_reading(self, file: PhotoFile, sha256: bytes) -> None:
        """Keeps a hash for the run that follows a dry run."""
        self.connection.execute(
            "INSERT OR REPLACE INTO reading (path, size, mtime_ns, sha256) VALUES (?, ?, ?, ?)",
            (os.fsencode(file.path), file.size, file.mtime_ns, sha256),
        )

    def clear_readings(self) -> None:
        """Drops the hashes of dry runs: the files have rows of their own by now."""
        self.connection.execute("DELETE FROM reading")

    def add_traffic(self, host: str, calls: int, size: int) -> None:
        """Counts calls made and bytes sent to a host."""
        self.connection.execute(
            "INSERT INTO traffic (host, calls, bytes) VALUES (?, ?, ?) ON CONFLICT (host)"
            " DO UPDATE SET calls = calls + excluded.calls, bytes = bytes + excluded.bytes",
            (host, calls, size),
        )

    def has_traffic(self) -> bool:
        """Whether anything was ever sent."""
        return self.connection.execute("SELECT 1 FROM traffic").fetchone() is not None


def make_metadata(values: Sequence[Any]) -> Metadata | None:
    """Metadata of its columns, in the order of `METADATA`; None when no reading of the picture was kept."""
    return None if values[0] is None else Metadata(*values)
