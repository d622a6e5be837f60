"""An exported file: a NumPy archive (``.npz``) with an array for each column and one for the vectors.

It is written and read portion by portion, so that memory does not grow with it, and holds no pickled
objects.  `numpy.load` reads it too.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError
from cvsearch.model import IndexedPhoto, Space
from cvsearch.store.local.records import BYTES, COLUMNS, EMPTY, FLOAT, HEX, INT, TEXT, Column, make_photo
from cvsearch.store.local.snapshot import Snapshot
from cvsearch.store.local.vectors import find_rounding, join_vectors, restore_vectors

HEADER, VECTORS, NORMS, ROUNDING = "header", "vector", "norm", "rounding"
_FLOATS, _STEPS = np.dtype("<f4"), np.dtype("<i1")
FORMAT, VERSION = "cvsearch export", 1
_MOST_DIMENSIONS = 65_536
_MOST_WIDTH = 65_536
_PORTION_BYTES = 4_000_000
MOST_ROWS = 512
"""How many photos an import commits at once."""
_KINDS = {BYTES: "S", HEX: "S", TEXT: "U", INT: "i", FLOAT: "f"}
_SLUG = re.compile(r"[\w.+-]{1,100}", re.ASCII)


def write_archive(file: IO[bytes], snapshot: Snapshot, space: Space, version: str) -> Iterator[int]:
    """Writes a snapshot, and says how many vectors are through; `version` is that of cvsearch."""
    header = np.array(
        json.dumps({"format": FORMAT, "version": VERSION, "cvsearch": version, "space": asdict(space)})
    )
    rows, shape = (snapshot.count,), (snapshot.count, space.dimension)
    vectors = (join_vectors(*portion) for portion in snapshot.read_vectors())
    norms = (norms for _, norms in snapshot.read_vectors())
    rounding = (find_rounding(*portion) for portion in snapshot.read_vectors())
    with zipfile.ZipFile(file, "w") as archive:
        _write(archive, HEADER, header.dtype, (), [header])
        for column in COLUMNS:
            if column.kind in (INT, FLOAT):
                dtype = np.dtype("<i8" if column.kind == INT else "<f8")
            else:
                dtype = np.dtype(f"<{_KINDS[column.kind]}{max(1, snapshot.width(column))}")
            portions = (np.array(portion, dtype) for portion in snapshot.read(column))
            _write(archive, column.name, dtype, rows, portions)
        with _open_array(archive, VECTORS, _FLOATS, shape, zipfile.ZIP_STORED) as out:
            done = 0
            for portion in vectors:
                out.write(portion.tobytes())
                done += len(portion)
                yield done
        _write(archive, NORMS, _FLOATS, rows, norms)
        _write(archive, ROUNDING, _STEPS, shape, rounding)


def _write(
    archive: zipfile.ZipFile,
    name: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    portions: Iterable[NDArray[Any]],
) -> None:
    with _open_array(archive, name, dtype, shape, zipfile.ZIP_DEFLATED) as out:
        for portion in portions:
            out.write(portion.astype(dtype, copy=False).tobytes())


def _open_array(
    archive: zipfile.ZipFile, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], method: int
) -> IO[bytes]:
    """An array's file in the archive, with its header written."""
    member = zipfile.ZipInfo(f"{name}.npy")
    member.compress_type = method
    member.external_attr = 0o600 << 16
    out = archive.open(member, "w", force_zip64=True)
    described = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(out, described)
    return out


@dataclass(frozen=True, slots=True)
class _Member:
    """An array in an archive: where its data is read from, and what it is."""

    file: IO[bytes]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def read(self, rows: int) -> NDArray[Any]:
        """The next rows.  Raises `ValueError` when there are fewer."""
        size = rows * self.row_bytes
        data = self.file.read(size)
        if len(data) != size:
            raise ValueError("an array is shorter than it says")
        return np.frombuffer(data, self.dtype).reshape(rows, *self.shape[1:])


@dataclass(frozen=True, slots=True)
class Portion:
    """Some photos, their unit vectors (n × dimension) and the norms as received (n), both float32."""

    photos: list[IndexedPhoto]
    units: NDArray[np.float32]
    norms: NDArray[np.float32]


class Archive:
    """An exported file that is open for reading.  Made by `open_archive`."""

    def __init__(self, archive: zipfile.ZipFile, path: str) -> None:
        self._archive = archive
        self.path = path
        with _explained(path), ExitStack() as opened:
            self.space = _read_space(_open_member(archive, HEADER, opened))
            vectors = _open_member(archive, VECTORS, opened)
            if vectors.dtype != _FLOATS or vectors.shape[1:] != (self.space.dimension,):
                raise ValueError(f"the vectors are not {self.space.dimension} float32 each")
            self.count = vectors.shape[0]

    def read(self) -> Iterator[Portion]:
        """The photos with their vectors, a portion at a time, each checked.

        Raises `CvsearchError` for what cannot be; read to its end, the whole file is as it was written.
        """
        with _explained(self.path), ExitStack() as opened:
            members = {
                column.name: self._open_column(column, opened)
                for column in COLUMNS
                if column.field is None or f"{column.name}.npy" in self._archive.namelist()
            }
            vectors = self._open_vectors(opened)
            every = (*members.values(), *vectors)
            unknown = {column.name: EMPTY[column.kind] for column in COLUMNS}
            rows = max(1, min(MOST_ROWS, _PORTION_BYTES // sum(one.row_bytes for one in every)))
            for start in range(0, self.count, rows):
                size = min(rows, self.count - start)
                columns = [member.read(size).tolist() for member in members.values()]
                photos = [
                    make_photo(unknown | dict(zip(members, row, strict=True)))
                    for row in zip(*columns, strict=True)
                ]
                units, norms = restore_vectors(*(one.read(size) for one in vectors))
                yield Portion(photos, units, norms)
            if any(one.file.read(1) for one in every):
                raise ValueError("an array is longer than it says")

    def _open_vectors(self, opened: ExitStack) -> list[_Member]:
        shape = (self.count, self.space.dimension)
        members = []
        for name, dtype, wanted in (
            (VECTORS, _FLOATS, shape),
            (NORMS, _FLOATS, shape[:1]),
            (ROUNDING, _STEPS, shape),
        ):
            members.append(_open_member(self._archive, name, opened))
            if members[-1].dtype != dtype or members[-1].shape != wanted:
                raise ValueError(f"the array {name} is of another kind or length")
        return members

    def _open_column(self, column: Column, opened: ExitStack) -> _Member:
        member = _open_member(self._archive, column.name, opened)
        most = 8 if column.kind in (INT, FLOAT) else _MOST_WIDTH
        if member.dtype.kind != _KINDS[column.kind] or member.dtype.itemsize > most:
            raise ValueError(f"the array {column.name} is of another kind")
        if member.shape != (self.count,):
            raise ValueError(f"the array {column.name} has another length")
        return member


@contextmanager
def open_archive(path: str) -> Iterator[Archive]:
    """An exported file.  Raises `CvsearchError` when it is none, or of a newer cvsearch."""
    with open(path, "rb") as file, ExitStack() as opened:
        with _explained(path):
            archive = opened.enter_context(zipfile.ZipFile(file))
        yield Archive(archive, path)


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Whatever a broken or foreign file does to its readers is one kind of error."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError, RuntimeError) as error:
        raise refusal(path, "it is damaged, or something else") from error
    except (ValueError, OverflowError, SyntaxError, TypeError) as error:
        raise refusal(path, str(error)) from error


def refusal(path: str, why: str) -> CvsearchError:
    """What is said of a file that cannot be imported."""
    return CvsearchError(
        f"this cannot be imported: {path}: {why}",
        hint="name a file that cvsearch export wrote, and that was copied whole; nothing was changed",
    )


def _open_member(archive: zipfile.ZipFile, name: str, opened: ExitStack) -> _Member:
    file = opened.enter_context(archive.open(f"{name}.npy"))
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError(f"the array {name} is of another kind")
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
    if fortran_order or dtype.hasobject or dtype.byteorder == ">" or any(size < 0 for size in shape):
        raise ValueError(f"the array {name} is of another kind")
    return _Member(file, dtype, shape)


def _read_space(member: _Member) -> Space:
    if member.shape != () or member.dtype.kind != "U" or member.dtype.itemsize > _MOST_WIDTH:
        raise ValueError("it has no header")
    data = member.file.read(member.dtype.itemsize)
    header = json.loads(str(np.frombuffer(data, member.dtype)[0]))
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise ValueError("its header is not one of cvsearch")
    if header.get("version") != VERSION:
        raise ValueError("a newer cvsearch wrote it; upgrade cvsearch")
    space = Space(*(header["space"][name] for name in ("provider", "model", "preparation", "dimension")))
    texts = (space.provider, space.model, space.preparation)
    if not all(map(_SLUG.fullmatch, texts)):
        raise ValueError(f"no such space: {space}")
    if type(space.dimension) is not int or not 1 <= space.dimension <= _MOST_DIMENSIONS:
        raise ValueError(f"no such dimension: {space.dimension}")
    return space
