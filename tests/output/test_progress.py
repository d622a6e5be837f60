"""Progress: never silence on long work, never a flooded log, never a hidden cursor."""

import io
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.output.progress import Progress, Standing, next_line_at, progress_line


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


class GoneTerminal(io.StringIO):
    def write(self, text):
        raise OSError(5, "Input/output error")


def test_when_lines_are_due():
    moments, elapsed = [], 0.0
    while elapsed < 1000:
        elapsed = next_line_at(elapsed)
        moments.append(elapsed)
    assert moments == [10, 30, 60, 120, 300, 600, 900, 1200]


@given(st.floats(0, 1e7))
def test_the_next_line_is_later_but_not_much(elapsed):
    assert elapsed < next_line_at(elapsed) <= elapsed + 300


@pytest.mark.parametrize(
    ("standing", "elapsed", "line"),
    [
        (Standing(), 10, "indexing: 0 photos"),
        (Standing(1234), 10, "indexing: 1,234 photos, 123/s"),
        (Standing(50, 200, 1, 40), 10, "indexing: 50 of 200 photos, 5.0/s, 30 s left, 1 skipped, 40 calls"),
        (Standing(5, 100), 60, "indexing: 5 of 100 photos, 5.0/min, 19 min left"),
        (Standing(100, 100), 10, "indexing: 100 of 100 photos, 10/s"),
        (Standing(0, 100), 10, "indexing: 0 of 100 photos"),
    ],
)
def test_a_plain_line(standing, elapsed, line):
    assert progress_line("indexing", standing, elapsed) == line


def run(stream, seconds, **options):
    clock = Clock()
    with Progress("indexing", stream, clock=clock, **options) as progress:
        for second in range(seconds):
            clock.now = 1000.0 + second
            progress.update(second * 10, 10000, skipped=0, calls=second)


def test_plain_lines_come_at_their_times():
    stream = io.StringIO()
    run(stream, 901, live=False)
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["100", "300", "600", "1,200", "3,000", "6,000", "9,000"]


def test_a_run_that_waits_is_not_silent(monkeypatch):
    monkeypatch.setattr("cvsearch.output.progress._FIRST_LINES", (0.05,))
    talked = threading.Event()

    class Stream(io.StringIO):
        def flush(self):
            talked.set()

    stream = Stream()
    with Progress("indexing", stream, live=False):
        assert talked.wait(5)
    assert stream.getvalue() == "indexing: 0 photos\n"


def test_quiet_is_silent():
    for live in (True, False):
        stream = io.StringIO()
        with Progress("indexing", stream, live=live, quiet=True) as progress:
            progress.update(1, 2)
            progress.say("notice")
        assert stream.getvalue() == ""


def test_notices_are_escaped():
    stream = io.StringIO()
    with Progress("indexing", stream, live=False) as progress:
        progress.say("skipped \x1b[2J")
    assert stream.getvalue() == "skipped \\x1b[2J\n"


@pytest.mark.parametrize("color", [True, False])
def test_the_live_line_is_shown_and_taken_away(color):
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress("indexing", stream, live=True, color=color) as progress:
        progress.update(12345, 41300, 2, 7)
        progress.say("a [red] notice\x1b[2J")
        raise KeyboardInterrupt
    shown = stream.getvalue()
    assert "12,345/41,300" in shown
    assert "2 skipped  7 calls" in shown
    assert "a [red] notice\\x1b[2J\n" in shown
    assert shown.endswith("\x1b[2K")
    assert "\x1b[?25l" not in shown, "a hidden cursor would stay hidden after SIGKILL"
    assert ("\x1b[3" in shown) is color


@pytest.mark.parametrize("live", [True, False])
def test_a_terminal_that_is_gone_hides_no_reason(live):
    with pytest.raises(KeyboardInterrupt):
        _fail_on(GoneTerminal(), live)


def _fail_on(stream, live):
    clock = Clock()
    with Progress("indexing", stream, live=live, clock=clock) as progress:
        clock.now += 20
        progress.update(1, 2)
        progress.say("notice")
        raise KeyboardInterrupt


def test_no_plain_thread_is_left():
    before = threading.active_count()
    run(io.StringIO(), 20, live=False)
    assert threading.active_count() == before
