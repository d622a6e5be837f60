"""`cvsearch index` when it is interrupted, killed, hung up on, or when nobody reads what it says."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import threading
import time

import album
import pytest
from running import start

import cvsearch
from cvsearch.errors import NoIndexError
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library
from cvsearch.store.local.transactions import Store

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
    with open_library(str(folder)) as store:
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
        running.kill(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(1)
        running.kill(signal.SIGINT)
        assert running.finish(3).code == 130
    assert count_kept(tmp_path / "index") == 3
    finish_after(cli, slow, tmp_path, 3)


def test_an_interrupt_during_the_last_commit_is_heard(cli, double, photos, monkeypatch):
    commit = Store.commit

    def interrupt(store):
        if store.pending:
            signal.raise_signal(signal.SIGINT)
        commit(store)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", interrupt)
        result = cli("index", photos)
    assert (result.code, double.calls()) == (130, 6)
    assert "stopping" in result.err
    assert cli.json("index", photos).counts() == {"found": 6, "unchanged": 6}


def test_a_reader_that_fails_gets_what_is_on_the_wire_kept(slow, tmp_path, home):
    def tell(event):
        raise ZeroDivisionError(event)

    with cvsearch.open_index(tmp_path / "index", create=True) as index, pytest.raises(ZeroDivisionError):
        index.add(tmp_path / "photos", tell)
    assert count_kept(tmp_path / "index") == slow.good
    with open_library(str(tmp_path / "index")) as store:
        (run,) = store.catalogue.connection.execute("SELECT ended_at, code FROM run").fetchall()
    assert run[0] is not None and run[1] == 2


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


@pytest.mark.parametrize(("stream", "code"), [("stdout", 2), ("stderr", 0)])
def test_a_full_disk_behind_an_output_loses_nothing(cli, slow, tmp_path, stream, code):
    argv = ("index", "-v", "--json", tmp_path / "photos")
    with open("/dev/full", "wb") as full, start(*argv, **{stream: full}) as running:
        said = running.process.communicate(timeout=30)[1] or b""
        assert running.process.returncode == code
    if stream == "stdout":
        assert b"standard output cannot be written: No space left on device" in said.splitlines()[-1]
        assert b"Exception ignored" not in said and b"Traceback" not in said
    assert count_kept(tmp_path / "index") == slow.good == PHOTOS
    check_last_run(cli, PHOTOS)


def check_last_run(cli, calls):
    """The run is recorded with its calls, and so is what was sent."""
    (status,) = cli.json("status").lines
    assert status["last_run"]["ended_at"] is not None
    assert status["last_run"]["summary"]["calls"] == calls
    assert status["last_run"]["summary"]["indexed"] == calls
    assert [host["calls"] for host in status["traffic"]] == [calls]


@pytest.fixture
def long_names(slow, tmp_path):
    """A folder whose events are larger than what fits into a pipe that nobody reads."""
    folder = tmp_path / "photos" / "/".join("n" * 240 for _ in range(12))
    folder.mkdir(parents=True)
    for path in sorted((tmp_path / "photos").glob("*.jpg")):
        path.rename(folder / path.name)
    slow.latency = 0.02


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_pauses_holds_up_no_commit(cli, slow, long_names, tmp_path, stream):
    with start("index", "-v", "--json", tmp_path / "photos") as running:
        open_streams(running, besides=stream)
        running.wait_until(lambda: count_committed(tmp_path) == PHOTOS)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(1)
        running.kill(signal.SIGINT)
        assert running.process.wait(3) == 130
    check_last_run(cli, PHOTOS)
    finish_after(cli, slow, tmp_path, PHOTOS)


def open_streams(running, *, besides):
    """Reads the one output to its end, and the other never; that pipe is made small."""
    shut = getattr(running.process, besides)
    fcntl.fcntl(shut, fcntl.F_SETPIPE_SZ, 4096)
    other = running.process.stdout if besides == "stderr" else running.process.stderr
    threading.Thread(target=other.read, daemon=True).start()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_two_signals_end_a_run_that_nobody_reads(cli, slow, long_names, tmp_path, stream):
    slow.rule = lambda number, _: "slow:60" if number > 10 else None
    with start("index", "-v", "--json", tmp_path / "photos") as running:
        open_streams(running, besides=stream)
        running.wait_until(lambda: count_committed(tmp_path) == 10)
        running.kill(signal.SIGINT)
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(1)
        running.kill(signal.SIGINT)
        assert running.process.wait(3) == 130
    finish_after(cli, slow, tmp_path, 10)


def test_a_reader_that_goes_on_gets_everything(slow, long_names, tmp_path):
    with start("index", "--json", tmp_path / "photos") as running:
        fcntl.fcntl(running.process.stdout, fcntl.F_SETPIPE_SZ, 4096)
        running.wait_until(lambda: count_committed(tmp_path) == PHOTOS)
        result = running.finish()
    assert result.code == 0
    assert len(result.events("indexed")) == result.summary["indexed"] == PHOTOS


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
