"""Folders and files that a command is told to look in."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvsearch.cli.context import Session
    from cvsearch.store.local.library import Store


def find_places(
    session: Session, store: Store, under: Sequence[str], listed: Collection[str] | None
) -> tuple[list[str], list[str] | None]:
    """The places and the list, a photo for each of its companions; tells of places where nothing is indexed.

    Raises `CvsearchError` for a place that is nowhere.
    """
    from cvsearch.search.places import find_unindexed

    for path in find_unindexed(store, under):
        session.say(f"nothing is indexed there: {path} (cvsearch index {shlex.quote(path)})")
    as_photos = store.files.as_photos
    return as_photos(under), None if listed is None else as_photos(listed)
