"""What `index` would do with what is new, to the photo: reads and hashes it, sends nothing.

The hashes are kept in the index, so that the run that follows does not read again to know what has
only moved.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from cvsearch.embedding.lookup import IndexLookup
from cvsearch.indexer.job import Job
from cvsearch.model import Event, PhotoFile, Prepared, Skip
from cvsearch.photos.decode import refuse
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.photos.read import read_photo

_PORTION = 256
SAMPLE = 8


@dataclass(frozen=True, slots=True)
class _Hashed:
    file: PhotoFile
    sha256: bytes | None
    skip: Skip | None


def foresee(job: Job) -> Iterator[Event]:
    """What would become of each file that is to be read; undoes what was noted while looking."""
    scan, store = job.scan, job.store
    known: dict[str, bytes] = {}  # the hashes of files when they were indexed, empty where they had none
    for file in scan.todo:
        if (indexed := store.files.find(file.path, job.number)) is not None:
            known[file.path] = indexed.sha256 or b""
    store.rollback()
    job.number = {space: number for number, space in store.catalogue.spaces()}.get(job.space, 0)
    lookup = job.make_lookup()
    seen: set[bytes] = set()
    to_send: list[PhotoFile] = []
    for hashed in _hash_all(job, [*scan.todo, *(file for file, _ in scan.hashed)]):
        event = job.count(_foresee(job, lookup, hashed, known, seen))
        if event.kind == "indexed":
            to_send.append(hashed.file)
            job.changed += event.path in known
        yield event
    if job.sends:
        job.summary.calls = len(to_send)
        job.send_bytes = _estimate_bytes(job, to_send)


def _foresee(
    job: Job, lookup: IndexLookup, hashed: _Hashed, known: Mapping[str, bytes], seen: set[bytes]
) -> Event:
    """What would become of one file; `seen` grows by the contents that would be sent."""
    path, sha256, skip = hashed.file.path, hashed.sha256, hashed.skip
    if sha256 is not None:
        if (content := job.store.catalogue.find_content(sha256)) is not None:
            job.scan.contents.add(content)
        is_asked = lookup.find_asked("image", sha256) is not None
        if sha256 in seen or is_asked or lookup.has_content(sha256):
            kind = "unchanged" if known.get(path) == sha256 else "reused"
            return Event(kind, path, sha256, also=hashed.file.also)
        skip = skip or lookup.skip_of_content(sha256)
        if skip is None:
            seen.add(sha256)
            return Event("indexed", path, sha256, also=hashed.file.also)
    skip = skip or Skip("failed", "", lasting=False)
    return Event("skipped", path, sha256, skip.reason, skip.detail, hashed.file.also)


def _hash_all(job: Job, todo: Sequence[PhotoFile]) -> Iterator[_Hashed]:
    files = iter(todo)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        while portion := list(islice(files, _PORTION)):
            unread = []
            for file in portion:
                sha256 = job.store.catalogue.find_reading(file)
                if sha256 is None or job.request.rules.checksum:
                    unread.append(file)
                else:
                    yield _Hashed(file, sha256, None)
            hashed = list(pool.map(_hash_one, unread))
            job.store.begin()
            for one in hashed:
                if one.sha256 is not None and one.skip is None:
                    job.store.catalogue.add_reading(one.file, one.sha256)
            job.store.commit()
            yield from hashed


def _hash_one(file: PhotoFile) -> _Hashed:
    result = read_photo(file)
    if isinstance(result, Skip):
        return _Hashed(file, None, result)
    data, sha256 = result
    return _Hashed(file, sha256, refuse(data, file.path))


def _estimate_bytes(job: Job, to_send: Sequence[PhotoFile]) -> int:
    """What would be sent in all, by the mean of a few photos evenly spread."""
    step = max(1, len(to_send) // SAMPLE)
    sizes = []
    for file in to_send[::step][:SAMPLE]:
        result = read_photo(file)
        if not isinstance(result, Skip):
            photo = prepare_photo(result[0], file.path, job.space.preparation)
            if isinstance(photo, Prepared):
                sizes.append(len(photo.data))
    return round(sum(sizes) / len(sizes) * len(to_send)) if sizes else 0
