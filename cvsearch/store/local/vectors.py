"""How a space's vectors lie on disk, which nobody else knows: an append-only file of unit float32 rows, and
one of their norms as received, both named by space and generation.

A prune writes the rows that live into the files of a new generation and removes the old ones.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError

Floats = NDArray[np.float32]

_VECTORS, _NORMS = ".vectors.f32", ".norms.f32"
_GENERATION = re.compile(rf"\d+-\d+({re.escape(_VECTORS)}|{re.escape(_NORMS)})")
_PORTION = 4096
_MOST_STEPS = 8
_NEAR = 1e-5
_RESTORE = "restore the index from a copy, or remove it and index again"


def split_vectors(received: Floats) -> tuple[Floats, Floats]:
    """Vectors as received (n × dimension) as unit vectors and norms (n), float32; none may be zero."""
    wide = received.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    return (wide / norms[:, None]).astype(np.float32), norms.astype(np.float32)


def join_vectors(units: Floats, norms: Floats) -> Floats:
    """Unit vectors (n × dimension) and norms (n) as vectors as received, float32."""
    received: Floats = units * norms[:, None]
    return received


def find_rounding(units: Floats, norms: Floats) -> NDArray[np.int8]:
    """The steps of float32 from what is computed of `join_vectors` to `units`: int8, the same shape.

    The product, rounded to float32, divided by its length and rounded again is not always what it was, but
    a step up or down here and there; with these steps `restore_vectors` gives it back bit for bit.
    """
    computed, _ = split_vectors(join_vectors(units, norms))
    return (units.view(np.int32) - computed.view(np.int32)).astype(np.int8)


def restore_vectors(received: Floats, norms: Floats, rounding: NDArray[np.int8]) -> tuple[Floats, Floats]:
    """Unit vectors and norms, float32.  Raises `ValueError` for what is not finite, zero or does not fit."""
    lengths = np.linalg.norm(received.astype(np.float64), axis=1)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise ValueError("a vector is not finite, or is zero")
    if (
        not np.allclose(norms, lengths, rtol=_NEAR, atol=0)
        or np.abs(rounding.astype(int)).max() > _MOST_STEPS
    ):
        raise ValueError("the arrays vector, norm and rounding do not fit")
    computed, _ = split_vectors(received)
    return (computed.view(np.int32) + rounding).view(np.float32), norms


def row_bytes(dimension: int) -> int:
    """What one vector takes on disk."""
    return (dimension + 1) * 4


def has_vectors(folder: str) -> bool:
    """Whether vectors lie in a folder, of whatever space."""
    return any(name.endswith(_VECTORS) for name in os.listdir(folder))


def remove_leftovers(folder: str, living: Iterable[VectorFile]) -> None:
    """Deletes the files of generations that are no more, left by a prune that was cut short."""
    names = {os.path.basename(path) for file in living for path in (file.path, file.norms_path)}
    for name in os.listdir(folder):
        if _GENERATION.fullmatch(name) and name not in names:
            os.unlink(os.path.join(folder, name))


class VectorFile:
    """Rows are written at their place and become real when the catalogue names them.

    What a killed writer left beyond the last named row is overwritten by the next one.
    """

    def __init__(self, folder: str, space_id: int, generation: int, dimension: int) -> None:
        self._folder, self._space, self._generation = folder, space_id, generation
        stem = os.path.join(folder, f"{space_id}-{generation}")
        self.path = stem + _VECTORS
        self.norms_path = stem + _NORMS
        self.dimension = dimension
        self.parts = (self.path, dimension * 4), (self.norms_path, 4)
        """The files, each with the bytes of a row."""

    def write(self, row: int, units: Floats, norms: Floats) -> None:
        """Writes unit vectors (n × dimension) and norms (n) from `row` on, and waits for the disk.

        Raises `CvsearchError` when rows before that are missing: a hole would pass for what was paid for.
        """
        self.check(row)
        for (path, size), values in zip(self.parts, (units, norms), strict=True):
            _write_at(path, row * size, values.tobytes())

    def write_next(self, rows: int, live: NDArray[np.int64]) -> None:
        """Writes the `live` ones of the first `rows` rows into the files of the next generation, in order."""
        following = VectorFile(self._folder, self._space, self._generation + 1, self.dimension)
        following.remove()
        units, norms = self.read(rows)
        for start in range(0, len(live), _PORTION):
            part = live[start : start + _PORTION]
            following.write(start, np.asarray(units[part]), np.asarray(norms[part]))

    def check(self, rows: int) -> None:
        """Raises `CvsearchError` unless there are at least so many rows."""
        for path, size in self.parts if rows else ():
            if not os.path.exists(path) or os.path.getsize(path) < rows * size:
                raise _too_short(path)

    def count_bad(self, rows: int) -> int:
        """How many of the first rows cannot be what was written: the norm is zero, or the length is not 1."""
        units, norms = self.read(rows)
        bad = 0
        for start in range(0, rows, _PORTION):
            part = units[start : start + _PORTION]
            lengths = np.einsum("ij,ij->i", part, part)
            good = (np.abs(lengths - 1) < 1e-3) & (norms[start : start + _PORTION] > 0)
            bad += int((~good).sum())
        return bad

    def read(self, rows: int) -> tuple[Floats, Floats]:
        """The first `rows` unit vectors, shape (rows, dimension), and norms as received, shape (rows,).

        Both float32 and memory-mapped read-only; none need no file.
        """
        if not rows:
            return np.empty((0, self.dimension), np.float32), np.empty(0, np.float32)
        units, norms = (_map(path, rows * size // 4) for path, size in self.parts)
        return units.reshape(rows, self.dimension), norms

    def remove(self) -> None:
        """Deletes the files; readers that have them mapped keep what they see."""
        for path, _ in self.parts:
            with suppress(FileNotFoundError):
                os.unlink(path)


class RowReader:
    """Reads rows of a space's files as they are now, without mapping them; to be closed.

    Files that a prune replaces meanwhile can still be read.
    """

    def __init__(self, file: VectorFile) -> None:
        self._dimension = file.dimension
        self._sizes = [size for _, size in file.parts]
        self._handles: list[int] = []
        try:
            for path, _ in file.parts:
                self._handles.append(os.open(path, os.O_RDONLY))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the files."""
        for handle in self._handles:
            os.close(handle)
        self._handles = []

    def read(self, rows: Sequence[int]) -> tuple[Floats, Floats]:
        """The unit vectors of some rows, shape (len(rows), dimension), and norms as received; float32."""
        units, norms = (
            np.frombuffer(b"".join(_read_at(handle, row * size, size) for row in rows), np.float32)
            for handle, size in zip(self._handles, self._sizes, strict=True)
        )
        return units.reshape(len(rows), self._dimension), norms


def _map(path: str, count: int) -> Floats:
    if os.path.getsize(path) < count * 4:
        raise _too_short(path)
    return np.memmap(path, np.float32, mode="r", shape=(count,))


def _read_at(handle: int, offset: int, size: int) -> bytes:
    data = os.pread(handle, size, offset)
    if len(data) != size:
        raise CvsearchError("a vector file is shorter than its catalogue says", hint=_RESTORE)
    return data


def _too_short(path: str) -> CvsearchError:
    return CvsearchError(f"the vector file is shorter than its catalogue says: {path}", hint=_RESTORE)


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
