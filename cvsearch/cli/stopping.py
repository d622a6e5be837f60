"""Signals as wishes: a run hears them at its next step, so that replies on the wire are kept."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvsearch.cli.context import Session
    from cvsearch.embedding.pipeline import CancelToken


@contextmanager
def heard(stop: CancelToken, session: Session) -> Iterator[None]:
    """Lets signals be heard by the run; those ignored at the start stay so."""

    def hear(signum: int, _: object) -> None:
        stop.request(signum)
        session.say("stopping: keeping the replies that are on their way (once more: stop at once)")

    before = {
        number: signal.signal(number, hear)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
