"""`cvsearch export`: what was paid for, in one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.api import Index
from cvsearch.cli.context import Session
from cvsearch.cli.options import Files0From, FilesFrom, UnderOption, find_scope
from cvsearch.cli.output import check_target, open_file
from cvsearch.cli.reporter import open_progress
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.model import Space
from cvsearch.output.formats import vector_line
from cvsearch.output.humanize import human_bytes, human_count
from cvsearch.output.progress import Progress
from cvsearch.paths import Scope

if TYPE_CHECKING:
    from cvsearch.api import Snapshot

EXAMPLES = (
    "cvsearch export photos.npz",
    "cvsearch export photos.jsonl --under ./photos/2024",
    "cvsearch export - | jq -r .camera | sort | uniq -c",
)

_BEGINNINGS = {"npz": b"PK\x03\x04", "jsonl": b"{"}
"""What files begin with, by what their names end with."""


def run(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="FILE.npz, FILE.jsonl, or - for jsonl.")],
    under: UnderOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
) -> int:
    """Write the vectors as received, with paths, hashes, metadata and receipts, into one file.

    What was asked is history and is never exported. Ends with 1 when there is nothing to export, and
    with 3 when photos that were listed have no vector.
    """
    kind = _choose_kind(session, file)
    scope = Scope(
        [session.absolute(folder) for folder in under or ()], session.listed(files_from, files0_from)
    )
    with session.open_index() as index:
        if index.notice is not None:
            session.say(f"exporting {index.space}, which covers most photos (choose with --provider)")
        scope = find_scope(session, index, scope)
        with index.snapshot(scope) as snapshot:
            if snapshot.count:
                live = file != "-" or not session.view.terminal
                with open_progress(session, "exporting", live=live) as progress:
                    _write(session, index, snapshot, file, kind, progress)
            return _tell(session, index, scope, snapshot, file)


def _choose_kind(session: Session, file: str) -> str:
    """``npz`` or ``jsonl``, once it is known that it can be written."""
    kind = "jsonl" if file == "-" else file.lower().rpartition(".")[2]
    if file != "-":
        check_target(session.absolute(file), "an export", _BEGINNINGS.get(kind, b""))
    if kind not in _BEGINNINGS or not file.lower().endswith((f".{kind}", "-")):
        raise CvsearchError(
            f"this is no kind of export: {file}", hint="name a file that ends with .npz or .jsonl"
        )
    return kind


def _write(
    session: Session, index: Index, snapshot: Snapshot, file: str, kind: str, progress: Progress
) -> None:
    if kind == "npz":
        with open_file(session.absolute(file)) as target:
            for done in index.write_archive(snapshot, target):
                progress.update(done, snapshot.count)
        return
    lines = _lines(index.space, snapshot, progress)
    if file == "-":
        session.write(lines)
        return
    with open_file(session.absolute(file)) as target:
        target.writelines(lines)


def _lines(space: Space, snapshot: Snapshot, progress: Progress) -> Iterator[bytes]:
    names = {"provider": space.provider, "model": space.model, "preparation": space.preparation}
    for done, (photo, facts, vector) in enumerate(snapshot.describe(), start=1):
        yield vector_line(photo.path, photo.also, facts | names, vector)
        progress.update(done, snapshot.count)


def _tell(session: Session, index: Index, scope: Scope, snapshot: Snapshot, file: str) -> int:
    for path in snapshot.absent:
        session.say(f"not exported, as it has no vector here: {path}")
    if missing := index.count_without_vector(scope):
        session.say(f"{human_count(missing, 'photo')} without a vector: see cvsearch status --skipped")
    if not snapshot.count:
        session.say("nothing to export")
        return ExitCode.INCOMPLETE if snapshot.absent else ExitCode.NOTHING_FOUND
    if file != "-":
        size = os.path.getsize(session.absolute(file))
        session.say(f"exported {human_count(snapshot.count, 'photo')} to {file} ({human_bytes(size)})")
    return ExitCode.INCOMPLETE if snapshot.absent else ExitCode.DONE
