"""One space's vectors: an append-only file of unit float32 rows, and one of their norms as received."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.model import Vector


def split_vectors(received: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vectors as received (n × dimension) as unit vectors and norms (n), float32; none may be zero."""
    wide = received.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    return (wide / norms[:, None]).astype(np.float32), norms.astype(np.float32)


class VectorFile:
    """Rows are written at their place and become real when the catalogue names them.

    What a killed writer left beyond the last named row is overwritten by the next one.
    """

    def __init__(self, folder: str, space_id: int, generation: int, dimension: int) -> None:
        stem = os.path.join(folder, f"{space_id}-{generation}")
        self.path = f"{stem}.vectors.f32"
        self.norms_path = f"{stem}.norms.f32"
        self.dimension = dimension

    @property
    def names(self) -> tuple[str, str]:
        """What the two files are called in their folder."""
        return os.path.basename(self.path), os.path.basename(self.norms_path)

    def append(self, row: int, vectors: list[Vector]) -> None:
        """Writes vectors as received (float32, shape (dimension,)) from `row` on, and waits for the disk."""
        self.copy(row, *split_vectors(np.stack(vectors)))

    def copy(self, row: int, units: NDArray[np.float32], norms: NDArray[np.float32]) -> None:
        """Writes unit vectors (n × dimension) and norms (n) from `row` on, and waits for the disk.

        Raises `CvsearchError` when rows before that are missing: a hole would pass for what was paid for.
        """
        self.check(row)
        _write_at(self.path, row * self.dimension * 4, units.tobytes())
        _write_at(self.norms_path, row * 4, norms.tobytes())

    def check(self, rows: int) -> None:
        """Raises `CvsearchError` unless both files have at least so many rows."""
        for path, width in ((self.path, self.dimension), (self.norms_path, 1)):
            if rows:
                _check_length(path, rows * width * 4)

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
            raise _too_short(path)
        return np.memmap(path, np.float32, mode="r", shape=(rows * width,))

    def remove(self) -> None:
        """Deletes the files; readers that have them mapped keep what they see."""
        for path in (self.path, self.norms_path):
            if os.path.exists(path):
                os.unlink(path)


class RowReader:
    """Reads rows of a space's files as they are now, without mapping them; to be closed.

    Files that a prune replaces meanwhile can still be read.
    """

    def __init__(self, file: VectorFile) -> None:
        self._dimension = file.dimension
        self._handles = []
        try:
            for path in (file.path, file.norms_path):
                self._handles.append(os.open(path, os.O_RDONLY))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the files."""
        for handle in self._handles:
            os.close(handle)
        self._handles = []

    def read(self, rows: Sequence[int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The unit vectors of some rows, shape (len(rows), dimension), and norms as received; float32."""
        units, norms = (
            np.frombuffer(b"".join(_read_at(handle, row * size, size) for row in rows), np.float32)
            for handle, size in zip(self._handles, (self._dimension * 4, 4), strict=True)
        )
        return units.reshape(len(rows), self._dimension), norms


def _read_at(handle: int, offset: int, size: int) -> bytes:
    data = os.pread(handle, size, offset)
    if len(data) != size:
        raise CvsearchError(
            "a vector file is shorter than its catalogue says",
            hint="restore the index from a copy, or remove it and index again",
        )
    return data


def _check_length(path: str, size: int) -> None:
    try:
        short = os.path.getsize(path) < size
    except FileNotFoundError:
        short = True
    if short:
        raise _too_short(path)


def _too_short(path: str) -> CvsearchError:
    return CvsearchError(
        f"the vector file is shorter than its catalogue says: {path}",
        hint="restore the index from a copy, or remove it and index again",
    )


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
