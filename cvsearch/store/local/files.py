"""Names: which files the index knows, which contents they point at, and which could not be looked at."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvsearch.model import IndexedPhoto, PhotoFile, Receipt, Skip, Unread
from cvsearch.paths import contains, join, join_also, relative_to, split_also
from cvsearch.store.local.catalogue import Catalogue, make_metadata
from cvsearch.store.local.records import IMPORTED
from cvsearch.store.local.roots import Root, Roots


class Files:
    """Statements about file rows; paths in and out are absolute."""

    def __init__(self, catalogue: Catalogue, roots: Roots) -> None:
        self._catalogue = catalogue
        self._connection = catalogue.connection
        self._roots = roots

    def find(self, path: str, space: int) -> IndexedPhoto | None:
        """What is known of one file in one space, without what was read from the picture or sent of it."""
        found = self._select(path, space)
        return None if found is None else _make_photo(path, found)

    def read(self, path: str, space: int) -> IndexedPhoto | None:
        """All that is known of one file in one space, or in none (0): then its skip is its passing fault."""
        found = self._select(
            path,
            space,
            ", f.detail, e.pixels, c.phash, v.host, v.sent_at, v.request_id, v.sent_size, v.sent_sha256,"
            + self._catalogue.columns(),
            " LEFT JOIN vector v ON v.space = e.space AND v.row = e.row",
        )
        if found is None:
            return None
        photo, (fault, detail, pixels, phash) = _make_photo(path, found[:11]), found[10:14]
        return replace(
            photo,
            skip=photo.skip if space or fault is None else Skip(fault, detail, lasting=False),
            pixels=pixels,
            phash=phash,
            metadata=make_metadata(found[19:]),
            receipt=None if found[14] is None else Receipt(*found[14:19]),
        )

    def _select(self, path: str, space: int, more: str = "", joined: str = "") -> tuple[Any, ...] | None:
        root = self._roots.owner(path)
        if root is None:
            return None
        row: tuple[Any, ...] | None = self._connection.execute(
            "SELECT f.size, f.mtime_ns, f.also, f.id, f.content, c.sha256, e.row, s.reason, s.detail,"
            f" s.extras, f.fault{more} FROM file f LEFT JOIN content c ON c.id = f.content"
            " LEFT JOIN embedding e ON e.content = f.content AND e.space = :space"
            f" LEFT JOIN skip s ON s.content = f.content AND s.space = :space{joined}"
            " WHERE f.root = :root AND f.path = :path",
            {"space": space, "root": root.id, "path": relative_to(root.path, path)},
        ).fetchone()
        return row

    def name(self, file: PhotoFile | IndexedPhoto, content: int | None, fault: Skip | None = None) -> None:
        """Points a file at a content (None: it could not be read), with a passing fault if it had one."""
        root = self._roots.anchor(file.path)
        self._connection.execute(
            "INSERT INTO file (root, path, size, mtime_ns, content, fault, detail, also)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root, path) DO UPDATE SET size = excluded.size,"
            " mtime_ns = excluded.mtime_ns, content = excluded.content, fault = excluded.fault,"
            " detail = excluded.detail, also = excluded.also",
            (
                root.id,
                relative_to(root.path, file.path),
                file.size,
                file.mtime_ns,
                content,
                fault and fault.reason,
                fault and fault.detail,
                split_also(file.also),
            ),
        )

    def set_also(self, number: int, also: Sequence[str]) -> None:
        """Replaces a file's companions; the file was seen here."""
        self._connection.execute(
            "UPDATE file SET also = ?, fault = NULL, detail = NULL WHERE id = ?", (split_also(also), number)
        )

    def beside(self, path: str) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The known files of the same stem in the same folder: path and companions."""
        root = self._roots.owner(path)
        if root is None:
            return
        stem = relative_to(root.path, path.rpartition(".")[0])
        rows = self._connection.execute(
            "SELECT path, also FROM file WHERE root = ? AND path >= ? AND path < ? ORDER BY path",
            (root.id, stem + b".", stem + b"/"),
        )
        for below, names in rows:
            other = join(root.path, below)
            if other.rpartition(".")[0] == path.rpartition(".")[0]:
                yield other, join_also(other, names)

    def main_of(self, path: str) -> str | None:
        """The photo that a file is a companion of."""
        return next((main for main, also in self.beside(path) if path in also), None)

    def companions(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every file that has companions, with them."""
        rows = self._connection.execute("SELECT root, path, also FROM file WHERE also IS NOT NULL")
        named = ((self._roots.join(root, below), names) for root, below, names in rows)
        return ((path, join_also(path, names)) for path, names in named)

    def singles(self, root: Root) -> list[str]:
        """The files of a root that were named one by one, without those that only an import named."""
        rows = self._connection.execute(
            "SELECT path FROM file WHERE root = ? AND fault IS NOT ? ORDER BY path",
            (root.id, IMPORTED.reason),
        )
        return [join(root.path, below) for (below,) in rows]

    def imported(self) -> Iterator[str]:
        """The files that only an import named."""
        rows = self._connection.execute("SELECT root, path FROM file WHERE fault IS ?", (IMPORTED.reason,))
        return (self._roots.join(root, below) for root, below in rows)

    def some(self, root: Root, most: int) -> list[tuple[str, int]]:
        """The first files of a root that a run has seen: path and size."""
        rows = self._connection.execute(
            "SELECT path, size FROM file WHERE root = ? AND fault IS NOT ? ORDER BY id LIMIT ?",
            (root.id, IMPORTED.reason, most),
        )
        return [(join(root.path, below), size) for below, size in rows]

    def beneath(self, folder: str) -> Iterator[tuple[int, str, int | None]]:
        """Every known file at or beneath a folder: id, path and content."""
        for root, where, values in self._ranges(folder):
            rows = self._connection.execute(
                f"SELECT id, path, content FROM file f WHERE {where} ORDER BY path", values
            )
            for number, below, content in rows:
                yield number, join(root.path, below), content

    def _ranges(self, folder: str) -> Iterator[tuple[Root, str, dict[str, object]]]:
        for root in self._roots.all:
            if contains(folder, root.path):
                yield root, "f.root = :root", {"root": root.id}
            elif contains(root.path, folder):
                below = relative_to(root.path, folder)
                yield (
                    root,
                    "f.root = :root AND (f.path = :exact OR (f.path >= :first AND f.path < :end))",
                    {"root": root.id, "exact": below, "first": below + b"/", "end": below + b"0"},
                )

    def forget(self, ids: Iterable[int]) -> None:
        """Drops file rows; contents and vectors stay until `prune`."""
        self._connection.executemany("DELETE FROM file WHERE id = ?", ((number,) for number in ids))

    def live_rows(self, space: int, folders: Sequence[str] = ("/",)) -> NDArray[np.int64]:
        """The vector rows that files at or beneath the folders point at: int64, sorted, unique."""
        parts = [np.empty(0, np.int64)]
        for folder in folders:
            for _, where, values in self._ranges(folder):
                rows = self._connection.execute(
                    "SELECT e.row FROM file f JOIN embedding e ON e.content = f.content AND e.space = :space"
                    f" WHERE {where}",
                    {**values, "space": space},
                )
                parts.append(np.fromiter((row for (row,) in rows), np.int64))
        return np.unique(np.concatenate(parts))

    def read_fields(
        self, space: int, fields: Sequence[str]
    ) -> Iterator[tuple[str, int, bytes, dict[str, Any]]]:
        """Every file with a vector in the space: path, row, content hash, and some fields of `METADATA`."""
        rows = self._connection.execute(
            f"SELECT f.root, f.path, e.row, c.sha256, {self._catalogue.columns(fields)}"
            " FROM file f JOIN embedding e ON e.content = f.content AND e.space = ?"
            " JOIN content c ON c.id = f.content",
            (space,),
        )
        for root, below, row, sha256, *values in rows:
            yield self._roots.join(root, below), row, sha256, dict(zip(fields, values, strict=True))

    def row_of(self, path: str, space: int) -> int | None:
        """The vector row of one file."""
        known = self.find(path, space)
        return None if known is None else known.row

    def count(self, folder: str = "/") -> int:
        """How many files are known at or beneath a folder."""
        return self._count("SELECT count(*) FROM file f", folder, {})

    def count_seen(self, folder: str = "/") -> int:
        """How many files at or beneath a folder a run has seen; only an import named the others."""
        select = "SELECT count(*) FROM (SELECT * FROM file WHERE fault IS NOT :imported) f"
        return self._count(select, folder, {"imported": IMPORTED.reason})

    def count_of_root(self, root: int) -> int:
        """How many files belong to a root."""
        (number,) = self._connection.execute("SELECT count(*) FROM file WHERE root = ?", (root,)).fetchone()
        return int(number)

    def count_searched(self, space: int, folder: str = "/") -> int:
        """How many files at or beneath a folder have a vector in the space."""
        joined = "SELECT count(*) FROM file f JOIN embedding e ON e.content = f.content AND e.space = :space"
        return self._count(joined, folder, {"space": space})

    def _count(self, select: str, folder: str, values: dict[str, object]) -> int:
        return sum(
            self._connection.execute(f"{select} WHERE {where}", {**values, **own}).fetchone()[0]
            for _, where, own in self._ranges(folder)
        )

    def names_of_content(self, content: int) -> list[str]:
        """Every path that holds a content, in the order of their bytes."""
        rows = self._connection.execute("SELECT root, path FROM file WHERE content = ?", (content,))
        return sorted(self._roots.join(root, below) for root, below in rows)

    def move(self, number: int, path: str) -> None:
        """Gives one file row another path."""
        root = self._roots.anchor(path)
        self._connection.execute(
            "UPDATE OR REPLACE file SET root = ?, path = ? WHERE id = ?",
            (root.id, relative_to(root.path, path), number),
        )

    def replace_unread(self, walked: Sequence[str], faults: Iterable[Unread]) -> None:
        """What a run could not look at (it has no file rows), in the places of what runs before could not in
        the same paths.  Names that no root contains any more are dropped.
        """
        stale = [
            (os.fsencode(fault.path),)
            for fault in self.read_unread()
            if self._roots.owner(fault.path) is None or any(contains(path, fault.path) for path in walked)
        ]
        self._connection.executemany("DELETE FROM unread WHERE path = ?", stale)
        for fault in faults:
            self.add_unread(fault)

    def add_unread(self, fault: Unread) -> None:
        """A name that could not be looked at: a broken link, a shut folder, a photo that went away."""
        self._connection.execute(
            "INSERT OR REPLACE INTO unread (path, reason, detail) VALUES (?, ?, ?)",
            (os.fsencode(fault.path), fault.reason, fault.detail),
        )

    def read_unread(self) -> list[Unread]:
        """What could not be looked at, in the order of bytes; nothing in an index that never kept it."""
        if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'unread'").fetchone():
            return []
        rows = self._connection.execute("SELECT path, reason, detail FROM unread ORDER BY path")
        return [Unread(os.fsdecode(path), reason, detail) for path, reason, detail in rows]


def _make_photo(path: str, found: Sequence[Any]) -> IndexedPhoto:
    size, mtime_ns, names, number, content, sha256, row, reason, detail, extras, fault = found
    skip = None if reason is None else Skip(reason, detail, lasting=True)
    also, imported = join_also(path, names), fault == IMPORTED.reason
    return IndexedPhoto(path, size, mtime_ns, also, number, content, sha256, row, skip, extras, imported)
