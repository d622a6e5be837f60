"""`cvsearch import`: what another index exported, merged into this one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Annotated

import typer

from cvsearch.api import is_index
from cvsearch.cli.context import Session
from cvsearch.cli.options import WaitLockOption, parse_seconds
from cvsearch.cli.reporter import open_progress
from cvsearch.errors import CvsearchError, ExitCode, Interrupted
from cvsearch.output.humanize import human_count

EXAMPLES = ("cvsearch import photos.npz", "cvsearch import photos.npz --map /mnt/nas=/Volumes/nas")

_ENDING = ".npz"


def run(
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
    path, folders = _check_source(session, file), _parse_mapping(session, mapping or [])
    seconds = parse_seconds(wait_lock)
    with session.open_index() as index, index.open_import(path, folders) as arrival:
        with open_progress(session, "checking") as progress:
            for done in arrival.check():
                progress.update(done, arrival.count)
        try:
            with open_progress(session, "importing") as progress:
                for done in arrival.merge(seconds):
                    progress.update(done, arrival.count)
        except Interrupted as error:
            error.hint = "what was imported is kept; run the same command again to go on"
            raise
    photos, vectors = human_count(arrival.photos, "photo"), human_count(arrival.vectors, "vector")
    session.say(f"imported {photos}, {vectors} new here")
    if arrival.relocated:
        session.say(
            f"{human_count(arrival.relocated, 'photo')} of them should be in folders that are indexed here"
            " and are not there: the next cvsearch index forgets them, unless --map puts them elsewhere"
        )
    return ExitCode.DONE


def _check_source(session: Session, file: str) -> str:
    """The absolute path of a file to import.  Raises `CvsearchError` for what cannot be one by its name."""
    path = session.absolute(file)
    if file != "-" and os.path.isdir(path):
        name = shlex.quote(file)
        if is_index(path):
            raise CvsearchError(
                f"this is an index, not an exported file: {path}",
                hint=f"export it first: cvsearch export FILE{_ENDING} --index {name}",
            )
        raise CvsearchError(
            f"this is a folder, not an exported file: {path}",
            hint=f"to index its photos: cvsearch index {name}",
        )
    if file != "-" and not os.path.exists(path):
        meant = f"is it {file}{_ENDING}?" if os.path.exists(path + _ENDING) else "check the name"
        raise CvsearchError(
            f"no such file: {path}", hint=f"{meant} (cvsearch export FILE{_ENDING} writes one)"
        )
    if not file.lower().endswith(_ENDING):
        hint = f"write one with cvsearch export FILE{_ENDING}; photos come in with cvsearch index"
        if file == "-":
            hint = "save it in a file first: the whole file is checked before anything is changed"
        elif file.lower().endswith(".jsonl"):
            hint = f"the same photos again for import: cvsearch export FILE{_ENDING}"
        raise CvsearchError(f"only {_ENDING} files can be imported, not {file}", hint=hint)
    return path


def _parse_mapping(session: Session, pairs: Sequence[str]) -> list[tuple[str, str]]:
    """The folders of ``--map OLD=NEW``, made absolute."""
    folders: dict[str, str] = {}
    for old, _, new in (pair.partition("=") for pair in pairs):
        if not old or not new:
            raise CvsearchError(
                "--map takes OLD=NEW, two folders", hint="such as --map /mnt/nas=/Volumes/nas"
            )
        if folders.setdefault(session.absolute(old), session.absolute(new)) != session.absolute(new):
            raise CvsearchError(f"--map gives {old} two names", hint="leave one of them out")
    return list(folders.items())
