"""Photos that are named one by one: which of them are one photo, a RAW with the JPEG or HEIC beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from cvsearch.model import PhotoFile, Unread
from cvsearch.store.local.library import Store

Stat = Callable[[str], PhotoFile | Unread]
Pair = Callable[[Iterable[str]], Mapping[str, tuple[str, ...]]]
"""Which of some files have companions among them."""


def pair_none(paths: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Every file is a photo."""
    return {}


@dataclass(frozen=True, slots=True)
class Singles:
    """Photos to look at, and the companions that go with them and are none themselves."""

    photos: tuple[str, ...]
    companions: Mapping[str, tuple[str, ...]]

    def stat(self, stat: Stat) -> Iterator[PhotoFile | Unread]:
        """The photos as they are on disk."""
        for path in self.photos:
            entry = stat(path)
            also = self.companions.get(path, ())
            yield replace(entry, also=also) if also and isinstance(entry, PhotoFile) else entry


def gather_singles(store: Store, named: Sequence[str], told: Container[str], pair: Pair) -> Singles:
    """A RAW goes with a JPEG or HEIC that is named too or is indexed; without one it is a photo itself.

    The companions of an indexed photo that is named go with it as long as they are there, and stand
    alone when the photo itself is gone.  Those `told` of elsewhere are left out.
    """
    paths = dict.fromkeys(path for path in named if path not in told)
    for path in tuple(paths):
        for other, also in store.files.beside(path):
            if other == path:
                paths.update(dict.fromkeys(filter(os.path.lexists, also)))
            elif other in pair((other, path)) and os.path.lexists(other):
                paths.setdefault(other)
    pairs = pair(filter(os.path.lexists, paths))
    companions = {raw for raws in pairs.values() for raw in raws}
    return Singles(tuple(path for path in paths if path not in companions), pairs)
