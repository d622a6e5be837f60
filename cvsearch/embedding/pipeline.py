"""Moves photos through reading, preparing and embedding on threads, a bounded number at a time.

Decisions between the stages are taken in the caller's thread, where the index can be asked: a content
or pixels that already have a vector go no further, and of several files in flight with the same
content one is sent.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from cvsearch.errors import CvsearchError, Interrupted
from cvsearch.model import Embedded, PhotoFile, Prepared, Skip
from cvsearch.providers.base import Embedder
from cvsearch.signals import CancelToken

TICK_SECONDS = 0.5
DRAIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Indexed:
    """A photo that took a call, or the local model."""

    file: PhotoFile
    sha256: bytes
    photo: Prepared
    embedded: Embedded


@dataclass(frozen=True, slots=True)
class Reused:
    """A photo whose content, or else whose pixels (then `photo` is there), already had a vector."""

    file: PhotoFile
    sha256: bytes
    photo: Prepared | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A photo that gets no vector, and why."""

    file: PhotoFile
    sha256: bytes | None
    skip: Skip


Outcome = Indexed | Reused | Skipped


class Lookup(Protocol):
    """What the pipeline asks of an index: what needs no call."""

    def has_content(self, sha256: bytes) -> bool: ...
    def has_picture(self, photo: Prepared, sha256: bytes) -> bool: ...
    def skip_of_content(self, sha256: bytes) -> Skip | None: ...


@dataclass(slots=True)
class _Item:
    file: PhotoFile
    sha256: bytes = b""
    photo: Prepared | None = None
    same: list[_Item] = field(default_factory=list)


_Task = tuple[str, _Item, Callable[[], object]]
"""A stage, what goes through it, and its work."""


@dataclass(slots=True, eq=False)
class Pipeline:
    """One run's photos in flight.

    `read` gives a file's bytes and their SHA-256, `prepare` makes of bytes and path what is embedded; both
    run on as many threads as there are cores.
    """

    read: Callable[[PhotoFile], tuple[bytes, bytes] | Skip]
    prepare: Callable[[bytes, str], Prepared | Skip]
    embedder: Embedder
    lookup: Lookup
    token: CancelToken
    _cores: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    _cpu: SimpleQueue[_Task | None] = field(default_factory=SimpleQueue)
    _net: SimpleQueue[_Task | None] = field(default_factory=SimpleQueue)
    _done: SimpleQueue[tuple[str, _Item, object]] = field(default_factory=SimpleQueue)
    _in_flight: Counter[str] = field(default_factory=Counter)
    _contents: dict[bytes, _Item] = field(default_factory=dict)
    _pixels: dict[bytes, _Item] = field(default_factory=dict)

    def run(self, todo: Iterable[PhotoFile | None]) -> Generator[Outcome | None, None, None]:
        """The outcome of every file, as they come; None at least every half second.

        `todo` is asked as there is room; a None in it says: no more before the next outcome.

        On an error that ends the run, replies that are still on the wire are waited for (they are
        paid for) and yielded before the error is raised.  Who stops listening must `drain`.
        """
        # Daemon threads, so that nothing on the wire can hold up the end of the process.
        for jobs in [self._cpu] * self._cores + [self._net] * self.embedder.jobs:
            threading.Thread(target=self._work, args=(jobs,), daemon=True).start()
        files = iter(todo)
        try:
            while True:
                self.token.check()
                held = self.token.held
                if not held:
                    self._admit(files)
                if any(self._in_flight.values()):
                    yield from self._advance(TICK_SECONDS)
                elif held:
                    time.sleep(TICK_SECONDS)
                    yield None
                else:
                    return
        except Exception as error:
            if isinstance(error, Interrupted) and self.token.signum is None:
                self.token.at_once = True  # who interrupts a run that does not hear it waits for nothing
            self.embedder.stop()
            yield from self.drain()
            raise
        finally:
            self._cpu.put(None)
            self._net.put(None)

    def _work(self, jobs: SimpleQueue[_Task | None]) -> None:
        """What a thread does until it meets None, which it leaves to the next."""
        while (job := jobs.get()) is not None:
            stage, item, work = job
            try:
                result = work()
            except Exception as error:  # noqa: BLE001 - carried to the caller's thread, judged there
                result = error
            self._done.put((stage, item, result))
        jobs.put(None)

    def _admit(self, files: Iterator[PhotoFile | None]) -> None:
        busy = self._in_flight
        while busy["read"] + busy["prepare"] <= self._cores and busy["embed"] < 2 * self.embedder.jobs:
            file = next(files, None)
            if file is None:
                return
            item = _Item(file)
            self._submit("read", item, partial(self.read, file))

    def _submit(self, stage: str, item: _Item, work: Callable[[], object]) -> None:
        self._in_flight[stage] += 1
        (self._net if stage == "embed" else self._cpu).put((stage, item, work))

    def _advance(self, seconds: float) -> Iterator[Outcome | None]:
        try:
            stage, item, result = self._done.get(timeout=seconds)
        except Empty:
            yield None
            return
        self._in_flight[stage] -= 1
        if isinstance(result, CvsearchError):
            raise result
        if isinstance(result, Exception):
            if stage == "embed":
                raise result
            result = Skip("failed", f"{type(result).__name__}: {result}", lasting=False)
        match result:
            case Skip():
                yield from self._skip(item, result)
            case bytes(data), bytes(sha256):
                item.sha256 = sha256
                if self.lookup.has_content(sha256):
                    yield Reused(item.file, sha256)
                elif (skip := self.lookup.skip_of_content(sha256)) is not None:
                    yield Skipped(item.file, sha256, skip)
                elif sha256 in self._contents:
                    self._contents[sha256].same.append(item)
                else:
                    self._contents[sha256] = item
                    self._submit("prepare", item, partial(self.prepare, data, item.file.path))
            case Prepared():
                item.photo = result
                if self.lookup.has_picture(result, item.sha256):
                    yield from self._reuse(item)
                elif result.pixels in self._pixels:
                    self._pixels[result.pixels].same.append(item)
                else:
                    self._pixels[result.pixels] = item
                    self._submit("embed", item, partial(self.embedder.embed_photo, result))
            case Embedded():
                yield from self._has_embedded(item, result)
            case _:
                raise AssertionError(result)

    def _has_embedded(self, item: _Item, result: Embedded) -> Iterator[Outcome]:
        assert item.photo is not None  # noqa: S101 - it was prepared before it was embedded
        yield Indexed(item.file, item.sha256, item.photo, result)
        yield from self._settle(item)

    def _reuse(self, item: _Item) -> Iterator[Outcome]:
        yield Reused(item.file, item.sha256, item.photo)
        yield from self._settle(item)

    def _settle(self, item: _Item) -> Iterator[Outcome]:
        """Those that waited for this item now find its vector in the index."""
        self._leave(item)
        for other in item.same:
            yield from self._reuse(other)

    def _skip(self, item: _Item, skip: Skip) -> Iterator[Outcome]:
        self._leave(item)
        yield Skipped(item.file, item.sha256 or None, skip)
        for other in item.same:
            yield from self._skip(other, skip)

    def _leave(self, item: _Item) -> None:
        if self._contents.get(item.sha256) is item:
            del self._contents[item.sha256]
        if item.photo is not None and self._pixels.get(item.photo.pixels) is item:
            del self._pixels[item.photo.pixels]

    def drain(self) -> Iterator[Outcome]:
        """What is still on the wire is paid for: it is waited for, unless the run is to end at once."""
        if not self._in_flight["embed"]:
            return
        self.embedder.stop()
        deadline = time.monotonic() + DRAIN_SECONDS
        while self._in_flight["embed"]:
            left = 0.0 if self.token.at_once else max(0.0, deadline - time.monotonic())
            try:
                stage, item, result = self._done.get(timeout=left)
            except Empty:
                return
            self._in_flight[stage] -= 1
            if stage == "embed" and isinstance(result, Embedded):
                yield from self._has_embedded(item, result)
