"""The index: a catalogue and its vector files, kept in step.

A vector is written first and named second; both become real in one commit.  Nothing here decides
what to embed: that is `cvsearch.indexer.index`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from cvsearch.errors import CvsearchError, NoIndexError, nothing_indexed
from cvsearch.model import Embedded, IndexedPhoto, PhotoFile, Prepared, Skip, Space, Summary
from cvsearch.store.local import catalogue as database
from cvsearch.store.local import disk_space as room
from cvsearch.store.local.catalogue import Catalogue
from cvsearch.store.local.embedding_cache import EmbeddingCache
from cvsearch.store.local.files import Files
from cvsearch.store.local.lock import open_lock
from cvsearch.store.local.roots import Roots
from cvsearch.store.local.vectors import VectorFile, join_vectors

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.model import Vector

_Read = TypeVar("_Read")

PATIENCE_SECONDS = 3600.0
"""How long a commit waits for readers."""


def has_index(folder: str) -> bool:
    """Whether a folder holds an index."""
    return os.path.exists(os.path.join(folder, database.NAME))


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """All that an index knows of one file: `names` have its bytes; `photo` is it in no space, and its skip is
    a fault that may pass; `spaces` have it in each space.
    """

    photo: IndexedPhoto
    names: tuple[str, ...]
    spaces: tuple[tuple[Space, IndexedPhoto], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an index: spaces with their vectors and the files they cover, calls and bytes by host, and
    the last run, None before the first.
    """

    folder: str
    roots: tuple[dict[str, Any], ...]
    photos: int
    spaces: tuple[tuple[Space, int, int], ...]
    bytes_on_disk: int
    indexed_at: str | None
    traffic: tuple[tuple[str, int, int], ...]
    last_run: dict[str, Any] | None


class Store:
    """One open index.  Made by `open_store`; a writer must `commit` what it adds.

    `on_wait` hears, again and again, for how many seconds readers have kept a commit waiting.
    """

    def __init__(self, folder: str, *, write: bool) -> None:
        self.folder = folder
        self.on_wait: Callable[[float], None] = lambda seconds: None
        self.catalogue = Catalogue(database.open_catalogue(folder, write=write))
        self.roots = Roots(self.catalogue.connection, folder)
        self.files = Files(self.catalogue, self.roots)
        self._pending: dict[int, tuple[int, list[Vector]]] = {}

    def close(self) -> None:
        """Lets go of the files; what was not committed is as if it had never been."""
        self.catalogue.connection.close()

    def check_vectors(self) -> None:
        """Raises `CvsearchError` when a vector file is lost, or shorter than the catalogue says."""
        for space, _ in self.catalogue.spaces():
            self.file(space).check(self.catalogue.rows(space))

    def check_filled(self, space: int) -> None:
        """Raises `NoIndexError` when a space has no vectors."""
        if not self.catalogue.rows(space):
            raise nothing_indexed(self.folder, dict(self.catalogue.spaces())[space].provider)

    def make_room(self, vectors: int, dimension: int) -> bool:
        """Sets aside what a commit needs, and says whether there is room for so many more vectors as well.

        Raises `DiskFullError`, before anything is paid for, when not even a few would fit.
        """
        if room.is_low(self.folder):
            raise room.DiskFullError(self.folder)
        room.take_reserve(self.folder)
        return room.has_room(self.folder, room.bytes_needed(vectors, dimension))

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
            if not room.is_full(error):
                raise
            full = True
            if not room.release_reserve(self.folder):
                raise room.DiskFullError(self.folder) from error
            self._write_again(error)
        if full or (paid and room.is_low(self.folder)):
            raise room.DiskFullError(self.folder)

    def _write(self) -> None:
        for space, (first, vectors) in list(self._pending.items()):
            self.file(space).append(first, vectors)
            del self._pending[space]
        if self.catalogue.connection.in_transaction:
            self._patiently("COMMIT")

    def _write_again(self, before: Exception) -> None:
        """Once more, with the reserve; SQLite may have given the names up already."""
        if not self.catalogue.connection.in_transaction:
            self._pending.clear()
            raise room.DiskFullError(self.folder) from before
        try:
            self._write()
        except (OSError, sqlite3.Error) as error:
            raise (room.DiskFullError(self.folder) if room.is_full(error) else error) from before

    def _patiently(self, statement: str) -> None:
        """Begins or commits, however long readers hold SQLite's lock: what was paid for is not given up."""
        started = time.monotonic()
        while True:
            try:
                self.catalogue.connection.execute(statement)
            except sqlite3.OperationalError as error:
                waited = time.monotonic() - started
                if not room.is_busy(error) or waited > PATIENCE_SECONDS:
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
        return self._read(space, lambda file, rows: (file.read_units(rows), file.read_norms(rows)))

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
        content = self._add_content(file, sha256, photo)
        self.catalogue.add_embedding(space, content, self.add_vector(space, new), photo.pixels)
        self.files.name(file, content)

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
        content = self._add_content(file, sha256, photo)
        self.catalogue.add_embedding(space, content, row, photo.pixels)
        self.files.name(file, content)

    def _add_content(self, file: PhotoFile, sha256: bytes, photo: Prepared) -> int:
        content = self.catalogue.add_content(sha256, file.size)
        self.catalogue.describe_content(content, photo.metadata, photo.phash)
        return content

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

    def indexed_at(self) -> str | None:
        """When a run last came to its end (UTC, ISO 8601): until then the index is fresh."""
        (when,) = self.catalogue.connection.execute(
            "SELECT coalesce(max(CASE WHEN code IN (0, 3) THEN ended_at END), max(started_at)) FROM run"
        ).fetchone()
        return None if when is None else str(when)

    def show(self, path: str) -> PhotoFacts | None:
        """What is known of a file, or of the photo it is a companion of; None when nothing is."""
        photo = self.files.read(path, 0)
        if photo is None:
            main = self.files.main_of(path)
            return None if main is None else self.show(main)
        spaces = ((space, self.files.read(path, number)) for number, space in self.catalogue.spaces())
        names = (path,) if photo.content is None else self.files.names_of_content(photo.content)
        return PhotoFacts(photo, tuple(names), tuple((space, known or photo) for space, known in spaces))

    def status(self) -> Status:
        """The index's roots, counts, size, traffic and last run."""
        return Status(
            folder=self.folder,
            roots=tuple(
                {
                    "kind": root.kind,
                    "path": root.path,
                    "photos": self.files.count_of_root(root.id),
                    "options": root.options,
                    "there": os.path.isdir(root.path),
                }
                for root in self.roots.all
            ),
            photos=self.files.count(),
            spaces=tuple(
                (space, self.catalogue.count_vectors(number), self.files.count_searched(number))
                for number, space in self.catalogue.spaces()
            ),
            bytes_on_disk=sum(entry.stat().st_size for entry in os.scandir(self.folder) if entry.is_file()),
            indexed_at=self.indexed_at(),
            traffic=tuple(self._traffic()),
            last_run=self._last_run(),
        )

    def _traffic(self) -> Iterator[tuple[str, int, int]]:
        """Calls and bytes by host, of runs and of queries."""
        rows = self.catalogue.connection.execute("SELECT host, calls, bytes FROM traffic").fetchall()
        rows += EmbeddingCache((self.folder,)).traffic()
        for host in sorted({row[0] for row in rows}):
            own = [row for row in rows if row[0] == host]
            yield host, sum(row[1] for row in own), sum(row[2] for row in own)

    def _last_run(self) -> dict[str, Any] | None:
        row = self.catalogue.connection.execute(
            "SELECT started_at, ended_at, code, summary FROM run ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        started_at, ended_at, code, summary = row
        counts = None if summary is None else json.loads(summary)
        return {"started_at": started_at, "ended_at": ended_at, "code": code, "summary": counts}


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@contextmanager
def open_store(folder: str) -> Iterator[Store]:
    """An index for reading.  Raises `NoIndexError` when there is none."""
    if not has_index(folder):
        raise NoIndexError(f"there is no index at {folder}", hint="make one: cvsearch index PATH")
    store = Store(folder, write=False)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_writer(folder: str, wait_seconds: float = 0, *, create: bool = False) -> Iterator[Store]:
    """An index for writing, locked against other writers; made if `create` says so.

    Raises `LockedError` when another process writes, `NoIndexError` when there is none, and
    `CvsearchError` when the folder is not empty and holds no index.
    """
    if not has_index(folder):
        if not create:
            raise NoIndexError(f"there is no index at {folder}", hint="make one: cvsearch index PATH")
        _make_folder(folder)
    with open_lock(folder, wait_seconds):
        store = Store(folder, write=True)
        try:
            store.check_vectors()
            yield store
        finally:
            store.close()
            room.release_reserve(folder)


def remove_new(folder: str) -> None:
    """Removes an index that was just made and holds nothing; what others put there stays."""
    with suppress(OSError):
        for name in _OWN_NAMES:
            with suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))
        os.rmdir(folder)


_OWN_NAMES: Sequence[str] = ("lock", "writer.json", database.NAME, f"{database.NAME}-journal")


def _make_folder(folder: str) -> None:
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        strangers = [name for name in os.listdir(folder) if name not in _OWN_NAMES]
    except OSError as error:
        raise CvsearchError(
            f"the index folder cannot be made: {folder}: {error.strerror}", hint="name another with --index"
        ) from error
    if strangers:
        raise CvsearchError(
            f"this folder is not empty and holds no index: {folder}",
            hint="name an empty or new folder with --index",
        )
