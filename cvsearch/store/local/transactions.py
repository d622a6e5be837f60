"""A catalogue and its vector files, kept in step.

A vector is written first and named second; both become real in one commit.  Room on the disk for what is
paid for is looked at before a run sends, and kept in reserve while it runs.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, PhotoFile, Prepared, Skip, Summary, Vector
from cvsearch.store.local.catalogue import Catalogue, open_catalogue
from cvsearch.store.local.files import Files
from cvsearch.store.local.roots import Roots
from cvsearch.store.local.vectors import VectorFile, join_vectors, row_bytes, split_vectors

_Read = TypeVar("_Read")

PATIENCE_SECONDS = 3600.0
"""How long a commit waits for readers."""
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


def _primary(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_low(folder: str) -> bool:
    """Whether little room is left where a folder is."""
    return shutil.disk_usage(folder).free < LOW_BYTES


def release_reserve(folder: str) -> bool:
    """Gives the room back; says whether there was some."""
    path = os.path.join(folder, RESERVE)
    if not os.path.exists(path):
        return False
    os.unlink(path)
    return True


class Store:
    """One open index; a writer must `commit` what it adds.

    `on_wait` hears, again and again, for how many seconds readers have kept a commit waiting.
    """

    def __init__(self, folder: str, *, write: bool) -> None:
        self.folder = folder
        self.on_wait: Callable[[float], None] = lambda seconds: None
        self.catalogue = Catalogue(open_catalogue(folder, write=write))
        self.refresh()
        self._pending: dict[int, tuple[int, list[Vector]]] = {}

    def close(self) -> None:
        """Lets go of the files; what was not committed is as if it had never been."""
        self.catalogue.connection.close()

    def check_vectors(self) -> None:
        """Raises `CvsearchError` when a vector file is lost, or shorter than the catalogue says."""
        for space, _ in self.catalogue.spaces():
            self.file(space).check(self.catalogue.rows(space))

    def make_room(self, vectors: int, dimension: int) -> bool:
        """Sets aside what a commit needs, and says whether there is room for so many more vectors as well.

        Raises `DiskFullError`, before anything is paid for, when not even a few would fit.
        """
        if is_low(self.folder):
            raise DiskFullError(self.folder)
        path = os.path.join(self.folder, RESERVE)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        except OSError as error:
            if is_full(error):  # else it is a file system that sets nothing aside
                release_reserve(self.folder)
                raise DiskFullError(self.folder) from error
        finally:
            os.close(handle)
        needed = vectors * (row_bytes(dimension) + NAME_BYTES)
        return shutil.disk_usage(self.folder).free >= needed + LOW_BYTES

    @property
    def pending(self) -> int:
        """How many vectors wait for the next commit."""
        return sum(len(vectors) for _, vectors in self._pending.values())

    def begin(self) -> None:
        """Opens a transaction, if none is open."""
        if not self.catalogue.connection.in_transaction:
            self._patiently("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Writes pending vectors, waits for the disk, then names them.

        Readers are waited for.  Raises `DiskFullError` when the disk is all but full; what there was to
        commit is kept then, as far as it fits.
        """
        paid, full = bool(self._pending), False
        try:
            self._write()
        except (OSError, sqlite3.Error) as error:
            if not is_full(error):
                raise
            full = True
            if not release_reserve(self.folder):
                raise DiskFullError(self.folder) from error
            self._write_again(error)
        if full or (paid and is_low(self.folder)):
            raise DiskFullError(self.folder)

    def _write(self) -> None:
        for space, (first, vectors) in list(self._pending.items()):
            self.file(space).write(first, *split_vectors(np.stack(vectors)))
            del self._pending[space]
        if self.catalogue.connection.in_transaction:
            self._patiently("COMMIT")

    def _write_again(self, before: Exception) -> None:
        """Once more, with the reserve; SQLite may have given the names up already."""
        if not self.catalogue.connection.in_transaction:
            self._pending.clear()
            raise DiskFullError(self.folder) from before
        try:
            self._write()
        except (OSError, sqlite3.Error) as error:
            raise (DiskFullError(self.folder) if is_full(error) else error) from before

    def _patiently(self, statement: str) -> None:
        """Begins or commits, however long readers hold SQLite's lock: what was paid for is not given up."""
        started = time.monotonic()
        while True:
            try:
                self.catalogue.connection.execute(statement)
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if _primary(error) != sqlite3.SQLITE_BUSY or waited > PATIENCE_SECONDS:
                    raise
                self.on_wait(waited)
            else:
                return

    def rollback(self) -> None:
        """Undoes what was not committed."""
        self._pending.clear()
        if self.catalogue.connection.in_transaction:
            self.catalogue.connection.execute("ROLLBACK")
        self.refresh()

    def refresh(self) -> None:
        """Sees the roots that another process has made meanwhile."""
        self.roots = Roots(self.catalogue.connection, self.folder)
        self.files = Files(self.catalogue, self.roots)

    def file(self, space: int) -> VectorFile:
        """The present vector file of a space."""
        dimension = dict(self.catalogue.spaces())[space].dimension
        return VectorFile(self.folder, space, self.catalogue.generation(space), dimension)

    def vectors(self, space: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A space's unit vectors (rows × dimension) and norms as received (rows), memory-mapped."""
        return self._read(space, VectorFile.read)

    def count_bad(self, space: int) -> int:
        """How many of a space's vectors cannot be what was written."""
        return self._read(space, VectorFile.count_bad)

    def _read(self, space: int, read: Callable[[VectorFile, int], _Read]) -> _Read:
        """Reads the named rows of a space's file; once more when a prune has just removed it."""
        for attempt in (1, 2):
            rows, file = self.catalogue.rows(space), self.file(space)
            try:
                return read(file, rows)
            except FileNotFoundError as error:
                if attempt == 2:
                    raise CvsearchError(
                        f"the index has lost a file: {error.filename}",
                        hint="restore the index from a copy, or remove it and index again",
                    ) from error
        raise AssertionError("unreachable")

    def received(self, space: int, row: int) -> NDArray[np.float32]:
        """One row's vector as it was received: float32, shape (dimension,)."""
        units, norms = self.vectors(space)
        vector: NDArray[np.float32] = join_vectors(units[row : row + 1], norms[row : row + 1])[0]
        return vector

    def add_indexed(self, space: int, file: PhotoFile, sha256: bytes, photo: Prepared, new: Embedded) -> None:
        """A photo with its new vector."""
        self.add_same_pixels(space, file, sha256, photo, self.add_vector(space, new))

    def add_vector(self, space: int, new: Embedded) -> int:
        """A vector for the next commit to write; returns its row."""
        first, vectors = self._pending.setdefault(space, (self.catalogue.rows(space), []))
        row = first + len(vectors)
        # Vector first, name second: a signal may end the run between any two lines.
        vectors.append(new.vector)
        self.catalogue.add_vector(space, row, new.receipt)
        return row

    def add_same_pixels(self, space: int, file: PhotoFile, sha256: bytes, photo: Prepared, row: int) -> None:
        """A content whose prepared pixels already have a vector."""
        content = self.catalogue.add_content(sha256, file.size)
        self.catalogue.describe_content(content, photo.metadata, photo.phash)
        self.catalogue.add_embedding(space, content, row, photo.pixels)
        self.files.name(file, content)

    def add_name(self, file: PhotoFile, sha256: bytes) -> None:
        """Another name for a content that is known."""
        self.files.name(file, self.catalogue.add_content(sha256, file.size))

    def add_skipped(self, space: int, file: PhotoFile, sha256: bytes | None, skip: Skip, extras: str) -> None:
        """A photo without a vector, and why."""
        content = None if sha256 is None else self.catalogue.add_content(sha256, file.size)
        if content is not None and skip.lasting:
            self.catalogue.add_skip(space, content, skip, extras)
        self.files.name(file, content, None if content is not None and skip.lasting else skip)

    def begin_run(self) -> int:
        """Notes that a run has begun; returns its number."""
        self.begin()
        (number,) = self.catalogue.connection.execute(
            "INSERT INTO run (started_at) VALUES (?) RETURNING id", (_now(),)
        ).fetchone()
        self.commit()
        return int(number)

    def end_run(self, number: int, code: int, summary: Summary) -> None:
        """Notes how a run ended."""
        self.begin()
        self.catalogue.connection.execute(
            "UPDATE run SET ended_at = ?, code = ?, summary = ? WHERE id = ?",
            (_now(), code, json.dumps(asdict(summary)), number),
        )
        self.commit()

    def drop_run(self, number: int) -> None:
        """Forgets a run that the user did not want."""
        self.begin()
        self.catalogue.connection.execute("DELETE FROM run WHERE id = ?", (number,))
        self.commit()


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
