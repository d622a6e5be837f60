"""Outages, refusals and first contact, told by outcomes at given times."""

import math

import pytest

from cvsearch.errors import ServiceError
from cvsearch.providers.http.breaker import (
    FIRST_CONTACT,
    GIVE_UP_AFTER,
    OUTAGE_AFTER,
    Attempt,
    Breaker,
    Failure,
)

BROKEN = Failure("503 ServiceUnavailable", answered=True)
REFUSED = Failure("connection refused", answered=False, hint="check the network")


def answered_health(chance: float = 0.5) -> Breaker:
    health = Breaker("host.example", lambda: chance)
    health.good(health.leave(0.0))
    return health


def fail_until_outage(health: Breaker, now: float = 1.0) -> None:
    for _ in range(OUTAGE_AFTER):
        health.failed(health.leave(now), now, BROKEN)


def wait_for_turn(health: Breaker, now: float) -> tuple[float, Attempt]:
    now += health.delay(now)
    return now, health.leave(now)


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_an_outage_is_waited_out_for_minutes_and_then_ends_the_run(chance: float) -> None:
    health = answered_health(chance)
    fail_until_outage(health)
    now = 1.0
    for _ in range(GIVE_UP_AFTER - OUTAGE_AFTER - 1):
        now, attempt = wait_for_turn(health, now)
        assert health.failed(attempt, now, BROKEN)
    now, attempt = wait_for_turn(health, now)
    with pytest.raises(ServiceError) as caught:
        health.failed(attempt, now, BROKEN)
    assert caught.value.message == (
        "host.example failed 20 times in a row; the last time: 503 ServiceUnavailable"
    )
    assert caught.value.hint == "run the same command again later; what was done is kept"
    assert 120 <= now <= 400


def test_requests_sent_before_the_outage_are_no_news_about_it() -> None:
    health = answered_health()
    flying = [health.leave(1.0) for _ in range(32)]
    counted = [health.failed(attempt, 2.0, BROKEN) for attempt in flying]
    assert counted == [True] * OUTAGE_AFTER + [False] * 27
    assert health.outage
    assert health.delay(2.0) == pytest.approx(0.75)


def test_in_an_outage_one_request_asks_at_a_time() -> None:
    health = answered_health()
    fail_until_outage(health)
    _, probe = wait_for_turn(health, 1.0)
    assert math.isinf(health.delay(1000.0))
    health.good(probe)
    assert not health.outage
    assert health.delay(1000.0) == 0.0


def test_a_probe_that_is_given_up_frees_its_turn() -> None:
    health = answered_health()
    fail_until_outage(health)
    _, probe = wait_for_turn(health, 1.0)
    health.lost(probe)
    assert health.delay(1000.0) == 0.0


def test_a_good_reply_begins_the_count_anew() -> None:
    health = answered_health()
    for _ in range(10):
        for _ in range(OUTAGE_AFTER - 1):
            health.failed(health.leave(1.0), 1.0, BROKEN)
        health.good(health.leave(1.0))
    assert health.delay(1.0) == 0.0


@pytest.mark.parametrize("duration", [0.0, 0.3, 6.0, 18.0, 20.0])
def test_a_service_that_never_answers_is_given_up_within_thirty_seconds(duration: float) -> None:
    health, now = Breaker("host.example", lambda: 0.0), 100.0
    with pytest.raises(ServiceError) as caught:
        for _ in range(GIVE_UP_AFTER):
            now, attempt = wait_for_turn(health, now)
            now += duration
            health.failed(attempt, now, REFUSED)
    assert now - 100.0 <= FIRST_CONTACT
    assert caught.value.message == "cannot reach host.example: connection refused"
    assert caught.value.hint == "check the network"


def test_first_contact_is_tried_more_than_once() -> None:
    health = Breaker("host.example", lambda: 0.5)
    now, tries = 0.0, 0
    with pytest.raises(ServiceError):
        while True:
            now, attempt = wait_for_turn(health, now)
            tries += 1
            health.failed(attempt, now, REFUSED)
    assert tries >= 4


def test_before_the_first_answer_few_requests_are_under_way() -> None:
    health = Breaker("host.example", lambda: 0.5)
    departures = [health.leave(0.0) for _ in range(4)]
    assert math.isinf(health.delay(0.0))
    assert departures[0].patience == FIRST_CONTACT
    health.good(departures[0])
    assert health.delay(0.0) == 0.0
    assert health.leave(0.0).patience is None


def test_a_connection_that_fails_after_an_answer_is_waited_out_like_an_outage() -> None:
    health, now = answered_health(0.0), 0.0
    with pytest.raises(ServiceError, match="failed 20 times in a row"):
        while True:
            now, attempt = wait_for_turn(health, now)
            health.failed(attempt, now, REFUSED)
    assert now >= 120


def test_a_refusal_makes_everybody_wait_as_long_as_it_says() -> None:
    health = answered_health()
    assert health.throttled(health.leave(10.0), 10.5, 7.0, "429")
    assert health.delay(10.5) == 7.0


def test_refusals_of_requests_under_way_together_are_one() -> None:
    health = answered_health()
    flying = [health.leave(10.0) for _ in range(3)]
    assert [health.throttled(attempt, 10.5, None, "429") for attempt in flying] == [True, False, False]
    assert health.delay(10.5) == pytest.approx(0.75)
    assert health.throttled(health.leave(20.0), 20.5, None, "429")
    assert health.delay(20.5) == pytest.approx(1.5)


def test_refusals_count_neither_as_failures_nor_as_success() -> None:
    health = answered_health()
    for _ in range(3):
        health.failed(health.leave(1.0), 1.0, BROKEN)
    for _ in range(30):
        health.throttled(health.leave(2.0), 2.0, 0.0, "429")
    assert not health.outage
    for _ in range(2):
        health.failed(health.leave(3.0), 3.0, BROKEN)
    assert health.outage


def test_ten_minutes_of_refusals_end_the_run() -> None:
    health, now = answered_health(), 0.0
    with pytest.raises(ServiceError) as caught:
        while True:
            now, attempt = wait_for_turn(health, now)
            health.throttled(attempt, now, None, "429 too many")
    assert 600 <= now <= 640
    assert caught.value.message == "host.example has let no call through for 10 minutes: 429 too many"
    assert caught.value.hint is not None
    assert "run the same command again later" in caught.value.hint


def test_a_good_reply_between_refusals_keeps_the_run_alive() -> None:
    health = answered_health()
    for minute in range(60):
        health.throttled(health.leave(minute * 60.0), minute * 60.0, 30.0, "429")
        health.good(health.leave(minute * 60.0 + 30))


def test_being_told_to_wait_for_hours_ends_the_run_at_once() -> None:
    health = answered_health()
    with pytest.raises(ServiceError, match="asks to wait 2 days: 429"):
        health.throttled(health.leave(0.0), 0.0, 2 * 86400.0, "429")
