"""Writes what became of photos into the index: vector first, name second, one commit, then the event."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from cvsearch.embedding.lookup import IndexLookup
from cvsearch.embedding.pipeline import Indexed, Outcome, Reused, Skipped
from cvsearch.indexer.job import Job
from cvsearch.model import Embedded, Event, Unread
from cvsearch.providers.base import Embedder

COMMIT_REPLIES = 64
COMMIT_SECONDS = 1.0


@dataclass(slots=True)
class Writer:
    """Keeps outcomes for the next commit; what was sent is counted with each, so that no kill hides it."""

    job: Job
    lookup: IndexLookup
    embedder: Embedder
    _calls: int = 0
    _size: int = 0
    _events: list[Event] = field(default_factory=list)
    _last: float = field(default_factory=time.monotonic)

    def keep(self, outcome: Outcome | None) -> None:
        """Takes an outcome, if there is one."""
        if outcome is not None:
            self.job.store.begin()
            self._events += (self.job.count(event) for event in keep(self.job, self.lookup, outcome))

    @property
    def is_due(self) -> bool:
        """Whether it is time to commit."""
        late = time.monotonic() - self._last >= COMMIT_SECONDS
        return late or self.job.store.pending >= COMMIT_REPLIES

    def commit(self) -> list[Event]:
        """The events that are on disk now."""
        calls, size, host = self.embedder.calls, self.embedder.bytes_sent, self.job.host
        if host is not None and calls > self._calls:
            self.job.store.begin()
            self.job.store.catalogue.add_traffic(host, calls - self._calls, size - self._size)
        self._calls, self._size = calls, size
        self.job.summary.calls = calls
        self.job.store.commit()
        self._last = time.monotonic()
        events, self._events = self._events, []
        return events

    def finish(self, outcomes: Iterable[Outcome]) -> list[Event]:
        """Keeps what is still to come, too; what came before is safe whatever happens meanwhile."""
        try:
            for outcome in outcomes:
                self.keep(outcome)
        finally:
            events = self.commit()
        return events


def keep(job: Job, lookup: IndexLookup | None, outcome: Outcome) -> Iterator[Event]:
    """Writes one outcome for the next commit; the event is true once that is made.

    `lookup` has the vectors of pixels that were embedded for a query, and get rows of their own here.
    """
    file, sha256 = outcome.file, outcome.sha256
    if isinstance(outcome, Skipped):
        yield from _skip(job, outcome)
        return
    if isinstance(outcome, Indexed):
        kind = "indexed"
        job.store.add_indexed(job.number, file, outcome.sha256, outcome.photo, outcome.embedded)
    else:
        kind = _reuse(job, lookup, outcome)
    job.scan.contents.add(job.store.catalogue.add_content(outcome.sha256, file.size))
    yield Event(kind, file.path, sha256, also=file.also)


def _reuse(job: Job, lookup: IndexLookup | None, outcome: Reused) -> str:
    store, file, photo = job.store, outcome.file, outcome.photo
    known = store.files.find(file.path, job.number)
    same = known is not None and known.sha256 == outcome.sha256 and known.row is not None
    row = None if photo is None else store.catalogue.row_of_pixels(job.number, photo.pixels)
    if photo is None:
        store.add_name(file, outcome.sha256)
    else:
        if row is None and lookup is not None:
            row = store.add_vector(job.number, Embedded(lookup.asked.pop(photo.pixels)))
        assert row is not None  # noqa: S101 - it was found by its pixels: there, or among what was asked
        store.add_same_pixels(job.number, file, outcome.sha256, photo, row)
    return "unchanged" if same else "reused"


def _skip(job: Job, outcome: Skipped) -> Iterator[Event]:
    store, file, skip = job.store, outcome.file, outcome.skip
    if outcome.sha256 is None and _lose_root(job, file.path):
        return
    if skip.reason == "vanished":
        store.files.add_unread(Unread(file.path, skip.reason, skip.detail))
    else:
        store.add_skipped(job.number, file, outcome.sha256, skip, job.request.rules.extras)
        if outcome.sha256 is not None:
            job.scan.contents.add(store.catalogue.add_content(outcome.sha256, file.size))
    yield Event("skipped", file.path, outcome.sha256, skip.reason, skip.detail, file.also)


def _lose_root(job: Job, path: str) -> bool:
    """Whether a file could not be read because its whole root went away: it is not there, or empty as a mount
    point is that lost its disk."""
    root = job.store.roots.owner(path)
    if root is None or root.kind != "folder":
        return False
    with suppress(OSError), os.scandir(root.path) as entries:
        if next(entries, None) is not None:
            return False
    job.lost.add(root.path)
    return True
