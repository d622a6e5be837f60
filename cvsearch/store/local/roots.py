"""Where photos live: roots, and the arithmetic between absolute paths and what the catalogue keeps.

A root beside or beneath the index folder is kept relative to the index's parent, so that an index
inside a photo tree works wherever the tree is mounted.  A path belongs to the deepest root that
contains it; photos named one by one outside every root belong to a root of kind ``files``.

A copied index must not take its new surroundings for its photos: each such root remembers the parent it
was last right under, and one that `moved` since is not to be trusted before its photos were found there.
"""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import asdict, dataclass, replace

from cvsearch.model import WalkOptions
from cvsearch.paths import contains, join, relative_to


@dataclass(frozen=True, slots=True)
class Root:
    """A folder that is walked (kind ``folder``), or the anchor of photos named singly (``files``)."""

    id: int
    kind: str
    path: str
    options: WalkOptions


class Roots:
    """The catalogue's roots, read once and kept in step."""

    def __init__(self, connection: sqlite3.Connection, index: str) -> None:
        self._connection = connection
        self._base = os.path.dirname(index)
        rows = connection.execute("SELECT id, kind, path, relative, options FROM root ORDER BY id")
        self.all: list[Root] = []
        for number, kind, path, relative, options in rows:
            where = join(self._base, path) if relative else os.fsdecode(path)
            fields = json.loads(options)
            fields["exclude"] = tuple(fields["exclude"])
            self.all.append(Root(number, kind, where, WalkOptions(**fields)))

    def join(self, number: int, below: bytes) -> str:
        """The path of what lies below the root with this number."""
        return join(next(root.path for root in self.all if root.id == number), below)

    def folders(self) -> list[Root]:
        """The roots that are walked."""
        return [root for root in self.all if root.kind == "folder"]

    def owner(self, path: str) -> Root | None:
        """The root `path` belongs to: the deepest folder around it, else an anchor of single files."""
        around = [root for root in self.all if contains(root.path, path)]
        return max(around, key=lambda root: (root.kind == "folder", len(root.path)), default=None)

    def add(self, kind: str, path: str, options: WalkOptions) -> Root:
        """Makes a root, and hands it the files beneath it that belonged to shallower ones."""
        stored, relative = self._stored(path)
        number = self._connection.execute(
            "INSERT INTO root (kind, path, relative, options, base) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (kind, stored, relative, json.dumps(asdict(options)), os.fsencode(self._base)),
        ).fetchone()[0]
        root = Root(number, kind, path, options)
        self.all.append(root)
        if kind == "folder":
            self.take_over(root)
        return root

    def moved(self) -> list[tuple[Root, str | None]]:
        """Relative roots that were last right under another parent: where, or None if that is not known."""
        rows = self._connection.execute(
            "SELECT id, path, base FROM root WHERE relative AND base IS NOT ? ORDER BY id",
            (os.fsencode(self._base),),
        ).fetchall()
        by_id = {root.id: root for root in self.all}
        return [
            (by_id[number], None if base is None else join(os.fsdecode(base), path))
            for number, path, base in rows
        ]

    def trust(self, root: Root) -> None:
        """Remembers that a root is right where it is now."""
        self._connection.execute("UPDATE root SET base = ? WHERE id = ?", (os.fsencode(self._base), root.id))

    def take_over(self, root: Root) -> None:
        """Hands a folder the files beneath it that belong to shallower ones; no path stays twice."""
        for other in self.all:
            if other is root or not (contains(other.path, root.path) or other.kind == "files"):
                continue
            rows = self._connection.execute("SELECT id, path FROM file WHERE root = ?", (other.id,))
            for number, below in rows.fetchall():
                path = join(other.path, below)
                if contains(root.path, path) and self.owner(path) == root:
                    self._connection.execute(
                        "UPDATE OR REPLACE file SET root = ?, path = ? WHERE id = ?",
                        (root.id, relative_to(root.path, path), number),
                    )

    def set_options(self, root: Root, options: WalkOptions) -> Root:
        """Replaces how a root is walked."""
        self._connection.execute(
            "UPDATE root SET options = ? WHERE id = ?", (json.dumps(asdict(options)), root.id)
        )
        return self._put(replace(root, options=options))

    def set_path(self, root: Root, path: str) -> Root:
        """Says that a root's folder has another name now."""
        stored, relative = self._stored(path)
        self._connection.execute(
            "UPDATE root SET path = ?, relative = ?, base = ? WHERE id = ?",
            (stored, relative, os.fsencode(self._base), root.id),
        )
        return self._put(replace(root, path=path))

    def remove(self, root: Root) -> None:
        """Forgets a root that has no files left."""
        self._connection.execute("DELETE FROM root WHERE id = ?", (root.id,))
        self.all.remove(root)

    def anchor(self, path: str) -> Root:
        """The root for a single photo at `path`, made when there is none."""
        found = self.owner(path)
        if found is not None and (found.kind == "folder" or found.path != "/"):
            return found
        base = self._base if contains(self._base, path) else "/"
        if found is not None and found.path == base:
            return found
        return self.add("files", base, WalkOptions())

    def _stored(self, path: str) -> tuple[bytes, int]:
        if contains(self._base, path):
            return relative_to(self._base, path), 1
        return os.fsencode(path), 0

    def _put(self, new: Root) -> Root:
        self.all = [new if root.id == new.id else root for root in self.all]
        return new
