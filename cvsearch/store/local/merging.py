"""What another index exported, merged into this one: by content and space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvsearch.store.local.library import Store
from cvsearch.store.local.records import IMPORTED, Entry

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def merge_entries(
    store: Store,
    space: int,
    entries: Sequence[Entry],
    units: NDArray[np.float32],
    norms: NDArray[np.float32],
) -> int:
    """Adds photos with their vectors, for the next commit; returns how many vectors were new here.

    A content that has a vector keeps it, and a name that is known keeps its content: what a run saw on
    this machine is worth more than what another one saw.
    """
    first = store.catalogue.rows(space)
    new: list[int] = []
    for number, entry in enumerate(entries):
        content = store.catalogue.add_content(entry.sha256, entry.file.size)
        if store.catalogue.row_of_content(space, entry.sha256) is None:
            row = store.catalogue.row_of_pixels(space, entry.pixels)
            if row is None:
                row = first + len(new)
                new.append(number)
                store.catalogue.add_vector(space, row, entry.receipt)
            store.catalogue.add_embedding(space, content, row, entry.pixels)
        _name(store, space, entry, content)
    if new:
        store.write_rows(space, first, units[new], norms[new])
    return len(new)


def _name(store: Store, space: int, entry: Entry, content: int) -> None:
    if entry.metadata is not None and entry.phash is not None and not store.catalogue.is_described(content):
        store.catalogue.describe_content(content, entry.metadata, entry.phash)
    if store.files.find(entry.file.path, space) is None:
        store.files.name(entry.file, content, IMPORTED)
