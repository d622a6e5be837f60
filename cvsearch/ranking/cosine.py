"""Scores of one vector against a library, and which rows come first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvsearch.model import Vector

_CANCELS = 1e-3
_MOST_NEAR = 10_000

DECIMALS = 6
"""Scores are compared as they are shown: with six decimals."""


def as_unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    """The vector divided by its length: float64, shape (d,).  The vector must not be zero."""
    wide = vector.astype(np.float64)
    unit: NDArray[np.float64] = wide / np.linalg.norm(wide)
    return unit


def make_unit(vector: Vector) -> Vector:
    """The vector divided by its length: float32, the same shape.  The vector must not be zero."""
    return as_unit(vector).astype(np.float32)


def cosine_scores(units: NDArray[np.float32], vector: Vector) -> NDArray[np.float32]:
    """True cosines of unit rows (n × d) with a vector as received (d): float32, shape (n,).

    One product over the whole matrix: picking rows out of a memory map first would copy them.
    """
    return units @ make_unit(vector)


def distances(units: NDArray[np.float32], norms: NDArray[np.float32], vector: Vector) -> NDArray[np.float32]:
    """Euclidean distances between the vectors as received: float32, shape (n,).

    By the law of cosines, ``a² + b² − 2ab·cos``, so that the unit rows serve both metrics.
    """
    length = float(np.linalg.norm(vector.astype(np.float64)))
    cosines = cosine_scores(units, vector).astype(np.float64)
    wide = norms.astype(np.float64)
    squares = wide**2 + length**2 - 2 * wide * length * cosines
    # What nearly cancels is noise in float32: the nearest rows are measured by their differences.
    near = np.flatnonzero(squares < _CANCELS * (wide**2 + length**2))
    for row in near[:_MOST_NEAR]:
        difference = units[row].astype(np.float64) * wide[row] - vector.astype(np.float64)
        squares[row] = difference @ difference
    return np.sqrt(np.maximum(squares, 0)).astype(np.float32)


def leading_rows(scores: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The rows with the highest scores, best first: `count` of them, more when there are ties at the end.

    Equal scores (to six decimals) stand in the order of their rows.  Rows scored −inf are left out.
    """
    if count < len(scores):
        last = np.partition(scores, len(scores) - count)[len(scores) - count]
        chosen = np.flatnonzero(scores >= last - 10.0**-DECIMALS)
    else:
        chosen = np.arange(len(scores))
    chosen = chosen[scores[chosen] > -np.inf]
    return chosen[np.argsort(-np.round(scores[chosen].astype(np.float64), DECIMALS), kind="stable")]


def cosine_matrix(vectors: Sequence[Vector]) -> NDArray[np.float64]:
    """Cosines of n vectors with one another: float64, shape (n, n), symmetric, exactly 1 on the diagonal."""
    units = np.stack([as_unit(vector) for vector in vectors])
    product = units @ units.T
    matrix: NDArray[np.float64] = np.clip((product + product.T) / 2, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix
