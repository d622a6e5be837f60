"""What is left of the old wiring, until those who use it have it where they live.  To be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cvsearch.config.locate import find_index_folder
from cvsearch.model import PhotoFile, Prepared, ScanStats, Skip, Space, Unread
from cvsearch.providers import registry
from cvsearch.providers.registry import choose_space, host_of, open_embedder
from cvsearch.store.local.embedding_cache import EmbeddingCache

if TYPE_CHECKING:
    from cvsearch.config.settings import Settings
    from cvsearch.embedding.pipeline import Prepare
    from cvsearch.providers.base import Embedder
    from cvsearch.store.local.library import Store
    from cvsearch.store.local.roots import Root

__all__ = [
    "choose_query_space",
    "choose_space",
    "counting",
    "embedding_cache",
    "extras_text",
    "find_index_folder",
    "host_of",
    "make_find",
    "make_prepare",
    "once",
    "open_embedder",
]


def choose_query_space(settings: Settings, store: Store) -> tuple[int, Space, str | None]:
    """`registry.choose_query_space` of an open index.  Raises `NoIndexError`."""
    spaces = store.catalogue.spaces()
    several = len(spaces) > 1  # counting takes time, and nobody needs the counts of the only one
    counted = [
        (number, space, store.files.count_searched(number) if several else 0, store.catalogue.rows(number))
        for number, space in spaces
    ]
    return registry.choose_query_space(settings, counted, store.folder)


def make_prepare(space: Space) -> Prepare:
    """What turns a file's bytes into what the space embeds."""
    recipe = space.preparation

    def prepare(data: bytes, name: str) -> Prepared | Skip:
        from cvsearch.photos.preprocess import prepare_photo

        return prepare_photo(data, name, recipe)

    return prepare


def make_find(index: str) -> Callable[[Root, str, ScanStats, frozenset[str]], Iterator[PhotoFile | Unread]]:
    """The walk over folders, which never enters the index itself."""
    from cvsearch.photos.walk import find_photos

    def find(
        root: Root, start: str, stats: ScanStats, others: frozenset[str]
    ) -> Iterator[PhotoFile | Unread]:
        return find_photos(root.path, start, root.options, stats, index, others)

    return find


def embedding_cache(folder: str | None) -> EmbeddingCache:
    """Where asked texts and pictures are kept: in the index, or else in the user's cache folder."""
    import platformdirs

    users = str(platformdirs.user_cache_path("cvsearch"))
    return EmbeddingCache((users,) if folder is None else (folder, users))


def extras_text() -> str:
    """The installed extras as one word, by which remembered skips go stale."""
    from cvsearch.photos.read import extras

    return ",".join(sorted(extras()))


def once(make: Callable[[], Embedder]) -> Callable[[], Embedder]:
    """Makes the embedder at the first call and gives the same one from then on."""
    from functools import cache

    return cache(make)


@contextmanager
def counting(embedder: Embedder, settings: Settings, cache: EmbeddingCache) -> Iterator[Embedder]:
    """Opens an embedder for what is asked: its calls are counted beside the answers it brings."""
    with embedder:
        try:
            yield embedder
        finally:
            host = host_of(settings, embedder.space)
            if host is not None and embedder.calls:
                cache.add_traffic(host, embedder.calls, embedder.bytes_sent)
