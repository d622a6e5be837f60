"""Looks at the folders and compares them with the index, before anything is read or sent."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cvsearch.astray import find_astray, refuse_astray
from cvsearch.errors import CvsearchError
from cvsearch.plan import Action, Gone, Rules, decide
from cvsearch.singles import Pair, Stat, gather_singles, pair_none
from cvsearch.store.roots import Root, contains
from cvsearch.store.store import Store
from cvsearch.values import Census, Event, PhotoFile, Unread, WalkOptions

Find = Callable[[Root, str, Census, frozenset[str]], Iterator[PhotoFile | Unread]]
"""Walks a part of a root: root, start, census, folders of other roots to leave alone."""


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
class Survey:
    """What a walk found, against what the index knew.

    `hashed` are files that need no reading: a dry run took their hash, and it has a vector.  `also`
    counts companions; `joined` are known files (by id) that have other ones than before, or that only an
    import knew.  `astray` are roots that a copied index cannot find, with the place they were last right at.
    """

    targets: list[Target]
    named: list[str]
    todo: list[PhotoFile] = field(default_factory=list)
    hashed: list[tuple[PhotoFile, bytes]] = field(default_factory=list)
    kept: int = 0
    also: int = 0
    joined: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    stay_skipped: int = 0
    unread: list[Unread] = field(default_factory=list)
    losses: dict[int, Losses] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    astray: dict[str, str | None] = field(default_factory=dict)
    contents: set[int] = field(default_factory=set)
    census: Census = field(default_factory=Census)

    @property
    def found(self) -> int:
        """How many photos are there now."""
        return len(self.todo) + len(self.hashed) + self.kept + self.stay_skipped


def choose_targets(
    store: Store, paths: Sequence[str], listed: Sequence[str] | None, options: WalkOptions | None
) -> Survey:
    """What to look at: the folders and files that were named or listed, or every root again.

    `listed` is None when there was no list; an empty one names nothing.  Makes roots that are new.
    Raises `CvsearchError` for a path that is nowhere and never was.
    """
    for path in paths:
        if not os.path.lexists(path) and not _was_known(store, path):
            raise CvsearchError(f"no such file or folder: {path}", hint="check the name")
    astray = find_astray(store, [*paths, *(listed or ())])
    if not paths and listed is None:
        return _every_root(store, astray)
    listed = listed or ()
    refuse_astray(store, [*paths, *listed], astray)
    survey = Survey([], [path for path in listed if not os.path.isdir(path)], astray=astray)
    for path in [*paths, *(path for path in listed if os.path.isdir(path))]:
        known_folder = any(contains(path, root.path) for root in store.roots.folders())
        if os.path.isdir(path) or (
            not os.path.lexists(path) and (known_folder or _has_files_beneath(store, path))
        ):
            survey.targets += _folder_targets(store, path, options)
        else:
            survey.named.append(path)
    survey.targets = list(dict.fromkeys(survey.targets))
    return survey


def _was_known(store: Store, path: str) -> bool:
    return next(store.files.beneath(path), None) is not None or any(
        root.path == path for root in store.roots.folders()
    )


def _has_files_beneath(store: Store, path: str) -> bool:
    return any(known != path for _, known, _ in store.files.beneath(path))


def _every_root(store: Store, astray: dict[str, str | None]) -> Survey:
    anchors = [root for root in store.roots.all if root.kind == "files"]
    named = [path for root in anchors if root.path not in astray for path in store.files.singles(root)]
    survey = Survey([Target(root, root.path) for root in store.roots.folders()], named, astray=astray)
    folders = {target.start for target in survey.targets}
    survey.missing = [path for path in astray if path not in folders]
    if not survey.targets and not survey.named and not survey.missing:
        raise CvsearchError("this index has no folders yet", hint="name one: cvsearch index ./photos")
    return survey


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


class Surveyor:
    """Walks the targets of a survey and fills it in."""

    def __init__(
        self, store: Store, space: int, rules: Rules, find: Find, stat: Stat, pair: Pair = pair_none
    ) -> None:
        self._store = store
        self._space = space
        self._rules = rules
        self._find = find
        self._stat = stat
        self._pair = pair
        self._seen: set[int] = set()
        self._companions: set[str] = set()

    def fill(self, survey: Survey) -> Iterator[Event]:
        """Looks at everything; yields what needs no reading to be known."""
        for target in survey.targets:
            yield from self._walk(survey, target)
        yield from self._look_at_singles(survey)
        self._find_gone_singles(survey)

    def _look_at_singles(self, survey: Survey) -> Iterator[Event]:
        singles = gather_singles(self._store, survey.named, self._companions, self._pair)
        for entry in singles.stat(self._stat):
            yield from self._look(survey, entry)
        for path in (raw for raws in singles.companions.values() for raw in raws):
            known, root = self._store.files.find(path, self._space), self._store.roots.owner(path)
            if known is not None and root is not None and known.id not in self._seen:
                self._seen.add(known.id)
                self._losses(survey, root).gone.append(Gone(known.id, path, known.content, vanished=False))

    def _walk(self, survey: Survey, target: Target) -> Iterator[Event]:
        others = frozenset(root.path for root in self._store.roots.folders() if root.path != target.root.path)
        before, unread = survey.found, len(survey.unread)
        if target.root.path in survey.astray or not os.path.isdir(target.start):
            survey.missing.append(target.start)
            return
        for entry in self._find(target.root, target.start, survey.census, others):
            yield from self._look(survey, entry)
        shut = [_shut_by(fault) for fault in survey.unread[unread:]]
        if target.start in shut:
            survey.missing.append(target.start)
            return
        known = 0
        gone: list[Gone] = []
        for number, path, content in self._store.files.beneath(target.start):
            if not self._is_own(path, target):
                continue
            known += 1
            if number not in self._seen and not any(contains(folder, path) for folder in shut):
                gone.append(Gone(number, path, content, not os.path.lexists(path)))
        empty = known and survey.found == before and not shut and all(file.vanished for file in gone)
        if empty and target.start == target.root.path:
            survey.missing.append(target.start)
        else:
            self._losses(survey, target.root).gone.extend(gone)

    def _losses(self, survey: Survey, root: Root) -> Losses:
        known = self._store.files.count_of_root(root.id)
        return survey.losses.setdefault(root.id, Losses(root.path, known))

    def _is_own(self, path: str, target: Target) -> bool:
        owner = self._store.roots.owner(path)
        return owner is not None and owner.id == target.root.id

    def _look(self, survey: Survey, entry: PhotoFile | Unread) -> Iterator[Event]:
        if isinstance(entry, Unread):
            survey.unread.append(entry)
            return
        known = self._store.files.find(entry.path, self._space)
        if known is not None:
            if known.id in self._seen:
                return
            self._seen.add(known.id)
        survey.also += len(entry.also)
        self._companions.update(entry.also)
        action = decide(entry, known, self._rules)
        if action is Action.READ or known is None:
            self._add_to_do(survey, entry)
            return
        if known.content is not None:
            survey.contents.add(known.content)
        if known.also != entry.also or known.imported:
            survey.joined.append((known.id, entry.also))
        if action is Action.STAY_SKIPPED and known.skip is not None:
            survey.stay_skipped += 1
            yield Event("skipped", entry.path, known.sha256, known.skip.reason, known.skip.detail, entry.also)
        else:
            survey.kept += 1
            yield Event("unchanged", entry.path, known.sha256, also=entry.also)

    def _add_to_do(self, survey: Survey, file: PhotoFile) -> None:
        catalogue = self._store.catalogue
        sha256 = None if self._rules.checksum else catalogue.find_reading(file)
        if sha256 is not None and catalogue.row_of_content(self._space, sha256) is not None:
            survey.hashed.append((file, sha256))
        else:
            survey.todo.append(file)

    def _find_gone_singles(self, survey: Survey) -> None:
        for fault in [fault for fault in survey.unread if fault.reason == "vanished"]:
            known = self._store.files.find(fault.path, self._space)
            root = self._store.roots.owner(fault.path)
            if known is None or root is None:
                continue
            survey.unread.remove(fault)
            if os.path.isdir(os.path.dirname(fault.path)):
                gone = Gone(known.id, fault.path, known.content, vanished=True)
                self._losses(survey, root).gone.append(gone)
            else:
                survey.missing.append(fault.path)


def _shut_by(fault: Unread) -> str:
    """What a walk could not look into: without its ignore file a folder is not entered."""
    return os.path.dirname(fault.path) if fault.reason == "unreadable-ignore-file" else fault.path
