"""What the index keeps that tells copies: every file with its hash, its picture's size and its vector row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cvsearch.paths import join, join_also
from cvsearch.store.local.library import Store

HASH_BYTES = 32
"""The length of a perceptual hash."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like: its perceptual hash and its size in pixels, upright."""

    phash: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Copy:
    """An indexed file; `row` is None without a vector, `look` without a picture that could be decoded."""

    path: str
    size: int
    mtime_ns: int
    sha256: bytes
    also: tuple[str, ...]
    row: int | None
    look: Look | None

    @property
    def pixels(self) -> int:
        """How many pixels the picture has; 0 if that is not known."""
        return 0 if self.look is None else self.look.width * self.look.height


def read_copies(store: Store, space: int) -> Iterator[Copy]:
    """Every file whose content is known, in no order."""
    roots = {root.id: root.path for root in store.roots.all}
    rows = store.catalogue.connection.execute(
        "SELECT f.root, f.path, f.size, f.mtime_ns, f.also, c.sha256, c.phash, c.width, c.height, e.row"
        " FROM file f JOIN content c ON c.id = f.content"
        " LEFT JOIN embedding e ON e.content = c.id AND e.space = ?",
        (space,),
    )
    for root, below, size, mtime_ns, names, sha256, phash, width, height, row in rows:
        path = join(roots[root], below)
        look = None if phash is None else Look(phash, width, height)
        yield Copy(path, size, mtime_ns, sha256, join_also(path, names), row, look)


def read_looks(store: Store, hashes: Sequence[bytes]) -> dict[bytes, Look]:
    """What contents look like, by their SHA-256, as far as that is known."""
    found: dict[bytes, Look] = {}
    for start in range(0, len(hashes), _CHUNK):
        part = hashes[start : start + _CHUNK]
        rows = store.catalogue.connection.execute(
            "SELECT sha256, phash, width, height FROM content WHERE phash IS NOT NULL"
            f" AND sha256 IN ({','.join('?' * len(part))})",
            tuple(part),
        )
        found.update((sha256, Look(phash, width, height)) for sha256, phash, width, height in rows)
    return found


def read_embedded_looks(store: Store, space: int) -> list[tuple[int, Look]]:
    """The vector rows of a space with what their pictures look like."""
    rows = store.catalogue.connection.execute(
        "SELECT e.row, c.phash, c.width, c.height FROM embedding e JOIN content c ON c.id = e.content"
        " WHERE e.space = ? AND c.phash IS NOT NULL ORDER BY e.row",
        (space,),
    )
    return [(row, Look(phash, width, height)) for row, phash, width, height in rows]
