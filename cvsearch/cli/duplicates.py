"""`cvsearch duplicates`: photos that are there twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.expect import Expect, ExpectOption, is_complete, judge
from cvsearch.cli.options import Files0From, FilesFrom, add_command
from cvsearch.cli.output import JsonOption, choose_form
from cvsearch.errors import CvsearchError, ExitCode

if TYPE_CHECKING:
    from cvsearch.output.duplicates import Line
    from cvsearch.search.duplicates import DuplicatesRequest, Group
    from cvsearch.store.local.library import Store


class Kind(StrEnum):
    """How alike photos must be."""

    BYTES = "bytes"
    PICTURE = "picture"
    SCENE = "scene"


class Format(StrEnum):
    """How groups are written."""

    TABLE = "table"
    JSONL = "jsonl"


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "duplicates",
        duplicates,
        "Find photos that are there twice.",
        (
            "cvsearch duplicates",
            "cvsearch duplicates inbox/ --keep archive/",
            "cvsearch duplicates --kind scene --threshold 0.95",
            "cvsearch duplicates -0 inbox/ | xargs -0 ls -l",
            "cvsearch duplicates --expect none",
        ),
    )


def duplicates(
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
    form: Annotated[
        Format | None, typer.Option("--format", help="table on a terminal, else jsonl.", show_default=False)
    ] = None,
    names: Annotated[
        bool, typer.Option("--paths", "-l", help="Only what could be lost, one a line; of kind bytes.")
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
    request = _make_request(session, paths or [], kind or [], threshold, keep, listed, chosen)
    return _find(session, request, chosen, expect)


def _make_request(
    session: Session,
    paths: Sequence[str],
    kinds: Sequence[str],
    threshold: float | None,
    keep: str,
    listed: Sequence[str] | None,
    form: str,
) -> DuplicatesRequest:
    from cvsearch.ranking.clustering import SCENE_COSINE
    from cvsearch.search.duplicates import LARGEST, OLDEST, DuplicatesRequest

    if threshold is not None and Kind.SCENE not in kinds:
        raise CvsearchError("--threshold is for scenes", hint="add --kind scene")
    if threshold is not None and not 0 < threshold <= 1:
        raise CvsearchError("--threshold takes a cosine above 0, 1 at most", hint="such as --threshold 0.95")
    default = (Kind.BYTES,) if form.startswith("paths") else (Kind.BYTES, Kind.PICTURE)
    return DuplicatesRequest(
        kinds=[str(kind) for kind in kinds or default],
        keep=keep if keep in (LARGEST, OLDEST) else session.absolute(keep),
        least_cosine=SCENE_COSINE if threshold is None else threshold,
        under=[session.absolute(path) for path in paths],
        among=None if listed is None else frozenset(listed),
    )


def _find(session: Session, request: DuplicatesRequest, form: str, expect: Expect | None) -> int:
    from cvsearch import wiring
    from cvsearch.photos.raw_pairs import pair_companions
    from cvsearch.search.duplicates import find_duplicates
    from cvsearch.store.local.library import open_store

    with open_store(wiring.find_index_folder(session.settings, session.cwd)) as store:
        number, _, notice = wiring.choose_query_space(session.settings, store)
        if notice is not None and (session.talks_to_person or session.verbose):
            session.say(notice)
        request = _find_places(session, store, request)
        groups = find_duplicates(store, number, request, pair_companions)
        if form.startswith("paths"):
            found, left_out = _write_losable(session, groups, form)
        else:
            found, left_out = _write_groups(session, groups, form), 0
        if expect is None:
            return ExitCode.DONE if found else ExitCode.NOTHING_FOUND
        complete = not left_out and _is_complete(session, store, number, request)
        return judge(expect, found=found, complete=complete)


def _find_places(session: Session, store: Store, request: DuplicatesRequest) -> DuplicatesRequest:
    """The request with places and lists as the index knows them.

    Names that cannot be meant are refused: a check that looks nowhere must not pass.
    """
    from cvsearch.cli.places import find_places
    from cvsearch.search.duplicates import LARGEST, OLDEST
    from cvsearch.search.places import is_known

    under, listed = find_places(session, store, request.under, request.among)
    if request.keep not in (LARGEST, OLDEST) and not is_known(store, request.keep):
        raise CvsearchError(
            f"--keep takes largest, oldest or a folder with indexed photos, not {request.keep}",
            hint="check the name",
        )
    return replace(request, under=under, among=None if listed is None else frozenset(listed))


def _is_complete(session: Session, store: Store, number: int, request: DuplicatesRequest) -> bool:
    """Whether the user's places, and all that their photos were compared with, were looked at."""
    scopes = [request.under, ()] if request.under else [()]
    return all(is_complete(session, store, number, under, request.among) for under in scopes)


def _write_groups(session: Session, groups: Sequence[Group], form: str) -> bool:
    from cvsearch.output import duplicates as rendering
    from cvsearch.output.messages import human_bytes, human_count
    from cvsearch.search.duplicates import find_losable

    lines = list(_lines(groups))
    if form == "jsonl":
        session.write(rendering.render_lines(lines))
    elif lines:
        session.write(rendering.render_groups(lines, session.view))
    if not groups:
        session.say("no duplicates found")
    elif session.talks_to_person or session.verbose:
        sizes = [copy.size for copy, _ in find_losable(groups)]
        more = f"{human_count(len(sizes), 'photo')} more than needed, {human_bytes(sum(sizes))}"
        session.say(f"{human_count(len(groups), 'group')}; {more}")
    return bool(groups)


def _lines(groups: Sequence[Group]) -> Iterator[Line]:
    from cvsearch.output.duplicates import Line

    for number, group in enumerate(groups, start=1):
        for member in group.members:
            copy = member.copy
            yield Line(
                group=number,
                kind=group.kind,
                keep=member.keep,
                path=copy.path,
                sha256=copy.sha256 or b"",
                size=copy.size,
                pixels=None if copy.metadata is None else (copy.metadata.width, copy.metadata.height),
                linked=member.linked,
                bits=member.distance,
                score=member.score,
                also=copy.also,
            )


def _write_losable(session: Session, groups: Sequence[Group], form: str) -> tuple[bool, int]:
    """Whether there are any, and how many were left out."""
    from cvsearch.output.duplicates import render_names
    from cvsearch.photos.read import read_photo
    from cvsearch.photos.walk import stat_photo
    from cvsearch.search.verify import Verifier

    found = False
    verifier = Verifier(stat_photo, read_photo, session.say)

    def paths() -> Iterator[str]:
        nonlocal found
        for copy in verifier.find_losable(groups):
            found = True
            yield copy.path

    session.write(render_names(paths(), session.view, end=b"\0" if form == "paths0" else b"\n"))
    if not found:
        session.say("nothing that could be lost was found")
    return found, verifier.left_out
