"""What every command has at hand: the settings, where bytes go, and how it talks."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TextIO

from cvsearch import __version__
from cvsearch.api import Index, load_settings
from cvsearch.config.settings import Settings
from cvsearch.errors import CvsearchError
from cvsearch.output.screen import View, is_terminal, make_view, printable
from cvsearch.paths import is_address


@dataclass(frozen=True)
class Session:
    """One invocation.  stdout is data, stderr is talk.

    `check`: its exit code is a verdict, which is reached also when nobody reads any more.
    """

    flags: Mapping[str, object]
    quiet: bool = False
    verbose: bool = False
    check: bool = False
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    @cached_property
    def settings(self) -> Settings:
        """The settings, loaded when they are first needed: `config` must be able to mend a broken file."""
        settings = load_settings(self.flags, self.environ)
        if is_terminal(sys.stderr):
            for warning in settings.warnings:
                self.say(f"warning: {warning}")
        return settings

    @cached_property
    def cwd(self) -> str:
        """The working folder as the shell shows it: links that led here stay unresolved."""
        here = os.getcwd()
        said = self.environ.get("PWD", "")
        try:
            return said if os.path.isabs(said) and os.path.samefile(said, here) else here
        except OSError:
            return here

    def absolute(self, path: str) -> str:
        """A path as typed, made absolute; links stay unresolved.  Raises `CvsearchError` for an empty one."""
        if not path:
            raise CvsearchError("a path is empty", hint="name a file or folder; . is the folder you are in")
        return os.path.normpath(os.path.join(self.cwd, path))

    @cached_property
    def view(self) -> View:
        """What renderers may know of stdout."""
        return make_view(
            sys.stdout,
            self.environ,
            color=self.settings.color,
            version=__version__,
            now=datetime.now(UTC),
            cwd=self.cwd,
        )

    @property
    def talks(self) -> bool:
        """Whether what is not asked for may be said."""
        return self.verbose or is_terminal(sys.stderr)

    def open_index(self) -> Index:
        """The index that is meant, to be closed."""
        return Index(self.settings, self.cwd)

    def as_source(self, name: str) -> str:
        """A path as typed, made absolute; addresses and ``-`` stay as they are."""
        return name if name == "-" or is_address(name) else self.absolute(name)

    @property
    def can_ask(self) -> bool:
        """Whether a question would reach a person."""
        return is_terminal(sys.stdin) and is_terminal(sys.stderr)

    def say(self, line: str) -> None:
        """A line of talk, unless the user wants errors alone."""
        if not self.quiet:
            try:
                print(printable(line), file=sys.stderr, flush=True)  # noqa: T201 - this is where talk goes
            except BrokenPipeError as error:
                self._lose(sys.stderr, error)
            except OSError:  # a full disk, say: talk is lost, not the work and its exit code
                lead_nowhere(sys.stderr)

    def write(self, chunks: Iterable[bytes]) -> None:
        """Data to stdout."""
        out = sys.stdout.buffer
        for chunk in chunks:
            try:
                out.write(chunk)
            except BrokenPipeError as error:
                self._lose(sys.stdout, error)
        try:
            out.flush()
        except BrokenPipeError as error:
            self._lose(sys.stdout, error)

    def _lose(self, stream: TextIO, error: BrokenPipeError) -> None:
        """Nobody reads: a check goes on to its verdict, and what else it writes there is lost."""
        if not self.check:
            raise error
        lead_nowhere(stream)

    def ask(self, question: str) -> None:
        """Asks a person; raises `CvsearchError` unless the answer is yes."""
        sys.stderr.write(f"{printable(question)} [y/N] ")
        sys.stderr.flush()
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise CvsearchError("not confirmed; nothing was done", hint="answer y, or use --yes")

    @contextmanager
    def log_requests(self) -> Iterator[None]:
        """Tells of each request while the command runs; headers are never part of it."""
        import logging

        logger, handler = logging.getLogger("cvsearch"), logging.Handler()
        handler.emit = lambda record: self.say(f"debug: {record.getMessage().rstrip()}")  # type: ignore[method-assign]
        before, logger.propagate = logger.propagate, False
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        try:
            yield
        finally:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)
            logger.propagate = before

    def listed(self, files_from: str | None, files0_from: str | None) -> list[str] | None:
        """The photos that --files-from or --files0-from list; None when neither was given."""
        if files_from is not None and files0_from is not None:
            raise CvsearchError("--files-from and --files0-from exclude each other", hint="give one of them")
        source = files0_from if files_from is None else files_from
        if source is None:
            return None
        if source == "-":
            data = sys.stdin.buffer.read()
        else:
            with open(source, "rb") as file:
                data = file.read()
        names = data.split(b"\0" if files_from is None else b"\n")
        return [self.absolute(os.fsdecode(name)) for name in names if name]


def lead_nowhere(stream: TextIO) -> None:
    """Nobody reads a stream any more: nothing may complain about it, not when the process ends either."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
