"""Whether an index is whole: the database by its own check, the vector files against the catalogue."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from cvsearch.errors import CvsearchError
from cvsearch.store.local.transactions import Store


def find_faults(store: Store) -> Iterator[str]:
    """What is wrong, a sentence each; nothing when all is well."""
    connection = store.catalogue.connection
    for line in _check_tables(connection):
        yield f"the catalogue is damaged: {line}"
    for (table,) in connection.execute('SELECT DISTINCT "table" FROM pragma_foreign_key_check'):
        yield f"the catalogue's table {table} points at what is not there"
    for number, space in store.catalogue.spaces():
        (nameless,) = connection.execute(
            "SELECT count(*) FROM embedding e LEFT JOIN vector v ON v.space = e.space AND v.row = e.row"
            " WHERE e.space = ? AND v.row IS NULL",
            (number,),
        ).fetchone()
        if nameless:
            yield f"{nameless:,} photos of {space} point at no vector"
        yield from _find_bad_vectors(store, number, str(space))


def _check_tables(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong; between the tables its lock is let go, so that a writer comes through."""
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in names:
        for (line,) in connection.execute(f"PRAGMA integrity_check('{name}')").fetchall():
            if line != "ok":
                yield line


def _find_bad_vectors(store: Store, number: int, space: str) -> Iterator[str]:
    try:
        bad = store.count_bad(number)
    except CvsearchError as error:
        yield error.message
        return
    if bad:
        yield f"{bad:,} vectors of {space} are not what was written"
