"""The door: turns, the budget and the end, with threads where threads matter."""

import threading

import pytest

from cvsearch.errors import BudgetError, CredentialsError, ServiceError
from cvsearch.providers.http.breaker import Failure
from cvsearch.providers.http.scheduler import Scheduler, Stopped, Timing

BROKEN = Failure("503", answered=True)


class Clock:
    """Time that passes only by waiting, for tests of one thread."""

    def __init__(self) -> None:
        self.time = 0.0

    def wait(self, bell: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody will ever ring"
        self.time += seconds

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.time, wait=self.wait, chance=lambda: 0.0)


def make_gate(clock: Clock, rate: float | None = 1000.0, max_calls: int | None = None) -> Scheduler:
    return Scheduler("host.example", rate, max_calls, clock.timing)


def pass_well(scheduler: Scheduler) -> None:
    scheduler.good(scheduler.enter(0, 10))


def test_the_budget_bounds_all_that_leaves() -> None:
    scheduler = make_gate(Clock(), max_calls=2)
    pass_well(scheduler)
    scheduler.failed(scheduler.enter(1, 5), BROKEN)
    with pytest.raises(BudgetError) as caught:
        scheduler.enter(0, 1)
    assert caught.value.message == "the budget of 2 calls is spent"
    assert caught.value.hint == "run the same command again to go on; what was done is kept"
    assert (scheduler.calls, scheduler.bytes_sent) == (2, 15)


def test_a_budget_of_none_lets_nothing_leave() -> None:
    with pytest.raises(BudgetError):
        make_gate(Clock(), max_calls=0).enter(0, 1)


def test_a_spent_budget_is_known_without_waiting() -> None:
    clock = Clock()
    scheduler = make_gate(clock, max_calls=1)
    scheduler.throttled(scheduler.enter(0, 1), 500.0, "429")
    with pytest.raises(BudgetError):
        scheduler.enter(0, 1)
    assert clock.time == 0.0


def test_turns_are_spaced_for_retries_too() -> None:
    clock = Clock()
    scheduler = make_gate(clock, rate=10.0)
    for tries in range(11):
        scheduler.good(scheduler.enter(tries, 1))
    assert clock.time == pytest.approx(10 / 9.7)


def test_everybody_waits_when_the_service_says_so() -> None:
    clock = Clock()
    scheduler = make_gate(clock)
    scheduler.throttled(scheduler.enter(0, 1), 7.0, "429")
    scheduler.enter(0, 1)
    assert clock.time == pytest.approx(7.0)


def test_the_first_error_is_what_all_others_get_each_a_copy_of_its_own() -> None:
    scheduler = make_gate(Clock())
    first = CredentialsError("wrong key", "use the right one")
    scheduler.end(first)
    scheduler.end(Stopped("too late"))
    caught = []
    for call in (lambda: scheduler.enter(0, 1), lambda: scheduler.rest(1.0)):
        with pytest.raises(CredentialsError, match="wrong key") as info:
            call()
        assert info.value.hint == "use the right one"
        caught.append(info.value)
    assert len({id(error) for error in [first, *caught]}) == 3


def test_giving_up_ends_it_for_all() -> None:
    clock = Clock()
    scheduler = make_gate(clock)
    pass_well(scheduler)
    with pytest.raises(ServiceError, match="20 times in a row"):
        while True:
            scheduler.failed(scheduler.enter(0, 1), BROKEN)
    with pytest.raises(ServiceError, match="20 times in a row"):
        scheduler.enter(0, 1)


def test_only_failures_with_a_reply_are_held_against_a_photo() -> None:
    scheduler = make_gate(Clock())
    pass_well(scheduler)
    assert scheduler.failed(scheduler.enter(0, 1), BROKEN) is True
    assert scheduler.failed(scheduler.enter(0, 1), Failure("reset", answered=False)) is False


def in_threads(*calls) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    return threads


def join(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.join(10.0)
        assert not thread.is_alive()


class Waiting:
    """Real threads that wait; `until(n)` returns when n of them do."""

    def __init__(self) -> None:
        self.time = 0.0
        self._count = threading.Semaphore(0)

    def wait(self, bell: threading.Condition, seconds: float | None) -> None:
        self._count.release()
        bell.wait(10.0)

    def until(self, number: int) -> None:
        for _ in range(number):
            assert self._count.acquire(timeout=10.0)

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.time, wait=self.wait, chance=lambda: 0.0)


def test_stopping_ends_every_wait_at_once() -> None:
    waiting = Waiting()
    scheduler = Scheduler("host.example", 1000.0, None, waiting.timing)
    scheduler.throttled(scheduler.enter(0, 1), 500.0, "429")
    errors: list[BaseException] = []

    def attempt(call) -> None:
        try:
            call()
        except Stopped as error:
            errors.append(error)

    threads = in_threads(
        *[lambda: attempt(lambda: scheduler.enter(0, 1))] * 3, lambda: attempt(lambda: scheduler.rest(500.0))
    )
    waiting.until(4)
    scheduler.end(Stopped("stopped"))
    join(threads)
    assert len(errors) == 4
    assert scheduler.calls == 1


def test_in_an_outage_the_photo_that_tried_least_asks_and_a_good_reply_frees_all() -> None:
    waiting = Waiting()
    scheduler = Scheduler("host.example", 1000.0, None, waiting.timing)
    pass_well(scheduler)
    for _ in range(5):
        waiting.time += 1.0
        scheduler.failed(scheduler.enter(0, 1), BROKEN)
    entered: list[int] = []

    def attempt(tries: int):
        def call() -> None:
            attempt = scheduler.enter(tries, 1)
            entered.append(tries)
            waiting.time += 1.0
            scheduler.good(attempt)

        return call

    threads = in_threads(attempt(4), attempt(3))
    waiting.until(2)
    threads += in_threads(attempt(1))
    waiting.until(1)
    waiting.time += 100.0
    threads += in_threads(attempt(2))
    waiting.until(1)
    with scheduler._lock:
        scheduler._ring()
    join(threads)
    assert entered[0] == 1
    assert sorted(entered) == [1, 2, 3, 4]
    assert not scheduler.in_outage


def test_many_threads_each_get_a_turn() -> None:
    scheduler = Scheduler("host.example", None, 300, Timing(chance=lambda: 0.0))
    scheduler._limiter.rate = 5000.0
    spent = threading.Event()

    def work() -> None:
        try:
            while True:
                scheduler.good(scheduler.enter(0, 1))
        except BudgetError:
            spent.set()

    join(in_threads(*[work] * 16))
    assert spent.is_set()
    assert scheduler.calls == 300
