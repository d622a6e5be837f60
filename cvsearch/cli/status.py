"""`cvsearch status`: what the index holds and how the last run ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import add_command
from cvsearch.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cvsearch.output.table import Cell
    from cvsearch.store.local.library import Status, Store


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "status",
        status,
        "Where the index is and what it holds.",
        ("cvsearch status", "cvsearch status --skipped", "cvsearch status --json | jq .photos"),
    )


def status(
    session: Session,
    skipped: Annotated[bool, typer.Option("--skipped", help="List the skipped photos with reasons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> int:
    """Where the index is, its roots with their options, photos, vectors, size, traffic and last run."""
    from cvsearch.output.lines import json_line, path_fields
    from cvsearch.output.table import Column, make_pairs, make_table
    from cvsearch.store.local.library import open_store
    from cvsearch.wiring import choose_query_space, find_index_folder

    with open_store(find_index_folder(session.settings, session.cwd)) as store:
        facts = store.status()
        space = choose_query_space(session.settings, store)[0] if facts.spaces else 0
        missed = _missed(store, space)
        age = store.indexed_at()
    if skipped and as_json:
        session.write(
            json_line({**path_fields(path), "reason": reason, "detail": detail})
            for path, reason, detail in missed
        )
    elif skipped and not missed:
        session.say("nothing is skipped")
    elif skipped:
        columns = (Column("photo", path=True), Column("reason"), Column("what to do"))
        session.write(make_table(columns, missed, session.view))
    elif as_json:
        session.write([json_line(_as_json(facts, _count(missed)))])
    else:
        session.write(make_pairs(_as_pairs(session, facts, _count(missed), age), session.view))
    return ExitCode.DONE


def _missed(store: Store, space: int) -> list[tuple[str, str, str]]:
    """Every photo that has no vector, and every name that could not be looked at: path, reason, detail."""
    missed = store.files.not_searched(space)
    listed = {path for path, _, _ in missed}
    unread = (fault for fault in store.files.read_unread() if fault.path not in listed)
    return [*missed, *((fault.path, fault.reason, fault.detail) for fault in unread)]


def _count(missed: list[tuple[str, str, str]]) -> dict[str, int]:
    from collections import Counter

    return dict(Counter(reason for _, reason, _ in missed).most_common())


def _as_json(facts: Status, skipped: dict[str, int]) -> dict[str, object]:
    from dataclasses import asdict

    from cvsearch.output.lines import path_fields

    fields = asdict(facts)
    fields.pop("folder")
    fields["index"] = path_fields(facts.folder)["path"]
    fields["roots"] = [
        {**root, **path_fields(root["path"]), "options": asdict(root["options"])} for root in facts.roots
    ]
    fields["spaces"] = [
        {**asdict(space), "vectors": vectors, "photos": photos} for space, vectors, photos in facts.spaces
    ]
    fields["traffic"] = [{"host": host, "calls": calls, "bytes": size} for host, calls, size in facts.traffic]
    fields["skipped"] = skipped
    return fields


def _as_pairs(
    session: Session, facts: Status, skipped: dict[str, int], age: str | None
) -> Iterator[tuple[str, Cell]]:
    from cvsearch.output.lines import age_seconds
    from cvsearch.output.messages import human_age, human_bytes, human_count
    from cvsearch.output.screen import printable

    yield "index", printable(facts.folder)
    for root in facts.roots:
        there = "" if root["there"] else ", missing"
        kind = "photos named singly beneath " if root["kind"] == "files" else ""
        yield "root", f"{kind}{printable(root['path'])} ({human_count(root['photos'], 'photo')}{there})"
        for option in _options(root["options"]):
            yield "", f"  {option}"
    yield "photos", f"{facts.photos:,}"
    for space, vectors, photos in facts.spaces:
        yield "space", f"{space}: {human_count(vectors, 'vector')} for {human_count(photos, 'photo')}"
    yield "on disk", human_bytes(facts.bytes_on_disk)
    if age is not None:
        yield "indexed", f"{human_age(age_seconds(age, session.view.now))} ({age})"
    for host, calls, size in facts.traffic:
        yield "sent", f"{human_count(calls, 'call')}, {human_bytes(size)} to {host}"
    if facts.last_run is not None:
        yield "last run", _ending(facts.last_run)
    for reason, number in skipped.items():
        yield "skipped", f"{number:,} {reason}"


def _options(options: object) -> Iterator[str]:
    from cvsearch.model import WalkOptions

    assert isinstance(options, WalkOptions)  # noqa: S101 - what Store.status put there
    for glob in options.exclude:
        yield f"--exclude {glob}"
    if options.hidden:
        yield "--hidden"
    if options.follow_links:
        yield "--follow-links"
    if not options.recursive:
        yield "--no-recursive"


def _ending(run: dict[str, object]) -> str:
    from cvsearch.errors import MEANINGS, ExitCode

    code = run["code"]
    if code == ExitCode.DONE:
        return f"complete, {run['ended_at']}"
    if not isinstance(code, int):
        return f"begun {run['started_at']}, not ended (still running, or killed); run cvsearch index again"
    if code == ExitCode.USAGE:
        return f"ended with an error (2), {run['ended_at']}"
    meaning = MEANINGS[ExitCode(code)].replace("`", "")
    return f"ended {run['ended_at']} with {code}: {meaning}"
