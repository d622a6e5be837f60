"""Finding photos: a walk over folders that yields files by the endings of their names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from cvsearch.model import PhotoFile, ScanStats, Unread, WalkOptions
from cvsearch.photos.formats import pair_companions, photo_kind
from cvsearch.photos.ignore import IGNORE_FILE, Rules, is_system_folder, make_glob_rules, read_ignore_file

_INDEX_FOLDER = ".cvsearch"
_Place = tuple[int, int]  # device and inode
_Entry = tuple[bytes, bool, os.DirEntry[str]]  # its place in the order, whether it is a folder


def stat_photo(path: str) -> PhotoFile | Unread:
    """The file a user named, whatever its ending; links are followed.

    `Unread` reasons: ``vanished``, ``not-a-file``, ``unreadable-file``.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        return _explain(path, error, "unreadable-file")
    if not stat.S_ISREG(status.st_mode):
        return Unread(path, "not-a-file", "it is not a regular file")
    return PhotoFile(path, status.st_size, status.st_mtime_ns)


def stat_photos(paths: Iterable[str], pairs: Mapping[str, tuple[str, ...]]) -> Iterator[PhotoFile | Unread]:
    """Files that were named one by one, each with its companions among `pairs`."""
    for path in paths:
        entry, also = stat_photo(path), pairs.get(path, ())
        yield replace(entry, also=also) if also and isinstance(entry, PhotoFile) else entry


def find_photos(
    root: str,
    start: str,
    options: WalkOptions,
    stats: ScanStats,
    index_folder: str | None = None,
    skip_folders: Container[str] = (),
) -> Iterator[PhotoFile | Unread]:
    """Walk `start`, which is `root` or a folder beneath it, in the order of the paths' bytes.

    The result is that of walking `root`, as far as it lies beneath `start`: what hides or excludes a
    folder between the two holds here too.  (Only ``recursive=False`` is counted from `start`.)  What
    is passed over is counted in `stats`, a folder once.  `index_folder` and the folders in
    `skip_folders` (spelt as the walk would spell them) are not entered.  Folders and files that
    cannot be looked at are yielded as `Unread`: ``unreadable-folder``, ``unreadable-file``,
    ``unreadable-ignore-file``, ``vanished``, ``broken-link``.  Raises
    `CvsearchError` for a glob that is none and `ValueError` when `start` is not beneath `root`.

    A RAW beside the JPEG or HEIC of its stem is no photo of its own: it is named in that photo's `also`.

    Memory: the photos and folders of the directories on the way down, never the whole tree.
    """
    index_place = None
    if index_folder is not None:
        with suppress(OSError):
            status = os.stat(index_folder)
            index_place = (status.st_dev, status.st_ino)
    globs = make_glob_rules(root, options.exclude)
    return _Walk(root, options, stats, skip_folders, globs, index_place).find(start)


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder that is being walked, with the rules that hold in it."""

    path: str
    rules: Rules | None
    place: _Place
    parent: _Folder | None

    def is_within(self, place: _Place) -> bool:
        folder: _Folder | None = self
        while folder is not None and folder.place != place:
            folder = folder.parent
        return folder is not None


@dataclass(slots=True)
class _Walk:
    """One walk beneath `root`: what it was told, the stats it fills, and companions by their photos."""

    root: str
    options: WalkOptions
    stats: ScanStats
    skip_folders: Container[str]
    globs: Rules
    index_place: _Place | None
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def find(self, start: str) -> Iterator[PhotoFile | Unread]:
        prefix = os.path.join(self.root, "")
        if not os.path.join(start, "").startswith(prefix):
            raise ValueError(f"{start!r} is not beneath {self.root!r}")
        found: _Folder | PhotoFile | Unread | None = self._enter(self.root, None)
        # Down to `start`, as the walk of the root would come there.
        for name in filter(None, start[len(prefix) :].split("/")):
            if not isinstance(found, _Folder):
                break
            path = os.path.join(found.path, name)
            if self._passes_over(found, name, path, os.path.islink(path), is_folder=True):
                return
            found = self._enter(path, found)
        stack: list[tuple[_Folder, list[_Entry]]] = []
        while True:
            if isinstance(found, _Folder):
                try:
                    stack.append((found, self._scan(found)))
                except OSError as error:
                    yield _explain(found.path, error, "unreadable-folder")
            elif found is not None:
                yield found
            while stack and not stack[-1][1]:
                stack.pop()
            if not stack:
                return
            folder, entries = stack[-1]
            _, is_folder, entry = entries.pop()
            found = self._enter(entry.path, folder) if is_folder else self._stat(entry)

    def _enter(self, path: str, parent: _Folder | None) -> _Folder | Unread | None:
        try:
            status = os.stat(path)
        except OSError as error:
            return _explain(path, error, "unreadable-folder")
        place = (status.st_dev, status.st_ino)
        if parent is not None:
            loops = self.options.follow_links and parent.is_within(place)
            if loops or place == self.index_place or path in self.skip_folders:
                return None
        try:
            rules = read_ignore_file(path, parent.rules if parent else None)
        except (OSError, ValueError) as error:
            return Unread(os.path.join(path, IGNORE_FILE), "unreadable-ignore-file", _say(error))
        return _Folder(path, rules, place, parent)

    def _scan(self, folder: _Folder) -> list[_Entry]:
        """The photos and folders in `folder`, last first.  Raises `OSError`."""
        kept: list[_Entry] = []
        with os.scandir(folder.path) as entries:
            for entry in entries:
                is_folder = _is(entry.is_dir)
                if is_folder and not self.options.recursive:
                    continue
                if not self._passes_over(folder, entry.name, entry.path, entry.is_symlink(), is_folder):
                    # With its slash a folder stands where its paths stand among the sorted paths.
                    key = os.fsencode(entry.name) + b"/" * is_folder
                    kept.append((key, is_folder, entry))
        kept.sort(key=lambda item: item[0], reverse=True)
        files = [one.path for _, is_folder, one in reversed(kept) if not is_folder and _is(one.is_file)]
        pairs = pair_companions(files)
        self.also.update(pairs)
        companions = {path for paths in pairs.values() for path in paths}
        return [item for item in kept if item[2].path not in companions]

    def _passes_over(self, folder: _Folder, name: str, path: str, is_link: bool, is_folder: bool) -> bool:
        if name in (IGNORE_FILE, _INDEX_FOLDER):
            return True
        if (is_link and not self.options.follow_links) or not (is_folder or photo_kind(name)):
            self.stats.other += 1
        elif is_system_folder(folder.path, name, is_folder):
            self.stats.system_folders += 1
        elif name.startswith(".") and not self.options.hidden:
            self.stats.hidden += 1
        else:
            excluded = self.globs.verdict(path, folder=is_folder)
            if excluded is None and folder.rules is not None:
                excluded = folder.rules.verdict(path, folder=is_folder)
            self.stats.excluded += bool(excluded)
            return bool(excluded)
        return True

    def _stat(self, entry: os.DirEntry[str]) -> PhotoFile | Unread | None:
        try:
            status = entry.stat()
        except OSError as error:
            if entry.is_symlink() and isinstance(error, FileNotFoundError):
                return Unread(entry.path, "broken-link", "it is a link to nothing")
            return _explain(entry.path, error, "unreadable-file")
        if not stat.S_ISREG(status.st_mode):
            self.stats.other += 1
            return None
        also = self.also.pop(entry.path, ())
        return PhotoFile(entry.path, status.st_size, status.st_mtime_ns, also)


def _is(kind: Callable[[], bool]) -> bool:
    try:
        return kind()
    except OSError:  # a link that loops: its stat will say so
        return False


def _explain(path: str, error: OSError | ValueError, otherwise: str) -> Unread:
    if isinstance(error, FileNotFoundError):
        return Unread(path, "vanished", "it is not there any more")
    return Unread(path, otherwise, _say(error))


def _say(error: OSError | ValueError) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)
