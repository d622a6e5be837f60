"""The sentence "index this folder", from top to bottom."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from cvsearch.embedders.base import Embedder
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.pipeline import Indexed, Outcome, Pipeline, Prepare, Read, Reused, Skipped, Stop
from cvsearch.plan import Rules, decide_forgetting
from cvsearch.store.roots import contains
from cvsearch.store.store import Store
from cvsearch.survey import Find, Stat, Survey, Surveyor, choose_targets
from cvsearch.values import Event, PhotoFile, Skip, Space, Summary, WalkOptions

COMMIT_REPLIES = 64
COMMIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What the user asked for; `options` is None when none were named."""

    paths: Sequence[str]
    listed: Sequence[str]
    options: WalkOptions | None
    rules: Rules
    forget_missing: bool


@dataclass(frozen=True, slots=True)
class Tools:
    """What indexing needs of the other rooms."""

    find: Find
    stat: Stat
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
            yield _count(run, event)
        run.tools.approve(_survey(run))
        for event in _name_hashed(run):
            yield _count(run, event)
        for event in _embed(run):
            yield _count(run, event)
        for event in _forget(run):
            yield _count(run, event)
        run.store.begin()
        run.store.catalogue.clear_readings()
        run.store.commit()
        code = run.code
    except CvsearchError as error:
        code = error.code
        raise
    finally:
        run.summary.seconds = round(time.monotonic() - started, 3)
        run.store.end_run(number, code, run.summary)


def _survey(run: Run) -> Survey:
    if run.survey is None:
        raise AssertionError("nothing was looked at yet")
    return run.survey


def _count(run: Run, event: Event) -> Event:
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
    surveyor = Surveyor(run.store, run.space_id, run.request.rules, run.tools.find, run.tools.stat)
    yield from surveyor.fill(run.survey)
    run.summary.found = run.survey.found
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
    """Names the files whose hash a dry run took and found a vector for."""
    run.store.begin()
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
        yield Event("skipped", file.path, outcome.sha256, outcome.skip.reason, outcome.skip.detail)
        return
    _survey(run).contents.add(store.catalogue.add_content(outcome.sha256, file.size))
    yield Event(kind, file.path, outcome.sha256)


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
    if root is None or root.kind != "folder" or os.path.isdir(root.path):
        return False
    run.lost.add(root.path)
    return True


def _forget(run: Run) -> Iterator[Event]:
    """Drops what is gone, root by root, unless suspiciously much of a root vanished at once."""
    survey = _survey(run)
    for root_id, gone in survey.gone.items():
        root = run.store.roots.by_id(root_id)
        if root.path in run.lost:
            continue
        known = run.store.files.count(root.path)
        forget, keep = decide_forgetting(
            gone, known, survey.contents, forget_missing=run.request.forget_missing
        )
        if keep:
            run.kept_missing[root.path] = len(keep)
        yield from _drop(run, [(file.id, file.path) for file in forget])
    if run.request.forget_missing:
        for path in survey.missing:
            yield from _drop(run, [row[:2] for row in run.store.files.beneath(path)])
            _drop_root(run, path)
        survey.missing.clear()


def _drop(run: Run, files: Sequence[tuple[int, str]]) -> Iterator[Event]:
    run.store.begin()
    run.store.files.forget(number for number, _ in files)
    run.store.commit()
    yield from (Event("forgotten", path) for _, path in files)


def _drop_root(run: Run, path: str) -> None:
    for root in [root for root in run.store.roots.folders() if root.path == path]:
        if not os.path.isdir(path):
            run.store.begin()
            run.store.roots.remove(root)
            run.store.commit()
