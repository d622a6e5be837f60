"""`--expect some|none`: a finding as a check, so that one in CI cannot pass blind."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.errors import ExitCode

if TYPE_CHECKING:
    from cvsearch.cli.context import Session
    from cvsearch.store.local.library import Store


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


def is_complete(
    session: Session, store: Store, space: int, under: Sequence[str], among: frozenset[str] | None
) -> bool:
    """Whether every photo in scope is indexed as it is on disk now; what is not is told."""
    from cvsearch import wiring
    from cvsearch.photos.walk import stat_photo
    from cvsearch.search.coverage import count_scope

    seen, unseen = count_scope(store, space, under, among, wiring.make_find(store.folder), stat_photo)
    if unseen:
        session.say(
            f"not looked at: {unseen:,} in scope are skipped, new, changed or missing: "
            "run cvsearch index; then cvsearch status --skipped lists what is left"
        )
    elif not seen:
        session.say("no indexed photo in scope is on this disk: the check is not sure")
    return seen > 0 and not unseen


def judge(expect: Expect, *, found: bool, complete: bool) -> ExitCode:
    """How a check ends; `complete`: there was something in scope, and all of it was looked at."""
    if expect is Expect.NONE and found:
        return ExitCode.NOTHING_FOUND
    if not complete:
        return ExitCode.INCOMPLETE
    return ExitCode.DONE if found == (expect is Expect.SOME) else ExitCode.NOTHING_FOUND
