"""Turns and rates, on a clock that only the tests move."""

import heapq
import itertools
import random
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.providers.http.limiter import FIRST_RATE, Limiter, backoff


def turns(pace: Limiter, moments: list[float]) -> list[float]:
    """When calls leave that come at `moments`, each waiting for its turn."""
    left, now = [], 0.0
    for moment in moments:
        now = max(now, moment)
        now += pace.delay(now)
        pace.take(now)
        left.append(now)
    return left


def most_in_window(times: list[float], window: float) -> int:
    most, inside = 0, deque()
    for time in times:
        inside.append(time)
        while time - inside[0] >= window:
            inside.popleft()
        most = max(most, len(inside))
    return most


class SlidingWindow:
    """A service that takes `limit` calls in any `window` seconds, with `latency`; it answers 429 beyond."""

    def __init__(self, limit: int, window: float = 1.0, latency: float = 0.25, wait: float = 1.0) -> None:
        self.limit, self.window, self.latency, self.wait = limit, window, latency, wait
        self.taken: list[float] = []

    def takes(self, now: float) -> bool:
        recent = [time for time in self.taken[-self.limit :] if now - time < self.window]
        if len(recent) >= self.limit:
            return False
        self.taken.append(now)
        return True


def drive(
    pace: Limiter,
    service: SlidingWindow,
    until: float,
    lateness: Callable[[int], float] = lambda number: 0.0,
    start: float = 0.0,
) -> tuple[int, int]:
    """Calls accepted and refused when there is always work, and 429 makes everybody wait."""
    now = quiet_until = refused_at = start
    good = bad = number = 0
    replies: list[tuple[float, int, float, bool]] = []
    while now < until:
        leave = max(now + pace.delay(now), quiet_until)
        if replies and replies[0][0] <= leave:
            now, _, sent, fine = heapq.heappop(replies)
            if fine:
                good += 1
                pace.accepted(now)
            else:
                bad += 1
                quiet_until = max(quiet_until, now + service.wait)
                if sent > refused_at:
                    refused_at = now
                    pace.refused(now)
            continue
        now = leave
        pace.take(now)
        number += 1
        arrival = now + service.latency / 2 + lateness(number)
        heapq.heappush(replies, (now + service.latency, number, now, service.takes(arrival)))
    return good, bad


def test_the_first_turn_is_free_also_at_a_slow_rate() -> None:
    pace = Limiter(20 / 60)
    assert pace.delay(100.0) == 0.0
    pace.take(100.0)
    assert pace.delay(100.0) == pytest.approx(60 / 20 / 0.97, abs=0.02)


def test_idle_time_saves_up_no_turns() -> None:
    pace = Limiter(20)
    left = turns(pace, [0.0] * 3 + [60.0] * 21)
    assert min(b - a for a, b in itertools.pairwise(left)) > 0.04
    assert most_in_window(left, 1.0) <= 20


@given(
    rate=st.integers(1, 400),
    gaps=st.lists(st.floats(0, 3) | st.floats(0, 0.06), min_size=1, max_size=300),
)
def test_no_second_ever_holds_more_calls_than_the_rate(rate: int, gaps: list[float]) -> None:
    moments, now = [], 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
    assert most_in_window(turns(Limiter(rate), moments), 1.0 - 1e-9) <= rate


def test_turns_taken_a_little_late_are_made_up_for() -> None:
    pace, now, chance, left = Limiter(20), 0.0, random.Random(1), []
    for _ in range(400):
        now += pace.delay(now) + chance.uniform(0.0, 0.01)
        pace.take(now)
        left.append(now)
    assert 400 / now >= 0.965 * 20
    assert most_in_window(left, 1.0) <= 20


@given(gaps=st.lists(st.floats(0, 20), min_size=1, max_size=100))
def test_no_minute_ever_holds_more_calls_than_a_rate_by_the_minute(gaps: list[float]) -> None:
    moments, now = [], 0.0
    for gap in gaps:
        now += gap
        moments.append(now)
    assert most_in_window(turns(Limiter(20 / 60), moments), 60.0 - 1e-9) <= 20


@given(st.lists(st.tuples(st.sampled_from(["take", "accepted", "refused"]), st.floats(0, 30)), max_size=200))
def test_a_fixed_rate_is_never_exceeded_and_never_dies(steps: list[tuple[str, float]]) -> None:
    pace, now = Limiter(20), 0.0
    for name, seconds in steps:
        now += seconds
        getattr(pace, name)(now)
        assert 0.05 <= pace.rate <= 20 * 0.97 + 1e-9


def test_a_fixed_rate_runs_at_it_without_refusals() -> None:
    good, bad = drive(Limiter(20), SlidingWindow(20), 60.0)
    assert bad == 0
    assert good >= 0.96 * 20 * 60


def test_a_refusal_now_and_then_costs_a_fixed_rate_little() -> None:
    good, bad = drive(Limiter(20), SlidingWindow(20), 180.0, lambda number: 0.045 * (number % 1600 == 0))
    assert 1 <= bad <= 0.02 * good
    assert good >= 0.95 * 20 * 180


@pytest.mark.parametrize("limit", [10, 14, 20])
def test_a_fixed_rate_above_the_service_settles_under_it(limit: int) -> None:
    pace = Limiter(20 if limit < 20 else 40)
    drive(pace, SlidingWindow(limit), 60.0)
    good, bad = drive(pace, SlidingWindow(limit), 160.0, start=60.0)
    assert good >= 0.93 * limit * 100
    assert bad <= 0.02 * good


@pytest.mark.parametrize("limit", [10, 20, 40])
def test_without_a_rate_the_ceiling_is_found_and_kept(limit: int) -> None:
    pace, service = Limiter(None), SlidingWindow(limit)
    assert pace.rate == FIRST_RATE
    drive(pace, service, 120.0)
    good, bad = drive(pace, SlidingWindow(limit), 720.0, start=120.0)
    assert good >= 0.94 * limit * 600
    assert bad <= 0.02 * good


def test_without_a_rate_a_free_tier_is_learnt() -> None:
    pace = Limiter(None)
    good, bad = drive(pace, SlidingWindow(20, window=60.0, wait=30.0), 3600.0)
    assert good >= 0.75 * 20 * 60
    assert pace.rate < 1.0
    assert bad <= 0.1 * good


def test_a_rate_nobody_needs_does_not_rise() -> None:
    pace = Limiter(None)
    for second in range(100):
        pace.take(float(second))
        pace.accepted(second + 0.5)
    assert pace.rate == FIRST_RATE


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_backoff_is_bounded_and_never_shrinks(failures: int, chance: float) -> None:
    assert 0.5 <= backoff(failures, chance) <= 30.0
    assert backoff(failures, chance) <= backoff(failures + 1, chance)


def test_backoff_doubles_to_thirty_seconds() -> None:
    assert [backoff(n, 0.0) for n in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff(3, 1.0) == 2.0
