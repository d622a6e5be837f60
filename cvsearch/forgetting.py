"""Which photos leave the results because they are gone, newly excluded, or meant to be missing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from cvsearch.plan import decide_forgetting
from cvsearch.store.store import Store
from cvsearch.survey import Survey


@dataclass(slots=True)
class Forgotten:
    """File rows to drop (id and path); `kept` counts photos that vanished in suspicious numbers, by root."""

    files: list[tuple[int, str]] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)


def choose_forgotten(store: Store, survey: Survey, lost: Iterable[str], *, forget_missing: bool) -> Forgotten:
    """What to forget, root by root; nothing of roots that were `lost` while they were read."""
    chosen = Forgotten()
    away = set(lost)
    for losses in survey.losses.values():
        if losses.root in away:
            continue
        forget, keep = decide_forgetting(
            losses.gone, losses.known, survey.contents, forget_missing=forget_missing
        )
        chosen.files += [(file.id, file.path) for file in forget]
        if keep:
            chosen.kept[losses.root] = len(keep)
    if forget_missing:
        for path in survey.missing:
            chosen.files += _own_files(store, path)
    return chosen


def _own_files(store: Store, path: str) -> list[tuple[int, str]]:
    """The files at or beneath a path, without those of roots that are nested in its own."""
    own = store.roots.owner(path)
    return [(number, name) for number, name, _ in store.files.beneath(path) if store.roots.owner(name) == own]


def drop_missing_roots(store: Store, survey: Survey) -> None:
    """Drops the roots that are meant to be missing, as far as their folders are."""
    for path in survey.missing:
        for root in [root for root in store.roots.folders() if root.path == path]:
            if path in survey.astray or not os.path.isdir(path):
                store.roots.remove(root)
