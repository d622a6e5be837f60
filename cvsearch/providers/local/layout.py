"""How the 1024 dimensions are shared out, and how the parts weigh.

A picture's blocks have fixed lengths (`WEIGHTS`), so that by cosine no picture is favoured for what it
is; a text fills the blocks it has something to say about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvsearch.providers.local.space import DIMENSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

WIDTH = 416
GROUPS = 12
_SIZES = {
    "classes": WIDTH,
    "features": WIDTH,
    "tones": 6,
    "colours": 11,
    "upper": 11,
    "lower": 11,
    "bound": 11 * GROUPS,
    "light": 16,
}
WEIGHTS = {
    "classes": 0.5**0.5,
    "features": 0.5**0.5,
    "tones": 0.3,
    "colours": 0.4,
    "upper": 0.2,
    "lower": 0.2,
    "bound": 0.3,
    "light": 0.1,
}
"""The length of each block in a picture's vector, before the whole is brought to length 1."""


def _slices() -> dict[str, slice]:
    slices, start = {}, 0
    for name, size in _SIZES.items():
        slices[name] = slice(start, start + size)
        start += size
    return slices


BLOCKS = _slices()
"""Where each block lies; dimensions after the last are 0."""


def join(blocks: Mapping[str, Array]) -> Array:
    """The vector of length 1 made of the blocks, shape (1024,)."""
    vector = np.zeros(DIMENSION, np.float32)
    for name, block in blocks.items():
        vector[BLOCKS[name]] = block
    return unit(vector)


def unit(vector: Array) -> Array:
    """The vector brought to length 1; zero stays zero."""
    length = np.sqrt(np.square(vector, dtype=np.float64).sum(-1, keepdims=True))
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)


def times(vectors: Array, matrix: Array) -> Array:
    """The matrix product, summed in one fixed order.

    A BLAS may split sums by its number of threads; then a vector would depend on the machine's load.
    """
    return np.asarray(np.einsum("...i,ij->...j", vectors, matrix), np.float32)
