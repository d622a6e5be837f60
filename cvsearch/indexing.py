"""The sentence "index this folder", from top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cvsearch.embedders.base import Embedder
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.forgetting import choose_forgotten, drop_missing_roots
from cvsearch.pipeline import Indexed, Outcome, Pipeline, Prepare, Read, Reused, Skipped, Stop
from cvsearch.plan import Rules
from cvsearch.singles import Pair, Stat
from cvsearch.store.roots import contains
from cvsearch.store.store import Store
from cvsearch.survey import Find, Survey, Surveyor, choose_targets
from cvsearch.values import Event, PhotoFile, Skip, Space, Summary, WalkOptions

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
    approve: Callable[[Survey], None]
    """Shows the plan and raises when the user says no."""


@dataclass(slots=True)
class Run:
    """One run's state: counts for the summary, and what keeps it from being complete.

    `kept_missing` counts photos that vanished in suspicious numbers, by root; `lost` are roots that
    went away while they were read.
    """

    store: Store
    space: Space
    request: IndexRequest
    tools: Tools
    stop: Stop
    summary: Summary = field(default_factory=Summary)
    survey: Survey | None = None
    kept_missing: dict[str, int] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    space_id: int = 0

    @property
    def code(self) -> ExitCode:
        """The exit code of a run that came to its end."""
        missing = self.survey is not None and (self.survey.missing or self.survey.unread)
        incomplete = self.summary.skipped or missing or self.kept_missing or self.lost
        return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE


def run_index(run: Run) -> Iterator[Event]:
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
        run.tools.approve(_survey(run))
        for event in _name_hashed(run):
            yield count_event(run, event)
        for event in _embed(run):
            yield count_event(run, event)
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
        run.store.end_run(number, code, run.summary)


def _survey(run: Run) -> Survey:
    if run.survey is None:
        raise AssertionError("nothing was looked at yet")
    return run.survey


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
    run.survey = choose_targets(run.store, run.request.paths, run.request.listed, run.request.options)
    run.store.commit()
    tools, rules = run.tools, run.request.rules
    surveyor = Surveyor(run.store, run.space_id, rules, tools.find, tools.stat, tools.pair)
    yield from surveyor.fill(run.survey)
    run.summary.found, run.summary.also = run.survey.found, run.survey.also
    for fault in run.survey.unread:
        yield Event("skipped", fault.path, None, fault.reason, fault.detail)


@dataclass(frozen=True, slots=True)
class _Shelf:
    run: Run

    def row_of_content(self, sha256: bytes) -> int | None:
        return self.run.store.catalogue.row_of_content(self.run.space_id, sha256)

    def row_of_pixels(self, pixels: bytes) -> int | None:
        return self.run.store.catalogue.row_of_pixels(self.run.space_id, pixels)

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        rules = self.run.request.rules
        if rules.retry_skipped:
            return None
        return self.run.store.catalogue.skip_of_content(self.run.space_id, sha256, rules.extras)


def _name_hashed(run: Run) -> Iterator[Event]:
    """Names the files whose hash a dry run took and found a vector for, and companions that are new."""
    run.store.begin()
    for number, also in _survey(run).joined:
        run.store.files.set_also(number, also)
    events = [event for file, sha256 in _survey(run).hashed for event in _keep(run, Reused(file, sha256))]
    run.store.commit()
    yield from events


def _embed(run: Run) -> Iterator[Event]:
    """Embeds what is to do; commits at least once a second, and yields events after their commit."""
    if not _survey(run).todo:
        return
    failure: CvsearchError | None = None
    run.stop.armed = True
    with run.tools.open_embedder() as embedder:
        pipeline = Pipeline(run.tools.read, run.tools.prepare, embedder, _Shelf(run), run.stop)
        waiting: list[Event] = []
        last = time.monotonic()
        try:
            for outcome in pipeline.run(_still_there(run)):
                if outcome is not None:
                    run.store.begin()
                    waiting += _keep(run, outcome)
                if run.store.pending >= COMMIT_REPLIES or time.monotonic() - last >= COMMIT_SECONDS:
                    run.store.commit()
                    last = time.monotonic()
                    yield from waiting
                    waiting = []
        except CvsearchError as error:
            failure = error
        finally:
            _count_traffic(run, embedder)
            run.store.commit()
            run.stop.armed = False
    yield from waiting
    if failure is not None:
        raise failure


def _count_traffic(run: Run, embedder: Embedder) -> None:
    run.summary.calls = embedder.calls
    if run.tools.host is not None and embedder.calls:
        run.store.begin()
        run.store.catalogue.add_traffic(run.tools.host, embedder.calls, embedder.bytes_sent)


def _still_there(run: Run) -> Iterator[PhotoFile]:
    for file in _survey(run).todo:
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
        if outcome.skip.reason != "vanished":
            store.add_skipped(space, file, outcome.sha256, outcome.skip, run.request.rules.extras)
            if outcome.sha256 is not None:
                _survey(run).contents.add(store.catalogue.add_content(outcome.sha256, file.size))
        yield Event("skipped", file.path, outcome.sha256, outcome.skip.reason, outcome.skip.detail, file.also)
        return
    _survey(run).contents.add(store.catalogue.add_content(outcome.sha256, file.size))
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
    store, survey, meant = run.store, _survey(run), run.request.forget_missing
    chosen = choose_forgotten(store, survey, run.lost, forget_missing=meant)
    run.kept_missing = chosen.kept
    store.begin()
    store.files.forget(number for number, _ in chosen.files)
    if meant:
        drop_missing_roots(store, survey)
        survey.missing.clear()
    store.commit()
    yield from (Event("forgotten", path) for _, path in chosen.files)
