"""Looks at the folders and compares them with the index, before anything is read or sent."""

from __future__ import annotations

import os
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cvsearch.errors import CvsearchError
from cvsearch.indexer.changes import Action, Gone, Rules, decide
from cvsearch.indexer.relocation import find_relocated, refuse_relocated
from cvsearch.model import Event, PhotoFile, ScanStats, Unread, WalkOptions
from cvsearch.paths import contains
from cvsearch.photos.formats import pair_companions
from cvsearch.photos.walk import find_photos, stat_photos
from cvsearch.store.local.roots import Root
from cvsearch.store.local.transactions import Store


@dataclass(frozen=True, slots=True)
class Target:
    """A folder to walk, under the rules of its root."""

    root: Root
    start: str


@dataclass(slots=True)
class Losses:
    """Known files of one root that a walk did not find; `known` counts all that the root had."""

    root: str
    known: int
    gone: list[Gone] = field(default_factory=list)


@dataclass(slots=True)
class Scan:
    """What a walk found, against what the index knew.

    `hashed` are files that need no reading: a dry run took their hash, and it has a vector.  `also`
    counts companions; `joined` are known files (by id) that have other ones than before, or that only an
    import knew.  `relocated` are roots that a copied index cannot find, with where they were last right.
    """

    targets: list[Target] = field(default_factory=list)
    named: list[str] = field(default_factory=list)
    todo: list[PhotoFile] = field(default_factory=list)
    hashed: list[tuple[PhotoFile, bytes]] = field(default_factory=list)
    kept: int = 0
    also: int = 0
    joined: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    stay_skipped: int = 0
    unread: list[Unread] = field(default_factory=list)
    losses: dict[int, Losses] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    relocated: dict[str, str | None] = field(default_factory=dict)
    contents: set[int] = field(default_factory=set)
    stats: ScanStats = field(default_factory=ScanStats)

    @property
    def found(self) -> int:
        """How many photos are there now."""
        return len(self.todo) + len(self.hashed) + self.kept + self.stay_skipped


def choose_targets(
    store: Store, paths: Sequence[str], listed: Sequence[str] | None, options: WalkOptions | None
) -> Scan:
    """What to look at: the folders and files that were named or listed, or every root again.

    `listed` is None when there was no list; an empty one names nothing.  Makes roots that are new.
    Raises `CvsearchError` for a path that is nowhere and never was.
    """
    for path in paths:
        was_known = any(root.path == path for root in store.roots.folders())
        if not (os.path.lexists(path) or was_known or any(store.files.beneath(path))):
            raise CvsearchError(f"no such file or folder: {path}", hint="check the name")
    relocated = find_relocated(store, [*paths, *(listed or ())])
    if not paths and listed is None:
        return _every_root(store, relocated)
    listed = listed or ()
    refuse_relocated(store, [*paths, *listed], relocated)
    scan = Scan([], [path for path in listed if not os.path.isdir(path)], relocated=relocated)
    for path in [*paths, *(path for path in listed if os.path.isdir(path))]:
        known_folder = not os.path.lexists(path) and (
            any(contains(path, root.path) for root in store.roots.folders())
            or any(known != path for _, known, _ in store.files.beneath(path))
        )
        if known_folder or os.path.isdir(path):
            scan.targets += _folder_targets(store, path, options)
        else:
            scan.named.append(path)
    scan.targets = list(dict.fromkeys(scan.targets))
    return scan


def _every_root(store: Store, relocated: dict[str, str | None]) -> Scan:
    anchors = [root for root in store.roots.all if root.kind == "files"]
    named = [path for root in anchors if root.path not in relocated for path in store.files.singles(root)]
    scan = Scan([Target(root, root.path) for root in store.roots.folders()], named, relocated=relocated)
    folders = {target.start for target in scan.targets}
    scan.missing = [path for path in relocated if path not in folders]
    if not scan.targets and not scan.named and not scan.missing:
        raise CvsearchError("this index has no folders yet", hint="name one: cvsearch index ./photos")
    return scan


def _folder_targets(store: Store, path: str, options: WalkOptions | None) -> Iterable[Target]:
    root = next((root for root in store.roots.folders() if root.path == path), None)
    if root is not None and options is not None:
        root = store.roots.set_options(root, options)
    if root is None:
        owner = store.roots.owner(path)
        if owner is not None and owner.kind == "folder" and options is None:
            root = owner
        else:
            root = store.roots.add("folder", path, options or WalkOptions())
    nested = [other for other in store.roots.folders() if other != root and contains(path, other.path)]
    return [Target(root, path), *(Target(other, other.path) for other in nested)]


@dataclass(slots=True)
class Scanner:
    """Walks the targets of a scan and fills it in."""

    store: Store
    space: int
    rules: Rules
    _seen: set[int] = field(default_factory=set)
    _companions: set[str] = field(default_factory=set)

    def fill(self, scan: Scan) -> Iterator[Event | None]:
        """Looks at everything; yields what needs no reading to be known, None for what does."""
        for target in scan.targets:
            yield from self._walk(scan, target)
        if scan.named:
            yield from self._look_at_singles(scan)
        for fault in [fault for fault in scan.unread if fault.reason == "vanished"]:
            known = self.store.files.find(fault.path, self.space)
            root = self.store.roots.owner(fault.path)
            if known is None or root is None:
                continue
            scan.unread.remove(fault)
            if os.path.isdir(os.path.dirname(fault.path)):
                gone = Gone(known.id, fault.path, known.content, vanished=True)
                self._losses(scan, root).gone.append(gone)
            else:
                scan.missing.append(fault.path)

    def _look_at_singles(self, scan: Scan) -> Iterator[Event | None]:
        photos, pairs = _pair_singles(self.store, scan.named, self._companions)
        for entry in stat_photos(photos, pairs):
            yield from self._look(scan, entry)
        for path in (raw for raws in pairs.values() for raw in raws):
            known, root = self.store.files.find(path, self.space), self.store.roots.owner(path)
            if known is not None and root is not None and known.id not in self._seen:
                self._seen.add(known.id)
                self._losses(scan, root).gone.append(Gone(known.id, path, known.content, vanished=False))

    def _walk(self, scan: Scan, target: Target) -> Iterator[Event | None]:
        others = frozenset(root.path for root in self.store.roots.folders() if root.path != target.root.path)
        before, unread = scan.found, len(scan.unread)
        if target.root.path in scan.relocated or not os.path.isdir(target.start):
            scan.missing.append(target.start)
            return
        root, index = target.root, self.store.folder
        for entry in find_photos(root.path, target.start, root.options, scan.stats, index, others):
            yield from self._look(scan, entry)
        shut = [  # without its ignore file a folder is not entered
            os.path.dirname(fault.path) if fault.reason == "unreadable-ignore-file" else fault.path
            for fault in scan.unread[unread:]
        ]
        if target.start in shut:
            scan.missing.append(target.start)
            return
        known = 0
        gone: list[Gone] = []
        for number, path, content in self.store.files.beneath(target.start):
            owner = self.store.roots.owner(path)
            if owner is None or owner.id != target.root.id:
                continue
            known += 1
            if number not in self._seen and not any(contains(folder, path) for folder in shut):
                gone.append(Gone(number, path, content, not os.path.lexists(path)))
        empty = known and scan.found == before and not shut and all(file.vanished for file in gone)
        if empty and target.start == target.root.path:
            scan.missing.append(target.start)
        else:
            self._losses(scan, target.root).gone.extend(gone)

    def _losses(self, scan: Scan, root: Root) -> Losses:
        known = self.store.files.count_of_root(root.id)
        return scan.losses.setdefault(root.id, Losses(root.path, known))

    def _look(self, scan: Scan, entry: PhotoFile | Unread) -> Iterator[Event | None]:
        if isinstance(entry, Unread):
            scan.unread.append(entry)
            return
        known = self.store.files.find(entry.path, self.space)
        if known is not None:
            if known.id in self._seen:
                return
            self._seen.add(known.id)
        scan.also += len(entry.also)
        self._companions.update(entry.also)
        action = decide(entry, known, self.rules)
        if action is Action.READ or known is None:
            catalogue = self.store.catalogue
            sha256 = None if self.rules.checksum else catalogue.find_reading(entry)
            if sha256 is not None and catalogue.row_of_content(self.space, sha256) is not None:
                scan.hashed.append((entry, sha256))
            else:
                scan.todo.append(entry)
            yield None
            return
        if known.content is not None:
            scan.contents.add(known.content)
        if known.also != entry.also or known.imported:
            scan.joined.append((known.id, entry.also))
        if action is Action.STAY_SKIPPED and known.skip is not None:
            scan.stay_skipped += 1
            yield Event("skipped", entry.path, known.sha256, known.skip.reason, known.skip.detail, entry.also)
        else:
            scan.kept += 1
            yield Event("unchanged", entry.path, known.sha256, also=entry.also)


def _pair_singles(
    store: Store, named: Sequence[str], told: Container[str]
) -> tuple[list[str], Mapping[str, tuple[str, ...]]]:
    """Photos that are named one by one, and which of them have companions.

    A RAW goes with a JPEG or HEIC that is named too or is indexed; without one it is a photo itself.
    The companions of an indexed photo that is named go with it as long as they are there, and stand
    alone when the photo itself is gone.  Those `told` of elsewhere are left out.
    """
    paths = dict.fromkeys(path for path in named if path not in told)
    for path in tuple(paths):
        for other, also in store.files.beside(path):
            if other == path:
                paths.update(dict.fromkeys(filter(os.path.lexists, also)))
            elif other in pair_companions((other, path)) and os.path.lexists(other):
                paths.setdefault(other)
    pairs = pair_companions(filter(os.path.lexists, paths))
    companions = {raw for raws in pairs.values() for raw in raws}
    return [path for path in paths if path not in companions], pairs


def own_files(store: Store, path: str) -> list[tuple[int, str]]:
    """The files at or beneath a path, without those of roots that are nested in its own."""
    own = store.roots.owner(path)
    return [(number, name) for number, name, _ in store.files.beneath(path) if store.roots.owner(name) == own]


def drop_missing_roots(store: Store, scan: Scan) -> None:
    """Drops the roots that are meant to be missing, as far as their folders are."""
    for path in scan.missing:
        for root in [root for root in store.roots.folders() if root.path == path]:
            if path in scan.relocated or not os.path.isdir(path):
                store.roots.remove(root)
