"""The index folder as a library: how it is opened, by one writer at a time, and what can be asked of it."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError, LockedError, NoIndexError
from cvsearch.model import IndexedPhoto, Metadata, PhotoFacts, Skip, Space, Status, Vector
from cvsearch.paths import Scope, join_also, outermost
from cvsearch.ranking.cosine import cosine_scores, distances
from cvsearch.ranking.filters import Filters
from cvsearch.store.base import Candidates, Looks
from cvsearch.store.local.catalogue import CHUNK, NAME
from cvsearch.store.local.embedding_cache import EmbeddingCache
from cvsearch.store.local.snapshot import Snapshot, open_snapshot
from cvsearch.store.local.transactions import Store, release_reserve


def has_index(folder: str) -> bool:
    """Whether a folder holds an index."""
    return os.path.exists(os.path.join(folder, NAME))


class FolderLibrary(Store):
    """An index folder that is open for reading; see `Library` for what each method promises."""

    @property
    def location(self) -> str:
        return self.folder

    def spaces(self) -> list[tuple[int, Space]]:
        return self.catalogue.spaces()

    def count_photos(self, space: int | None = None, scope: Scope | None = None) -> int:
        scope = scope or Scope()
        if scope.among is not None:
            known = (self.files.find(path, space or 0) for path in filter(scope.admits, scope.among))
            return sum(one is not None and (space is None or one.row is not None) for one in known)
        folders = outermost(scope.under or ("/",))
        if space is None:
            return sum(map(self.files.count, folders))
        return sum(self.files.count_searched(space, folder) for folder in folders)

    def find(self, path: str, space: int) -> IndexedPhoto | None:
        return self.files.find(path, space)

    def as_photos(self, paths: Collection[str]) -> list[str]:
        if len(paths) <= CHUNK:
            return [self.files.main_of(path) or path for path in paths]
        wanted = set(paths)
        mains = {path: main for main, also in self.files.companions() for path in also if path in wanted}
        return [mains.get(path, path) for path in paths]

    def not_searched(self, space: int) -> list[tuple[str, str, str]]:
        rows = self.catalogue.connection.execute(
            "SELECT f.root, f.path, coalesce(s.reason, f.fault, 'not-indexed-yet'),"
            " coalesce(s.detail, f.detail, 'run cvsearch index again')"
            " FROM file f LEFT JOIN embedding e ON e.content = f.content AND e.space = :space"
            " LEFT JOIN skip s ON s.content = f.content AND s.space = :space WHERE e.row IS NULL"
            " ORDER BY f.path",
            {"space": space},
        )
        return [(self.roots.join(root, below), why, detail) for root, below, why, detail in rows]

    def row_of(self, space: int, *, content: bytes | None = None, pixels: bytes | None = None) -> int | None:
        if content is not None:
            return self.catalogue.row_of_content(space, content)
        return None if pixels is None else self.catalogue.row_of_pixels(space, pixels)

    def skip_of_content(self, space: int, sha256: bytes, extras: str) -> Skip | None:
        return self.catalogue.skip_of_content(space, sha256, extras)

    def choose(self, space: int, scope: Scope, filters: Filters) -> Candidates:
        if filters:
            return self._judge_all(space, scope, filters)
        rows = self.files.live_rows(space, scope.under) if scope.under else None
        if scope.among is not None:
            found = (self.files.row_of(path, space) for path in scope.among)
            listed = np.array(sorted({row for row in found if row is not None}), np.int64)
            rows = listed if rows is None else np.intersect1d(rows, listed)
        return Candidates(rows)

    def _judge_all(self, space: int, scope: Scope, filters: Filters) -> Candidates:
        rows: set[int] = set()
        contents: set[bytes] = set()
        unjudged = judged = 0
        for path, row, sha256, known in self.files.read_fields(space, filters.fields):
            if not scope.admits(path):
                continue
            passes = filters.judge(known)
            if passes is None:
                unjudged += 1
            elif passes:
                judged += 1
                rows.add(row)
                contents.add(sha256)
        return Candidates(np.array(sorted(rows), np.int64), frozenset(contents), unjudged, judged)

    def live_rows(self, space: int) -> NDArray[np.int64]:
        return self.files.live_rows(space)

    def scores(self, space: int, vector: Vector, metric: str) -> NDArray[np.float32]:
        units, norms = self.vectors(space)
        return -distances(units, norms, vector) if metric == "euclidean" else cosine_scores(units, vector)

    def files_of_rows(self, space: int, rows: Sequence[int]) -> list[tuple[int, str, bytes]]:
        found: list[tuple[int, str, bytes]] = []
        for start in range(0, len(rows), CHUNK):
            part = [int(row) for row in rows[start : start + CHUNK]]
            answer = self.catalogue.connection.execute(
                "SELECT e.row, f.root, f.path, c.sha256 FROM embedding e JOIN file f ON f.content = e.content"
                " JOIN content c ON c.id = e.content"
                f" WHERE e.space = ? AND e.row IN ({','.join('?' * len(part))})",
                (space, *part),
            )
            found += [(row, self.roots.join(root, below), sha256) for row, root, below, sha256 in answer]
        return found

    def companions_of(self, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
        if len(paths) > CHUNK:
            wanted = set(paths)
            return {path: also for path, also in self.files.companions() if path in wanted}
        found = ((path, self.files.find(path, 0)) for path in paths)
        return {path: known.also for path, known in found if known is not None and known.also}

    def units(self, space: int) -> NDArray[np.float32]:
        return self.vectors(space)[0]

    def burst_keys(self, space: int) -> dict[str, tuple[str, float]]:
        return {
            path: (
                known["camera"],
                datetime.fromisoformat(known["taken"][:19]).replace(tzinfo=UTC).timestamp(),
            )
            for path, _, _, known in self.files.read_fields(space, ("camera", "taken"))
            if None not in known.values()
        }

    def photos(self, space: int, fields: Sequence[str] = ()) -> Iterator[IndexedPhoto]:
        # Equal metadata are one object, as a library has a million photos of few sizes.
        names = ("format", "width", "height", *fields)
        made: dict[tuple[Any, ...], Metadata | None] = {}
        rows = self.catalogue.connection.execute(
            "SELECT f.root, f.path, c.phash, f.size, f.mtime_ns, f.also, f.id, f.content, c.sha256, e.row,"
            f" {self.catalogue.columns(names)} FROM file f JOIN content c ON c.id = f.content"
            " LEFT JOIN embedding e ON e.content = c.id AND e.space = ?",
            (space,),
        )
        for root, below, phash, size, mtime_ns, also, number, content, sha256, row, *values in rows:
            path, known = self.roots.join(root, below), tuple(values)
            if known not in made:
                made[known] = None if known[0] is None else Metadata(**dict(zip(names, known, strict=True)))
            file = (path, size, mtime_ns, join_also(path, also), number, content, sha256, row)
            yield IndexedPhoto(*file, phash=phash, metadata=made[known])

    def is_filled(self, space: int) -> bool:
        return self.catalogue.rows(space) > 0

    def count_coverage(self, space: int, scope: Scope) -> tuple[int, int]:
        from cvsearch.store.local.coverage import count_scope

        return count_scope(self, space, scope)

    def looks(self, space: int, rows: Sequence[int] | None = None) -> Looks:
        return Looks(*self.catalogue.read_looks(space, rows))

    def snapshot(self, space: int, scope: Scope) -> AbstractContextManager[Snapshot]:
        return open_snapshot(self, space, scope)

    def covered(self) -> list[tuple[Space, int]]:
        """The spaces that have vectors, each with how many files it covers."""
        return [
            (space, self.files.count_searched(number))
            for number, space in self.catalogue.spaces()
            if self.catalogue.rows(number)
        ]

    def indexed_at(self) -> str | None:
        (when,) = self.catalogue.connection.execute(
            "SELECT coalesce(max(CASE WHEN code IN (0, 3) THEN ended_at END), max(started_at)) FROM run"
        ).fetchone()
        return None if when is None else str(when)

    def show(self, path: str) -> PhotoFacts | None:
        photo = self.files.read(path, 0)
        if photo is None:
            main = self.files.main_of(path)
            return None if main is None else self.show(main)
        spaces = ((space, self.files.read(path, number)) for number, space in self.catalogue.spaces())
        names = (path,) if photo.content is None else self.files.names_of_content(photo.content)
        return PhotoFacts(photo, tuple(names), tuple((space, known or photo) for space, known in spaces))

    def status(self) -> Status:
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
            last_run=self.last_run(),
            unread=tuple((one.path, one.reason, one.detail) for one in self.files.read_unread()),
        )

    def _traffic(self) -> Iterator[tuple[str, int, int]]:
        """Calls and bytes by host, of runs and of queries."""
        rows = self.catalogue.connection.execute("SELECT host, calls, bytes FROM traffic").fetchall()
        rows += EmbeddingCache((self.folder,)).traffic()
        for host in sorted({row[0] for row in rows}):
            own = [row for row in rows if row[0] == host]
            yield host, sum(row[1] for row in own), sum(row[2] for row in own)

    def last_run(self) -> dict[str, Any] | None:
        """When the last run began and ended, its code and its counts; None before the first."""
        row = self.catalogue.connection.execute(
            "SELECT started_at, ended_at, code, summary FROM run ORDER BY id DESC LIMIT 1"
        ).fetchone()
        if row is None:
            return None
        started_at, ended_at, code, summary = row
        counts = None if summary is None else json.loads(summary)
        return {"started_at": started_at, "ended_at": ended_at, "code": code, "summary": counts}


@contextmanager
def open_library(folder: str) -> Iterator[FolderLibrary]:
    """An index for reading.  Raises `NoIndexError` when there is none."""
    if not has_index(folder):
        raise NoIndexError(f"there is no index at {folder}", hint="make one: cvsearch index PATH")
    library = FolderLibrary(folder, write=False)
    try:
        yield library
    finally:
        library.close()


@contextmanager
def open_writer(folder: str, wait_seconds: float = 0, *, create: bool = False) -> Iterator[FolderLibrary]:
    """An index for writing, locked against other writers; made if `create` says so.

    Raises `LockedError` when another process writes, `NoIndexError` when there is none, and
    `CvsearchError` when the folder is not empty and holds no index.
    """
    if not has_index(folder):
        if not create:
            raise NoIndexError(f"there is no index at {folder}", hint="make one: cvsearch index PATH")
        _make_folder(folder)
    with open_lock(folder, wait_seconds):
        store = FolderLibrary(folder, write=True)
        try:
            store.check_vectors()
            yield store
        finally:
            store.close()
            release_reserve(folder)


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


def remove_new(folder: str) -> None:
    """Removes an index that was just made and holds nothing; what others put there stays."""
    release_reserve(folder)
    with suppress(OSError):
        for name in _OWN_NAMES:
            with suppress(FileNotFoundError):
                os.remove(os.path.join(folder, name))
        os.rmdir(folder)


_OWN_NAMES: Sequence[str] = ("lock", "writer.json", NAME, f"{NAME}-journal")


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
