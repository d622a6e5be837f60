"""Vectors as received that give back, bit for bit, the unit vectors they were multiplied from.

An index keeps unit vectors and norms.  Their product, rounded to float32, divided by its length and
rounded again is not always what it was; the difference, a step of float32 up or down here and there,
is what `find_rounding` measures and `restore_vectors` undoes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvsearch.store.local.vectors import split_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_STEPS = 8
_NEAR = 1e-5


def find_rounding(units: NDArray[np.float32], norms: NDArray[np.float32]) -> NDArray[np.int8]:
    """The steps of float32 from what is computed of ``units * norms`` to `units`: int8, the same shape."""
    computed, _ = split_vectors(units * norms[:, None])
    return (units.view(np.int32) - computed.view(np.int32)).astype(np.int8)


def restore_vectors(
    received: NDArray[np.float32], norms: NDArray[np.float32], rounding: NDArray[np.int8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Unit vectors and norms, float32.  Raises `ValueError` for what is not finite, zero or does not fit."""
    wide = received.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise ValueError("a vector is not finite, or is zero")
    if (
        not np.allclose(norms, lengths, rtol=_NEAR, atol=0)
        or np.abs(rounding.astype(int)).max() > _MOST_STEPS
    ):
        raise ValueError("the arrays vector, norm and rounding do not fit")
    computed, _ = split_vectors(received)
    return (computed.view(np.int32) + rounding).view(np.float32), norms
