"""`cvsearch show`: all that is known of a photo."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated

import typer

from cvsearch.api import Index, QueryRequest, provider_of
from cvsearch.cli.context import Session
from cvsearch.cli.output import ShowPreviewOption, find_show_canvas, write_picture
from cvsearch.cli.query import answer, clean_text
from cvsearch.errors import CvsearchError, ExitCode, NoIndexError
from cvsearch.model import METADATA, IndexedPhoto, PhotoFacts, Space, Term
from cvsearch.output.formats import json_line, render_list
from cvsearch.output.humanize import human_bytes
from cvsearch.output.messages import error_text
from cvsearch.output.rows import also_fields, fact_rows, path_fields
from cvsearch.output.screen import printable

EXAMPLES = (
    "cvsearch show photos/a.jpg",
    "cvsearch show photos/a.jpg --sent sent.jpg",
    'cvsearch show photos/a.jpg --for "red car"',
)


def run(
    session: Session,
    photos: Annotated[list[str], typer.Argument(metavar="PHOTO...", help="Photos.")],
    sent: Annotated[
        str | None,
        typer.Option(
            "--sent", metavar="FILE", help="Write the exact bytes that were or would be sent; - for stdout."
        ),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--for", metavar="TEXT", help="Its rank, score and percentile for a text.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a photo.")] = False,
    preview: ShowPreviewOption = None,
) -> int:
    """Hash, names, date, camera, place and size; to which host a photo was sent, and when."""
    paths = [session.absolute(photo) for photo in photos]
    text = None if text is None else clean_text(text)
    with session.open_index() as index:
        if sent is not None:
            return _write_sent(session, index, paths, sent)
        canvas = find_show_canvas(session, preview, as_json=as_json)
        absent: NoIndexError | None = None
        for path in paths:
            shown = index.show(path)
            if shown is None:
                if absent is not None:
                    sys.stderr.write(error_text(absent.message, absent.hint))  # not the end yet
                why = "there is no such file"
                if os.path.isdir(path):
                    why = "it is a folder; name a photo"
                elif os.path.lexists(path):
                    why = "it is there, but was never indexed, or is excluded"
                absent = NoIndexError(f"not in the index: {path}: {why}", hint=f"cvsearch index {path}")
                continue
            standing = None if text is None else _find_standing(session, index, path, text)
            if canvas is not None:
                write_picture(session, path, canvas)
            if as_json:
                session.write([json_line(_as_json(shown, standing))])
            else:
                session.write(render_list(fact_rows(_facts(shown, standing)), session.view))
    if absent is not None:
        raise absent
    return ExitCode.DONE


def _find_standing(session: Session, index: Index, path: str, text: str) -> dict[str, object]:
    """Where a photo stands among all photos for a text, or why it has no place."""
    report = answer(session, index, QueryRequest(terms=(Term("text", text),), top=None))
    total = len(report.matches)
    for match in report.matches:
        if match.path == path:
            percentile = 100.0 * (total - match.rank + 1) / total
            found = {"rank": match.rank, "of": total, "score": match.score, "percentile": percentile}
            return {"text": text, **found}
    return {"text": text, "rank": None, "of": total, "why": "it has no vector in this space"}


def _write_sent(session: Session, index: Index, paths: list[str], target: str) -> int:
    if len(paths) != 1:
        raise CvsearchError("--sent writes one photo", hint="name one photo")
    photo = index.sent_as(paths[0])
    if target == "-":
        if session.view.terminal:
            raise CvsearchError("a picture's bytes are not for a terminal", hint="pipe them, or name a file")
        session.write([photo.data])
    elif os.path.exists(target) and os.path.samefile(target, paths[0]):
        raise CvsearchError(f"this would overwrite the photo itself: {target}", hint="name another file")
    else:
        with open(target, "wb") as out:
            out.write(photo.data)
        session.say(f"{len(photo.data):,} bytes, {photo.width} × {photo.height}, written to {target}")
    return ExitCode.DONE


def _as_json(shown: PhotoFacts, standing: Mapping[str, object] | None) -> dict[str, object]:
    photo = shown.photo
    spaces = [
        {
            **asdict(space),
            "indexed": known.row is not None,
            "sent": None
            if known.receipt is None
            else {**asdict(known.receipt), "sha256": known.receipt.sha256.hex()},
            "skip": None if known.skip is None else asdict(known.skip),
        }
        for space, known in shown.spaces
    ]
    return {
        **path_fields(photo.path),
        "sha256": photo.sha256.hex() if photo.sha256 else None,
        "size": photo.size,
        "names": [path_fields(name)["path"] for name in shown.names],
        **also_fields(photo.also),
        "metadata": None if photo.metadata is None else asdict(photo.metadata),
        "fault": None if photo.skip is None else asdict(photo.skip),
        "spaces": spaces,
        **({"for": standing} if standing else {}),
    }


def _facts(shown: PhotoFacts, standing: Mapping[str, object] | None) -> Iterator[tuple[str, str]]:
    photo = shown.photo
    yield "photo", printable(photo.path)
    for name in shown.names:
        if name != photo.path:
            yield "also", printable(name)
    for name in photo.also:
        yield "one photo with", printable(name)
    yield "sha256", photo.sha256.hex() if photo.sha256 else "not read"
    yield "size", human_bytes(photo.size)
    if (facts := photo.metadata) is not None:
        yield "picture", f"{facts.format}, {facts.width} × {facts.height}"
        for field in METADATA:
            if field.label is not None and (value := getattr(facts, field.name)):
                yield field.label, printable(str(value))
        if facts.latitude is not None and facts.longitude is not None:
            yield "place", f"{facts.latitude:.6f}, {facts.longitude:.6f}"
    if photo.skip is not None:
        label = "note" if photo.skip.reason == "imported" else "skipped"
        yield label, f"{photo.skip.reason}: {photo.skip.detail}"
    for space, known in shown.spaces:
        yield "space", f"{space}: {_state(space, known)}"
    if standing is not None:
        if standing["rank"] is None:
            place = f"not among the {standing['of']:,} photos searched: {standing['why']}"
        else:
            place = (
                f"rank {standing['rank']:,} of {standing['of']:,}, score {standing['score']:.4f},"
                f" percentile {standing['percentile']:.1f}"
            )
        yield f"for {printable(str(standing['text']))!r}", place


def _state(space: Space, known: IndexedPhoto) -> str:
    if (sent := known.receipt) is not None:
        return (
            f"sent to {sent.host} at {sent.sent_at}, {human_bytes(sent.size)},"
            f" request {sent.request_id}, sha256 {sent.sha256.hex()}"
        )
    if known.row is not None:
        paid = provider_of(space).sends
        return "indexed; imported, or embedded for a query" if paid else "indexed; nothing was sent"
    return f"skipped, {known.skip.reason}: {known.skip.detail}" if known.skip else "not indexed yet"
