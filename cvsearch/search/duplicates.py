"""The sentence "which photos are there twice", from the index to groups of which one photo is kept."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cvsearch.indexer.singles import Pair
from cvsearch.model import IndexedPhoto
from cvsearch.paths import contains
from cvsearch.store.local.catalogue import HASH_BYTES
from cvsearch.store.local.library import Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KINDS = ("bytes", "picture", "scene")
"""The kinds of likeness, the strictest first; each includes those before it."""

LARGEST, OLDEST = "largest", "oldest"


@dataclass(frozen=True, slots=True)
class DuplicatesRequest:
    """What the user asked.  `among` None: every file; `under` empty: every group.

    `keep` is ``largest``, ``oldest`` or a folder's path; `least_cosine` is that of one scene.
    """

    kinds: Sequence[str]
    keep: str
    least_cosine: float
    under: Sequence[str] = ()
    among: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A photo of a group.  `linked`: another name of the same file on disk, or of the same photo.

    `distance` (bits of the perceptual hash) and `score` (cosine) compare it with the photo to keep.
    """

    copy: IndexedPhoto
    keep: bool
    linked: bool = False
    distance: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that are alike, the one to keep first, then by path bytes."""

    kind: str
    members: tuple[Member, ...]

    @property
    def kept(self) -> IndexedPhoto:
        """The photo to keep."""
        return self.members[0].copy


def find_duplicates(store: Store, space: int, request: DuplicatesRequest, pair: Pair) -> list[Group]:
    """The groups with a photo where the user looks, by kind and by the path of the photo to keep.

    Names of one and the same file on disk (hard links, or reached twice), and a RAW beside its JPEG, are
    one photo: a group that holds nothing else is none.  Raises `NoIndexError` when the space has no vectors.
    """
    store.check_filled(space)
    among = request.among
    copies = [copy for copy in store.files.photos(space) if among is None or copy.path in among]
    copies.sort(key=_preference(request.keep))
    groups: list[Group] = []
    told: set[frozenset[str]] = set()
    for kind in (kind for kind in KINDS if kind in request.kinds):
        gathered = (_make_group(kind, part, pair) for part in _gather(store, space, request, kind, copies))
        found = [group for group in gathered if group is not None and _is_wanted(group, request, told)]
        told.update(_names(group) for group in found)
        groups += sorted(found, key=lambda group: os.fsencode(group.kept.path))
    units, _ = store.vectors(space)
    return [_measure(group, units) for group in groups]


def find_losable(groups: Sequence[Group]) -> Iterator[tuple[IndexedPhoto, list[IndexedPhoto]]]:
    """The photos that could be lost, each once, with the kept photos that stand for it.

    A photo that any group keeps is none of them.
    """
    kept = {group.kept.path for group in groups}
    stand_ins: dict[str, tuple[IndexedPhoto, list[IndexedPhoto]]] = {}
    for group in groups:
        for member in group.members:
            if not member.linked and member.copy.path not in kept:
                stand_ins.setdefault(member.copy.path, (member.copy, []))[1].append(group.kept)
    yield from stand_ins.values()


def _preference(keep: str) -> Callable[[IndexedPhoto], tuple[object, ...]]:
    """What is sorted first is kept.

    Largest: the most pixels, then bytes, then the one with companions, then the oldest.
    """

    def largest(copy: IndexedPhoto) -> tuple[object, ...]:
        raw = os.fsencode(copy.path)
        return -math.prod(_size(copy)), -copy.size, -len(copy.also), copy.mtime_ns, raw

    if keep == LARGEST:
        return largest
    if keep == OLDEST:
        return lambda copy: (copy.mtime_ns, *largest(copy))
    return lambda copy: (not contains(keep, copy.path), *largest(copy))


def _gather(
    store: Store, space: int, request: DuplicatesRequest, kind: str, copies: Sequence[IndexedPhoto]
) -> list[list[IndexedPhoto]]:
    """Groups of two and more in the order of preference, the leader first."""
    gathered: dict[object, list[IndexedPhoto]] = {}
    if kind == "bytes":
        for copy in copies:
            gathered.setdefault(copy.sha256, []).append(copy)
    else:
        leader_of = _lead(store, space, request, kind, copies)
        for copy in copies:
            if copy.row is not None:
                gathered.setdefault(leader_of[copy.row], []).append(copy)
    return [group for group in gathered.values() if len(group) > 1]


def _lead(
    store: Store, space: int, request: DuplicatesRequest, kind: str, copies: Sequence[IndexedPhoto]
) -> dict[int, int]:
    """The leader of each vector row; photos that share a row have the same pixels."""
    import numpy as np

    from cvsearch.ranking.clustering import lead_pictures, lead_scenes

    first: dict[int, IndexedPhoto] = {}
    for copy in copies:
        if copy.row is not None:
            first.setdefault(copy.row, copy)
    if not first:
        return {}
    rows = np.fromiter(first, np.int64, len(first))
    units, _ = store.vectors(space)
    if kind == "scene":
        leaders = lead_scenes(units, rows, request.least_cosine)
    else:
        leaders = lead_pictures(*_looks(first.values()), units, rows)
    return dict(zip(rows.tolist(), rows[leaders].tolist(), strict=True))


def _looks(copies: Collection[IndexedPhoto]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Hashes (n × 32) and sizes (n × 2); a picture without a hash is like no other."""
    import numpy as np

    hashes = b"".join(copy.phash or bytes(HASH_BYTES) for copy in copies)
    sizes = np.array([_size(copy) for copy in copies], np.int64)
    return np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES), sizes


def _size(copy: IndexedPhoto) -> tuple[int, int]:
    """Width and height in pixels; none of a picture that could not be decoded."""
    return (0, 0) if copy.metadata is None else (copy.metadata.width, copy.metadata.height)


def _make_group(kind: str, copies: Sequence[IndexedPhoto], pair: Pair) -> Group | None:
    """The group, None if all of it is one photo; the first of the copies is the one to keep."""
    kept, *others = copies
    places = {copy.path: _find_place(copy.path) for copy in copies}
    shared = Counter(places.values())
    pairs = pair(copy.path for copy in copies)
    companions = {raw for raws in pairs.values() for raw in raws}
    if len({place for path, place in places.items() if path not in companions}) < 2:
        return None
    others.sort(key=lambda copy: os.fsencode(copy.path))
    linked = {
        copy.path
        for copy in others
        if shared[places[copy.path]] > 1 or copy.path in companions or kept.path in pairs.get(copy.path, ())
    }
    members = (Member(copy, keep=False, linked=copy.path in linked) for copy in others)
    return Group(kind, (Member(kept, keep=True), *members))


def _find_place(path: str) -> tuple[int, int] | str:
    """A file's device and inode; its path when it is not there now."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    return status.st_dev, status.st_ino


def _is_wanted(group: Group, request: DuplicatesRequest, told: set[frozenset[str]]) -> bool:
    """Whether a group lies where the user looks and no stricter kind has told of it."""
    if _names(group) in told:
        return False
    paths = [member.copy.path for member in group.members]
    return not request.under or any(contains(folder, path) for folder in request.under for path in paths)


def _names(group: Group) -> frozenset[str]:
    return frozenset(member.copy.path for member in group.members)


def _measure(group: Group, units: NDArray[np.float32]) -> Group:
    """The group, with how far its members are from the one to keep."""
    if group.kind == "bytes":
        return group
    members = (_compare(group.kind, group.kept, member, units) for member in group.members)
    return replace(group, members=tuple(members))


def _compare(kind: str, kept: IndexedPhoto, member: Member, units: NDArray[np.float32]) -> Member:
    copy = member.copy
    if member.keep or copy.row is None or kept.row is None:
        return member
    score = round(float(units[copy.row] @ units[kept.row]), 6)
    if kind == "scene" or copy.phash is None or kept.phash is None:
        return replace(member, score=score)
    bits = int.from_bytes(copy.phash) ^ int.from_bytes(kept.phash)
    return replace(member, score=score, distance=bits.bit_count())
