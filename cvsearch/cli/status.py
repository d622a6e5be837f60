"""`cvsearch status`: what the index holds and how the last run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import MEANINGS, ExitCode
from cvsearch.model import Status, WalkOptions
from cvsearch.output.formats import FORMATS, json_line, render_list
from cvsearch.output.humanize import age_seconds, human_age, human_bytes, human_count
from cvsearch.output.rows import fact_rows, path_fields, skipped_rows
from cvsearch.output.screen import printable

EXAMPLES = ("cvsearch status", "cvsearch status --skipped", "cvsearch status --json | jq .photos")


def run(
    session: Session,
    skipped: Annotated[bool, typer.Option("--skipped", help="List the skipped photos with reasons.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> int:
    """Where the index is, its roots with their options, photos, vectors, size, traffic and last run."""
    with session.open_index() as index:
        status = index.status()
        missed = index.list_skipped(status)
    counts = dict(Counter(reason for _, reason, _ in missed).most_common())
    if skipped and as_json:
        session.write(FORMATS["jsonl"](skipped_rows(missed), session.view))
    elif skipped and not missed:
        session.say("nothing is skipped")
    elif skipped:
        session.write(render_list(skipped_rows(missed), session.view))
    elif as_json:
        session.write([json_line(_as_json(status, counts))])
    else:
        session.write(render_list(fact_rows(_facts(session, status, counts)), session.view))
    return ExitCode.DONE


def _as_json(status: Status, skipped: Mapping[str, int]) -> dict[str, object]:
    fields = asdict(status)
    del fields["folder"], fields["unread"]
    fields["index"] = path_fields(status.folder)["path"]
    fields["roots"] = [
        {**root, **path_fields(root["path"]), "options": asdict(root["options"])} for root in status.roots
    ]
    fields["spaces"] = [
        {**asdict(space), "vectors": vectors, "photos": photos} for space, vectors, photos in status.spaces
    ]
    fields["traffic"] = [
        {"host": host, "calls": calls, "bytes": size} for host, calls, size in status.traffic
    ]
    fields["skipped"] = skipped
    return fields


def _facts(session: Session, facts: Status, skipped: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    yield "index", printable(facts.folder)
    for root in facts.roots:
        there = "" if root["there"] else ", missing"
        kind = "photos named singly beneath " if root["kind"] == "files" else ""
        yield "root", f"{kind}{printable(root['path'])} ({human_count(root['photos'], 'photo')}{there})"
        options: WalkOptions = root["options"]
        for glob in options.exclude:
            yield "", f"  --exclude {glob}"
        if options.hidden:
            yield "", "  --hidden"
        if options.follow_links:
            yield "", "  --follow-links"
        if not options.recursive:
            yield "", "  --no-recursive"
    yield "photos", f"{facts.photos:,}"
    for space, vectors, photos in facts.spaces:
        yield "space", f"{space}: {human_count(vectors, 'vector')} for {human_count(photos, 'photo')}"
    yield "on disk", human_bytes(facts.bytes_on_disk)
    if facts.indexed_at is not None:
        yield "indexed", f"{human_age(age_seconds(facts.indexed_at, session.view.now))} ({facts.indexed_at})"
    for host, calls, size in facts.traffic:
        yield "sent", f"{human_count(calls, 'call')}, {human_bytes(size)} to {host}"
    if facts.last_run is not None:
        yield "last run", _ending(facts.last_run)
    for reason, number in skipped.items():
        yield "skipped", f"{number:,} {reason}"


def _ending(run: dict[str, object]) -> str:
    code = run["code"]
    if code == ExitCode.DONE:
        return f"complete, {run['ended_at']}"
    if not isinstance(code, int):
        return f"begun {run['started_at']}, not ended (still running, or killed); run cvsearch index again"
    if code == ExitCode.USAGE:
        return f"ended with an error (2), {run['ended_at']}"
    meaning = MEANINGS[ExitCode(code)].replace("`", "")
    return f"ended {run['ended_at']} with {code}: {meaning}"
