"""`cvsearch show`: all that is known of a photo."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import add_command
from cvsearch.cli.preview import ShowPreviewOption, find_show_canvas, write_picture
from cvsearch.cli.query import answer, clean_text
from cvsearch.errors import CvsearchError, ExitCode, NoIndexError

if TYPE_CHECKING:
    from cvsearch.model import IndexedPhoto, Metadata, Space
    from cvsearch.output.table import Cell
    from cvsearch.store.local.library import PhotoFacts


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "show",
        show,
        "What is known of a photo, what was sent of it, or why it was skipped.",
        (
            "cvsearch show photos/a.jpg",
            "cvsearch show photos/a.jpg --sent sent.jpg",
            'cvsearch show photos/a.jpg --for "red car"',
        ),
    )


def show(
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
    if sent is not None:
        return _write_sent(session, paths, sent)
    canvas = find_show_canvas(session, preview, as_json=as_json)
    absent: NoIndexError | None = None
    for path in paths:
        try:
            facts = _find(session, path)
        except NoIndexError as error:
            if absent is not None:
                session.complain(absent)
            absent = error
            continue
        standing = None if text is None else _standing(session, path, text)
        if canvas is not None:
            write_picture(session, path, canvas)
        _write(session, facts, standing, as_json=as_json)
    if absent is not None:
        raise absent
    return ExitCode.DONE


def _find(session: Session, path: str) -> PhotoFacts:
    from cvsearch.store.local.library import open_store
    from cvsearch.wiring import find_index_folder

    with open_store(find_index_folder(session.settings, session.cwd)) as store:
        facts = store.show(path)
    if facts is None:
        raise NoIndexError(f"not in the index: {path}: {_why_absent(path)}", hint=f"cvsearch index {path}")
    return facts


def _why_absent(path: str) -> str:
    if os.path.isdir(path):
        return "it is a folder; name a photo"
    if os.path.lexists(path):
        return "it is there, but was never indexed, or is excluded"
    return "there is no such file"


def _standing(session: Session, path: str, text: str) -> dict[str, object]:
    """Where a photo stands among all photos for a text, or why it has no place."""
    from cvsearch.model import Term
    from cvsearch.search.query import QueryRequest

    report = answer(session, QueryRequest(terms=(Term("text", text),), top=None))
    total = len(report.matches)
    for match in report.matches:
        if match.path == path:
            percentile = 100.0 * (total - match.rank + 1) / total
            return {
                "text": text,
                "rank": match.rank,
                "of": total,
                "score": match.score,
                "percentile": percentile,
            }
    return {"text": text, "rank": None, "of": total, "why": "it has no vector in this space"}


def _write_sent(session: Session, paths: list[str], target: str) -> int:
    from cvsearch.model import Skip, Unread
    from cvsearch.photos.preprocess import prepare_photo
    from cvsearch.photos.read import read_photo
    from cvsearch.photos.walk import stat_photo

    if len(paths) != 1:
        raise CvsearchError("--sent writes one photo", hint="name one photo")
    file = stat_photo(paths[0])
    if isinstance(file, Unread):
        raise CvsearchError(f"the photo cannot be read: {paths[0]}: {file.detail or file.reason}")
    data = read_photo(file)
    photo = data if isinstance(data, Skip) else prepare_photo(data[0], paths[0], _recipe(session))
    if isinstance(photo, Skip):
        raise CvsearchError(f"nothing would be sent of {paths[0]}: {photo.reason}", photo.detail)
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


def _recipe(session: Session) -> str:
    """How photos are prepared for Azure: as the index says, else as the settings do."""
    from cvsearch.store.local.library import has_index, open_store
    from cvsearch.wiring import find_index_folder

    folder = find_index_folder(session.settings, session.cwd)
    if has_index(folder):
        with open_store(folder) as store:
            for _, space in store.catalogue.spaces():
                if space.provider == "azure":
                    return space.preparation
    return f"jpeg-{session.settings.max_edge}"


def _write(session: Session, facts: PhotoFacts, standing: dict[str, object] | None, *, as_json: bool) -> None:
    from cvsearch.output.lines import json_line
    from cvsearch.output.table import make_pairs

    if as_json:
        session.write([json_line({**_as_json(facts), **({"for": standing} if standing else {})})])
        return
    session.write(make_pairs(_as_pairs(facts, standing), session.view))


def _as_json(facts: PhotoFacts) -> dict[str, object]:
    from cvsearch.output.lines import also_fields, path_fields

    photo = facts.photo
    return {
        **path_fields(photo.path),
        "sha256": photo.sha256.hex() if photo.sha256 else None,
        "size": photo.size,
        "names": [path_fields(name)["path"] for name in facts.names],
        **also_fields(photo.also),
        "metadata": None if photo.metadata is None else asdict(photo.metadata),
        "fault": None if photo.skip is None else asdict(photo.skip),
        "spaces": [_space_as_json(*entry) for entry in facts.spaces],
    }


def _space_as_json(space: Space, photo: IndexedPhoto) -> dict[str, object]:
    receipt = photo.receipt
    return {
        **asdict(space),
        "indexed": photo.row is not None,
        "sent": None if receipt is None else {**asdict(receipt), "sha256": receipt.sha256.hex()},
        "skip": None if photo.skip is None else asdict(photo.skip),
    }


def _as_pairs(facts: PhotoFacts, standing: dict[str, object] | None) -> Iterator[tuple[str, Cell]]:
    from cvsearch.output.messages import human_bytes
    from cvsearch.output.screen import printable

    photo = facts.photo
    yield "photo", printable(photo.path)
    for name in facts.names:
        if name != photo.path:
            yield "also", printable(name)
    for name in photo.also:
        yield "one photo with", printable(name)
    yield "sha256", photo.sha256.hex() if photo.sha256 else "not read"
    yield "size", human_bytes(photo.size)
    if photo.metadata is not None:
        yield from _metadata_pairs(photo.metadata)
    if photo.skip is not None:
        label = "note" if photo.skip.reason == "imported" else "skipped"
        yield label, f"{photo.skip.reason}: {photo.skip.detail}"
    for space, known in facts.spaces:
        yield "space", f"{space}: {_state(space, known)}"
    if standing is not None:
        yield f"for {printable(str(standing['text']))!r}", _standing_text(standing)


def _metadata_pairs(metadata: Metadata) -> Iterator[tuple[str, Cell]]:
    from cvsearch.model import METADATA
    from cvsearch.output.screen import printable

    yield "picture", f"{metadata.format}, {metadata.width} × {metadata.height}"
    for field in METADATA:
        value = getattr(metadata, field.name)
        if field.label is not None and value is not None:
            yield field.label, printable(str(value))
    if metadata.latitude is not None and metadata.longitude is not None:
        yield "place", f"{metadata.latitude:.6f}, {metadata.longitude:.6f}"


def _state(space: Space, photo: IndexedPhoto) -> str:
    from cvsearch.output.messages import human_bytes

    if photo.receipt is not None:
        sent = photo.receipt
        return (
            f"sent to {sent.host} at {sent.sent_at}, {human_bytes(sent.size)},"
            f" request {sent.request_id}, sha256 {sent.sha256.hex()}"
        )
    if photo.row is not None:
        local = space.provider == "local"
        return "indexed; nothing was sent" if local else "indexed; imported, or embedded for a query"
    return f"skipped, {photo.skip.reason}: {photo.skip.detail}" if photo.skip else "not indexed yet"


def _standing_text(standing: dict[str, object]) -> str:
    if standing["rank"] is None:
        return f"not among the {standing['of']:,} photos searched: {standing['why']}"
    return (
        f"rank {standing['rank']:,} of {standing['of']:,}, score {standing['score']:.4f},"
        f" percentile {standing['percentile']:.1f}"
    )
