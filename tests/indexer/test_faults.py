"""`cvsearch index` against a service that misbehaves: what is kept, what is tried again, what ends a run."""

from __future__ import annotations

import io
import os
from collections import defaultdict
from pathlib import Path

import album
import numpy as np
import pytest
from azure_double import PASSING, picture_vector
from PIL import Image

from cvsearch.providers.http.scheduler import Timing
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library

PHOTOS = 24
MIX = (*(name for name in PASSING if name != "slow:0.2"), "503", "short-vector", "zero", "wrong-model")
MIX = (*MIX, "no-vector", "error-200", "slow:0.02")
INDEX = Path(".local/share/cvsearch")


@pytest.fixture
def many(tmp_path):
    """A folder of distinct photos."""
    album.fill(tmp_path / "photos", PHOTOS)
    return tmp_path / "photos"


def count_kept() -> int:
    with open_library(str(INDEX.absolute())) as store:
        assert list(find_faults(store)) == []
        return sum(store.catalogue.rows(number) for number, _ in store.catalogue.spaces())


def check_vectors(double) -> None:
    """Every stored vector is the one that belongs to the bytes its receipt says were sent."""
    bodies = {call.sha256: double.bodies[call.number] for call in double.requests}
    with open_library(str(INDEX.absolute())) as store:
        units, norms = store.vectors(1)
        rows = store.catalogue.connection.execute("SELECT row, sent_sha256, sent_size FROM vector").fetchall()
        assert len(rows) == len(units)
        for row, sent, size in rows:
            body = bodies[sent.hex()]
            wanted = np.array(picture_vector(Image.open(io.BytesIO(body))), np.float32)
            assert np.allclose(units[row] * norms[row], wanted, atol=1e-3)
            assert size == len(body)


def is_good(call) -> bool:
    return call.status == 200 and (call.fault is None or call.fault.startswith("slow"))


def check_never_called_after_a_good_reply(double) -> None:
    replies = defaultdict(list)
    for call in double.requests:
        replies[call.sha256].append(is_good(call))
    assert all(True not in good[:-1] for good in replies.values())


# --- Faults that pass ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_mixed_faults(cli, double, hurry, many, seed):
    double.fault_rate, double.mix, double.seed = 0.45, MIX, seed
    result = cli.json("index", many)
    skipped = {line["path"] for line in result.events("skipped")}
    indexed = {line["path"] for line in result.events("indexed")}
    assert indexed | skipped == {str(path) for path in many.iterdir()}
    assert not indexed & skipped
    assert {line["reason"] for line in result.events("skipped")} <= {"service-failed"}
    assert result.code == (3 if skipped else 0)
    assert result.summary["calls"] == double.calls()
    assert double.good == len(indexed) == count_kept()
    check_vectors(double)
    check_never_called_after_a_good_reply(double)
    double.fault_rate = 0.0
    again = cli.json("index", many)
    assert (again.code, again.summary["calls"]) == (0, len(skipped))
    check_never_called_after_a_good_reply(double)


@pytest.mark.parametrize("fault", MIX)
def test_a_single_fault_is_made_good(cli, double, hurry, photos, fault):
    double.misbehave(fault)
    result = cli.json("index", photos)
    assert (result.code, result.counts()["indexed"]) == (0, 6)
    assert double.calls() == (6 if fault.startswith("slow") else 7)
    check_vectors(double)


def fail_for_one(double, fault):
    """Makes the service fail on whichever photo comes first, and on no other."""
    victim = []

    def rule(_, call):
        victim[:] = victim or [call.sha256]
        return fault if call.sha256 == victim[0] else None

    double.rule = rule


def test_a_photo_the_service_keeps_failing_on_is_skipped_for_now(cli, double, hurry, photos):
    fail_for_one(double, "500")
    result = cli.json("index", photos)
    assert (result.code, result.counts()) == (3, {"found": 6, "indexed": 5, "skipped": 1, "calls": 10})
    (skipped,) = result.events("skipped")
    assert skipped["reason"] == "service-failed"
    assert "the service failed 5 times" in result.err
    double.rule = None
    again = cli.json("index")
    assert (again.code, again.counts()) == (0, {"found": 6, "indexed": 1, "unchanged": 5, "calls": 1})


def test_too_many_requests_never_count_against_a_photo(cli, double, hurry, photos, monkeypatch):
    monkeypatch.setenv("CVSEARCH_JOBS", "1")
    double.misbehave(*["429", "429-text", "429-bare"] * 3)
    result = cli.json("index", photos)
    assert (result.code, result.counts()) == (0, {"found": 6, "indexed": 6, "calls": 15})


def test_an_outage_is_waited_out(cli, double, hurry, many):
    double.rule = lambda number, _: ("close", "503-html", "reset")[number % 3] if 6 < number < 18 else None
    result = cli.json("index", many)
    assert (result.code, result.counts()["indexed"]) == (0, PHOTOS)
    check_never_called_after_a_good_reply(double)


# --- What ends a run -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("401-key", 4, "refused the credentials"),
        ("401-openai", 4, "OpenAI"),
        ("401-principal", 4, "Principal does not have access"),
        ("403-keys-off", 4, "keys are switched off"),
        ("403-firewall", 4, "network rules"),
        ("404", 2, "CVSEARCH_ENDPOINT"),
        ("410", 2, "api-version was retired"),
        ("400-region", 2, "region"),
        ("403-quota", 5, "quota"),
    ],
)
def test_a_refusal_ends_the_run_and_keeps_what_was_paid(
    cli, double, hurry, many, monkeypatch, fault, code, said
):
    monkeypatch.setenv("CVSEARCH_JOBS", "1")
    double.rule = lambda number, _: fault if number > 3 else None
    result = cli.json("index", many)
    assert result.code == code
    assert said in result.err
    assert [call.request_id in result.err for call in double.requests] == [False, False, False, True]
    assert double.calls() == 4
    assert count_kept() == len(result.events("indexed")) == 3
    double.rule = None
    assert cli.json("index", many).counts()["calls"] == PHOTOS - 3


def test_a_wrong_key_is_not_tried_for_every_photo(cli, double, hurry, many, monkeypatch):
    monkeypatch.setenv("CVSEARCH_KEY", "wrong-wrong-wrong")
    monkeypatch.delenv("CVSEARCH_JOBS")
    assert cli("index", many).code == 4
    assert double.calls() <= 4


def test_replies_on_the_wire_are_kept_when_another_ends_the_run(cli, double, hurry, many):
    double.rule = lambda number, _: "403-quota" if number == 8 else "slow:0.3" if number < 8 else None
    assert cli("index", many).code == 5
    assert count_kept() == double.good


@pytest.mark.parametrize("faults", [(), ("500",), ("429", "reset"), ("nan", "429-bare", "close", "500")])
def test_the_budget_bounds_every_request(cli, double, hurry, many, faults):
    double.misbehave(*faults)
    result = cli.json("index", "--max-calls", "9", many)
    assert result.code == 6
    assert double.calls() == result.summary["calls"] == 9
    assert count_kept() == double.good == 9 - len(faults)
    assert "budget of 9 calls" in result.err
    rest = cli.json("index", many)
    assert (rest.code, rest.summary["calls"]) == (0, PHOTOS - 9 + len(faults))


def test_a_budget_that_suffices_is_no_error(cli, double, photos):
    assert cli("index", "--max-calls", "6", photos).code == 0


def test_the_budget_may_come_from_the_environment(cli, double, photos, monkeypatch):
    monkeypatch.setenv("CVSEARCH_MAX_CALLS", "2")
    assert cli("index", photos).code == 6
    assert double.calls() == 2


def test_a_quota_that_runs_out(cli, double, many, tmp_path, monkeypatch):
    from azure_double import AzureDouble

    with AzureDouble(key=double.key, quota=5) as meagre:
        monkeypatch.setenv("CVSEARCH_ENDPOINT", meagre.endpoint)
        result = cli("index", many)
        assert result.code == 5
        assert "quota" in result.err
        assert count_kept() == meagre.good == 5


def test_an_unreachable_service_is_known_within_thirty_seconds(cli, double, photos, monkeypatch):
    passed = 0.0

    def wait(bell, seconds):
        nonlocal passed
        passed += seconds or 0.0

    double.down()
    monkeypatch.setenv("CVSEARCH_JOBS", "1")
    timing = Timing(clock=lambda: passed, wait=wait)
    monkeypatch.setattr("cvsearch.providers.azure.embedder.Timing", lambda: timing)
    result = cli("index", photos)
    assert 1 < passed < 30
    assert result.code == 5
    assert "cannot reach 127.0.0.1" in result.err and "connection refused" in result.err


@pytest.mark.parametrize("hurry", [500.0], indirect=True)
def test_a_service_that_goes_away_is_given_up_and_what_was_paid_is_kept(cli, double, hurry, many):
    double.rule = lambda number, _: "close" if number > 5 else None
    result = cli.json("index", many)
    assert result.code == 5
    assert "20 times in a row" in result.err
    assert count_kept() == 5
    double.rule = None
    assert cli.json("index", many).summary["calls"] == PHOTOS - 5


def test_faults_do_not_lose_the_count_of_what_was_sent(cli, double, hurry, photos):
    double.misbehave("500", "429")
    assert cli("index", photos).code == 0
    (status,) = cli.json("status").lines
    assert str(sum(call.size for call in double.requests)) in str(status["traffic"])


def test_a_refused_photo_ends_nothing(cli, double, hurry, photos):
    fail_for_one(double, "400-format")
    result = cli.json("index", photos)
    assert (result.code, result.counts()) == (3, {"found": 6, "indexed": 5, "skipped": 1, "calls": 6})
    (skipped,) = result.events("skipped")
    assert skipped["reason"] == "invalid-image"
    assert os.path.basename(skipped["path"]) in os.listdir(photos)
