"""`cvsearch export` and `cvsearch import`: what was paid for, in one file, from one index to another."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import Files0From, FilesFrom, UnderOption, WaitLockOption, add_command
from cvsearch.errors import CvsearchError, ExitCode, Interrupted

if TYPE_CHECKING:
    from cvsearch.model import Space
    from cvsearch.output.progress import Progress
    from cvsearch.store.local.archive import Archive
    from cvsearch.store.local.import_ import Renaming, Tally
    from cvsearch.store.local.library import Store
    from cvsearch.store.local.snapshot import Scope, Snapshot

_BEGINNINGS = {"npz": b"PK\x03\x04", "jsonl": b"{"}
"""What files begin with, by what their names end with."""


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    add_command(
        app,
        "export",
        export,
        "Write vectors with paths, hashes and facts into one file.",
        (
            "cvsearch export photos.npz",
            "cvsearch export photos.jsonl --under ./photos/2024",
            "cvsearch export - | jq -r .camera | sort | uniq -c",
        ),
    )
    add_command(
        app,
        "import",
        import_file,
        "Take what another index exported; searchable without the photos.",
        ("cvsearch import photos.npz", "cvsearch import photos.npz --map /mnt/nas=/Volumes/nas"),
    )


def export(
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
    from cvsearch.cli.places import find_places
    from cvsearch.store.local.library import open_store
    from cvsearch.store.local.snapshot import Scope, open_snapshot
    from cvsearch.wiring import choose_query_space, find_index_folder

    write = _choose_writer(session, file)
    folders = [session.absolute(folder) for folder in under or ()]
    listed = session.listed(files_from, files0_from)
    with open_store(find_index_folder(session.settings, session.cwd)) as store:
        number, space, notice = choose_query_space(session.settings, store)
        if notice is not None:
            session.say(f"exporting {space}, which covers most photos (choose with --provider)")
        scope = Scope(*find_places(session, store, folders, listed))
        with open_snapshot(store, number, scope) as snapshot:
            if snapshot.count:
                write(snapshot, space)
            return _tell_exported(session, store, scope, snapshot, number, file)


def _choose_writer(session: Session, file: str) -> Callable[[Snapshot, Space], None]:
    from cvsearch.cli.writing import check_target

    target = file if file == "-" else session.absolute(file)
    if file != "-":
        check_target(target, "an export", _BEGINNINGS.get(file.lower().rpartition(".")[2], b""))
    if file == "-" or file.lower().endswith(".jsonl"):
        return lambda snapshot, space: _write_lines(session, target, snapshot, space)
    if file.lower().endswith(".npz"):
        return lambda snapshot, space: _write_archive(session, target, snapshot, space)
    raise CvsearchError(
        f"this is no kind of export: {file}", hint="name a file that ends with .npz or .jsonl"
    )


def _progress(session: Session, what: str, *, live: bool = True) -> Progress:
    from cvsearch.output.progress import Progress

    live = live and session.can_redraw
    return Progress(what, sys.stderr, live=live, quiet=session.quiet, color=session.color_on_stderr)


def _write_archive(session: Session, target: str, snapshot: Snapshot, space: Space) -> None:
    from cvsearch import __version__
    from cvsearch.cli.writing import open_file
    from cvsearch.store.local.archive import write_archive

    with _progress(session, "exporting") as progress, open_file(target) as file:
        write_archive(file, snapshot, space, __version__, lambda done: progress.update(done, snapshot.count))


def _write_lines(session: Session, target: str, snapshot: Snapshot, space: Space) -> None:
    from cvsearch.cli.writing import write_file

    with _progress(session, "exporting", live=target != "-" or not session.view.terminal) as progress:
        lines = _lines(snapshot, space, progress)
        if target == "-":
            session.write(lines)
        else:
            write_file(target, lines)


def _lines(snapshot: Snapshot, space: Space, progress: Progress) -> Iterator[bytes]:
    from cvsearch.output.vectors import vector_line
    from cvsearch.store.local.records import describe, make_photo
    from cvsearch.store.local.vectors import join_vectors

    names = {"provider": space.provider, "model": space.model, "preparation": space.preparation}
    done = 0
    for rows, (units, norms) in zip(snapshot.read_fields(), snapshot.read_vectors(), strict=True):
        for fields, vector in zip(rows, join_vectors(units, norms), strict=True):
            photo = make_photo(fields)
            yield vector_line(photo.path, photo.also, describe(fields) | names, vector)
        done += len(rows)
        progress.update(done, snapshot.count)


def _tell_exported(
    session: Session, store: Store, scope: Scope, snapshot: Snapshot, number: int, file: str
) -> int:
    from cvsearch.output.messages import human_bytes, human_count

    incomplete = bool(snapshot.absent)
    for path in snapshot.absent:
        session.say(f"not exported, as it has no vector here: {path}")
    if missing := _count_without_vector(store, scope, number):
        session.say(f"{human_count(missing, 'photo')} without a vector: see cvsearch status --skipped")
    if not snapshot.count:
        session.say("nothing to export")
        return ExitCode.INCOMPLETE if snapshot.absent else ExitCode.NOTHING_FOUND
    if file != "-":
        size = os.path.getsize(session.absolute(file))
        session.say(f"exported {human_count(snapshot.count, 'photo')} to {file} ({human_bytes(size)})")
    return ExitCode.INCOMPLETE if incomplete else ExitCode.DONE


def _count_without_vector(store: Store, scope: Scope, space: int) -> int:
    """Of a whole index or of folders; photos that were listed are told of one by one."""
    from cvsearch.paths import outermost

    if scope.among is not None:
        return 0
    folders, files = outermost(scope.under or ["/"]), store.files
    return sum(files.count(one) - files.count_searched(space, one) for one in folders)


def import_file(
    session: Session,
    file: Annotated[str, typer.Argument(metavar="FILE", help="What cvsearch export wrote: FILE.npz.")],
    mapping: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="OLD=NEW", help="The folder OLD is NEW here; repeatable."),
    ] = None,
    wait_lock: WaitLockOption = None,
) -> int:
    """Merge what another index exported into this one, by content and space.

    The file is checked whole before anything is changed. The photos need not be here: they can be
    searched, and no run of index misses them; where they are, index finds that they cost no call.
    """
    from cvsearch.cli.incoming import check_arrival, check_source, parse_mapping
    from cvsearch.cli.index import parse_seconds
    from cvsearch.store.local.archive import open_archive
    from cvsearch.store.local.import_ import check_archive
    from cvsearch.wiring import find_index_folder

    path, renaming = check_source(session, file), parse_mapping(session, mapping or [])
    seconds = parse_seconds(wait_lock)
    folder = find_index_folder(session.settings, session.cwd)
    with open_archive(path) as archive:
        check_arrival(session, archive, folder)
        with _progress(session, "checking") as progress:
            for done in check_archive(archive, renaming):
                progress.update(done, archive.count)
        return _import(session, archive, folder, renaming, seconds)


def _import(session: Session, archive: Archive, folder: str, renaming: Renaming, seconds: float) -> int:
    from cvsearch.store.local.import_ import Tally, check_space, run_import
    from cvsearch.store.local.library import open_writer

    tally = Tally()
    with open_writer(folder, seconds, create=True) as store:
        here = [space for _, space in store.catalogue.spaces()]
        check_space(archive.space, here, session.settings.provider)
        try:
            with _progress(session, "importing") as progress:
                for tally in run_import(store, archive, renaming):
                    progress.update(tally.photos, archive.count)
        except Interrupted as error:
            error.hint = "what was imported is kept; run the same command again to go on"
            raise
    _tell_imported(session, tally)
    return ExitCode.DONE


def _tell_imported(session: Session, tally: Tally) -> None:
    from cvsearch.output.messages import human_count

    session.say(
        f"imported {human_count(tally.photos, 'photo')}, {human_count(tally.vectors, 'vector')} new here"
    )
    if tally.relocated:
        session.say(
            f"{human_count(tally.relocated, 'photo')} of them should be in folders that are indexed here and"
            " are not there: the next cvsearch index forgets them, unless --map puts them elsewhere"
        )
