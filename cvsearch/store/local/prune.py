"""Reclaims what no file names any more: contents, vectors and the space they take on disk."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from cvsearch.store.local.catalogue import NAME
from cvsearch.store.local.transactions import Store
from cvsearch.store.local.vectors import remove_leftovers, row_bytes


@dataclass(frozen=True, slots=True)
class Prunable:
    """What a prune would drop; `bytes` counts the vectors."""

    contents: int
    vectors: int
    bytes: int


def find_prunable(store: Store) -> Prunable:
    """Counts contents without a file and vectors without such a content."""
    connection = store.catalogue.connection
    (contents,) = connection.execute(
        "SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM file WHERE content NOT NULL)"
    ).fetchone()
    vectors = size = 0
    for number, space in store.catalogue.spaces():
        dead = store.catalogue.count_vectors(number) - len(store.files.live_rows(number))
        vectors += dead
        size += dead * row_bytes(space.dimension)
    return Prunable(contents, vectors, size)


def prune(store: Store) -> str | None:
    """Writes each space's living vectors into new files, then drops the rest, in one commit.

    Vectors whose content is gone but whose pixels a living content shares stay.  Returns a notice when
    the catalogue could not be made smaller, which harms nothing.
    """
    remove_leftovers(store.folder, [store.file(number) for number, _ in store.catalogue.spaces()])
    old = []
    store.begin()
    for number, _ in store.catalogue.spaces():
        live = store.files.live_rows(number)
        if len(live) == store.catalogue.count_vectors(number):
            continue
        file = store.file(number)
        file.write_next(store.catalogue.rows(number), live)
        old.append(file)
        store.catalogue.renumber(number, live.tolist())
    store.catalogue.connection.execute(
        "DELETE FROM content WHERE id NOT IN (SELECT content FROM file WHERE content NOT NULL)"
    )
    for table in ("embedding", "skip"):
        store.catalogue.connection.execute(
            f"DELETE FROM {table} WHERE content NOT IN (SELECT id FROM content)"
        )
    store.catalogue.clear_readings()
    store.commit()
    for file in old:
        file.remove()
    return _vacuum(store)


def _vacuum(store: Store) -> str | None:
    try:
        store.catalogue.connection.execute("VACUUM")
    except sqlite3.Error as error:
        return f"{NAME} keeps its size for now: {error}"
    return None


class Pruning:
    """A prune of an index that is locked: what it would drop, and then to do it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.found = find_prunable(store)

    def run(self) -> str | None:
        """Does it; see `prune`."""
        return prune(self._store)
