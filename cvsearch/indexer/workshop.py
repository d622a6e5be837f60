"""What a run of `index` works with, put together from the other rooms."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cvsearch import wiring
from cvsearch.config.settings import Settings
from cvsearch.errors import CvsearchError
from cvsearch.model import Event, Space, Summary
from cvsearch.providers.registry import choose_space, host_of, open_embedder, provider_of
from cvsearch.store.local.library import Store, has_index, open_writer

if TYPE_CHECKING:
    from cvsearch.indexer.index import Tools
    from cvsearch.indexer.scan import Scan
    from cvsearch.model import Vector


def covered_spaces(store: Store) -> list[tuple[Space, int]]:
    """The spaces that have vectors, each with how many files it covers."""
    return [
        (space, store.files.count_searched(number))
        for number, space in store.catalogue.spaces()
        if store.catalogue.rows(number)
    ]


def make_tools(
    settings: Settings,
    folder: str,
    space: Space,
    approve: Callable[[Scan], None],
) -> Tools:
    """The tools to fill a space of the index in `folder`; `approve` sees what is to come, or raises."""
    from cvsearch.indexer.index import Tools, none_asked
    from cvsearch.photos.raw_pairs import pair_companions
    from cvsearch.photos.read import read_photo
    from cvsearch.photos.walk import stat_photo

    return Tools(
        find=wiring.make_find(folder),
        stat=stat_photo,
        pair=pair_companions,
        read=read_photo,
        prepare=wiring.make_prepare(space),
        open_embedder=lambda: open_embedder(settings, space),
        host=host_of(settings, space),
        approve=approve,
        asked=_make_asked(folder, space) if provider_of(space).sends else none_asked,
    )


def _make_asked(folder: str, space: Space) -> Callable[[str, bytes], Vector | None]:
    """The look-up of pictures that a call was made for when they were asked with."""
    cache = wiring.embedding_cache(folder)

    def find(kind: str, key: bytes) -> Vector | None:
        vector = cache.find(space, kind, key)
        return vector if vector is not None and len(vector) == space.dimension else None

    return find


def index_paths(
    settings: Settings,
    folder: str,
    paths: Sequence[str],
    tell: Callable[[Event], object],
) -> Summary:
    """Indexes folders and photos with nobody to ask; `tell` hears what became of each photo."""
    from cvsearch.embedding.pipeline import CancelToken
    from cvsearch.indexer.changes import Rules
    from cvsearch.indexer.index import IndexRequest, Run, run_index

    if not has_index(folder):
        # A wrong name and half a configuration are told before an index is made.
        missing = next((path for path in paths if not os.path.lexists(path)), None)
        if missing is not None:
            raise CvsearchError(f"no such file or folder: {missing}", hint="check the name")
        choose_space(settings, [], sign_in=True)
    rules = Rules(checksum=False, retry_skipped=False, extras=wiring.extras_text())
    request = IndexRequest(paths, None, None, rules, forget_missing=False)
    with open_writer(folder, create=True) as store:
        space = choose_space(settings, covered_spaces(store), sign_in=True).space
        tools = make_tools(settings, folder, space, lambda scan: None)
        run = Run(store, space, request, tools, CancelToken())
        with closing(run_index(run)) as events:
            for event in events:
                tell(event)
    return run.summary
