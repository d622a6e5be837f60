"""`--expect some|none`: a finding as a check, so that one in CI cannot pass blind."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cvsearch.errors import ExitCode


class Expect(StrEnum):
    """What a check hopes for."""

    SOME = "some"
    NONE = "none"


ExpectOption = Annotated[
    Expect | None,
    typer.Option(
        "--expect", help="A check: 0 as expected, 1 otherwise, 3 if that is not sure as photos were skipped."
    ),
]


def judge(expect: Expect, *, found: bool, complete: bool) -> ExitCode:
    """How a check ends; `complete`: there was something in scope, and all of it was looked at."""
    if expect is Expect.NONE and found:
        return ExitCode.NOTHING_FOUND
    if not complete:
        return ExitCode.INCOMPLETE
    return ExitCode.DONE if found == (expect is Expect.SOME) else ExitCode.NOTHING_FOUND
