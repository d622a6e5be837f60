"""The index: a catalogue and its vector files, kept in step.

A vector is written first and named second; both become real in one commit.  Nothing here decides
what to embed: that is `cvsearch.indexing`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cvsearch.errors import CvsearchError, NoIndexError
from cvsearch.store import catalogue as sqlite
from cvsearch.store.catalogue import Catalogue
from cvsearch.store.files import Files
from cvsearch.store.lock import open_lock
from cvsearch.store.roots import Roots
from cvsearch.store.vectors import VectorFile
from cvsearch.values import Embedded, PhotoFile, Prepared, Skip, Summary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.values import Vector


def has_index(folder: str) -> bool:
    """Whether a folder holds an index."""
    return os.path.exists(os.path.join(folder, sqlite.NAME))


class Store:
    """One open index.  Made by `open_store`; a writer must `commit` what it adds."""

    def __init__(self, folder: str, *, write: bool) -> None:
        self.folder = folder
        self.catalogue = Catalogue(sqlite.open_catalogue(folder, write=write))
        self.roots = Roots(self.catalogue.connection, folder)
        self.files = Files(self.catalogue, self.roots)
        self._pending: dict[int, tuple[int, list[Vector]]] = {}

    def close(self) -> None:
        """Lets go of the files; what was not committed is as if it had never been."""
        self.catalogue.connection.close()

    @property
    def pending(self) -> int:
        """How many vectors wait for the next commit."""
        return sum(len(vectors) for _, vectors in self._pending.values())

    def begin(self) -> None:
        """Opens a transaction, if none is open."""
        if not self.catalogue.connection.in_transaction:
            self.catalogue.connection.execute("BEGIN IMMEDIATE")

    def commit(self) -> None:
        """Writes pending vectors, waits for the disk, then names them."""
        for space, (first, vectors) in self._pending.items():
            self._file(space).append(first, vectors)
        self._pending.clear()
        if self.catalogue.connection.in_transaction:
            self.catalogue.connection.execute("COMMIT")

    def rollback(self) -> None:
        """Undoes what was not committed."""
        self._pending.clear()
        if self.catalogue.connection.in_transaction:
            self.catalogue.connection.execute("ROLLBACK")
        self.roots = Roots(self.catalogue.connection, self.folder)
        self.files = Files(self.catalogue, self.roots)

    def vectors(self, space: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """A space's unit vectors (rows × dimension) and norms as received (rows), memory-mapped."""
        for attempt in (1, 2):
            rows, file = self.catalogue.rows(space), self._file(space)
            try:
                return file.read_units(rows), file.read_norms(rows)
            except FileNotFoundError as error:
                if attempt == 2:
                    raise CvsearchError(
                        f"the index has lost a file: {error.filename}",
                        hint="restore the index from a copy, or remove it and index again",
                    ) from error
        raise AssertionError("unreachable")

    def _file(self, space: int) -> VectorFile:
        dimension = dict(self.catalogue.spaces())[space].dimension
        return VectorFile(self.folder, space, self.catalogue.generation(space), dimension)

    def add_indexed(self, space: int, file: PhotoFile, sha256: bytes, photo: Prepared, new: Embedded) -> None:
        """A photo with its new vector."""
        content = self.catalogue.add_content(sha256, file.size)
        self.catalogue.describe_content(content, photo.metadata, photo.phash)
        first, vectors = self._pending.setdefault(space, (self.catalogue.rows(space), []))
        row = first + len(vectors)
        # Vector first, name second: a signal may end the run between any two lines.
        vectors.append(new.vector)
        self.catalogue.add_vector(space, row, new.receipt)
        self.catalogue.add_embedding(space, content, row, photo.pixels)
        self.files.name(file, content)

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

    def indexed_at(self) -> str | None:
        """When the index last changed (UTC, ISO 8601)."""
        (when,) = self.catalogue.connection.execute(
            "SELECT max(coalesce(ended_at, started_at)) FROM run"
        ).fetchone()
        return None if when is None else str(when)


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
            yield store
        finally:
            store.close()


_OWN_NAMES: Sequence[str] = ("lock", "writer.json", sqlite.NAME, f"{sqlite.NAME}-journal")


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
