"""When the next call may leave: evenly spaced turns, at a rate that follows what the service bears.

Pure arithmetic: times are seconds of a monotonic clock that the caller reads.
"""

from __future__ import annotations

import math

FIRST_RATE = 10.0
"""Calls a second to begin with when the user named no rate."""

_MARGIN = 0.97
"""Of a rate the user named."""
_CREDIT = 0.010
"""Seconds by which a turn taken late may bring the next one forward: lateness does not add up, and yet,
with `_MARGIN`, no window of a second or more holds more calls than it may."""
_HOVER = 0.975
"""Of the rate that was refused last."""
_CUT = 0.7
_SMALL_CUT = 0.9
_EASE, _EASE_BACK = 0.01, 0.01 / 60
"""Of the user's own rate: less after each refusal, and more each second since."""
_RISE = 1.0
"""Calls a second, added each second while the ceiling is unknown."""
_RECOVERY = 0.1
"""Of the goal, added each second while below it."""
_ISOLATED = 5.0
"""Seconds without a refusal after which one refusal hardly puts the user's own rate in doubt."""
_PROBE_AFTER = 180.0
"""Seconds without a refusal after which a ceiling is forgotten and looked for again."""
_SLOWEST = 0.05


def backoff(failures: int, chance: float) -> float:
    """Seconds to wait after `failures` (1, 2 …) in a row: 1, 2, 4 … 30; less up to half by `chance`."""
    return min(30.0, 2.0 ** min(failures - 1, 5)) * (1.0 - chance / 2.0)


class Limiter:
    """Gives out turns one by one and learns the rate from the service's answers.

    With a `rate` (calls a second) turns come at just under it, fewer after a refusal, and never more.
    Without one they begin at `FIRST_RATE`, rise until the service refuses, then stay just below
    that ceiling, which is looked for again now and then.
    """

    def __init__(self, rate: float | None) -> None:
        self._fixed = rate is not None
        self._top = math.inf if rate is None else rate * _MARGIN
        self.rate = FIRST_RATE if rate is None else self._top
        self._ceiling = math.inf
        self._next = -math.inf
        self._raised_at = -math.inf
        self._refused_at = -math.inf
        self._needed = False
        self._ease = 0.0

    def delay(self, now: float) -> float:
        """Seconds until the next turn; 0 when it can be taken."""
        return max(0.0, self._next - now)

    def take(self, now: float) -> None:
        """Take the turn that `delay` says is free."""
        interval = 1.0 / self.rate
        # A rate that nobody waits for is no news about what the service bears: it must not rise.
        self._needed = now - self._next <= interval
        self._next = (max(self._next, now - _CREDIT) if self._needed else now) + interval

    def accepted(self, now: float) -> None:
        """A call was answered: go a little faster, if there is room."""
        seconds = min(now - self._raised_at, 1.0)
        self._raised_at = now
        if now - self._refused_at > _PROBE_AFTER:
            self._ceiling = math.inf
        if not self._needed:
            return
        self._ease = max(0.0, self._ease - _EASE_BACK * seconds)
        goal = min(self._top * (1.0 - self._ease), self._ceiling * _HOVER)
        if math.isinf(goal):
            self.rate += _RISE * seconds
        elif self.rate < goal:
            self.rate = min(goal, self.rate + goal * _RECOVERY * seconds)

    def refused(self, now: float) -> None:
        """The service asked to slow down.  Call it once for the calls that were under way together."""
        isolated = now - self._refused_at > _ISOLATED
        self._refused_at = now
        if self._fixed and isolated:
            self.rate *= _SMALL_CUT
            self._ease = min(0.2, self._ease + _EASE)
        else:
            self._ceiling = self.rate
            self.rate *= _CUT
        self.rate = max(self.rate, _SLOWEST)
