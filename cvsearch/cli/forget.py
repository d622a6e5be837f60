"""`cvsearch forget`: remove paths from the index."""

from __future__ import annotations

from typing import Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import Files0From, FilesFrom
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.output.humanize import human_count

EXAMPLES = ("cvsearch forget ./photos/private", "cvsearch forget --files-from list.txt")


def run(
    session: Session,
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help="Photos or folders.")] = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
) -> int:
    """Remove paths from the index, also ones that no longer exist.

    What was paid for stays until prune: indexing them again costs no call.
    """
    wanted = [session.absolute(path) for path in paths or ()]
    wanted += session.listed(files_from, files0_from) or []
    if not wanted:
        raise CvsearchError("nothing to forget", hint="name a photo or folder")
    with session.open_index() as index:
        total = index.forget(wanted)
    session.say(f"forgot {human_count(total, 'photo')}; what was paid for stays until cvsearch prune")
    return ExitCode.DONE
