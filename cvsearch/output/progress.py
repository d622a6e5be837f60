"""How far a long run is: one live line on a terminal, elsewhere a few plain lines at set times."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self, TextIO, cast

from cvsearch.output.humanize import human_count, human_duration
from cvsearch.output.screen import printable

if TYPE_CHECKING:
    from rich.progress import Progress as LiveProgress

_FIRST_LINES = (10, 30, 60, 120, 300)
_THEN_EVERY = 300


def next_line_at(elapsed: float) -> float:
    """When the next plain line is due, in seconds from the start: 10, 30, 60, 120, 300, 600, 900 …"""
    for moment in _FIRST_LINES:
        if elapsed < moment:
            return moment
    return (elapsed // _THEN_EVERY + 1) * _THEN_EVERY


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run is; `total` is None while it is not known."""

    done: int = 0
    total: int | None = None
    skipped: int = 0
    calls: int = 0


def progress_line(what: str, standing: Standing, elapsed: float, noun: str = "photo") -> str:
    """A plain line: how much is done of how much, how fast, how long it may take."""
    amount = human_count(standing.done, noun)
    if standing.total is not None:
        amount = f"{standing.done:,} of {human_count(standing.total, noun)}"
    return f"{what}: " + ", ".join([amount, *_pace(standing, elapsed), *_notes(standing)])


class Progress:
    """Shows how far a run is; a context manager whose `update` may be called from any thread.

    `live` says that the stream's line can be drawn over again; `noun` is what is counted; `clock` is in
    seconds.
    """

    def __init__(
        self,
        what: str,
        stream: TextIO,
        *,
        live: bool,
        quiet: bool = False,
        color: bool = False,
        noun: str = "photo",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._noun = noun
        self._stream = cast(TextIO, _Shrugging(stream))
        self._clock = clock
        self._standing = Standing()
        self._started = clock()
        self._due = next_line_at(0)
        self._lock = threading.RLock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._live = _make_live(what, self._stream, color, clock) if live and not quiet else None
        self._plain = not live and not quiet

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start_task(self._live.task_ids[0])
            self._live.start()
        if self._plain:
            # A service that keeps a run waiting makes no updates, and silence looks like death.
            self._thread = threading.Thread(target=self._keep_talking, name="progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live is not None:
            self._live.stop()
        if self._thread is not None:
            self._thread.join()

    def update(self, done: int, total: int | None, skipped: int = 0, calls: int = 0) -> None:
        """The run's standing now."""
        self._standing = Standing(done, total, skipped, calls)
        if self._live is not None:
            self._live.update(self._live.task_ids[0], completed=done, total=total, standing=self._standing)
        if self._plain:
            self._talk_if_due()

    def say(self, line: str) -> None:
        """A notice, above the live line or after the last plain one."""
        if self._live is not None:
            from rich.text import Text

            self._live.console.print(Text(printable(line)), soft_wrap=True)
        elif self._plain:
            self._write(line)

    def _keep_talking(self) -> None:
        while not self._ended.wait(max(0.1, self._started + self._due - self._clock())):
            self._talk_if_due()

    def _talk_if_due(self) -> None:
        with self._lock:
            elapsed = self._clock() - self._started
            if elapsed >= self._due:
                self._due = next_line_at(elapsed)
                self._write(progress_line(self._what, self._standing, elapsed, self._noun))

    def _write(self, line: str) -> None:
        with self._lock:
            self._stream.write(printable(line) + "\n")
            self._stream.flush()


class _Shrugging:
    """A stream that takes no offence: whoever closed stderr does not want to know.

    The run is worth more than its story, and a terminal that is gone must not hide why a run ends.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def _make_live(what: str, stream: TextIO, color: bool, clock: Callable[[], float]) -> LiveProgress:
    """The live line: rich's, but it leaves the cursor alone, so that no death can leave it hidden."""
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, Task, TextColumn
    from rich.progress import Progress as LiveProgress
    from rich.table import Column
    from rich.text import Text

    class StillConsole(Console):
        def show_cursor(self, show: bool = True) -> bool:
            return False

    class StandingColumn(ProgressColumn):
        def render(self, task: Task) -> Text:
            standing: Standing = task.fields["standing"]
            amount = f"{standing.done:,}" + (f"/{standing.total:,}" if standing.total is not None else "")
            parts = [amount, *_pace(standing, task.elapsed or 0.0), *_notes(standing)]
            return Text("  ".join(parts), no_wrap=True, overflow="ellipsis")

    console = StillConsole(
        file=stream,
        force_terminal=True,
        force_interactive=True,
        color_system="standard" if color else None,
        no_color=not color,
        highlight=False,
        legacy_windows=False,
    )
    live = LiveProgress(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(style="dim", complete_style="green", finished_style="green", pulse_style="green"),
        # Figures keep their room; on a narrow terminal the bar gives way.
        StandingColumn(Column(no_wrap=True)),
        console=console,
        transient=True,
        refresh_per_second=4,
        get_time=clock,
        # stdout is data: rich must not put itself before it.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.add_task(what, total=None, start=False, standing=Standing())
    return live


def _pace(standing: Standing, elapsed: float) -> list[str]:
    """Photos a second or a minute, and the time left, as soon as there is something to go by."""
    if elapsed < 1 or standing.done <= 0:
        return []
    rate = standing.done / elapsed
    pace = [f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"]
    if standing.total is not None and standing.done < standing.total:
        pace.append(f"{human_duration((standing.total - standing.done) / rate)} left")
    return pace


def _notes(standing: Standing) -> list[str]:
    notes = [f"{standing.skipped:,} skipped"] if standing.skipped else []
    return notes + ([human_count(standing.calls, "call")] if standing.calls else [])
