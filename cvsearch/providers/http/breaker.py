"""Whether the service is well, judged from the outcomes of all workers' requests.

A pure state machine: it neither waits nor sends, and reads no clock.  Times are seconds of a
monotonic clock that the caller reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cvsearch.errors import ServiceError
from cvsearch.providers.http.limiter import backoff

OUTAGE_AFTER = 5
"""Failures in a row after which one request at a time asks whether the service is back."""
GIVE_UP_AFTER = 20
"""Failures in a row that end the run."""
STARVED_AFTER = 600.0
"""Seconds of nothing but "too many requests" that end the run."""
FIRST_CONTACT = 25.0
"""Seconds to get any answer at all: users are promised the news within thirty."""
_FIRST_FLYING = 4
"""Requests under way before the first answer: a wrong host or key is not asked 64 times."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on its way.

    `patience` is how long all of first contact may still take, None once the service has answered.
    """

    at: float
    era: int
    patience: float | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed; `answered` tells a reply from a connection that did not work out."""

    detail: str
    answered: bool
    hint: str | None = None


class Breaker:
    """Counts failures in a row and says when the next request may be tried.

    An *era* ends when an outage begins: what was sent before is no news about what came after.
    """

    def __init__(self, host: str, chance: Callable[[], float]) -> None:
        self._host = host
        self._chance = chance
        self._row = 0
        self._era = 0
        self._flying = 0
        self._answered = False
        self._started: float | None = None
        self._quiet_until = -math.inf
        self._refused_at = -math.inf
        self._refusals = 0
        self._starved_since: float | None = None

    @property
    def outage(self) -> bool:
        """Whether the service seems to be down, or never answered and failed."""
        return self._row >= (OUTAGE_AFTER if self._answered else 1)

    def delay(self, now: float) -> float:
        """Seconds until a request may leave; infinite until one that is under way comes back."""
        room = 1.0 if self.outage else math.inf if self._answered else _FIRST_FLYING
        return math.inf if self._flying >= room else max(0.0, self._quiet_until - now)

    def leave(self, now: float) -> Attempt:
        """A request leaves; one of the methods below must be told what became of it."""
        if self._started is None:
            self._started = now
        self._flying += 1
        patience = None if self._answered else max(0.0, self._started + FIRST_CONTACT - now)
        return Attempt(now, self._era, patience)

    def lost(self, attempt: Attempt) -> None:
        """The request was given up from outside; nothing is known."""
        if attempt.era == self._era:
            self._flying -= 1

    def good(self, attempt: Attempt) -> None:
        """The service did its work (a refusal of one photo is work, too)."""
        self.lost(attempt)
        self._answered = True
        self._row = 0
        self._refusals = 0
        self._starved_since = None

    def throttled(self, attempt: Attempt, now: float, seconds: float | None, detail: str) -> bool:
        """Too many requests: everybody waits.  True for the first refusal of those under way together.

        Raises `ServiceError` when this has gone on, or would go on, for ten minutes.
        """
        self.lost(attempt)
        self._answered = True
        fresh = attempt.at > self._refused_at
        if fresh:
            self._refusals += 1
            self._refused_at = now
        wait = backoff(self._refusals, self._chance()) if seconds is None else seconds
        self._quiet_until = max(self._quiet_until, now + wait)
        if self._starved_since is None:
            self._starved_since = now
        if now - self._starved_since >= STARVED_AFTER or wait > STARVED_AFTER:
            said = (
                f"asks to wait {_span(wait)}"
                if wait > STARVED_AFTER
                else "has let no call through for 10 minutes"
            )
            raise ServiceError(
                f"{self._host} {said}: {detail}",
                "another program may be using the quota, or the tier allows no more; "
                "run the same command again later",
            )
        return fresh

    def failed(self, attempt: Attempt, now: float, failure: Failure) -> bool:
        """A request failed.  True when it counts; failures of an era that has ended do not.

        Raises `ServiceError` when the service is to be given up.
        """
        self.lost(attempt)
        self._answered = self._answered or failure.answered
        if attempt.era != self._era:
            return False
        self._row += 1
        if self._row >= GIVE_UP_AFTER:
            raise ServiceError(
                f"{self._host} failed {self._row} times in a row; the last time: {failure.detail}",
                "run the same command again later; what was done is kept",
            )
        if not self.outage:
            return True
        begun = OUTAGE_AFTER if self._answered else 1
        if self._row == begun:
            self._era += 1
            self._flying = 0
        wait = backoff(self._row - begun + 1, self._chance())
        self._quiet_until = max(self._quiet_until, now + wait)
        # The next try may take as long as this one did.
        finished = now + wait + (now - attempt.at)
        if not self._answered and self._started is not None and finished > self._started + FIRST_CONTACT:
            raise ServiceError(f"cannot reach {self._host}: {failure.detail}", failure.hint)
        return True


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "days"), (3600.0, "hours")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 60:.0f} minutes"
