"""Whether everything a check is about was looked at: what is on disk, against what is indexed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from cvsearch.singles import Stat
from cvsearch.store.roots import Root, contains
from cvsearch.store.store import Store
from cvsearch.survey import Find
from cvsearch.values import Census, PhotoFile, Unread, WalkOptions


def count_scope(
    store: Store, space: int, under: Sequence[str], among: frozenset[str] | None, find: Find, stat: Stat
) -> tuple[int, int]:
    """How many photos of a scope are indexed as they are on disk, and how many photos and folders are not.

    The scope is every root, or the files and folders `under`; with `among` only these files of it.
    Skipped photos, those that are new, changed or cannot be read, and missing folders are not.
    """
    seen = unseen = 0
    entries: Iterable[PhotoFile | Unread]
    if among is not None:
        entries = (stat(path) for path in sorted(among) if _is_within(under, path))
    else:
        entries = chain(_look_at_folders(store, under, find), _look_at_singles(store, under, stat))
    for entry in entries:
        if _is_indexed(store, space, entry):
            seen += 1
        elif store.files.main_of(entry.path) is None:
            unseen += 1
    return seen, unseen


def _is_indexed(store: Store, space: int, entry: PhotoFile | Unread) -> bool:
    known = store.files.find(entry.path, space)
    return (
        isinstance(entry, PhotoFile) and known is not None and known.row is not None and known.is_same(entry)
    )


def _look_at_folders(store: Store, under: Sequence[str], find: Find) -> Iterator[PhotoFile | Unread]:
    folders = store.roots.folders()
    for root in folders:
        if _is_within(under, root.path):
            yield from _walk(root, root.path, folders, find)
        else:
            for path in under:
                if contains(root.path, path) and os.path.isdir(path):
                    yield from _walk(root, path, folders, find)
    for path in under:
        if os.path.isdir(path) and not any(contains(root.path, path) for root in folders):
            yield from _walk(Root(0, "folder", path, WalkOptions()), path, folders, find)


def _look_at_singles(store: Store, under: Sequence[str], stat: Stat) -> Iterator[PhotoFile | Unread]:
    paths = dict.fromkeys(path for path in under if not os.path.isdir(path))
    for single in (root for root in store.roots.all if root.kind == "files"):
        for path in store.files.singles(single):
            if _is_within(under, path):
                paths.setdefault(path)
    yield from map(stat, paths)


def _is_within(folders: Sequence[str], path: str) -> bool:
    """Whether a path is where the user looks: everywhere when no folder is named."""
    return not folders or any(contains(folder, path) for folder in folders)


def _walk(root: Root, start: str, folders: Sequence[Root], find: Find) -> Iterator[PhotoFile | Unread]:
    if not os.path.isdir(start):
        yield Unread(start, "vanished")
        return
    others = frozenset(other.path for other in folders if other.path != root.path)
    yield from find(root, start, Census(), others)
