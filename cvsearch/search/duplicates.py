"""The sentence "which photos are there twice", from the index to groups of which one photo is kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import nothing_indexed
from cvsearch.model import Group, IndexedPhoto, Member, Skip, Unread
from cvsearch.paths import contains
from cvsearch.photos.formats import pair_companions
from cvsearch.photos.read import read_photo
from cvsearch.photos.walk import stat_photo
from cvsearch.ranking.clustering import SCENE_COSINE, lead_pictures, lead_scenes
from cvsearch.search.request import LARGEST, OLDEST, DuplicatesRequest
from cvsearch.store.base import Library

KINDS = ("bytes", "picture", "scene")
"""The kinds of likeness, the strictest first; each includes those before it."""

_HASH_BYTES = 32


def find_duplicates(library: Library, space: int, request: DuplicatesRequest) -> list[Group]:
    """The groups with a photo where the user looks, by kind and by the path of the photo to keep.

    Names of one and the same file on disk (hard links, or reached twice), and a RAW beside its JPEG, are
    one photo: a group that holds nothing else is none.  Raises `NoIndexError` when the space has no vectors.
    """
    if not library.is_filled(space):
        raise nothing_indexed(library.location, dict(library.spaces())[space].provider)
    among = request.scope.among
    photos = [photo for photo in library.photos(space) if among is None or photo.path in among]
    photos.sort(key=_preference(request.keep))
    groups: list[Group] = []
    told: set[frozenset[str]] = set()
    for kind in (kind for kind in KINDS if kind in request.kinds):
        gathered = (_make_group(kind, part) for part in _gather(library, space, request, kind, photos))
        found = [  # where the user looks, and no stricter kind has told of it
            group
            for group in gathered
            if group is not None
            and _names(group) not in told
            and any(request.scope.is_beneath(path) for path in _names(group))
        ]
        told.update(_names(group) for group in found)
        groups += sorted(found, key=lambda group: os.fsencode(group.kept.path))
    units = library.units(space)
    return [_measure(group, units) for group in groups]


def verify_losable(groups: Sequence[Group]) -> Iterator[tuple[IndexedPhoto, str | None]]:
    """The photos that could be lost, read again, as is what is kept for each; every file once.

    With what is wrong when the index no longer tells the truth of one, or of all that is kept for it.
    """
    faults: dict[str, str | None] = {}

    def fault_of(photo: IndexedPhoto) -> str | None:
        if photo.path not in faults:
            faults[photo.path] = _reread(photo)
        return faults[photo.path]

    for photo, stand_ins in find_losable(groups):
        fault = fault_of(photo)
        if fault is None and all(fault_of(kept) is not None for kept in stand_ins):
            kept = stand_ins[0]
            fault = f"the photo to keep for it is not what it was: {kept.path}: {fault_of(kept)}"
        yield photo, fault


def _reread(photo: IndexedPhoto) -> str | None:
    file = stat_photo(photo.path)
    if isinstance(file, Unread):
        return file.detail or file.reason
    if file.size != photo.size:
        return "it has changed since it was indexed"
    result = read_photo(file)
    if isinstance(result, Skip):
        return result.detail or result.reason
    return None if result[1] == photo.sha256 else "it has changed since it was indexed"


def find_losable(groups: Sequence[Group]) -> Iterator[tuple[IndexedPhoto, list[IndexedPhoto]]]:
    """The photos that could be lost, each once, with the kept photos that stand for it.

    A photo that any group keeps is none of them.
    """
    kept = {group.kept.path for group in groups}
    stand_ins: dict[str, tuple[IndexedPhoto, list[IndexedPhoto]]] = {}
    for group in groups:
        for member in group.members:
            if not member.linked and member.photo.path not in kept:
                stand_ins.setdefault(member.photo.path, (member.photo, []))[1].append(group.kept)
    yield from stand_ins.values()


def _preference(keep: str) -> Callable[[IndexedPhoto], tuple[object, ...]]:
    """What is sorted first is kept.

    Largest: the most pixels, then bytes, then the one with companions, then the oldest.
    """

    def largest(photo: IndexedPhoto) -> tuple[object, ...]:
        facts = photo.metadata
        area = 0 if facts is None else facts.width * facts.height
        return -area, -photo.size, -len(photo.also), photo.mtime_ns, os.fsencode(photo.path)

    if keep == LARGEST:
        return largest
    if keep == OLDEST:
        return lambda photo: (photo.mtime_ns, *largest(photo))
    return lambda photo: (not contains(keep, photo.path), *largest(photo))


def _gather(
    library: Library, space: int, request: DuplicatesRequest, kind: str, photos: Sequence[IndexedPhoto]
) -> list[list[IndexedPhoto]]:
    """Groups of two and more in the order of preference, the leader first."""
    gathered: dict[object, list[IndexedPhoto]] = {}
    if kind == "bytes":
        for photo in photos:
            gathered.setdefault(photo.sha256, []).append(photo)
    else:
        leader_of = _lead(library.units(space), request, kind, photos)
        for photo in photos:
            if photo.row is not None:
                gathered.setdefault(leader_of[photo.row], []).append(photo)
    return [group for group in gathered.values() if len(group) > 1]


def _lead(
    units: NDArray[np.float32], request: DuplicatesRequest, kind: str, photos: Sequence[IndexedPhoto]
) -> dict[int, int]:
    """The leader of each vector row; photos that share a row have the same pixels."""
    first: dict[int, IndexedPhoto] = {}
    for photo in photos:
        if photo.row is not None:
            first.setdefault(photo.row, photo)
    if not first:
        return {}
    rows = np.fromiter(first, np.int64, len(first))
    if kind == "scene":
        least = SCENE_COSINE if request.least_cosine is None else request.least_cosine
        leaders = lead_scenes(units, rows, least)
    else:
        # A picture without a look is like no other.
        hashes = b"".join(photo.phash or bytes(_HASH_BYTES) for photo in first.values())
        facts = [photo.metadata for photo in first.values()]
        sizes = [(0, 0) if one is None else (one.width, one.height) for one in facts]
        looks = np.frombuffer(hashes, np.uint8).reshape(-1, _HASH_BYTES)
        leaders = lead_pictures(looks, np.array(sizes, np.int64), units, rows)
    return dict(zip(rows.tolist(), rows[leaders].tolist(), strict=True))


def _make_group(kind: str, photos: Sequence[IndexedPhoto]) -> Group | None:
    """The group, None if all of it is one photo; the first of the photos is the one to keep."""
    kept, *others = photos
    places = {photo.path: _find_place(photo.path) for photo in photos}
    shared = Counter(places.values())
    pairs = pair_companions(photo.path for photo in photos)
    companions = {raw for raws in pairs.values() for raw in raws}
    if len({place for path, place in places.items() if path not in companions}) < 2:
        return None
    others.sort(key=lambda photo: os.fsencode(photo.path))
    linked = {
        photo.path
        for photo in others
        if shared[places[photo.path]] > 1
        or photo.path in companions
        or kept.path in pairs.get(photo.path, ())
    }
    members = (Member(photo, keep=False, linked=photo.path in linked) for photo in others)
    return Group(kind, (Member(kept, keep=True), *members))


def _find_place(path: str) -> tuple[int, int] | str:
    """A file's device and inode; its path when it is not there now."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return path
    return status.st_dev, status.st_ino


def _names(group: Group) -> frozenset[str]:
    return frozenset(member.photo.path for member in group.members)


def _measure(group: Group, units: NDArray[np.float32]) -> Group:
    """The group, with how far its members are from the one to keep."""
    kept = group.kept
    if group.kind == "bytes" or kept.row is None:
        return group
    members: list[Member] = []
    for member in group.members:
        photo, score, distance = member.photo, member.score, member.distance
        if not member.keep and photo.row is not None:
            score = round(float(units[photo.row] @ units[kept.row]), 6)
            if group.kind == "picture" and photo.phash is not None and kept.phash is not None:
                distance = (int.from_bytes(photo.phash) ^ int.from_bytes(kept.phash)).bit_count()
        members.append(replace(member, score=score, distance=distance))
    return replace(group, members=tuple(members))
