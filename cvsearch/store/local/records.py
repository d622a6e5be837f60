"""What is carried from one index to another of each photo besides its vector: a column each.

The names are those of the arrays in an exported file and of the fields of an exported JSON line.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cvsearch.model import METADATA, Field, Filter, IndexedPhoto, Metadata, Receipt, Skip
from cvsearch.paths import join_also

BYTES, HEX, TEXT, INT, FLOAT = "bytes", "hex", "text", "int", "float"
EMPTY: Mapping[str, Any] = {BYTES: b"", HEX: b"", TEXT: "", INT: 0, FLOAT: math.nan}
"""What stands for "not known" in a column of each kind."""

IMPORTED = Skip("imported", "it came by cvsearch import and was not seen on this machine yet", lasting=False)
"""The mark of a name that no run has seen here: no run misses or forgets it, unless it walks its folder."""

_HASH = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Column:
    """One fact of each photo; `sql` is where the catalogue has it.

    A `field` of the metadata may be unknown to an older index and to a file that one exported.
    """

    name: str
    kind: str
    sql: str
    field: Field | None = None

    def is_known(self, value: Any) -> bool:
        """Whether a value stands for something."""
        return bool(value != EMPTY[self.kind] and value == value)  # NaN is not itself


_KINDS = {"TEXT": TEXT, "INTEGER": INT, "REAL": FLOAT}
COLUMNS = (
    Column("path", BYTES, "whole_path(f.root, f.path)"),
    Column("sha256", HEX, "lower(hex(c.sha256))"),
    Column("bytes", INT, "f.size"),
    Column("mtime_ns", INT, "f.mtime_ns"),
    Column("also", BYTES, "f.also"),
    Column("pixels", HEX, "lower(hex(e.pixels))"),
    Column("phash", HEX, "lower(hex(c.phash))"),
    *(Column(field.name, _KINDS[field.type], f"c.{field.name}", field) for field in METADATA),
    Column("host", TEXT, "v.host"),
    Column("sent_at", TEXT, "v.sent_at"),
    Column("request_id", TEXT, "v.request_id"),
    Column("sent_bytes", INT, "v.sent_size"),
    Column("sent_sha256", HEX, "lower(hex(v.sent_sha256))"),
)
FIELDS = tuple(column for column in COLUMNS if column.field is not None)
"""The columns of `METADATA`."""


def make_photo(fields: Mapping[str, Any]) -> IndexedPhoto:
    """A photo of its columns.  Raises `ValueError`, which says what is wrong, for what cannot be."""
    path = _check_path(fields["path"])
    names = fields["also"].split(b"/") if fields["also"] else []
    if any(name in (b"", b".", b"..") or b"\0" in name for name in names):
        raise ValueError(f"a companion without a name beside {path}")
    if fields["bytes"] < 0:
        raise ValueError(f"a size below zero: {path}")
    _check_texts(fields)
    return IndexedPhoto(
        path,
        fields["bytes"],
        fields["mtime_ns"],
        join_also(path, fields["also"]),
        sha256=_read_hash(fields, "sha256"),
        pixels=_read_hash(fields, "pixels"),
        phash=_read_hash(fields, "phash") if fields["phash"] else None,
        metadata=_make_metadata(fields),
        receipt=_make_receipt(fields),
    )


def describe(fields: Mapping[str, Any]) -> dict[str, object]:
    """What is known of a photo besides its names, as JSON can hold it."""
    known: dict[str, object] = {}
    for column in COLUMNS:
        value = fields[column.name]
        if column.kind != BYTES and column.is_known(value):
            known[column.name] = value.decode("ascii") if column.kind == HEX else value
    return known


def _check_path(path: bytes) -> str:
    name = os.fsdecode(path)
    if not path.startswith(b"/") or b"\0" in path or os.path.normpath(name) != name:
        raise ValueError(f"no absolute path: {name}")
    return name


def _check_texts(fields: Mapping[str, Any]) -> None:
    for column in COLUMNS:
        if column.kind == TEXT and not fields[column.name].isprintable():
            raise ValueError(f"no text on one line ({column.name}): {fields[column.name][:80]!r}")
        if column.field is not None and column.field.filter == Filter.DATES and fields[column.name]:
            datetime.fromisoformat(fields[column.name])


def _read_hash(fields: Mapping[str, Any], name: str) -> bytes:
    value = fields[name]
    if not _HASH.fullmatch(value):
        raise ValueError(f"no hash ({name}): {value[:80]!r}")
    return bytes.fromhex(value.decode("ascii"))


def _make_metadata(fields: Mapping[str, Any]) -> Metadata | None:
    known: dict[str, Any] = {
        one.name: fields[one.name] if one.is_known(fields[one.name]) else None for one in FIELDS
    }
    if known["format"] is None:
        return None
    width, height, orientation = (fields[name] for name in ("width", "height", "orientation"))
    if width < 1 or height < 1 or not 1 <= orientation <= 8:
        raise ValueError(f"no picture has this size and orientation: {width} × {height}, {orientation}")
    latitude, longitude = known["latitude"], known["longitude"]
    if latitude is None or longitude is None:
        known |= {"latitude": None, "longitude": None}
    elif not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"no such place: {latitude}, {longitude}")
    return Metadata(**known)


def _make_receipt(fields: Mapping[str, Any]) -> Receipt | None:
    if not fields["host"]:
        return None
    sent = _read_hash(fields, "sent_sha256")
    return Receipt(fields["host"], fields["sent_at"], fields["request_id"], fields["sent_bytes"], sent)
