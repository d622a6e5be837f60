"""Folders and files that a command is told to look in."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cvsearch.cli.session import Session
    from cvsearch.store.store import Store


def check_places(session: Session, store: Store, paths: Sequence[str]) -> None:
    """Tells of places where nothing is indexed.  Raises `CvsearchError` for one that is nowhere."""
    from cvsearch.places import find_unindexed

    for path in find_unindexed(store, paths):
        session.say(f"nothing is indexed there: {path} (cvsearch index {shlex.quote(path)})")
