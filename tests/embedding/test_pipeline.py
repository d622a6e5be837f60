"""Photos in flight: what is sent once, what is kept at the end, and how much is held at a time."""

from __future__ import annotations

import hashlib
import signal
import threading
import time

import numpy as np
import pytest
from running import wait_until

from cvsearch.embedding.pipeline import Indexed, Pipeline, Reused, Skipped
from cvsearch.errors import CredentialsError, Interrupted
from cvsearch.model import Embedded, Metadata, PhotoFile, Prepared, Skip
from cvsearch.signals import CancelToken

META = Metadata("JPEG", 60, 40)
LASTING = Skip("damaged", "broken", lasting=True)


def make_files(*contents: str) -> list[PhotoFile]:
    """Files whose paths say their content and, after a dash, their pixels: ``/0/a-x``."""
    return [PhotoFile(f"/{number}/{content}", 1, 1) for number, content in enumerate(contents)]


def read(file: PhotoFile):
    data = file.path.rpartition("/")[2].encode()
    return data, hashlib.sha256(data).digest()


def prepare(data: bytes, name: str):
    pixels = hashlib.sha256(data.partition(b"-")[2] or data).digest()
    return Prepared(data, 60, 40, pixels, bytes(32), META)


class Embedder:
    """Answers at once; `held` photos wait for `go`."""

    def __init__(self, jobs: int = 2, fault: Exception | Skip | None = None) -> None:
        self.jobs = jobs
        self.fault = fault
        self.go = threading.Event()
        self.held: set[bytes] = set()
        self.bad: set[bytes] = set()
        self.sent: list[bytes] = []
        self.busy = self.busiest = 0
        self.stopped = False
        self.lock = threading.Lock()

    def embed_photo(self, photo: Prepared):
        with self.lock:
            self.sent.append(photo.data)
            self.busy += 1
            self.busiest = max(self.busiest, self.busy)
        if photo.data in self.held:
            self.go.wait(10)
        with self.lock:
            self.busy -= 1
        if photo.data in self.bad:
            if isinstance(self.fault, Exception):
                raise self.fault
            return self.fault
        return Embedded(np.ones(8, np.float32))

    def stop(self) -> None:
        self.stopped = True


class Shelf:
    """An index in memory."""

    def __init__(self) -> None:
        self.contents: set[bytes] = set()
        self.pixels: set[bytes] = set()
        self.skips: dict[bytes, Skip] = {}

    def has_content(self, sha256: bytes) -> bool:
        return sha256 in self.contents

    def has_picture(self, photo: Prepared, sha256: bytes) -> bool:
        return photo.pixels in self.pixels

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        return self.skips.get(sha256)

    def keep(self, outcome) -> None:
        if isinstance(outcome, Indexed):
            self.contents.add(outcome.sha256)
            self.pixels.add(outcome.photo.pixels)
        elif isinstance(outcome, Reused):
            assert outcome.photo is None or outcome.photo.pixels in self.pixels
            self.contents.add(outcome.sha256)


def run(files, embedder, *, shelf=None, stop=None, read=read, prepare=prepare, outcomes=None):
    """Every outcome, each kept in the index before the next is asked for."""
    shelf = shelf or Shelf()
    outcomes = [] if outcomes is None else outcomes
    for outcome in Pipeline(read, prepare, embedder, shelf, stop or CancelToken()).run(files):
        if outcome is not None:
            shelf.keep(outcome)
            outcomes.append(outcome)
    return outcomes


def kinds(outcomes) -> list[str]:
    return sorted(f"{outcome.file.path} {type(outcome).__name__}" for outcome in outcomes)


def test_nothing_to_do():
    assert run([], Embedder()) == []


def test_what_the_index_has_is_not_sent():
    shelf, embedder = Shelf(), Embedder()
    run(make_files("a-x"), embedder, shelf=shelf)
    outcomes = run(make_files("a-x", "b-x", "c-y"), embedder, shelf=shelf)
    assert kinds(outcomes) == ["/0/a-x Reused", "/1/b-x Reused", "/2/c-y Indexed"]
    assert embedder.sent == [b"a-x", b"c-y"]


def test_a_skip_the_index_has_is_not_prepared():
    shelf = Shelf()
    shelf.skips[hashlib.sha256(b"a").digest()] = LASTING
    outcomes = run(make_files("a"), Embedder(), shelf=shelf, prepare=None)
    assert [outcome.skip for outcome in outcomes] == [LASTING]


def test_of_the_same_content_in_flight_one_is_sent():
    embedder = Embedder(jobs=8)
    outcomes = run(make_files(*["a-x", "b-x", "a-x", "c-y"] * 5), embedder)
    assert len(embedder.sent) == 2
    assert sum(isinstance(outcome, Indexed) for outcome in outcomes) == 2
    assert sum(isinstance(outcome, Reused) for outcome in outcomes) == 18


def test_a_skip_holds_for_all_that_waited_for_it():
    embedder = Embedder(fault=LASTING)
    embedder.bad, embedder.held = {b"a"}, {b"a"}
    threading.Timer(0.1, embedder.go.set).start()
    outcomes = run(make_files("a", "a", "a", "b"), embedder)
    assert kinds(outcomes) == ["/0/a Skipped", "/1/a Skipped", "/2/a Skipped", "/3/b Indexed"]
    assert embedder.sent.count(b"a") == 1


def test_a_photo_that_cannot_be_read_or_prepared_is_skipped():
    shut = Skip("permission", "you may not read it", lasting=False)

    def read_some(file):
        return shut if file.path.startswith("/0/") else read(file)

    def prepare_some(data, name):
        if data == b"c":
            raise ValueError("surprise")
        return LASTING if data == b"b" else prepare(data, name)

    outcomes = run(make_files("a", "b", "c", "d"), Embedder(), read=read_some, prepare=prepare_some)
    skips = {outcome.file.path: outcome.skip for outcome in outcomes if isinstance(outcome, Skipped)}
    assert skips["/0/a"] == shut and skips["/1/b"] == LASTING
    assert (skips["/2/c"].reason, skips["/2/c"].lasting) == ("failed", False)
    assert "surprise" in skips["/2/c"].detail
    assert len(outcomes) == 4


def test_an_error_that_ends_the_run_waits_for_replies_on_the_wire():
    embedder = Embedder(jobs=3, fault=CredentialsError("refused"))
    embedder.bad, embedder.held = {b"bad"}, {b"a", b"b"}
    outcomes = []
    threading.Timer(0.2, embedder.go.set).start()
    with pytest.raises(CredentialsError, match="refused"):
        run(make_files("a", "b", "bad"), embedder, outcomes=outcomes)
    assert kinds(outcomes) == ["/0/a Indexed", "/1/b Indexed"]
    assert embedder.stopped


def test_who_stops_listening_can_have_what_is_on_the_wire():
    embedder, shelf = Embedder(jobs=2), Shelf()
    embedder.held = {b"b"}
    pipeline = Pipeline(read, prepare, embedder, shelf, CancelToken())
    outcomes = pipeline.run(make_files("a", "b"))
    assert kinds([next(outcome for outcome in outcomes if outcome)]) == ["/0/a Indexed"]
    wait_until(lambda: b"b" in embedder.sent or next(outcomes) is not None)
    outcomes.close()
    threading.Timer(0.1, embedder.go.set).start()
    assert kinds(pipeline.drain()) == ["/1/b Indexed"]
    assert list(pipeline.drain()) == []
    assert embedder.stopped


def test_nothing_is_begun_while_it_is_held_up():
    token, embedder = CancelToken(), Embedder()
    token.held = True
    pipeline = Pipeline(read, prepare, embedder, Shelf(), token)
    outcomes = pipeline.run(make_files("a"))
    assert next(outcomes) is None
    assert embedder.sent == []
    token.held = False
    assert kinds(filter(None, outcomes)) == ["/0/a Indexed"]


def test_an_error_of_the_embedder_is_not_a_skip():
    embedder = Embedder(fault=ZeroDivisionError("a mistake"))
    embedder.bad = {b"a"}
    with pytest.raises(ZeroDivisionError):
        run(make_files("a"), embedder)


def test_a_wish_to_stop_is_heard_and_replies_are_kept():
    stop, embedder, outcomes = CancelToken(), Embedder(jobs=1), []
    stop.armed = True
    embedder.held = {b"3"}

    def interrupt() -> None:
        wait_until(lambda: b"3" in embedder.sent)
        stop.request(signal.SIGTERM)
        embedder.go.set()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Interrupted) as caught:
        run(make_files(*map(str, range(2000))), embedder, stop=stop, outcomes=outcomes)
    thread.join()
    assert caught.value.code == 143
    kept = {outcome.file.path for outcome in outcomes}
    assert "/3/3" in kept
    assert {path.rpartition("/")[2].encode() for path in kept} == set(embedder.sent)
    assert len(kept) < 2000


def test_a_stop_that_cannot_wait():
    stop = CancelToken()
    with pytest.raises(Interrupted):
        stop.request(signal.SIGINT)
    stop.armed = True
    stop.request(signal.SIGINT)
    assert not stop.at_once
    with pytest.raises(Interrupted):
        stop.check()
    with pytest.raises(Interrupted):
        stop.request(signal.SIGINT)
    assert stop.at_once


def test_a_reader_hears_of_time_passing():
    embedder = Embedder()
    embedder.held = {b"a"}
    outcomes = Pipeline(read, prepare, embedder, Shelf(), CancelToken()).run(make_files("a"))
    began = time.monotonic()
    assert next(outcomes) is None
    assert time.monotonic() - began < 2
    embedder.go.set()
    assert isinstance(next(outcome for outcome in outcomes if outcome), Indexed)


def test_no_more_is_held_than_can_be_worked_on():
    embedder = Embedder(jobs=3)
    taken = 0

    def count():
        nonlocal taken
        for file in make_files(*map(str, range(500))):
            taken += 1
            yield file

    embedder.held = {str(number).encode() for number in range(500)}
    outcomes = Pipeline(read, prepare, embedder, Shelf(), CancelToken()).run(count())
    assert next(outcomes) is None
    assert next(outcomes) is None
    assert embedder.busiest == 3
    assert taken < 100
    embedder.go.set()
    assert sum(outcome is not None for outcome in outcomes) == 500
    assert embedder.busiest == 3
