"""Pictures against one another: the matrix of their cosines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.ranking.zero_shot import as_unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.model import Vector


def cosine_matrix(vectors: Sequence[Vector]) -> NDArray[np.float64]:
    """Cosines of n vectors with one another: float64, shape (n, n), symmetric, exactly 1 on the diagonal."""
    units = np.stack([as_unit(vector) for vector in vectors])
    product = units @ units.T
    matrix: NDArray[np.float64] = np.clip((product + product.T) / 2, -1.0, 1.0)
    np.fill_diagonal(matrix, 1.0)
    return matrix
