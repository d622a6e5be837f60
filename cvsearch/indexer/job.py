"""A run of `index` as it stands: what was asked, the index it writes to, and what became of the photos."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from cvsearch.config.settings import Settings
from cvsearch.embedding.lookup import IndexLookup
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.indexer.changes import IndexRequest, Plan
from cvsearch.indexer.relocation import move_command
from cvsearch.indexer.scan import Scan
from cvsearch.model import Event, Forecast, Space, Summary
from cvsearch.photos.formats import photo_kind
from cvsearch.providers.registry import choose_space, provider_of
from cvsearch.signals import CancelToken
from cvsearch.store.local.embedding_cache import open_embedding_cache
from cvsearch.store.local.library import FolderLibrary, has_index, open_writer, remove_new


@dataclass(slots=True)
class Job:
    """One run's state.

    `kept_missing` counts photos that vanished in suspicious numbers, by root; `lost` are roots that
    went away while they were read.  `declined`: nobody wanted the plan.  Of a dry run `changed` counts files
    that would be sent anew.
    """

    settings: Settings
    store: FolderLibrary
    space: Space
    request: IndexRequest
    token: CancelToken
    notices: Sequence[str] = ()
    summary: Summary = field(default_factory=Summary)
    scan: Scan = field(default_factory=Scan)
    changed: int = 0
    send_bytes: int | None = None
    kept_missing: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    number: int = 0
    declined: bool = False

    @property
    def code(self) -> ExitCode:
        """The exit code of a run that came to its end."""
        incomplete = (
            self.summary.skipped or self.scan.missing or self.scan.unread or self.kept_missing or self.lost
        )
        return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE

    @property
    def sends(self) -> bool:
        """Whether the photos leave this machine."""
        return provider_of(self.space).sends

    @property
    def host(self) -> str | None:
        """Where they go."""
        return provider_of(self.space).host(self.settings)

    @property
    def moves(self) -> dict[str, str]:
        """The commands that say where the photos of roots are that a copied index lost, by root."""
        return {path: move_command(path, before) for path, before in self.scan.relocated.items()}

    def count(self, event: Event) -> Event:
        """Counts an event in the summary, and hands it on."""
        setattr(self.summary, event.kind, getattr(self.summary, event.kind) + 1)
        return event

    @property
    def forecast(self) -> Forecast:
        """What a dry run found."""
        counts = self.summary
        return Forecast(
            new=counts.indexed - self.changed,
            changed=self.changed,
            moved=counts.reused,
            unchanged=counts.unchanged,
            gone=counts.forgotten,
            unsupported=counts.skipped,
            send_bytes=self.send_bytes,
        )

    def make_lookup(self) -> IndexLookup:
        """What needs no call in this run."""
        rules, cache = self.request.rules, open_embedding_cache(self.store.folder)
        skips = not rules.retry_skipped
        return IndexLookup(
            self.space, cache, self.store, self.number, rules.extras, asks=self.sends, skips=skips
        )

    def make_plan(self) -> Plan:
        """What is to come.  Raises `DiskFullError` when not even a few vectors would fit."""
        todo = self.scan.todo
        has_room = True
        if todo and not self.request.dry_run:
            has_room = self.store.make_room(len(todo), self.space.dimension)
        return Plan(
            photos=len(todo),
            size=sum(file.size for file in todo),
            kinds=Counter(photo_kind(file.path) for file in todo),
            sends=self.sends,
            host=self.host,
            first=not self.store.catalogue.has_traffic(),
            has_room=has_room,
        )


@contextmanager
def open_job(
    settings: Settings, folder: str, request: IndexRequest, token: CancelToken, wait_seconds: float = 0
) -> Iterator[Job]:
    """A run over the index in `folder`, which is made if there is none.

    A wrong name and half a configuration are told before an index is made, and one that was made for a run
    that was declined is removed.  Raises `LockedError` while another process writes.
    """
    is_new = not has_index(folder)
    if is_new:
        for path in request.paths:
            if not os.path.lexists(path):
                raise CvsearchError(f"no such file or folder: {path}", hint="check the name")
        choose_space(settings, [], sign_in=not request.dry_run)
    create = bool(request.paths) or request.listed is not None
    with open_writer(folder, wait_seconds, create=create) as store:
        choice = choose_space(settings, store.covered(), sign_in=not request.dry_run)
        job = Job(settings, store, choice.space, request, token, choice.notices)
        try:
            yield job
        finally:
            if is_new and job.declined and store.last_run() is None:
                remove_new(folder)  # the lock is held: nobody else has written meanwhile
