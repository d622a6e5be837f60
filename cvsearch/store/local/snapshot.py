"""The photos of a space with their vectors as they are at one moment, read portion by portion.

The facts are copied into a temporary table at once, so that a long reading neither sees half of what a
run does meanwhile nor keeps that run waiting; and vectors are read from their file, not mapped, so that
memory does not grow with the library.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import nothing_indexed
from cvsearch.model import IndexedPhoto
from cvsearch.paths import Scope, join
from cvsearch.store.local.records import COLUMNS, EMPTY, HEX, Column, describe, make_photo
from cvsearch.store.local.transactions import Store
from cvsearch.store.local.vectors import RowReader, join_vectors

PORTION = 512
"""How many photos are in memory at once."""


class Snapshot:
    """Photos in the order of their vectors' rows; made by `open_snapshot`.

    `count` photos are in it; `absent` are those that were listed one by one and are not.
    """

    def __init__(self, connection: sqlite3.Connection, reader: RowReader, absent: Sequence[str]) -> None:
        self._connection = connection
        self._reader = reader
        (self.count,) = connection.execute("SELECT count(*) FROM temp.snapshot").fetchone()
        self.absent = absent

    def width(self, column: Column) -> int:
        """The length of a column's longest value, in characters or bytes."""
        (longest,) = self._connection.execute(
            f"SELECT max(length({column.name})) FROM temp.snapshot"
        ).fetchone()
        return int(longest or 0)

    def read(self, column: Column) -> Iterator[list[Any]]:
        """A column's values, a portion at a time."""
        for portion in self._select(column.name):
            yield [_read_value(column, value) for (value,) in portion]

    def read_paths(self) -> Iterator[list[bytes]]:
        """The photos' paths, a portion at a time."""
        return self.read(COLUMNS[0])

    def read_fields(self) -> Iterator[list[dict[str, Any]]]:
        """All columns by their names, photo by photo, a portion at a time."""
        for portion in self._select(", ".join(column.name for column in COLUMNS)):
            yield [
                {column.name: _read_value(column, value) for column, value in zip(COLUMNS, row, strict=True)}
                for row in portion
            ]

    def read_photos(self) -> list[IndexedPhoto]:
        """All of them at once."""
        return [make_photo(fields) for portion in self.read_fields() for fields in portion]

    def read_vectors(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Unit vectors (portion × dimension) and norms as received (portion), float32."""
        for portion in self._select("vector_row"):
            yield self._reader.read([row for (row,) in portion])

    def describe(self) -> Iterator[tuple[IndexedPhoto, dict[str, object], NDArray[np.float32]]]:
        """Each photo, what is known of it as JSON can hold it, and its vector as received."""
        for rows, vectors in zip(self.read_fields(), self.read_vectors(), strict=True):
            for fields, vector in zip(rows, join_vectors(*vectors), strict=True):
                yield make_photo(fields), describe(fields), vector

    def _select(self, names: str) -> Iterator[list[tuple[Any, ...]]]:
        select = f"SELECT {names} FROM temp.snapshot WHERE rowid > ? ORDER BY rowid LIMIT {PORTION}"
        for start in range(0, self.count, PORTION):
            # No statement stays open while nobody reads on.
            yield self._connection.execute(select, (start,)).fetchall()


def _read_value(column: Column, value: Any) -> Any:
    if value is None:
        return EMPTY[column.kind]
    return value.encode("ascii") if column.kind == HEX else value


@contextmanager
def open_snapshot(store: Store, space: int, scope: Scope) -> Iterator[Snapshot]:
    """The photos of a scope that have a vector in a space.  One at a time may be open on a store.

    Raises `NoIndexError` when the space has no vectors at all.
    """
    if not store.catalogue.rows(space):
        raise nothing_indexed(store.folder, dict(store.catalogue.spaces())[space].provider)
    connection = store.catalogue.connection
    roots = {root.id: root.path for root in store.roots.all}
    connection.create_function("whole_path", 2, lambda root, below: os.fsencode(join(roots[root], below)))
    # A reader may write nothing; temporary tables are its own.
    (restricted,) = connection.execute("PRAGMA query_only").fetchone()
    connection.execute("PRAGMA query_only = 0")
    reader = None
    try:
        connection.execute("BEGIN")
        absent = _choose(store, space, scope)
        _take(store, space, everything=scope.is_all())
        reader = RowReader(store.file(space))
        connection.execute("COMMIT")
        yield Snapshot(connection, reader, absent)
    finally:
        if reader is not None:
            reader.close()
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        for table in ("chosen", "snapshot"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        connection.execute(f"PRAGMA query_only = {restricted}")


def _choose(store: Store, space: int, scope: Scope) -> list[str]:
    """Notes the files of a scope; returns those of a list that have no vector."""
    connection = store.catalogue.connection
    connection.execute("CREATE TEMP TABLE chosen (id INTEGER PRIMARY KEY)")
    insert = "INSERT OR IGNORE INTO temp.chosen VALUES (?)"
    absent = []
    if scope.among is None:
        for folder in scope.under:
            connection.executemany(insert, ((number,) for number, _, _ in store.files.beneath(folder)))
        return []
    for path in dict.fromkeys(filter(scope.admits, scope.among)):
        known = store.files.find(path, space)
        if known is None or known.row is None:
            absent.append(path)
        else:
            connection.execute(insert, (known.id,))
    return absent


def _take(store: Store, space: int, *, everything: bool) -> None:
    missing = store.catalogue.missing
    columns = ", ".join(
        f"{'NULL' if column.name in missing else column.sql} AS {column.name}" for column in COLUMNS
    )
    only = "" if everything else " WHERE f.id IN (SELECT id FROM temp.chosen)"
    store.catalogue.connection.execute(
        f"CREATE TEMP TABLE snapshot AS SELECT e.row AS vector_row, {columns} FROM file f"
        " JOIN content c ON c.id = f.content JOIN embedding e ON e.content = c.id AND e.space = ?"
        f" LEFT JOIN vector v ON v.space = e.space AND v.row = e.row{only} ORDER BY vector_row, path",
        (space,),
    )
