"""What a run of `index` works with, put together from the other rooms."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from cvsearch import wiring
from cvsearch.errors import CvsearchError
from cvsearch.settings import Settings
from cvsearch.store.store import Store, has_index, open_writer
from cvsearch.values import Event, Space, Summary

if TYPE_CHECKING:
    from cvsearch.indexing import Tools
    from cvsearch.survey import Survey
    from cvsearch.values import Vector


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
    approve: Callable[[Survey], None],
    log: wiring.LogRequest | None = None,
) -> Tools:
    """The tools to fill a space of the index in `folder`; `approve` sees what is to come, or raises."""
    from cvsearch.indexing import Tools, none_asked
    from cvsearch.photos.companions import pair_companions
    from cvsearch.photos.find import stat_photo
    from cvsearch.photos.read import read_photo

    return Tools(
        find=wiring.make_find(folder),
        stat=stat_photo,
        pair=pair_companions,
        read=read_photo,
        prepare=wiring.make_prepare(space),
        open_embedder=lambda: wiring.open_when_needed(settings, space, log),
        host=wiring.host_of(settings, space),
        approve=approve,
        asked=none_asked if space.provider == "local" else _make_asked(folder, space),
    )


def _make_asked(folder: str, space: Space) -> Callable[[str, bytes], Vector | None]:
    """The look-up of pictures that a call was made for when they were asked with."""
    cache = wiring.query_cache(folder)

    def find(kind: str, key: bytes) -> Vector | None:
        vector = cache.find(space, kind, key)
        return vector if vector is not None and len(vector) == space.dimension else None

    return find


def index_paths(
    settings: Settings,
    folder: str,
    paths: Sequence[str],
    tell: Callable[[Event], object],
    log: wiring.LogRequest | None = None,
) -> Summary:
    """Indexes folders and photos with nobody to ask; `tell` hears what became of each photo."""
    from cvsearch.indexing import IndexRequest, Run, run_index
    from cvsearch.pipeline import Stop
    from cvsearch.plan import Rules

    if not has_index(folder):
        # A wrong name and half a configuration are told before an index is made.
        missing = next((path for path in paths if not os.path.lexists(path)), None)
        if missing is not None:
            raise CvsearchError(f"no such file or folder: {missing}", hint="check the name")
        wiring.choose_space(settings, [], sign_in=True)
    rules = Rules(checksum=False, retry_skipped=False, extras=wiring.extras_text())
    request = IndexRequest(paths, None, None, rules, forget_missing=False)
    with open_writer(folder, create=True) as store:
        space = wiring.choose_space(settings, covered_spaces(store), sign_in=True).space
        tools = make_tools(settings, folder, space, lambda survey: None, log)
        run = Run(store, space, request, tools, Stop())
        with closing(run_index(run)) as events:
            for event in events:
                tell(event)
    return run.summary
