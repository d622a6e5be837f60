"""The sentence "index this folder", from top to bottom."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial

from cvsearch.embedding.pipeline import Pipeline, Reused
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.indexer.changes import Plan, decide_forgetting
from cvsearch.indexer.dry_run import foresee
from cvsearch.indexer.job import Job
from cvsearch.indexer.scan import Scanner, choose_targets, drop_missing_roots, own_files
from cvsearch.indexer.writer import Writer, keep
from cvsearch.model import Event
from cvsearch.paths import contains
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.photos.read import read_photo
from cvsearch.providers.registry import open_embedder


def index(job: Job) -> Generator[Event | Plan | None, None, None]:
    """Looks, plans, embeds and forgets; yields what became of each photo once it is on disk.

    Between looking and embedding comes the `Plan`; whoever does not want it stops listening there, when
    nothing was sent, and nothing of the run is kept.  None now and then: the run is alive.  A dry run is the
    same, rolled back.

    Raises `CvsearchError` when the run cannot go on; what was paid for by then is kept, and running
    it again goes on from there.
    """
    started, dry = time.monotonic(), job.request.dry_run
    run = 0 if dry else job.store.begin_run()
    code = ExitCode.USAGE
    try:
        yield from _look(job)
        try:
            yield job.make_plan()
        except GeneratorExit:
            job.declined = True
            raise
        if dry:
            yield from foresee(job)
        else:
            yield from _commit_scan(job)
            yield from _embed(job)
        yield from _forget(job)
        code = job.code
    except BaseException as error:
        job.store.rollback()  # what was paid for is committed by now
        code = error.code if isinstance(error, CvsearchError) else code
        raise
    finally:
        job.summary.seconds = round(time.monotonic() - started, 3)
        if run and job.declined:
            job.store.drop_run(run)
        elif run:
            job.store.end_run(run, code, job.summary)


def _look(job: Job) -> Iterator[Event | None]:
    """Compares the folders with the index; what is noted of roots and spaces waits for the user's yes."""
    store, request = job.store, job.request
    store.begin()
    job.scan = scan = choose_targets(store, request.paths, request.listed, request.options)
    job.number = store.catalogue.add_space(job.space)
    for event in Scanner(store, job.number, request.rules).fill(scan):
        yield event and job.count(event)
    job.summary.found, job.summary.also = scan.found, scan.also
    for fault in scan.unread:
        yield job.count(Event("skipped", fault.path, None, fault.reason, fault.detail))


def _commit_scan(job: Job) -> Iterator[Event]:
    """Notes what was seen, and names the files whose hash a dry run took and found a vector for."""
    scan, files = job.scan, job.store.files
    files.replace_unread([*(target.start for target in scan.targets), *scan.named], scan.unread)
    for number, also in scan.joined:
        files.set_also(number, also)
    reused = (Reused(file, sha256) for file, sha256 in scan.hashed)
    events = [job.count(event) for outcome in reused for event in keep(job, None, outcome)]
    job.store.commit()
    yield from events


def _embed(job: Job) -> Generator[Event | None, None, None]:
    """Embeds what is to do; commits at least once a second, and yields events after their commit.

    Whatever ends it, also a reader that has gone, replies that are paid for are kept.
    """
    if not job.scan.todo:
        return
    lookup = job.make_lookup()
    failure: Exception | None = None
    with open_embedder(job.settings, job.space) as embedder:
        embedder.connect()
        job.token.armed = True
        writer = Writer(job, lookup, embedder)
        prepare = partial(prepare_photo, recipe=job.space.preparation)
        todo = (file for file in job.scan.todo if not any(contains(root, file.path) for root in job.lost))
        pipeline = Pipeline(read_photo, prepare, embedder, lookup, job.token)
        try:
            with closing(pipeline.run(todo)) as outcomes:
                for outcome in outcomes:
                    writer.keep(outcome)
                    yield from writer.commit() if writer.is_due else (None,)
        except Exception as error:  # noqa: BLE001 - raised again when all that was paid for is kept
            failure = error
        finally:
            kept = writer.finish(pipeline.drain())
            job.token.armed = False
    yield from kept
    if failure is not None:
        raise failure
    job.token.check()  # it may have been asked for during the last commit


def _forget(job: Job) -> Iterator[Event]:
    """Drops what is gone, root by root, unless suspiciously much of a root vanished at once.

    Nothing of roots that were lost while they were read.
    """
    store, scan, meant = job.store, job.scan, job.request.forget_missing
    gone: list[tuple[int, str]] = []
    for losses in (losses for losses in scan.losses.values() if losses.root not in job.lost):
        forget, stay = decide_forgetting(losses.gone, losses.known, scan.contents, forget_missing=meant)
        gone += [(file.id, file.path) for file in forget]
        if stay:
            job.kept_missing[losses.root] = len(stay)
    store.begin()
    if meant:
        gone += [file for path in scan.missing for file in own_files(store, path)]
        store.files.forget(number for number, _ in gone)
        drop_missing_roots(store, scan)
        scan.missing.clear()
    else:
        store.files.forget(number for number, _ in gone)
    if job.request.dry_run:
        store.rollback()
    else:
        store.catalogue.clear_readings()
        store.commit()
    yield from (job.count(Event("forgotten", path)) for _, path in gone)
