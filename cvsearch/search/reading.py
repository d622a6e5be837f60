"""An index that is open for questions: its files, the space that is searched, and who gives vectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cvsearch import wiring
from cvsearch.config.settings import Settings
from cvsearch.embedding.lookup import Asker, VectorLookup
from cvsearch.embedding.sources import read_source
from cvsearch.model import Prepared, Space
from cvsearch.providers.registry import open_embedder, provider_of
from cvsearch.search.same_picture import Twin, find_twin
from cvsearch.store.local.library import Store, open_store

if TYPE_CHECKING:
    from cvsearch.embedding.pipeline import Prepare
    from cvsearch.providers.base import Embedder


@dataclass(frozen=True, slots=True)
class Reading:
    """`number` is that of the space; `notice` what a person should know of its choice; `embedder` opens
    the provider when it is first needed."""

    store: Store
    number: int
    space: Space
    notice: str | None
    kept: VectorLookup
    embedder: Callable[[], Embedder]
    offline: bool

    def make_asker(self, pictures: Mapping[str, bytes]) -> Asker:
        """What finds the vectors of one query's terms; `pictures` are the bytes of sources by their names."""

        def read(source: str) -> bytes:
            given = pictures.get(source)
            return read_source(source, offline=self.offline) if given is None else given

        prepare = wiring.make_prepare(self.space)
        if not provider_of(self.space).sends:  # a vector of its own costs nothing
            return Asker(self.kept, read, prepare, self.embedder)
        return Asker(self.kept, read, prepare, self.embedder, partial(self._find_twin, prepare))

    def _find_twin(self, prepare: Prepare, photo: Prepared) -> Twin | None:
        from cvsearch.photos.phash import colour_distance

        return find_twin(self.store, self.number, photo, prepare, colour_distance, unconfirmed=self.offline)


@contextmanager
def open_reading(settings: Settings, folder: str) -> Iterator[Reading]:
    """An index for questions.  Raises `NoIndexError` when there is none, or nothing of the provider in it."""
    with open_store(folder) as store, ExitStack() as opened:
        number, space, notice = wiring.choose_query_space(settings, store)
        cache = wiring.embedding_cache(folder)

        def open_counted() -> Embedder:
            embedder = open_embedder(settings, space)
            return opened.enter_context(wiring.counting(embedder, settings, cache))

        embedder = wiring.once(open_counted)
        kept = VectorLookup(cache, space, store, number)
        yield Reading(store, number, space, notice, kept, embedder, settings.offline)
