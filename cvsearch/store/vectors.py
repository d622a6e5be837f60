"""One space's vectors: an append-only file of unit float32 rows, and one of their norms as received."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.values import Vector


class VectorFile:
    """Rows are written at their place and become real when the catalogue names them.

    What a killed writer left beyond the last named row is overwritten by the next one.
    """

    def __init__(self, folder: str, space_id: int, generation: int, dimension: int) -> None:
        stem = os.path.join(folder, f"{space_id}-{generation}")
        self.path = f"{stem}.vectors.f32"
        self.norms_path = f"{stem}.norms.f32"
        self.dimension = dimension

    def append(self, row: int, vectors: list[Vector]) -> None:
        """Writes vectors as received (float32, shape (dimension,)) from `row` on, and waits for the disk."""
        received = np.stack(vectors).astype(np.float64)
        norms = np.linalg.norm(received, axis=1)
        self.copy(row, (received / norms[:, None]).astype(np.float32), norms.astype(np.float32))

    def copy(self, row: int, units: NDArray[np.float32], norms: NDArray[np.float32]) -> None:
        """Writes unit vectors (n × dimension) and norms (n) from `row` on, and waits for the disk."""
        _write_at(self.path, row * self.dimension * 4, units.tobytes())
        _write_at(self.norms_path, row * 4, norms.tobytes())

    def read_units(self, rows: int) -> NDArray[np.float32]:
        """The first `rows` unit vectors, memory-mapped read-only: float32, shape (rows, dimension)."""
        return self._map(self.path, rows, self.dimension).reshape(rows, self.dimension)

    def read_norms(self, rows: int) -> NDArray[np.float32]:
        """The first `rows` norms as received, memory-mapped read-only: float32, shape (rows,)."""
        return self._map(self.norms_path, rows, 1)

    def _map(self, path: str, rows: int, width: int) -> NDArray[np.float32]:
        if rows == 0:
            return np.empty(0, np.float32)
        if os.path.getsize(path) < rows * width * 4:
            raise CvsearchError(
                f"the vector file is shorter than its catalogue says: {path}",
                hint="restore the index from a copy, or remove it and index again",
            )
        return np.memmap(path, np.float32, mode="r", shape=(rows * width,))

    def remove(self) -> None:
        """Deletes the files; readers that have them mapped keep what they see."""
        for path in (self.path, self.norms_path):
            if os.path.exists(path):
                os.unlink(path)


def _write_at(path: str, offset: int, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        view = memoryview(data)
        while view:
            written = os.pwrite(handle, view, offset)
            view, offset = view[written:], offset + written
        os.fsync(handle)
    finally:
        os.close(handle)
