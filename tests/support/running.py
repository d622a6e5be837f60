"""Running cvsearch as its users do: in this process, or as the installed command."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from cvsearch.cli.app import main

COMMAND = (os.path.join(sysconfig.get_path("scripts"), "cvsearch"),)
"""The installed console script."""
MOST_SECONDS = 30.0


@dataclass(frozen=True)
class Result:
    """What one run ended with: its exit code, stdout as bytes and stderr as text."""

    code: int
    out: bytes
    err: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """stdout as JSON, an object a line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """The last line of ``index --json``."""
        last = self.lines[-1]
        assert last["event"] == "summary", last
        return last

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The lines of ``index --json`` of one kind (``indexed``, ``skipped`` …)."""
        return [line for line in self.lines if line["event"] == kind]

    def counts(self) -> dict[str, int]:
        """The summary's numbers without the zeros and the time."""
        skipped = ("event", "seconds", "missing", "dry_run")
        return {name: value for name, value in self.summary.items() if value and name not in skipped}


class Cli:
    """Runs `main(argv)` in this process.

    ``cli("index", folder)`` gives a `Result`; `stdin` is what the command reads.  An exception that
    `main` lets through reaches the test.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def __call__(self, *argv: str | os.PathLike[str], stdin: bytes = b"") -> Result:
        out, err = io.BytesIO(), io.BytesIO()
        with self._monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), "utf-8"))
            patch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", write_through=True))
            errors = io.TextIOWrapper(err, "utf-8", "backslashreplace", write_through=True)
            patch.setattr(sys, "stderr", errors)
            code = main([os.fspath(argument) for argument in argv])
            return Result(code, out.getvalue(), err.getvalue().decode())

    def json(self, *argv: str | os.PathLike[str], stdin: bytes = b"") -> Result:
        """The same with ``--json``."""
        return self(*argv, "--json", stdin=stdin)


class Running:
    """The installed command as a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def kill(self, number: int) -> None:
        """Sends it a signal."""
        self.process.send_signal(number)

    def wait_until(self, happened: Callable[[], object]) -> None:
        """Polls until something is true; fails at once, with what was said, when the process ends before."""
        wait_until(lambda: happened() or self.process.poll() is not None)
        if self.process.returncode is not None:
            assert happened(), self.finish()

    def finish(self, seconds: float = MOST_SECONDS) -> Result:
        """Waits for its end."""
        out, err = self.process.communicate(timeout=seconds)
        return Result(self.process.returncode, out or b"", err.decode())


@contextlib.contextmanager
def start(
    *argv: str | os.PathLike[str], environ: Mapping[str, str] | None = None, **options: Any
) -> Iterator[Running]:
    """Starts the command; `options` go to `subprocess.Popen`.  It is killed if it still runs at the end."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    arguments = [*COMMAND, *map(os.fspath, argv)]
    with subprocess.Popen(
        arguments, env={**os.environ, **(environ or {})}, **{**streams, **options}
    ) as process:
        try:
            yield Running(process)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)


def run(*argv: str | os.PathLike[str], stdin: bytes = b"", **options: Any) -> Result:
    """Runs the command to its end; `options` as for `start`."""
    with start(*argv, stdin=subprocess.PIPE, **options) as running:
        out, err = running.process.communicate(stdin, timeout=MOST_SECONDS)
        return Result(running.process.returncode, out, err.decode())


def run_unread(*argv: str | os.PathLike[str]) -> Result:
    """Runs the command with nobody at the other end of its stdout."""
    reader, writer = os.pipe()
    os.close(reader)
    with start(*argv, stdout=writer) as running:
        os.close(writer)
        return running.finish()


def wait_until(happened: Callable[[], object], seconds: float = MOST_SECONDS) -> None:
    """Polls until something is true; fails when it never becomes so."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
