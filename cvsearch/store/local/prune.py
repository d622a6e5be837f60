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


class Pruning:
    """A prune of an index that is locked: what it would drop is `found`, and then to do it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        connection = store.catalogue.connection
        (contents,) = connection.execute(
            "SELECT count(*) FROM content WHERE id NOT IN (SELECT content FROM file WHERE content NOT NULL)"
        ).fetchone()
        vectors = size = 0
        for number, space in store.catalogue.spaces():
            dead = store.catalogue.count_vectors(number) - len(store.files.live_rows(number))
            vectors += dead
            size += dead * row_bytes(space.dimension)
        self.found = Prunable(contents, vectors, size)

    def run(self) -> str | None:
        """Writes each space's living vectors into new files, then drops the rest, in one commit.

        Vectors whose content is gone but whose pixels a living content shares stay.  Returns a notice when
        the catalogue could not be made smaller, which harms nothing.
        """
        store, catalogue = self._store, self._store.catalogue
        remove_leftovers(store.folder, [store.file(number) for number, _ in catalogue.spaces()])
        old = []
        store.begin()
        for number, _ in catalogue.spaces():
            live = store.files.live_rows(number)
            if len(live) == catalogue.count_vectors(number):
                continue
            file = store.file(number)
            file.write_next(catalogue.rows(number), live)
            old.append(file)
            catalogue.renumber(number, live.tolist())
        catalogue.connection.execute(
            "DELETE FROM content WHERE id NOT IN (SELECT content FROM file WHERE content NOT NULL)"
        )
        for table in ("embedding", "skip"):
            catalogue.connection.execute(f"DELETE FROM {table} WHERE content NOT IN (SELECT id FROM content)")
        catalogue.clear_readings()
        store.commit()
        for file in old:
            file.remove()
        try:
            catalogue.connection.execute("VACUUM")
        except sqlite3.Error as error:
            return f"{NAME} keeps its size for now: {error}"
        return None
