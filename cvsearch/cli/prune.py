"""`cvsearch prune`: delete vectors that no photo uses."""

from __future__ import annotations

from typing import Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import ExitCode
from cvsearch.output.humanize import human_bytes, human_count

EXAMPLES = ("cvsearch prune --dry-run", "cvsearch prune --yes")


def run(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Delete the vectors and facts of photos that are no longer in the index.

    Should such a photo come back, it has to be paid for again.
    """
    with session.open_index() as index, index.pruning() as prune:
        found = prune.found
        amount = ", ".join(
            (
                human_count(found.contents, "content"),
                human_count(found.vectors, "vector"),
                human_bytes(found.bytes),
            )
        )
        if dry_run:
            session.say(f"would reclaim {amount}")
            return ExitCode.DONE
        if found.contents and session.can_ask and not yes:
            session.ask(f"Reclaim {amount}? Should these photos come back, they must be paid for again.")
        notice = prune.run()
    if notice is not None:
        session.say(notice)
    session.say(f"reclaimed {amount}")
    return ExitCode.DONE
