"""Whether everything a check is about was looked at: what is on disk, against what is indexed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from cvsearch.model import PhotoFile, ScanStats, Unread, WalkOptions
from cvsearch.paths import Scope, contains, outermost
from cvsearch.photos.walk import find_photos, stat_photo
from cvsearch.store.local.roots import Root
from cvsearch.store.local.transactions import Store


def count_scope(store: Store, space: int, scope: Scope) -> tuple[int, int]:
    """How many photos of a scope are indexed as they are on disk, and how many photos and folders are not.

    The scope is every root, or the files and folders `under`; with `among` only these files of it.
    Skipped photos, those that are new, changed, missing or cannot be read, and missing folders are not.
    """
    places = outermost(scope.under)
    if scope.among is not None:
        listed = sorted(path for path in scope.among if _is_within(places, path))
        return _count(store, space, map(stat_photo, listed))[:2]
    entries = chain(_look_at_folders(store, places), _look_at_singles(store, places))
    seen, unseen, expected = _count(store, space, entries)
    missing = sum(map(store.files.count_seen, places or ["/"])) - expected
    return seen, unseen + max(missing, 0)


def _count(store: Store, space: int, entries: Iterable[PhotoFile | Unread]) -> tuple[int, int, int]:
    """How many of what is met on disk are indexed as they are, and are not, and how many should be there."""
    seen = unseen = expected = 0
    marks = bytearray()  # of the files that were met, by their number: a library has a million
    for entry in entries:
        known = store.files.find(entry.path, space)
        if known is None:
            # A companion does not count, nor a folder whose photos count instead.
            counts_instead = isinstance(entry, Unread) and store.files.count_seen(entry.path)
            unseen += store.files.main_of(entry.path) is None and not counts_instead
            continue
        if known.id >= len(marks):
            marks.extend(bytes(known.id + 1))
        if not marks[known.id]:
            marks[known.id] = True
            expected += not known.imported
            same = isinstance(entry, PhotoFile) and known.row is not None and known.is_same(entry)
            seen += same
            unseen += not same
    return seen, unseen, expected


def _look_at_folders(store: Store, places: Sequence[str]) -> Iterator[PhotoFile | Unread]:
    folders = store.roots.folders()
    for root in folders:
        if _is_within(places, root.path):
            yield from _walk(store, root, root.path, folders)
    for path in set(places) - {root.path for root in folders}:
        if os.path.isdir(path):
            around = store.roots.owner(path)
            if around is None or around.kind != "folder":
                around = Root(0, "folder", path, WalkOptions())
            yield from _walk(store, around, path, folders)


def _look_at_singles(store: Store, places: Sequence[str]) -> Iterator[PhotoFile | Unread]:
    paths = dict.fromkeys(path for path in places if not os.path.isdir(path))
    for single in (root for root in store.roots.all if root.kind == "files"):
        for path in store.files.singles(single):
            if _is_within(places, path):
                paths.setdefault(path)
    yield from map(stat_photo, paths)
    # What only an import named need not be on this disk; where it is, it counts.
    there = (path for path in store.files.imported() if _is_within(places, path) and os.path.lexists(path))
    yield from map(stat_photo, there)


def _is_within(places: Sequence[str], path: str) -> bool:
    """Whether a path is where the user looks: everywhere when no place is named."""
    return not places or any(contains(place, path) for place in places)


def _walk(store: Store, root: Root, start: str, folders: Sequence[Root]) -> Iterator[PhotoFile | Unread]:
    if not os.path.isdir(start):
        yield Unread(start, "vanished")
        return
    others = frozenset(other.path for other in folders if other.path != root.path)
    yield from find_photos(root.path, start, root.options, ScanStats(), store.folder, others)
