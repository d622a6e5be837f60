"""The sentence "take what another index exported": checked whole before anything is changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from cvsearch.errors import CvsearchError
from cvsearch.model import IndexedPhoto
from cvsearch.paths import contains
from cvsearch.store.local.archive import Archive, Portion, open_archive
from cvsearch.store.local.library import FolderLibrary, has_index, open_library, open_writer
from cvsearch.store.local.records import IMPORTED
from cvsearch.store.local.transactions import Store


class Arrival:
    """An exported file that is to be merged into the index in `folder`, which need not be there yet.

    `photos` counts those that are merged, `vectors` those that were new here; `relocated` photos lie beneath
    folders that are indexed here, but are not there.  `provider` is the setting; `renamed` are folders that
    have other names here: pairs of OLD and NEW, absolute; the deepest that fits counts.
    """

    def __init__(
        self, archive: Archive, folder: str, renamed: Sequence[tuple[str, str]], provider: str
    ) -> None:
        self._archive = archive
        self._folder = folder
        self._renamed = renamed
        self._provider = provider
        self.space = archive.space
        self.count = archive.count
        self.photos = self.vectors = self.relocated = 0

    def check(self) -> Iterator[int]:
        """Whether it may come in at all; then reads it to its end, and says how many photos are through.

        Raises `CvsearchError` for what cannot be, and for a folder to rename that no photo lies beneath.
        """
        if has_index(self._folder):
            with open_library(self._folder) as library:
                self._check_space(library)
        done, around, unused = 0, "", [old for old, _ in self._renamed]
        for portion in self._archive.read():
            paths = [photo.path for photo in portion.photos]
            unused = [old for old in unused if not any(contains(old, path) for path in paths)]
            around = _join_folders(around, {os.path.dirname(path) for path in paths})
            done += len(paths)
            yield done
        if unused and done:
            raise CvsearchError(
                f"--map: no photo of the file lies beneath {unused[0]}",
                hint=f"it has photos beneath {around}: --map {shlex.quote(around)}=NEW",
            )

    def merge(self, wait_seconds: float) -> Iterator[int]:
        """Merges what was checked, and says how many photos are in after each commit.

        Cut short, it leaves what was committed; run again, it goes on and changes nothing twice.
        """
        with open_writer(self._folder, wait_seconds, create=True) as store:
            self._check_space(store)
            for read in self._archive.read():
                portion = replace(read, photos=[self._rename(photo) for photo in read.photos])
                store.begin()
                vectors = _merge(store, store.catalogue.add_space(self.space), portion)
                owned = ((photo.path, store.roots.owner(photo.path)) for photo in portion.photos)
                relocated = sum(
                    root is not None and root.kind == "folder" and not os.path.lexists(path)
                    for path, root in owned
                )
                store.commit()
                self.photos += len(portion.photos)
                self.vectors += vectors
                self.relocated += relocated
                yield self.photos

    def _rename(self, photo: IndexedPhoto) -> IndexedPhoto:
        """The photo under its name here."""
        names = []
        for path in (photo.path, *photo.also):
            fitting = (pair for pair in self._renamed if contains(pair[0], path))
            old, new = max(fitting, key=lambda pair: len(pair[0]), default=("", ""))
            names.append(os.path.normpath(new + "/" + path[len(old) :]) if old else path)
        return replace(photo, path=names[0], also=tuple(names[1:]))

    def _check_space(self, library: FolderLibrary) -> None:
        """Whether the vectors may come into an index.

        A second space begins only when its provider is named.  Raises `CvsearchError`.
        """
        space, provider = self.space, self._provider
        here = [other for _, other in library.spaces()]
        if provider not in ("auto", space.provider):
            raise CvsearchError(
                f"these vectors are of {space}, not of the provider {provider}",
                hint=f"name their own: --provider {space.provider}",
            )
        alike = [other for other in here if str(other) == str(space)]
        if any(other.dimension != space.dimension for other in alike):
            raise CvsearchError(
                f"these vectors have {space.dimension} numbers,"
                f" those of {alike[0]} here {alike[0].dimension}",
                hint="import them into an index of their own: --index DIR",
            )
        if here and not alike and provider == "auto":
            raise CvsearchError(
                f"this index is {here[0]}, and these vectors are of {space}: they cannot be compared",
                hint=f"begin a second space beside it with --provider {space.provider}, or use --index DIR",
            )


@contextmanager
def open_arrival(
    path: str, folder: str, pairs: Sequence[tuple[str, str]], provider: str
) -> Iterator[Arrival]:
    """An exported file at `path`, to be checked and merged; `pairs` are folders' names there and here."""
    with open_archive(path) as archive:
        yield Arrival(archive, folder, pairs, provider)


def _join_folders(around: str, folders: set[str]) -> str:
    """The folder around all of them, or, when only the root is, one that was there first."""
    every = {around, *folders} if around else folders
    common = os.path.commonpath(every)
    return around or min(folders) if common == "/" else common


def _merge(store: Store, space: int, portion: Portion) -> int:
    """Adds photos with their vectors, for the next commit; returns how many vectors were new here.

    A content that has a vector keeps it, and a name that is known keeps its content: what a run saw on
    this machine is worth more than what another one saw.
    """
    catalogue, first = store.catalogue, store.catalogue.rows(space)
    new: list[int] = []
    for number, photo in enumerate(portion.photos):
        if photo.sha256 is None or photo.pixels is None:
            raise AssertionError("an archive has the hashes of every photo")
        content = catalogue.add_content(photo.sha256, photo.size)
        if catalogue.row_of_content(space, photo.sha256) is None:
            row = catalogue.row_of_pixels(space, photo.pixels)
            if row is None:
                row = first + len(new)
                new.append(number)
                catalogue.add_vector(space, row, photo.receipt)
            catalogue.add_embedding(space, content, row, photo.pixels)
        if photo.metadata is not None and photo.phash is not None and not catalogue.is_described(content):
            catalogue.describe_content(content, photo.metadata, photo.phash)
        if store.files.find(photo.path, space) is None:
            store.files.name(photo, content, IMPORTED)
    if new:
        store.file(space).write(first, portion.units[new], portion.norms[new])
    return len(new)
