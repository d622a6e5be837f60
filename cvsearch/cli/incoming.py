"""What `import` is told: the file to read, and what the folders in it are called here."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from cvsearch.errors import CvsearchError, NoIndexError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cvsearch.cli.context import Session
    from cvsearch.model import Space
    from cvsearch.store.local.archive import Archive
    from cvsearch.store.local.import_ import Renaming

_ENDING = ".npz"


def check_source(session: Session, file: str) -> str:
    """The absolute path of a file to import.  Raises `CvsearchError` for what cannot be one by its name."""
    path = session.absolute(file)
    if file != "-" and os.path.isdir(path):
        raise _refuse_folder(file, path)
    if file != "-" and not os.path.exists(path):
        meant = f"is it {file}{_ENDING}?" if os.path.exists(path + _ENDING) else "check the name"
        raise CvsearchError(
            f"no such file: {path}", hint=f"{meant} (cvsearch export FILE{_ENDING} writes one)"
        )
    if not file.lower().endswith(_ENDING):
        raise CvsearchError(f"only {_ENDING} files can be imported, not {file}", hint=_hint_for(file))
    return path


def _refuse_folder(file: str, path: str) -> CvsearchError:
    from cvsearch.store.local.library import has_index

    name = shlex.quote(file)
    if has_index(path):
        return CvsearchError(
            f"this is an index, not an exported file: {path}",
            hint=f"export it first: cvsearch export FILE{_ENDING} --index {name}",
        )
    return CvsearchError(
        f"this is a folder, not an exported file: {path}", hint=f"to index its photos: cvsearch index {name}"
    )


def _hint_for(file: str) -> str:
    if file == "-":
        return "save it in a file first: the whole file is checked before anything is changed"
    if file.lower().endswith(".jsonl"):
        return f"the same photos again for import: cvsearch export FILE{_ENDING}"
    return f"write one with cvsearch export FILE{_ENDING}; photos come in with cvsearch index"


def parse_mapping(session: Session, pairs: Sequence[str]) -> Renaming:
    """The folders of ``--map OLD=NEW``, made absolute."""
    from cvsearch.store.local.import_ import Renaming

    folders: dict[str, str] = {}
    for old, _, new in (pair.partition("=") for pair in pairs):
        if not old or not new:
            raise CvsearchError(
                "--map takes OLD=NEW, two folders", hint="such as --map /mnt/nas=/Volumes/nas"
            )
        if folders.setdefault(session.absolute(old), session.absolute(new)) != session.absolute(new):
            raise CvsearchError(f"--map gives {old} two names", hint="leave one of them out")
    return Renaming(list(folders.items()))


def check_arrival(session: Session, archive: Archive, folder: str) -> None:
    """Before a file is read to its end: may its vectors come into this index at all?"""
    from cvsearch.providers.registry import PROVIDERS
    from cvsearch.store.local.archive import refusal
    from cvsearch.store.local.import_ import check_space
    from cvsearch.store.local.library import open_store

    if archive.space.provider not in PROVIDERS:
        raise refusal(archive.path, f"no such space: {archive.space}")
    here: list[Space] = []
    with suppress(NoIndexError), open_store(folder) as store:
        here = [space for _, space in store.catalogue.spaces()]
    check_space(archive.space, here, session.settings.provider)
