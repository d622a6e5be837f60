"""What `show` and `status` tell: facts read out of the catalogue, as plain values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cvsearch.model import Metadata, Receipt, Skip, Space
from cvsearch.store.local.embedding_cache import EmbeddingCache
from cvsearch.store.local.library import Store


@dataclass(frozen=True, slots=True)
class SpaceFacts:
    """A photo in one space: where its vector came from, or why it has none."""

    space: Space
    row: int | None
    receipt: Receipt | None
    skip: Skip | None


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """All that the index knows of one file; `names` have its bytes, `also` are its companions."""

    path: str
    size: int
    sha256: bytes | None
    names: tuple[str, ...]
    also: tuple[str, ...]
    metadata: Metadata | None
    fault: Skip | None
    spaces: tuple[SpaceFacts, ...]


def photo_facts(store: Store, path: str) -> PhotoFacts | None:
    """What the index knows of a file, or of the photo it is a companion of; None when it knows nothing."""
    known = store.files.find(path, 0)
    if known is None:
        main = store.files.main_of(path)
        return None if main is None else photo_facts(store, main)
    fault = store.catalogue.connection.execute(
        "SELECT fault, detail FROM file WHERE id = ?", (known.id,)
    ).fetchone()
    return PhotoFacts(
        path=path,
        size=known.size,
        sha256=known.sha256,
        names=tuple(store.files.names_of_content(known.content)) if known.content is not None else (path,),
        also=known.also,
        metadata=None if known.content is None else _metadata(store, known.content),
        fault=None if fault[0] is None else Skip(fault[0], fault[1], lasting=False),
        spaces=tuple(_in_space(store, number, space, path) for number, space in store.catalogue.spaces()),
    )


def _metadata(store: Store, content: int) -> Metadata | None:
    row = store.catalogue.connection.execute(
        "SELECT format, width, height, orientation, taken, camera, lens, latitude, longitude"
        " FROM content WHERE id = ?",
        (content,),
    ).fetchone()
    return None if row[0] is None else Metadata(*row)


def _in_space(store: Store, number: int, space: Space, path: str) -> SpaceFacts:
    known = store.files.find(path, number)
    if known is None or known.row is None:
        return SpaceFacts(space, None, None, known.skip if known else None)
    sent = store.catalogue.connection.execute(
        "SELECT host, sent_at, request_id, sent_size, sent_sha256 FROM vector WHERE space = ? AND row = ?",
        (number, known.row),
    ).fetchone()
    return SpaceFacts(space, known.row, None if sent is None or sent[0] is None else Receipt(*sent), None)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an index; `last_run` is None before the first."""

    folder: str
    roots: tuple[dict[str, Any], ...]
    photos: int
    spaces: tuple[tuple[Space, int, int], ...]
    bytes_on_disk: int
    indexed_at: str | None
    traffic: tuple[tuple[str, int, int], ...]
    last_run: dict[str, Any] | None


def index_status(store: Store) -> Status:
    """The index's roots, counts, size, traffic and last run; spaces come with vectors and files covered."""
    return Status(
        folder=store.folder,
        roots=tuple(
            {
                "kind": root.kind,
                "path": root.path,
                "photos": store.files.count_of_root(root.id),
                "options": root.options,
                "there": os.path.isdir(root.path),
            }
            for root in store.roots.all
        ),
        photos=store.files.count(),
        spaces=tuple(
            (space, store.catalogue.count_vectors(number), store.files.count_searched(number))
            for number, space in store.catalogue.spaces()
        ),
        bytes_on_disk=sum(entry.stat().st_size for entry in os.scandir(store.folder) if entry.is_file()),
        indexed_at=store.indexed_at(),
        traffic=tuple(_traffic(store)),
        last_run=_last_run(store),
    )


def _traffic(store: Store) -> Iterator[tuple[str, int, int]]:
    """Calls and bytes by host, of runs and of queries."""
    rows = store.catalogue.connection.execute("SELECT host, calls, bytes FROM traffic").fetchall()
    rows += EmbeddingCache((store.folder,)).traffic()
    for host in sorted({row[0] for row in rows}):
        own = [row for row in rows if row[0] == host]
        yield host, sum(row[1] for row in own), sum(row[2] for row in own)


def _last_run(store: Store) -> dict[str, Any] | None:
    row = store.catalogue.connection.execute(
        "SELECT started_at, ended_at, code, summary FROM run ORDER BY id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    return {
        "started_at": row[0],
        "ended_at": row[1],
        "code": row[2],
        "summary": None if row[3] is None else json.loads(row[3]),
    }
