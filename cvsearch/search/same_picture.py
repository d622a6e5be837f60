"""The same picture in a query: indexed photos that show what a picture from elsewhere shows.

The method and its threshold are those of `cvsearch.ranking.clustering`.  Where no vector of the picture is
there to confirm what its hash says, its colours do: they are compared with those of the indexed file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cvsearch.model import IndexedPhoto, Match, Prepared

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.embedding.pipeline import Prepare
    from cvsearch.model import Vector
    from cvsearch.store.local.library import Store

MOST_COLOUR_DISTANCE = 12.0
"""Up to which colours are the same everywhere; docs/duplicates.md has the measure that it was chosen by."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that a query was asked with; `look` is None when it could not be decoded."""

    sha256: bytes
    look: IndexedPhoto | Prepared | None
    vector: Vector


@dataclass(frozen=True, slots=True)
class Twin:
    """An indexed picture that is the same as one from elsewhere, and its vector as received."""

    sha256: bytes
    vector: Vector


def find_twin(
    store: Store,
    space: int,
    photo: Prepared,
    prepare: Prepare,
    colour_distance: Callable[[bytes, bytes], float],
    *,
    unconfirmed: bool,
) -> Twin | None:
    """The picture in the index that is the same, confirmed by its colours (0–255 between two files).

    Where no file of it can be read any more there is nothing to compare with, and `unconfirmed` decides.
    """
    row = _nearest(store, space, photo)
    if row is None:
        return None
    twin = None
    for _, path, sha256 in store.files.of_rows(space, [row]):
        twin = Twin(sha256, store.received(space, row))
        other = _prepare_again(path, sha256, prepare)
        if other is not None:
            return twin if colour_distance(photo.data, other.data) <= MOST_COLOUR_DISTANCE else None
    return twin if unconfirmed else None


def _prepare_again(path: str, sha256: bytes, prepare: Prepare) -> Prepared | None:
    import hashlib

    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    photo = prepare(data, path) if hashlib.sha256(data).digest() == sha256 else None
    return photo if isinstance(photo, Prepared) else None


def _nearest(store: Store, space: int, photo: Prepared) -> int | None:
    """The vector row of the picture in the index whose hash and proportions say that it is the same."""
    from cvsearch.ranking.clustering import MOST_BITS

    rows, hashes, sizes = store.catalogue.read_looks(space)
    distances = _distances(photo, hashes, sizes)
    if not len(distances) or distances.min() > MOST_BITS:
        return None
    return int(rows[distances.argmin()])


def label_matches(
    store: Store, space: int, matches: Sequence[Match], shown: Sequence[Shown]
) -> tuple[Match, ...]:
    """The matches, with `same` said of those that hold a shown picture or its bytes."""
    labels: dict[bytes, str] = {}
    hashes = list(dict.fromkeys(match.sha256 for match in matches)) if shown else []
    looks = store.catalogue.read_contents(hashes)
    for picture in shown:
        for sha256 in _same_pictures(store, space, picture, looks):
            labels.setdefault(sha256, "picture")
    labels.update((picture.sha256, "bytes") for picture in shown)
    if not labels:
        return tuple(matches)
    return tuple(replace(match, same=labels.get(match.sha256)) for match in matches)


def _same_pictures(store: Store, space: int, picture: Shown, looks: dict[bytes, IndexedPhoto]) -> list[bytes]:
    """Of some contents those that look like a picture, and whose vectors confirm it."""
    import numpy as np

    from cvsearch.ranking.clustering import LEAST_COSINE, MOST_BITS
    from cvsearch.ranking.cosine import make_unit

    if picture.look is None or not looks:
        return []
    hashes = np.frombuffer(b"".join(one.phash or b"" for one in looks.values()), np.uint8).reshape(-1, 32)
    known = (one.metadata for one in looks.values())
    sizes = np.array([(one.width, one.height) if one else (0, 0) for one in known], np.int64)
    distances = _distances(picture.look, hashes, sizes)
    near = [sha256 for sha256, bits in zip(looks, distances.tolist(), strict=True) if bits <= MOST_BITS]
    units, _ = store.vectors(space)
    unit = make_unit(picture.vector)
    rows = [(sha256, store.catalogue.row_of_content(space, sha256)) for sha256 in near]
    return [sha256 for sha256, row in rows if row is not None and units[row] @ unit >= LEAST_COSINE]


def _distances(
    look: IndexedPhoto | Prepared, hashes: NDArray[np.uint8], sizes: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The bits that differ from each picture's hash (n × 32) and size (n × 2), more than there are for
    pictures of other shapes or of one colour."""
    import numpy as np

    from cvsearch.ranking.clustering import hash_distances, same_shape

    phash, known = look.phash, look.metadata
    if phash is None or known is None:
        raise AssertionError("a look has a hash and a size")
    distances = hash_distances(np.frombuffer(phash, np.uint8), hashes)
    likely = same_shape(np.array((known.width, known.height)), sizes) & hashes.any(axis=1)
    return np.where(likely & any(phash), distances, 8 * len(phash) + 1)
