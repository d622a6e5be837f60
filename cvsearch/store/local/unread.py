"""Names that a run could not look at: broken links, shut folders, photos that went away meanwhile.

They have no file rows.  Each run replaces those of the folders that it walked.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from cvsearch.model import Unread
from cvsearch.paths import contains
from cvsearch.store.local.library import Store


def replace_unread(store: Store, walked: Sequence[str], faults: Iterable[Unread]) -> None:
    """What a run could not look at, in the places of what runs before could not in the same paths.

    Names that no root contains any more are dropped.
    """
    stale = [
        (os.fsencode(fault.path),)
        for fault in read_unread(store)
        if store.roots.owner(fault.path) is None or any(contains(path, fault.path) for path in walked)
    ]
    store.catalogue.connection.executemany("DELETE FROM unread WHERE path = ?", stale)
    for fault in faults:
        add_unread(store, fault)


def add_unread(store: Store, fault: Unread) -> None:
    """One more of them."""
    store.catalogue.connection.execute(
        "INSERT OR REPLACE INTO unread (path, reason, detail) VALUES (?, ?, ?)",
        (os.fsencode(fault.path), fault.reason, fault.detail),
    )


def read_unread(store: Store) -> list[Unread]:
    """All that are known, in the order of their bytes; none in an index that never kept them."""
    connection = store.catalogue.connection
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'unread'").fetchone():
        return []
    rows = connection.execute("SELECT path, reason, detail FROM unread ORDER BY path")
    return [Unread(os.fsdecode(path), reason, detail) for path, reason, detail in rows]
