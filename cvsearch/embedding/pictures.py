"""Pictures that a command is given by name: from which index it may borrow, which files they are.

No index is needed for them and none is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from cvsearch.config.settings import Settings
from cvsearch.embedding.lookup import VectorLookup
from cvsearch.embedding.sources import is_address
from cvsearch.errors import CredentialsError, CvsearchError
from cvsearch.indexer.singles import Pair, Singles, pair_none
from cvsearch.model import PhotoFile, ScanStats, Unread, WalkOptions
from cvsearch.paths import contains
from cvsearch.photos.walk import find_photos, stat_photo
from cvsearch.providers.registry import AUTO, choose_space
from cvsearch.store.local.library import Store, has_index, open_store
from cvsearch.wiring import (
    choose_query_space,
    embedding_cache,
    extras_text,
    find_index_folder,
)

_PASSED_OVER = (
    "the walk of its folder leaves it out (hidden, excluded, a link, no photo by name): name it itself"
)


@contextmanager
def open_kept(settings: Settings, cwd: str) -> Iterator[tuple[VectorLookup, Sequence[str]]]:
    """What needs no call, and notices: in the index's space if there is one, else as for a new index.

    Raises `CredentialsError` for half a configuration.
    """
    folder = find_index_folder(settings, cwd)
    with ExitStack() as opened:
        cache = embedding_cache(folder if has_index(folder) else None)
        opened.enter_context(cache.batching())
        if not has_index(folder):
            choice = choose_space(settings, [], sign_in=True)
            yield VectorLookup(cache, choice.space), choice.notices
            return
        store = opened.enter_context(open_store(folder))
        if not _has_space(settings, store):
            choice = choose_space(settings, [], sign_in=True)
            yield VectorLookup(cache, choice.space), choice.notices
            return
        number, space, notice = choose_query_space(settings, store)
        notices = [] if notice is None else [notice]
        yield VectorLookup(cache, space, store, number, extras_text()), notices


def _has_space(settings: Settings, store: Store) -> bool:
    wanted = settings.provider
    return any(wanted in (AUTO, space.provider) for _, space in store.catalogue.spaces())


def as_source(name: str, absolute: Callable[[str], str]) -> str:
    """A path as typed, made absolute; addresses and ``-`` stay as they are."""
    return name if name == "-" or is_address(name) else absolute(name)


@dataclass(slots=True)
class Naming:
    """What the user named, in order: paths (absolute), folders, addresses and ``-``; `stats` counts
    what was passed over in folders."""

    names: Sequence[str]
    index_folder: str
    stats: ScanStats = field(default_factory=ScanStats)

    def check(self, *, offline: bool) -> None:
        """Before anything is paid for.  Raises `CvsearchError` (4 for an address under --offline)."""
        for name in self.names:
            if is_address(name):
                if offline:
                    raise CredentialsError(
                        f"--offline forbids fetching {name}", hint="save the picture and name the file"
                    )
            elif name != "-" and not os.path.lexists(name):
                raise CvsearchError(f"there is no such file or folder: {name}", hint="check the name")

    def find(self, pair: Pair = pair_none) -> Iterator[PhotoFile | Unread]:
        """The pictures: folders are walked as `index` walks them, files go together as `pair` says."""
        pairs = pair(name for name in self.names if os.path.isfile(name))
        companions = {raw for raws in pairs.values() for raw in raws}
        for name in self.names:
            if name == "-" or is_address(name):
                yield PhotoFile(name, 0, 0)
            elif os.path.isdir(name):
                yield from find_photos(name, name, WalkOptions(), self.stats, self.index_folder)
            elif name not in companions:
                yield from Singles((name,), pairs).stat(stat_photo)

    def find_among(self, listed: Iterable[str], pair: Pair = pair_none) -> Iterator[PhotoFile | Unread]:
        """Those that are listed; last, why others that are listed beneath what was named were not met."""
        left = dict.fromkeys(name for name in listed if any(contains(place, name) for place in self.names))
        wanted = frozenset(left)
        for picture in self.find(pair):
            also = picture.also if isinstance(picture, PhotoFile) else ()
            met = wanted.intersection((picture.path, *also))
            if met:
                yield picture
            for name in met:
                left.pop(name, None)
        for name in left:
            file = stat_photo(name)
            yield file if isinstance(file, Unread) else Unread(name, "passed-over", _PASSED_OVER)
