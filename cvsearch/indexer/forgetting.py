"""Which photos leave the results because they are gone, newly excluded, or meant to be missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from cvsearch.indexer.changes import decide_forgetting
from cvsearch.indexer.scan import Scan
from cvsearch.store.local.library import Store


@dataclass(slots=True)
class Forgotten:
    """File rows to drop (id and path); `kept` counts photos that vanished in suspicious numbers, by root."""

    files: list[tuple[int, str]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)


def choose_forgotten(store: Store, scan: Scan, lost: Iterable[str], *, forget_missing: bool) -> Forgotten:
    """What to forget, root by root; nothing of roots that were `lost` while they were read."""
    chosen = Forgotten()
    away = set(lost)
    for losses in scan.losses.values():
        if losses.root in away:
            continue
        forget, keep = decide_forgetting(
            losses.gone, losses.known, scan.contents, forget_missing=forget_missing
        )
        chosen.files += [(file.id, file.path) for file in forget]
        if keep:
            chosen.kept[losses.root] = len(keep)
    if forget_missing:
        for path in scan.missing:
            chosen.files += _own_files(store, path)
    return chosen


def _own_files(store: Store, path: str) -> list[tuple[int, str]]:
    """The files at or beneath a path, without those of roots that are nested in its own."""
    own = store.roots.owner(path)
    return [(number, name) for number, name, _ in store.files.beneath(path) if store.roots.owner(name) == own]


def drop_missing_roots(store: Store, scan: Scan) -> None:
    """Drops the roots that are meant to be missing, as far as their folders are."""
    for path in scan.missing:
        for root in [root for root in store.roots.folders() if root.path == path]:
            if path in scan.relocated or not os.path.isdir(path):
                store.roots.remove(root)
