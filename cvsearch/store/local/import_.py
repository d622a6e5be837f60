"""The sentence "take what another index exported": checked whole before anything is changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cvsearch.errors import CvsearchError
from cvsearch.model import Space
from cvsearch.paths import contains
from cvsearch.store.local.archive import Archive
from cvsearch.store.local.library import Store
from cvsearch.store.local.merging import merge_entries
from cvsearch.store.local.records import Entry


@dataclass(slots=True)
class Tally:
    """How far an import is: photos read, vectors that were new; `relocated` photos lie beneath folders that
    are indexed here, but are not there."""

    photos: int = 0
    vectors: int = 0
    relocated: int = 0


@dataclass(frozen=True, slots=True)
class Renaming:
    """Folders that have other names here: pairs of OLD and NEW, absolute; the deepest that fits counts."""

    pairs: Sequence[tuple[str, str]] = ()

    def apply(self, entry: Entry) -> Entry:
        """The entry under its name here."""
        path = self._rename(entry.file.path)
        also = tuple(self._rename(name) for name in entry.file.also)
        return replace(entry, file=replace(entry.file, path=path, also=also))

    def _rename(self, path: str) -> str:
        fitting = (pair for pair in self.pairs if contains(pair[0], path))
        old, new = max(fitting, key=lambda pair: len(pair[0]), default=("", ""))
        return os.path.normpath(new + "/" + path[len(old) :]) if old else path


def check_archive(archive: Archive, renaming: Renaming) -> Iterator[int]:
    """Reads a file to its end, and says how many photos are through.

    Raises `CvsearchError` for what cannot be, and for a folder to rename that no photo lies beneath.
    """
    done, around, unused = 0, "", [old for old, _ in renaming.pairs]
    for portion in archive.read():
        paths = [entry.file.path for entry in portion.entries]
        unused = [old for old in unused if not any(contains(old, path) for path in paths)]
        around = _join_folders(around, {os.path.dirname(path) for path in paths})
        done += len(paths)
        yield done
    if unused and done:
        raise CvsearchError(
            f"--map: no photo of the file lies beneath {unused[0]}",
            hint=f"it has photos beneath {around}: --map {shlex.quote(around)}=NEW",
        )


def _join_folders(around: str, folders: set[str]) -> str:
    """The folder around all of them, or, when only the root is, one that was there first."""
    every = {around, *folders} if around else folders
    common = os.path.commonpath(every)
    return around or min(folders) if common == "/" else common


def check_space(space: Space, here: Sequence[Space], provider: str) -> None:
    """Whether vectors of a space may come into an index that has the spaces `here`.

    A second space begins only when its provider is named.  Raises `CvsearchError`.
    """
    if provider not in ("auto", space.provider):
        raise CvsearchError(
            f"these vectors are of {space}, not of the provider {provider}",
            hint=f"name their own: --provider {space.provider}",
        )
    alike = [other for other in here if str(other) == str(space)]
    if any(other.dimension != space.dimension for other in alike):
        raise CvsearchError(
            f"these vectors have {space.dimension} numbers, those of {alike[0]} here {alike[0].dimension}",
            hint="import them into an index of their own: --index DIR",
        )
    if here and not alike and provider == "auto":
        raise CvsearchError(
            f"this index is {here[0]}, and these vectors are of {space}: they cannot be compared",
            hint=f"begin a second space beside it with --provider {space.provider}, or use --index DIR",
        )


def run_import(store: Store, archive: Archive, renaming: Renaming) -> Iterator[Tally]:
    """Merges an archive that was checked, and says how far it is after each commit.

    Cut short, it leaves what was committed; run again, it goes on and changes nothing twice.
    """
    tally = Tally()
    for portion in archive.read():
        entries = [renaming.apply(entry) for entry in portion.entries]
        store.begin()
        space = store.catalogue.add_space(archive.space)
        tally.vectors += merge_entries(store, space, entries, portion.units, portion.norms)
        tally.photos += len(entries)
        tally.relocated += sum(_is_relocated(store, entry.file.path) for entry in entries)
        store.commit()
        yield tally


def _is_relocated(store: Store, path: str) -> bool:
    root = store.roots.owner(path)
    return root is not None and root.kind == "folder" and not os.path.lexists(path)
