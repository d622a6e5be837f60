"""Small pictures for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvsearch.photos.find import stat_photo
from cvsearch.photos.prepare import prepare_photo
from cvsearch.photos.read import read_photo
from cvsearch.values import Skip, Unread

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make_thumbnail(path: str, edge: int) -> NDArray[np.uint8] | None:
    """The photo upright, at most `edge` pixels long: uint8, height × width × 3; None if there is none."""
    file = stat_photo(path)
    if isinstance(file, Unread):
        return None
    data = read_photo(file)
    photo = data if isinstance(data, Skip) else prepare_photo(data[0], path, f"rgb-{edge}")
    if isinstance(photo, Skip):
        return None
    return np.frombuffer(photo.data, np.uint8).reshape(photo.height, photo.width, 3)
