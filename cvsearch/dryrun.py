"""What `index` would do, to the photo: reads and hashes what is new, sends nothing.

The hashes are kept in the index, so that the run that follows does not read again to know what has
only moved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from cvsearch.indexing import Run
from cvsearch.plan import decide_forgetting
from cvsearch.survey import Survey, Surveyor, choose_targets
from cvsearch.values import Event, PhotoFile, Prepared, Skip

_PORTION = 256
_SAMPLE = 8

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


def run_dry(run: Run, refuse: Refuse, plan: Plan) -> Iterator[Event]:
    """Yields what would become of each photo, and fills in the plan."""
    store = run.store
    store.begin()
    run.space_id = store.catalogue.add_space(run.space)
    survey = choose_targets(store, run.request.paths, run.request.listed, run.request.options)
    run.survey = survey
    surveyor = Surveyor(store, run.space_id, run.request.rules, run.tools.find, run.tools.stat)
    for event in surveyor.fill(survey):
        plan.unchanged += event.kind == "unchanged"
        plan.unsupported += event.kind == "skipped"
        yield event
    for fault in survey.unread:
        yield Event("skipped", fault.path, None, fault.reason, fault.detail)
    gone = list(_forgettable(run, survey))
    known = {file.path for file in survey.todo if store.files.find(file.path, run.space_id) is not None}
    store.rollback()
    run.tools.approve(survey)
    yield from _judge(run, refuse, plan, known)
    plan.gone = len(gone)
    yield from gone


def _forgettable(run: Run, survey: Survey) -> Iterator[Event]:
    for root_id, gone in survey.gone.items():
        known = run.store.files.count(run.store.roots.by_id(root_id).path)
        forget, _ = decide_forgetting(gone, known, survey.contents, forget_missing=run.request.forget_missing)
        yield from (Event("forgotten", file.path) for file in forget)


def _judge(run: Run, refuse: Refuse, plan: Plan, known: set[str]) -> Iterator[Event]:
    seen: set[bytes] = set()
    to_send: list[PhotoFile] = []
    survey = _survey_of(run)
    for hashed in _hash_all(run, [*survey.todo, *(file for file, _ in survey.hashed)], refuse):
        file, sha256 = hashed.file, hashed.sha256
        if hashed.skip is not None or sha256 is None:
            plan.unsupported += 1
            skip = hashed.skip or Skip("failed", "", lasting=False)
            yield Event("skipped", file.path, sha256, skip.reason, skip.detail)
        elif sha256 in seen or _has_vector(run, sha256):
            plan.moved += 1
            yield Event("reused", file.path, sha256)
        else:
            seen.add(sha256)
            to_send.append(file)
            plan.changed += file.path in known
            plan.new += file.path not in known
            yield Event("indexed", file.path, sha256)
    if run.space.provider != "local":
        plan.send_bytes = _estimate_bytes(run, to_send)


def _survey_of(run: Run) -> Survey:
    if run.survey is None:
        raise AssertionError("nothing was looked at yet")
    return run.survey


def _has_vector(run: Run, sha256: bytes) -> bool:
    spaces = {space: number for number, space in run.store.catalogue.spaces()}
    return run.space in spaces and (run.store.catalogue.row_of_content(spaces[run.space], sha256) is not None)


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
    step = max(1, len(to_send) // _SAMPLE)
    sizes = []
    for file in to_send[::step][:_SAMPLE]:
        result = run.tools.read(file)
        photo = None if isinstance(result, Skip) else run.tools.prepare(result[0], file.path)
        if isinstance(photo, Prepared):
            sizes.append(len(photo.data))
    return round(sum(sizes) / len(sizes) * len(to_send)) if sizes else 0
