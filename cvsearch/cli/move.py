"""`cvsearch move`: rename a folder in the index."""

from __future__ import annotations

from typing import Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import ExitCode
from cvsearch.output.humanize import human_count

EXAMPLES = ("cvsearch move /mnt/old/photos /mnt/new/photos",)


def run(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The folder as the index knows it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same folder now.")],
) -> int:
    """Rename the folder OLD to NEW in the index: names change, nothing is read or called."""
    with session.open_index() as index:
        moved = index.move(session.absolute(old), session.absolute(new))
    session.say(f"moved {human_count(moved, 'photo')}")
    return ExitCode.DONE
