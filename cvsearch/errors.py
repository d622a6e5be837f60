"""Every way a run can fail, with its exit code.

::

    CvsearchError           2  wrong usage, or an error with no code of its own
    ├── CredentialsError    4  credentials are missing or refused, or --offline forbids what was asked
    ├── ServiceError        5  the service cannot be reached, or its quota is used up
    ├── BudgetError         6  the budget (--max-calls) is reached
    ├── NoIndexError        7  there is no index here, or nothing in it for this space
    ├── LockedError         8  another cvsearch is writing to this index
    └── Interrupted       130  Ctrl-C (143 SIGTERM, 129 SIGHUP)

Codes 0, 1 and 3 are results, not errors: an error's code wins over them.
"""

from __future__ import annotations

import signal
from enum import IntEnum


class ExitCode(IntEnum):
    """What the shell is told; the documentation's table is built from `MEANINGS`."""

    DONE = 0
    NOTHING_FOUND = 1
    USAGE = 2
    INCOMPLETE = 3
    CREDENTIALS = 4
    SERVICE = 5
    BUDGET = 6
    NO_INDEX = 7
    LOCKED = 8
    HANGUP = 129
    INTERRUPT = 130
    TERMINATED = 143


MEANINGS: dict[ExitCode, str] = {
    ExitCode.DONE: "done; a query found something",
    ExitCode.NOTHING_FOUND: "a query or check ran and found nothing "
    "(or, with `--expect none`, found something)",
    ExitCode.USAGE: "wrong usage, or an error with no code of its own",
    ExitCode.INCOMPLETE: "finished, but not everything was looked at: "
    "photos were skipped or a root is missing",
    ExitCode.CREDENTIALS: "credentials are missing or refused, or `--offline` forbids what was asked",
    ExitCode.SERVICE: "the service cannot be reached, or its quota is used up; safe to run again",
    ExitCode.BUDGET: "the budget (`--max-calls`) is reached; safe to run again",
    ExitCode.NO_INDEX: "there is no index here, or nothing in it for this space",
    ExitCode.LOCKED: "another cvsearch is writing to this index",
    ExitCode.HANGUP: "ended by SIGHUP",
    ExitCode.INTERRUPT: "interrupted by Ctrl-C",
    ExitCode.TERMINATED: "ended by SIGTERM",
}


class CvsearchError(Exception):
    """An error a user can act on: what happened, and the one thing to do about it."""

    code: ExitCode = ExitCode.USAGE

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class CredentialsError(CvsearchError):
    """Credentials are missing or refused, or the network is forbidden."""

    code = ExitCode.CREDENTIALS


class ServiceError(CvsearchError):
    """The service cannot be reached, keeps failing, or its quota is used up."""

    code = ExitCode.SERVICE


class BudgetError(CvsearchError):
    """The most calls the user allowed have been made."""

    code = ExitCode.BUDGET


class NoIndexError(CvsearchError):
    """There is no index, or it holds nothing that can answer."""

    code = ExitCode.NO_INDEX


def nothing_indexed(folder: str, provider: str | None) -> NoIndexError:
    """What an index says that has no vector, or none by the provider that was named."""
    by, option = ("", "") if provider is None else (f" by the provider {provider}", f"--provider {provider} ")
    return NoIndexError(
        f"nothing is indexed yet{by} in {folder}", hint=f"index a folder: cvsearch index {option}PATH"
    )


class LockedError(CvsearchError):
    """Another process is writing to the index."""

    code = ExitCode.LOCKED


class Interrupted(CvsearchError):
    """A signal asked the run to end."""

    def __init__(self, signum: int = signal.SIGINT, hint: str | None = None) -> None:
        super().__init__("interrupted", hint)
        self.code = ExitCode(128 + signum)
