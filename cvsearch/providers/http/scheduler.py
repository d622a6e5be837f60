"""The one door through which all requests of a run leave: turns, cool-offs, the budget and the end.

What is decided here is decided by `Limiter` and `Breaker`; this module makes threads wait for it.
"""

from __future__ import annotations

import contextlib
import copy
import math
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cvsearch.errors import BudgetError, CvsearchError
from cvsearch.providers.http.breaker import Attempt, Breaker, Failure
from cvsearch.providers.http.limiter import Limiter


class Stopped(CvsearchError):
    """The embedder was closed while a call waited; nobody but the one who closed it sees this."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock, the waiting and the dice; tests hand in their own.

    `clock` is monotonic, `now` the time of day (both seconds); `wait` holds the condition and
    returns when it is notified or the seconds (None: any number) are over; `chance` is in 0–1.
    """

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    wait: Callable[[threading.Condition, float | None], object] = threading.Condition.wait
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True, eq=False)
class _Ticket:
    tries: int
    bell: threading.Condition


class Scheduler:
    """Lets requests leave one by one; safe to use from any number of threads.

    `host` is named in errors, `rate` is calls a second (None: find out), `max_calls` bounds the
    requests that leave, of whatever kind (None: no bound).  `calls` and `bytes_sent` count the requests
    that left so far and the bytes of their bodies.
    """

    def __init__(self, host: str, rate: float | None, max_calls: int | None, timing: Timing) -> None:
        self._timing = timing
        self._max_calls = max_calls
        self.calls = self.bytes_sent = 0
        self._limiter = Limiter(rate)
        self._breaker = Breaker(host, timing.chance)
        self._ending: CvsearchError | None = None
        self._lock = threading.Lock()
        self._waiting: list[_Ticket] = []
        self._resting: list[threading.Condition] = []

    def enter(self, tries: int, size: int) -> Attempt:
        """Wait for a turn, then count the request and the `size` of its body in bytes as sent.

        `tries` are the failures held against the request so far: when one request is to ask whether the
        service is back, it is the one that has tried least.  Raises what ended the run, or
        `BudgetError`, at once, however long the wait would have been.
        """
        with self._lock:
            ticket = _Ticket(tries, threading.Condition(self._lock))
            self._waiting.append(ticket)
            try:
                while (delay := self._delay(ticket)) > 0:
                    self._timing.wait(ticket.bell, None if math.isinf(delay) else delay)
                now = self._timing.clock()
                self.calls += 1
                self.bytes_sent += size
                self._limiter.take(now)
                return self._breaker.leave(now)
            finally:
                self._waiting.remove(ticket)
                self._ring()

    def rest(self, seconds: float) -> None:
        """Wait without holding up anybody else.  Raises what ended the run, as soon as it ends."""
        with self._lock:
            bell = threading.Condition(self._lock)
            until = self._timing.clock() + seconds
            self._resting.append(bell)
            try:
                while self._ending is None and (left := until - self._timing.clock()) > 0:
                    self._timing.wait(bell, left)
            finally:
                self._resting.remove(bell)
            self._raise_ending()

    def good(self, attempt: Attempt) -> None:
        """The request was answered as it should be."""
        with self._lock, self._judging():
            self._breaker.good(attempt)
            self._limiter.accepted(self._timing.clock())

    def throttled(self, attempt: Attempt, seconds: float | None, detail: str) -> None:
        """The service refused the request for now.  Raises `ServiceError` when that goes on and on."""
        with self._lock, self._judging():
            now = self._timing.clock()
            if self._breaker.throttled(attempt, now, seconds, detail):
                self._limiter.refused(now)

    def failed(self, attempt: Attempt, failure: Failure) -> bool:
        """The request failed.  True when that is to be held against its photo.

        Raises `ServiceError` when the service is given up.
        """
        with self._lock, self._judging():
            return self._breaker.failed(attempt, self._timing.clock(), failure) and failure.answered

    def lost(self, attempt: Attempt) -> None:
        """The request was given up from outside (by an exception that is none of the transport's)."""
        with self._lock, self._judging():
            self._breaker.lost(attempt)

    def check(self) -> None:
        """Raises what ended the run, if something did."""
        with self._lock:
            self._raise_ending()

    def end(self, error: CvsearchError) -> None:
        """Nothing leaves from now on: all that wait, and all that come, raise the first `error`."""
        with self._lock:
            self._end(error)

    @property
    def in_outage(self) -> bool:
        """Whether waiting is done for all at the scheduler, so that no request need rest by itself."""
        with self._lock:
            return self._breaker.outage

    def _delay(self, ticket: _Ticket) -> float:
        self._raise_ending()
        if self._max_calls is not None and self.calls >= self._max_calls:
            raise BudgetError(
                f"the budget of {self._max_calls} calls is spent",
                "run the same command again to go on; what was done is kept",
            )
        if ticket is not self._head():
            return math.inf
        now = self._timing.clock()
        return max(self._breaker.delay(now), self._limiter.delay(now))

    def _head(self) -> _Ticket:
        """Who is next: the first that came, or in an outage the first of those that have tried least."""
        return min(self._waiting, key=lambda ticket: ticket.tries if self._breaker.outage else 0)

    def _ring(self) -> None:
        if self._waiting:
            self._head().bell.notify()

    @contextlib.contextmanager
    def _judging(self) -> Iterator[None]:
        try:
            yield
        except CvsearchError as error:
            self._end(error)
            raise
        finally:
            self._ring()

    def _end(self, error: CvsearchError) -> None:
        if self._ending is None:
            # A copy of its own, here and for each who raises it: tracebacks of several threads must not mix.
            self._ending = copy.copy(error)
        for bell in [*self._resting, *(ticket.bell for ticket in self._waiting)]:
            bell.notify()

    def _raise_ending(self) -> None:
        if self._ending is not None:
            raise copy.copy(self._ending)
