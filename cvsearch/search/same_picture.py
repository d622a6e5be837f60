"""The same picture in a query: indexed photos that show what a picture from elsewhere shows.

The method and its threshold are those of `cvsearch.ranking.clustering`.  Where no vector of the picture is
there to confirm what its hash says, its colours do: they are compared with those of the indexed file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cvsearch.embedding.lookup import VectorLookup
from cvsearch.model import EmbeddedImage, Look, Prepared, Vector
from cvsearch.photos.phash import color_distance
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.ranking.clustering import LEAST_COSINE, MOST_BITS, hash_distances, same_shape
from cvsearch.ranking.cosine import make_unit
from cvsearch.store.base import Library, Looks

MOST_COLOR_DISTANCE = 12.0
"""Up to which colours are the same everywhere; docs/duplicates.md has the measure that it was chosen by."""


@dataclass(eq=False)
class SampleLookup(VectorLookup):
    """What needs no call for a picture that is asked with: also the vector of an indexed picture that is the
    same, where the provider sends and so `lends`.

    `offline`: where no file of that picture can be read any more, its hash alone must do.
    """

    library: Library
    lends: bool = field(kw_only=True)
    offline: bool = field(kw_only=True)
    _twins: dict[bytes, tuple[bytes, Vector] | None] = field(default_factory=dict)

    def has_content(self, sha256: bytes) -> bool:
        """Without its look the picture must be decoded: what is the same is to be told."""
        return super().has_content(sha256) and self.look_of(sha256) is not None

    def has_picture(self, photo: Prepared, sha256: bytes) -> bool:
        """Also when its content was asked before and is prepared to other pixels now."""
        return super().has_content(sha256) or self.find_picture(photo) is not None

    def find_picture(self, photo: Prepared) -> Vector | None:
        found = super().find_picture(photo)
        if found is not None or not self.lends:
            return found
        if photo.pixels not in self._twins:
            self._twins[photo.pixels] = self._find_twin(photo)
        twin = self._twins[photo.pixels]
        return None if twin is None else twin[1]

    def lender_of(self, photo: Prepared) -> bytes | None:
        twin = self._twins.get(photo.pixels)
        return None if twin is None else twin[0]

    def _find_twin(self, photo: Prepared) -> tuple[bytes, Vector] | None:
        """The picture in the index whose hash and proportions say that it is the same, confirmed by its
        colours: its content, and its vector as received."""
        known = self.library.looks(self.number)
        distances = _distances(Look(photo.phash, photo.metadata.width, photo.metadata.height), known)
        if not len(distances) or distances.min() > MOST_BITS:
            return None
        row, twin = int(known.rows[distances.argmin()]), None
        for _, path, sha256 in self.library.files_of_rows(self.number, [row]):
            twin = sha256, self.library.received(self.number, row)
            other = _prepare_again(path, sha256, self.space.preparation)
            if other is not None:
                return twin if color_distance(photo.data, other.data) <= MOST_COLOR_DISTANCE else None
        return twin if self.offline else None


def _prepare_again(path: str, sha256: bytes, recipe: str) -> Prepared | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    photo = prepare_photo(data, path, recipe) if hashlib.sha256(data).digest() == sha256 else None
    return photo if isinstance(photo, Prepared) else None


def label_rows(
    library: Library, space: int, rows: Sequence[int], shown: Sequence[EmbeddedImage]
) -> dict[int, str]:
    """Of some rows those whose pictures look like one that was shown, in their vectors too: ``picture``."""
    looks, units = library.looks(space, rows), library.units(space)
    found: dict[int, str] = {}
    for picture in shown:
        if picture.look is None or picture.vector is None:
            continue
        unit = make_unit(picture.vector)
        for row in looks.rows[_distances(picture.look, looks) <= MOST_BITS].tolist():
            if units[row] @ unit >= LEAST_COSINE:
                found[row] = "picture"
    return found


def _distances(look: Look, others: Looks) -> NDArray[np.int64]:
    """The bits that differ, more than there are for pictures of other shapes or of one colour."""
    distances = hash_distances(np.frombuffer(look.phash, np.uint8), others.hashes)
    likely = same_shape(np.array((look.width, look.height)), others.sizes) & others.hashes.any(axis=1)
    return np.where(likely & any(look.phash), distances, 8 * len(look.phash) + 1)
