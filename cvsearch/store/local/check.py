"""Whether an index is whole: the database by its own check, the vector files against the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

from cvsearch.errors import CvsearchError
from cvsearch.store.local.transactions import Store


def find_faults(store: Store) -> Iterator[str]:
    """What is wrong, a sentence each; nothing when all is well."""
    connection = store.catalogue.connection
    # Between the tables SQLite's lock is let go, so that a writer comes through.
    names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in names:
        for (line,) in connection.execute(f"PRAGMA integrity_check('{name}')").fetchall():
            if line != "ok":
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
        try:
            bad = store.count_bad(number)
        except CvsearchError as error:
            yield error.message
            continue
        if bad:
            yield f"{bad:,} vectors of {space} are not what was written"
