"""The catalogue's tables, as numbered migrations.

Two ideas carry the rest: a *file* is a name that points at a *content* (keyed by SHA-256), and an
*embedding* ties a content to a row of a space's vector file.  Several contents whose prepared
pixels are the same share one row.  A file's `also` are the names of its companions (the RAW beside a
JPEG, which is the same photo), separated by ``/``; they lie in its folder and have no rows of their own.
A root's `base` is the index's parent folder when the root was last known to be right.
`unread` are names, absolute, that the last run over their folder could not look at.  What `METADATA` has
and `content` lacks is not migrated but added as it is found missing.
"""

from __future__ import annotations

import sqlite3

from cvsearch.errors import CvsearchError
from cvsearch.model import METADATA

APPLICATION_ID = 0x63767331
"""Marks the SQLite file as a cvsearch catalogue (the letters ``cvs1``)."""

_FIRST = """
CREATE TABLE space (
    id INTEGER PRIMARY KEY,
    provider TEXT NOT NULL,
    model TEXT NOT NULL,
    preparation TEXT NOT NULL,
    dimension INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    UNIQUE (provider, model, preparation)
);
CREATE TABLE root (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    path BLOB NOT NULL,
    relative INTEGER NOT NULL,
    options TEXT NOT NULL,
    UNIQUE (kind, path, relative)
);
CREATE TABLE content (
    id INTEGER PRIMARY KEY,
    sha256 BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    format TEXT,
    width INTEGER,
    height INTEGER,
    orientation INTEGER,
    taken TEXT,
    camera TEXT,
    lens TEXT,
    latitude REAL,
    longitude REAL,
    phash BLOB
);
CREATE TABLE file (
    id INTEGER PRIMARY KEY,
    root INTEGER NOT NULL REFERENCES root,
    path BLOB NOT NULL,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content INTEGER REFERENCES content,
    fault TEXT,
    detail TEXT,
    also BLOB,
    UNIQUE (root, path)
);
CREATE INDEX file_content ON file (content);
CREATE TABLE vector (
    space INTEGER NOT NULL REFERENCES space,
    row INTEGER NOT NULL,
    host TEXT,
    sent_at TEXT,
    request_id TEXT,
    sent_size INTEGER,
    sent_sha256 BLOB,
    PRIMARY KEY (space, row)
) WITHOUT ROWID;
CREATE TABLE embedding (
    space INTEGER NOT NULL REFERENCES space,
    content INTEGER NOT NULL REFERENCES content,
    row INTEGER NOT NULL,
    pixels BLOB NOT NULL,
    PRIMARY KEY (space, content)
) WITHOUT ROWID;
CREATE INDEX embedding_row ON embedding (space, row);
CREATE INDEX embedding_pixels ON embedding (space, pixels);
CREATE TABLE skip (
    space INTEGER NOT NULL REFERENCES space,
    content INTEGER NOT NULL REFERENCES content,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    extras TEXT NOT NULL,
    PRIMARY KEY (space, content)
) WITHOUT ROWID;
CREATE TABLE reading (
    path BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    sha256 BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE traffic (
    host TEXT PRIMARY KEY,
    calls INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    started_at TEXT NOT NULL,
    ended_at TEXT,
    code INTEGER,
    summary TEXT
);
"""

_BASES = """
ALTER TABLE root ADD COLUMN base BLOB;
"""

_UNREAD = """
CREATE TABLE unread (
    path BLOB PRIMARY KEY,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) WITHOUT ROWID;
"""

MIGRATIONS = (_FIRST, _BASES, _UNREAD)


def migrate(connection: sqlite3.Connection) -> None:
    """Brings a writable catalogue to the newest version, each step in one transaction."""
    version = check_version(connection)
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(
            f"BEGIN; {script} PRAGMA application_id = {APPLICATION_ID};"
            f" PRAGMA user_version = {number}; COMMIT;"
        )
    missing = find_missing(connection)
    for field in METADATA:
        if field.name in missing:
            connection.execute(f"ALTER TABLE content ADD COLUMN {field.name} {field.type}")


def find_missing(connection: sqlite3.Connection) -> frozenset[str]:
    """The fields of `METADATA` that an index does not have, as an older cvsearch made it."""
    present = {name for (name,) in connection.execute("SELECT name FROM pragma_table_info('content')")}
    return frozenset(field.name for field in METADATA) - present


def check_version(connection: sqlite3.Connection) -> int:
    """The catalogue's version; raises `CvsearchError` for one made by a newer cvsearch."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise CvsearchError(
            f"this index was made by a newer cvsearch (format {version}, known: {len(MIGRATIONS)})",
            hint="upgrade cvsearch",
        )
    return int(version)
