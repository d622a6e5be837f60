"""A perceptual hash: 256 bits that pictures which look alike have mostly in common.

The method is the DCT hash of Christoph Zauner, "Implementation and Benchmarking of Perceptual Image
Hash Functions" (2010), section 3.2.1, with four times the bits: the luma at 64 × 64, its cosine
transform, the 16 × 16 lowest frequencies without the constant row and column, and for each one bit:
whether it is above their median.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from PIL import Image

_SIDE = 64
_BLOCK = 16
_BASIS = np.sqrt(2 / _SIDE) * np.cos(
    np.pi * np.arange(1, _BLOCK + 1)[:, None] * (2 * np.arange(_SIDE)[None, :] + 1) / (2 * _SIDE)
)
"""Rows 1 to 16 of the orthonormal DCT-II of 64 samples: shape (16, 64)."""


def color_distance(one: bytes, other: bytes) -> float:
    """How far the colours of two picture files are apart where they differ most: 0–255, the mean of channels.

    Both are averaged down to 16 × 16 places, whatever their sizes.
    """
    averages = []
    for data in (one, other):
        with Image.open(BytesIO(data)) as picture:
            small = picture.convert("RGB").resize((_BLOCK, _BLOCK), Image.Resampling.BOX)
        averages.append(np.asarray(small, np.float64))
    return float(np.abs(averages[0] - averages[1]).mean(axis=2).max())


def make_phash(image: Image.Image) -> bytes:
    """The hash of an RGB or gray picture of any size, 32 bytes.

    A picture of one colour has no frequencies: its hash is all zeros, whatever the colour.
    """
    luma = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    frequencies = _BASIS @ np.asarray(luma, dtype=np.float64) @ _BASIS.T
    # Rounded, so that what is nothing but the arithmetic's noise is equal to the median, not above it.
    rounded = np.round(frequencies.ravel(), 6)
    return np.packbits(rounded > np.median(rounded)).tobytes()


def distance(one: bytes, other: bytes) -> int:
    """The number of bits in which two hashes differ, 0 to 256; raises `ValueError` on unequal lengths."""
    if len(one) != len(other):
        raise ValueError("hashes of different lengths")
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()
