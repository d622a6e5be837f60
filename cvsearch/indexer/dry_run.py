"""What `index` would do, to the photo: reads and hashes what is new, sends nothing.

The hashes are kept in the index, so that the run that follows does not read again to know what has
only moved.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from cvsearch.indexer.forgetting import choose_forgotten
from cvsearch.indexer.index import Run, count_event
from cvsearch.indexer.scan import Scan, Scanner, choose_targets
from cvsearch.model import Event, PhotoFile, Prepared, Skip
from cvsearch.providers.registry import provider_of

_PORTION = 256
SAMPLE = 8

Refuse = Callable[[bytes, str], Skip | None]
"""Why a file's bytes could not be prepared, known without decoding them."""


@dataclass(slots=True)
class Plan:
    """The exact plan; `send_bytes` is estimated from a sample, None when nothing would be sent."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0
    gone: int = 0
    unsupported: int = 0
    send_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Hashed:
    file: PhotoFile
    sha256: bytes | None
    skip: Skip | None


def run_dry(run: Run, refuse: Refuse, plan: Plan) -> Generator[Event, None, None]:
    """Yields what would become of each photo, and fills in the plan and the run's summary."""
    started = time.monotonic()
    try:
        for event in _look(run):
            plan.unchanged += event.kind == "unchanged"
            plan.unsupported += event.kind == "skipped"
            yield count_event(run, event)
        for event in _judge(run, refuse, plan):
            yield count_event(run, event)
        for event in _forget(run):
            plan.gone += 1
            yield count_event(run, event)
    finally:
        run.store.rollback()
        run.summary.seconds = round(time.monotonic() - started, 3)


def _look(run: Run) -> Iterator[Event]:
    """The scan of a run; what it would note of roots and spaces is undone by `_judge`."""
    store = run.store
    store.begin()
    run.space_id = store.catalogue.add_space(run.space)
    scan = run.scan = choose_targets(store, run.request.paths, run.request.listed, run.request.options)
    tools, rules = run.tools, run.request.rules
    scanner = Scanner(run.store, run.space_id, rules, tools.find, tools.stat, tools.pair)
    yield from scanner.fill(scan)
    run.summary.found, run.summary.also = scan.found, scan.also
    for fault in scan.unread:
        yield Event("skipped", fault.path, None, fault.reason, fault.detail)


def _judge(run: Run, refuse: Refuse, plan: Plan) -> Iterator[Event]:
    store, scan = run.store, _scan_of(run)
    known = {file.path: _content_of(run, file.path) for file in scan.todo}
    store.rollback()
    run.space_id = {space: number for number, space in store.catalogue.spaces()}.get(run.space, 0)
    run.tools.approve(scan)
    seen: set[bytes] = set()
    to_send: list[PhotoFile] = []
    for hashed in _hash_all(run, [*scan.todo, *(file for file, _ in scan.hashed)], refuse):
        event = _foresee(run, hashed, known, seen)
        if event.kind == "indexed":
            to_send.append(hashed.file)
            plan.changed += known.get(event.path) is not None
            plan.new += known.get(event.path) is None
        plan.moved += event.kind == "reused"
        plan.unchanged += event.kind == "unchanged"
        plan.unsupported += event.kind == "skipped"
        yield event
    if provider_of(run.space).sends:
        run.summary.calls = len(to_send)
        plan.send_bytes = _estimate_bytes(run, to_send)


def _content_of(run: Run, path: str) -> bytes | None:
    """The hash a file had when it was indexed; empty when it had none, None for a file that is new."""
    known = run.store.files.find(path, run.space_id)
    return None if known is None else known.sha256 or b""


def _scan_of(run: Run) -> Scan:
    if run.scan is None:
        raise AssertionError("nothing was looked at yet")
    return run.scan


def _foresee(run: Run, hashed: _Hashed, known: Mapping[str, bytes | None], seen: set[bytes]) -> Event:
    """What would become of one file; `seen` grows by the contents that would be sent."""
    path, sha256, catalogue = hashed.file.path, hashed.sha256, run.store.catalogue
    skip = hashed.skip
    if sha256 is not None:
        if (content := catalogue.find_content(sha256)) is not None:
            _scan_of(run).contents.add(content)
        is_asked = run.tools.asked("image", sha256) is not None
        if sha256 in seen or is_asked or catalogue.row_of_content(run.space_id, sha256) is not None:
            kind = "unchanged" if known.get(path) == sha256 else "reused"
            return Event(kind, path, sha256, also=hashed.file.also)
        rules = run.request.rules
        if skip is None and not rules.retry_skipped:
            skip = catalogue.skip_of_content(run.space_id, sha256, rules.extras)
        if skip is None:
            seen.add(sha256)
            return Event("indexed", path, sha256, also=hashed.file.also)
    skip = skip or Skip("failed", "", lasting=False)
    return Event("skipped", path, sha256, skip.reason, skip.detail, hashed.file.also)


def _forget(run: Run) -> Iterator[Event]:
    scan, meant = _scan_of(run), run.request.forget_missing
    chosen = choose_forgotten(run.store, scan, (), forget_missing=meant)
    run.kept_missing = chosen.kept
    if meant:
        scan.missing.clear()
    yield from (Event("forgotten", path) for _, path in chosen.files)


def _hash_all(run: Run, todo: Sequence[PhotoFile], refuse: Refuse) -> Iterator[_Hashed]:
    def hash_one(file: PhotoFile) -> _Hashed:
        result = run.tools.read(file)
        if isinstance(result, Skip):
            return _Hashed(file, None, result)
        data, sha256 = result
        return _Hashed(file, sha256, refuse(data, file.path))

    files = iter(todo)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while portion := list(islice(files, _PORTION)):
            unread = []
            for file in portion:
                sha256 = run.store.catalogue.find_reading(file)
                if sha256 is None or run.request.rules.checksum:
                    unread.append(file)
                else:
                    yield _Hashed(file, sha256, None)
            hashed = list(pool.map(hash_one, unread))
            _keep_readings(run, hashed)
            yield from hashed


def _keep_readings(run: Run, hashed: Sequence[_Hashed]) -> None:
    run.store.begin()
    for one in hashed:
        if one.sha256 is not None and one.skip is None:
            run.store.catalogue.add_reading(one.file, one.sha256)
    run.store.commit()


def _estimate_bytes(run: Run, to_send: Sequence[PhotoFile]) -> int:
    """What would be sent in all, by the mean of a few photos evenly spread."""
    step = max(1, len(to_send) // SAMPLE)
    sizes = []
    for file in to_send[::step][:SAMPLE]:
        result = run.tools.read(file)
        photo = None if isinstance(result, Skip) else run.tools.prepare(result[0], file.path)
        if isinstance(photo, Prepared):
            sizes.append(len(photo.data))
    return round(sum(sizes) / len(sizes) * len(to_send)) if sizes else 0
