"""SIGINT, SIGTERM and SIGHUP: errors like any other, or wishes that a run hears at its next step."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from cvsearch.errors import Interrupted

_NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class CancelToken:
    """A wish to end, told by a signal handler.

    While it is `armed` it is heard at the next step, so that replies on the wire are kept; a second
    wish (then it is to end `at_once`), or one while it is not armed, ends the run where it stands.
    While `held` nothing new is begun.
    """

    signum: int | None = None
    armed: bool = False
    at_once: bool = False
    held: bool = False

    def request(self, signum: int) -> None:
        """Asks the run to end.  Raises `Interrupted` when that cannot wait."""
        if self.armed and self.signum is None:
            self.signum = signum
            return
        self.at_once = self.signum is not None
        raise Interrupted(signum)

    def check(self) -> None:
        """Raises `Interrupted` once the run was asked to end."""
        if self.signum is not None:
            raise Interrupted(self.signum)


def as_errors() -> AbstractContextManager[None]:
    """Within it a signal raises `Interrupted` wherever the process is: nobody arms this token."""
    return heard_by(CancelToken(), say=lambda _: None)


@contextmanager
def heard_by(token: CancelToken, say: Callable[[str], object]) -> Iterator[None]:
    """Within it signals are wishes that the run hears, which is said.

    Those that were ignored at the start stay so.
    """

    def hear(signum: int, _: object) -> None:
        token.request(signum)
        say("stopping: keeping the replies that are on their way (once more: stop at once)")

    before: dict[int, Any] = {}
    for wanted in _NUMBERS:
        if signal.getsignal(wanted) is not signal.SIG_IGN:
            before[wanted] = signal.signal(wanted, hear)
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
