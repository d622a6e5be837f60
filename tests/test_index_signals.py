"""`cvsearch index` when it is interrupted, killed, hung up on, or when nobody reads what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import album
import pytest
from running import start

from cvsearch.errors import NoIndexError
from cvsearch.store.health import find_faults
from cvsearch.store.store import open_store

PHOTOS = 24


@pytest.fixture
def slow(double, tmp_path, monkeypatch):
    """The double, answering about twenty calls a second, and a folder for it to see."""
    double.latency = 0.1
    monkeypatch.setenv("CVSEARCH_JOBS", "2")
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    album.fill(tmp_path / "photos", PHOTOS)
    return double


def count_kept(folder) -> int:
    """The vectors of an index that is whole."""
    with open_store(str(folder)) as store:
        assert list(find_faults(store)) == []
        return sum(store.catalogue.rows(number) for number, _ in store.catalogue.spaces())


def finish_after(cli, double, tmp_path, kept):
    """The next run calls for the rest, and for nothing else."""
    double.latency = 0.0
    double.rule = None
    result = cli.json("index", tmp_path / "photos")
    assert (result.code, result.summary["calls"]) == (0, PHOTOS - kept)
    assert count_kept(tmp_path / "index") == PHOTOS


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_keeps_every_reply(cli, slow, tmp_path, number, code):
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: slow.good >= 5)
        running.kill(number)
        result = running.finish()
    assert result.code == code
    assert result.err.splitlines()[-2:] == [
        "error: interrupted",
        "hint: what was paid for is kept; run the same command again to go on",
    ]
    assert 5 <= slow.good < PHOTOS
    assert count_kept(tmp_path / "index") == slow.good
    finish_after(cli, slow, tmp_path, slow.good)


def test_a_second_interrupt_does_not_wait_for_the_wire(cli, slow, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_JOBS", "1")
    slow.rule = lambda number, _: "slow:60" if number > 3 else None
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: slow.calls() == 4)
        for _ in range(5):
            running.kill(signal.SIGINT)
            try:
                running.process.wait(1)
                break
            except subprocess.TimeoutExpired:
                continue
        assert running.finish(1).code == 130
    assert count_kept(tmp_path / "index") == 3
    finish_after(cli, slow, tmp_path, 3)


def test_a_kill_loses_a_second_at_most(cli, slow, tmp_path):
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: slow.good >= 2 * PHOTOS // 3 and count_committed(tmp_path) > 0)
        killed = time.monotonic()
        running.kill(signal.SIGKILL)
        assert running.finish().code == -signal.SIGKILL
    safe = sum(call.time + slow.latency < killed - 1.5 for call in slow.requests)
    kept = count_kept(tmp_path / "index")
    assert safe <= kept <= slow.good < PHOTOS
    finish_after(cli, slow, tmp_path, kept)


def count_committed(tmp_path) -> int:
    """The vectors a reader sees while another process writes."""
    try:
        return count_kept(tmp_path / "index")
    except NoIndexError:
        return 0


def test_kills_in_a_row_never_break_the_index(cli, slow, tmp_path):
    slow.latency = 0.02
    for more in (2, 5, 3):
        goal = slow.good + more
        with start("index", tmp_path / "photos") as running:
            running.wait_until(lambda goal=goal: slow.good >= goal)
            running.kill(signal.SIGKILL)
        count_kept(tmp_path / "index")
    finish_after(cli, slow, tmp_path, count_kept(tmp_path / "index"))


def test_replies_are_committed_while_the_run_goes_on(slow, tmp_path):
    slow.rule = lambda number, _: "slow:60" if number > 4 else None
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: count_committed(tmp_path) == 4)
        running.kill(signal.SIGKILL)
    assert count_kept(tmp_path / "index") == 4


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_a_signal_ignored_at_the_start_stays_ignored(slow, tmp_path, number):
    ignore = lambda: signal.signal(number, signal.SIG_IGN)  # noqa: E731 - as nohup does
    with start("index", tmp_path / "photos", preexec_fn=ignore) as running:
        running.wait_until(lambda: slow.good >= 3)
        running.kill(number)
        assert running.finish().code == 0
    assert count_kept(tmp_path / "index") == PHOTOS


def test_nobody_reading_does_not_end_the_run(slow, tmp_path):
    with start("index", "--json", tmp_path / "photos") as running:
        assert running.process.stdout.readline().startswith(b'{"event":"indexed"')
        running.process.stdout.close()
        err = running.process.stderr.read()
        assert running.process.wait(30) == 0
    assert b"Traceback" not in err and b"error" not in err
    assert count_kept(tmp_path / "index") == slow.good == PHOTOS


def test_a_writer_in_another_process_is_named(cli, slow, tmp_path):
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: slow.good >= 2)
        began = time.monotonic()
        result = cli("index", tmp_path / "photos")
        assert time.monotonic() - began < 2
        assert result.code == 8
        assert f"pid {running.process.pid}" in result.err
        assert running.finish().code == 0
    assert cli("index", tmp_path / "photos").code == 0


def test_a_killed_writer_leaves_no_lock(cli, slow, tmp_path):
    with start("index", tmp_path / "photos") as running:
        running.wait_until(lambda: slow.good >= 2)
        running.kill(signal.SIGKILL)
    assert cli("index", tmp_path / "photos").code == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interrupted_look_changes_nothing(cli, double, photos, monkeypatch, number, code):
    assert cli("index", photos).code == 0
    (photos / "000.jpg").unlink()
    scandir = os.scandir

    def interrupt(path):
        signal.raise_signal(number)
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", interrupt)
        assert cli("index", photos).code == code
    (root,) = cli.json("status").lines[0]["roots"]
    assert root["photos"] == 6
    assert cli.json("index").counts() == {"found": 5, "unchanged": 5, "forgotten": 1}
