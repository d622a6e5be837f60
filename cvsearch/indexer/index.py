"""The sentence "index this folder", from top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvsearch.embedding.pipeline import (
    CancelToken,
    Indexed,
    Outcome,
    Pipeline,
    Prepare,
    Read,
    Reused,
    Skipped,
    never,
)
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.indexer.changes import Rules
from cvsearch.indexer.forgetting import choose_forgotten, drop_missing_roots
from cvsearch.indexer.scan import Find, Scan, Scanner, choose_targets
from cvsearch.indexer.singles import Pair, Stat
from cvsearch.model import Embedded, Event, PhotoFile, Skip, Space, Summary, Unread, WalkOptions
from cvsearch.paths import contains
from cvsearch.providers.base import Embedder
from cvsearch.store.local.library import Store

if TYPE_CHECKING:
    from cvsearch.model import Vector

COMMIT_REPLIES = 64
COMMIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What the user asked for; `listed` and `options` are None when none were given."""

    paths: Sequence[str]
    listed: Sequence[str] | None
    options: WalkOptions | None
    rules: Rules
    forget_missing: bool


def none_asked(kind: str, key: bytes) -> Vector | None:
    """Nothing was embedded for a query."""
    return None


@dataclass(frozen=True, slots=True)
class Tools:
    """What indexing needs of the other rooms."""

    find: Find
    stat: Stat
    pair: Pair
    read: Read
    prepare: Prepare
    open_embedder: Callable[[], Embedder]
    host: str | None
    approve: Callable[[Scan], None]
    """Shows the plan and raises when the user says no."""
    asked: Callable[[str, bytes], Vector | None] = none_asked
    """The vector of a picture that was embedded for a query, by its kind of key and the key."""
    hold: Callable[[], bool] = never
    """Whether nothing new is to be begun for now."""


@dataclass(slots=True)
class Run:
    """One run's state: counts for the summary, and what keeps it from being complete.

    `kept_missing` counts photos that vanished in suspicious numbers, by root; `lost` are roots that
    went away while they were read.  `declined`: the user did not want it, and nothing was done.
    """

    store: Store
    space: Space
    request: IndexRequest
    tools: Tools
    stop: CancelToken
    summary: Summary = field(default_factory=Summary)
    scan: Scan | None = None
    kept_missing: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    space_id: int = 0
    declined: bool = False

    @property
    def code(self) -> ExitCode:
        """The exit code of a run that came to its end."""
        missing = self.scan is not None and (self.scan.missing or self.scan.unread)
        incomplete = self.summary.skipped or missing or self.kept_missing or self.lost
        return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE


def run_index(run: Run) -> Generator[Event, None, None]:
    """Looks, plans, asks, embeds and forgets; yields what became of each photo once it is on disk.

    Raises `CvsearchError` when the run cannot go on; what was paid for by then is kept, and running
    it again goes on from there.
    """
    started, number = time.monotonic(), run.store.begin_run()
    code = ExitCode.USAGE
    try:
        run.space_id = _add_space(run)
        for event in _look(run):
            yield count_event(run, event)
        _approve(run)
        for event in _name_hashed(run):
            yield count_event(run, event)
        with closing(_embed(run)) as events:
            yield from events
        for event in _forget(run):
            yield count_event(run, event)
        run.store.begin()
        run.store.catalogue.clear_readings()
        run.store.commit()
        code = run.code
    except BaseException as error:
        run.store.rollback()  # what was paid for is committed by now
        code = error.code if isinstance(error, CvsearchError) else code
        raise
    finally:
        run.summary.seconds = round(time.monotonic() - started, 3)
        if run.declined:
            run.store.drop_run(number)
        else:
            run.store.end_run(number, code, run.summary)


def _approve(run: Run) -> None:
    try:
        run.tools.approve(_scan_of(run))
    except CvsearchError:
        run.declined = True
        raise


def _scan_of(run: Run) -> Scan:
    if run.scan is None:
        raise AssertionError("nothing was looked at yet")
    return run.scan


def count_event(run: Run, event: Event) -> Event:
    """Counts an event in the run's summary, and hands it on."""
    setattr(run.summary, event.kind, getattr(run.summary, event.kind) + 1)
    return event


def _add_space(run: Run) -> int:
    run.store.begin()
    number = run.store.catalogue.add_space(run.space)
    run.store.commit()
    return number


def _look(run: Run) -> Iterator[Event]:
    run.store.begin()
    run.scan = choose_targets(run.store, run.request.paths, run.request.listed, run.request.options)
    run.store.commit()
    tools, rules = run.tools, run.request.rules
    scanner = Scanner(run.store, run.space_id, rules, tools.find, tools.stat, tools.pair)
    yield from scanner.fill(run.scan)
    run.summary.found, run.summary.also = run.scan.found, run.scan.also
    _keep_unread(run, run.scan)
    for fault in run.scan.unread:
        yield Event("skipped", fault.path, None, fault.reason, fault.detail)


def _keep_unread(run: Run, scan: Scan) -> None:
    walked = [*(target.start for target in scan.targets), *scan.named]
    run.store.begin()
    run.store.files.replace_unread(walked, scan.unread)
    run.store.commit()


@dataclass(frozen=True, slots=True)
class _Shelf:
    """What needs no call.  A picture that was embedded for a query gets a row of its own here."""

    run: Run
    taken: dict[bytes, int] = field(default_factory=dict)

    def row_of_content(self, sha256: bytes) -> int | None:
        return self.run.store.catalogue.row_of_content(self.run.space_id, sha256)

    def row_of_pixels(self, pixels: bytes) -> int | None:
        row = self.run.store.catalogue.row_of_pixels(self.run.space_id, pixels)
        return self._take_asked(pixels) if row is None else row

    def _take_asked(self, pixels: bytes) -> int | None:
        if pixels not in self.taken:
            vector = self.run.tools.asked("pixels", pixels)
            if vector is None:
                return None
            self.run.store.begin()
            self.taken[pixels] = self.run.store.add_vector(self.run.space_id, Embedded(vector))
        return self.taken[pixels]

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        rules = self.run.request.rules
        if rules.retry_skipped:
            return None
        return self.run.store.catalogue.skip_of_content(self.run.space_id, sha256, rules.extras)


def _name_hashed(run: Run) -> Iterator[Event]:
    """Names the files whose hash a dry run took and found a vector for, and companions that are new."""
    run.store.begin()
    for number, also in _scan_of(run).joined:
        run.store.files.set_also(number, also)
    events = [event for file, sha256 in _scan_of(run).hashed for event in _keep(run, Reused(file, sha256))]
    run.store.commit()
    yield from events


def _embed(run: Run) -> Generator[Event, None, None]:
    """Embeds what is to do; commits at least once a second, and yields events after their commit.

    Whatever ends it, also a reader that has gone, replies that are paid for are kept.
    """
    if not _scan_of(run).todo:
        return
    failure: Exception | None = None
    run.stop.armed = True
    with run.tools.open_embedder() as embedder:
        tools, keeper = run.tools, _Keeper(run, embedder)
        pipeline = Pipeline(tools.read, tools.prepare, embedder, _Shelf(run), run.stop, tools.hold)
        try:
            with closing(pipeline.run(_still_there(run))) as outcomes:
                for outcome in outcomes:
                    keeper.keep(outcome)
                    if keeper.is_due:
                        yield from keeper.commit()
        except Exception as error:  # noqa: BLE001 - raised again when all that was paid for is kept
            failure = error
        finally:
            kept = keeper.finish(pipeline.drain())
            run.stop.armed = False
    yield from kept
    if failure is not None:
        raise failure
    run.stop.check()  # it may have been asked for during the last commit


class _Keeper:
    """Writes outcomes into the index and counts what became of the photos."""

    def __init__(self, run: Run, embedder: Embedder) -> None:
        self._run = run
        self._embedder = embedder
        self._traffic = Traffic(run)
        self._events: list[Event] = []
        self._last = time.monotonic()

    def keep(self, outcome: Outcome | None) -> None:
        if outcome is not None:
            self._run.store.begin()
            self._events += (count_event(self._run, event) for event in _keep(self._run, outcome))

    @property
    def is_due(self) -> bool:
        """Whether it is time to commit."""
        late = time.monotonic() - self._last >= COMMIT_SECONDS
        return late or self._run.store.pending >= COMMIT_REPLIES

    def commit(self) -> list[Event]:
        """The events that are on disk now."""
        self._traffic.count(self._embedder)
        self._run.store.commit()
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


@dataclass(slots=True)
class Traffic:
    """What has left this machine in a run; counted at every commit, so that no kill can hide it."""

    run: Run
    calls: int = 0
    size: int = 0

    def count(self, embedder: Embedder) -> None:
        """Writes what is new since the last count."""
        calls, size, host = embedder.calls, embedder.bytes_sent, self.run.tools.host
        if host is not None and calls > self.calls:
            self.run.store.begin()
            self.run.store.catalogue.add_traffic(host, calls - self.calls, size - self.size)
        self.calls, self.size = calls, size
        self.run.summary.calls = calls


def _still_there(run: Run) -> Iterator[PhotoFile]:
    for file in _scan_of(run).todo:
        if not any(contains(root, file.path) for root in run.lost):
            yield file


def _keep(run: Run, outcome: Outcome) -> Iterator[Event]:
    """Writes one outcome into the index."""
    store, file, space = run.store, outcome.file, run.space_id
    if isinstance(outcome, Indexed):
        store.add_indexed(space, file, outcome.sha256, outcome.photo, outcome.embedded)
        kind = "indexed"
    elif isinstance(outcome, Reused):
        kind = _reuse(run, outcome)
    else:
        if _is_lost(run, outcome):
            return
        if outcome.skip.reason == "vanished":
            store.files.add_unread(Unread(file.path, outcome.skip.reason, outcome.skip.detail))
        else:
            store.add_skipped(space, file, outcome.sha256, outcome.skip, run.request.rules.extras)
            if outcome.sha256 is not None:
                _scan_of(run).contents.add(store.catalogue.add_content(outcome.sha256, file.size))
        yield Event("skipped", file.path, outcome.sha256, outcome.skip.reason, outcome.skip.detail, file.also)
        return
    _scan_of(run).contents.add(store.catalogue.add_content(outcome.sha256, file.size))
    yield Event(kind, file.path, outcome.sha256, also=file.also)


def _reuse(run: Run, outcome: Reused) -> str:
    store, file = run.store, outcome.file
    known = store.files.find(file.path, run.space_id)
    same = known is not None and known.sha256 == outcome.sha256 and known.row is not None
    if outcome.photo is not None and outcome.row is not None:
        store.add_same_pixels(run.space_id, file, outcome.sha256, outcome.photo, outcome.row)
    else:
        store.add_name(file, outcome.sha256)
    return "unchanged" if same else "reused"


def _is_lost(run: Run, outcome: Skipped) -> bool:
    """Whether a file could not be read because its whole root went away."""
    if outcome.sha256 is not None:
        return False
    root = run.store.roots.owner(outcome.file.path)
    if root is None or root.kind != "folder" or _has_entries(root.path):
        return False
    run.lost.add(root.path)
    return True


def _has_entries(folder: str) -> bool:
    """Whether a folder is there and not empty, as a mount point is that lost its disk."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _forget(run: Run) -> Iterator[Event]:
    """Drops what is gone, root by root, unless suspiciously much of a root vanished at once."""
    store, scan, meant = run.store, _scan_of(run), run.request.forget_missing
    chosen = choose_forgotten(store, scan, run.lost, forget_missing=meant)
    run.kept_missing = chosen.kept
    store.begin()
    store.files.forget(number for number, _ in chosen.files)
    if meant:
        drop_missing_roots(store, scan)
        scan.missing.clear()
    store.commit()
    yield from (Event("forgotten", path) for _, path in chosen.files)
