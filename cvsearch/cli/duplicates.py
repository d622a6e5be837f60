"""`cvsearch duplicates`: photos that are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from cvsearch.api import LARGEST, OLDEST, DuplicatesRequest, Index
from cvsearch.cli.context import Session
from cvsearch.cli.options import ExpectOption, Files0From, FilesFrom, find_scope, is_complete, judge
from cvsearch.cli.output import JsonOption, choose_form, format_option
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.model import Group
from cvsearch.output.formats import FORMATS, render_list
from cvsearch.output.humanize import human_bytes, human_count
from cvsearch.output.rows import duplicate_rows, path_rows
from cvsearch.paths import Scope


class Kind(StrEnum):
    """How alike photos must be."""

    BYTES = "bytes"
    PICTURE = "picture"
    SCENE = "scene"


EXAMPLES = (
    "cvsearch duplicates",
    "cvsearch duplicates inbox/ --keep archive/",
    "cvsearch duplicates --kind scene --threshold 0.95",
    "cvsearch duplicates -0 inbox/ | xargs -0 ls -l",
    "cvsearch duplicates --expect none",
)


def run(
    session: Session,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Only groups with a photo here; none: all groups."),
    ] = None,
    kind: Annotated[
        list[Kind] | None,
        typer.Option("--kind", help="Repeatable; bytes and picture by default.", show_default=False),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", metavar="X", help="The cosine from which a scene is the same (0.97)."),
    ] = None,
    keep: Annotated[
        str,
        typer.Option(
            "--keep",
            metavar="largest|oldest|DIR",
            help="Which photo of a group to keep.",
            autocompletion=lambda incomplete: [
                word for word in ("largest", "oldest") if word.startswith(incomplete)
            ],
        ),
    ] = "largest",
    expect: ExpectOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    form: Annotated[str | None, format_option("jsonl", ("table", "jsonl"))] = None,
    names: Annotated[
        bool, typer.Option("--paths", "-l", help="Print only the extra copies, one a line; same bytes only.")
    ] = False,
    print0: Annotated[bool, typer.Option("--print0", "-0", help="The same, each ended by NUL.")] = False,
    as_json: JsonOption = False,
) -> int:
    """Find indexed photos with the same bytes, or that show the same picture or the same scene.

    One photo of each group is marked to keep; nothing is ever deleted. --paths and -0 read each file
    again before they name it. Ends with 1 when there is none.
    """
    chosen = choose_form(session, "jsonl", form, paths=names, paths0=print0, jsonl=as_json)
    listed = session.listed(files_from, files0_from)
    if threshold is not None and Kind.SCENE not in (kind or ()):
        raise CvsearchError("--threshold is for scenes", hint="add --kind scene")
    if threshold is not None and not 0 < threshold <= 1:
        raise CvsearchError("--threshold takes a cosine above 0, 1 at most", hint="such as --threshold 0.95")
    default = (Kind.BYTES,) if chosen.startswith("paths") else (Kind.BYTES, Kind.PICTURE)
    request = DuplicatesRequest(
        kinds=[str(one) for one in kind or default],
        keep=keep if keep in (LARGEST, OLDEST) else session.absolute(keep),
        least_cosine=threshold,
        scope=Scope([session.absolute(path) for path in paths or ()], listed),
    )
    with session.open_index() as index:
        if index.notice is not None and session.talks:
            session.say(index.notice)
        request = replace(request, scope=find_scope(session, index, request.scope))
        groups = index.duplicates(request)
        if chosen.startswith("paths"):
            found, left_out = _write_losable(session, index, groups, chosen)
        else:
            found, left_out = _write_groups(session, index, groups, chosen), 0
        if expect is None:
            return ExitCode.DONE if found else ExitCode.NOTHING_FOUND
        # The user's places, and all that their photos were compared with.
        scopes = [request.scope, *([replace(request.scope, under=())] if request.scope.under else [])]
        complete = not left_out and all(is_complete(session, index, scope) for scope in scopes)
        return judge(expect, found=found, complete=complete)


def _write_groups(session: Session, index: Index, groups: Sequence[Group], form: str) -> bool:
    if groups or form != "table":
        render = render_list if form == "table" else FORMATS[form]
        session.write(render(duplicate_rows(groups), session.view))
    if not groups:
        session.say("no duplicates found")
    elif session.talks:
        sizes = [photo.size for photo in index.find_losable(groups)]
        more = f"{human_count(len(sizes), 'photo')} more than needed, {human_bytes(sum(sizes))}"
        session.say(f"{human_count(len(groups), 'group')}; {more}")
    return bool(groups)


def _write_losable(session: Session, index: Index, groups: Sequence[Group], form: str) -> tuple[bool, int]:
    """Whether there are any, and how many were left out."""
    found = left_out = 0

    def paths() -> Iterator[str]:
        nonlocal found, left_out
        for photo, fault in index.verify_losable(groups):
            if fault is None:
                found += 1
                yield photo.path
            else:
                left_out += 1
                session.say(f"left out {photo.path}: {fault}")

    session.write(FORMATS[form](path_rows(paths()), session.view))
    if not found:
        session.say("nothing that could be lost was found")
    return found > 0, left_out
