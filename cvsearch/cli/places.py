"""Folders and files that a command is told to look in."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from cvsearch.cli.session import Session
    from cvsearch.store.store import Store


def check_places(session: Session, store: Store, paths: Sequence[str]) -> None:
    """Tells of places where nothing is indexed.  Raises `CvsearchError` for one that does not exist either:
    a name with a slip in it must not look like an answer.
    """
    for path in paths:
        if not is_known(store, path):
            if not os.path.lexists(path):
                raise CvsearchError(
                    f"no such file or folder: {path}", hint="check the name; cvsearch status shows the roots"
                )
            session.say(f"nothing is indexed there: {path} (cvsearch index {shlex.quote(path)})")


def is_known(store: Store, path: str) -> bool:
    """Whether a photo is indexed at or beneath a path."""
    return next(store.files.beneath(path), None) is not None or store.files.main_of(path) is not None
