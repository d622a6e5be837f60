"""Folders and files that a question is limited to."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cvsearch.errors import CvsearchError
from cvsearch.store.local.library import Store


def find_unindexed(store: Store, paths: Sequence[str]) -> list[str]:
    """The places where nothing is indexed.  Raises `CvsearchError` for one that does not exist either: a
    name with a slip in it must not look like an answer.
    """
    unindexed = [path for path in paths if not is_known(store, path)]
    for path in unindexed:
        if not os.path.lexists(path):
            raise CvsearchError(
                f"no such file or folder: {path}", hint="check the name; cvsearch status shows the roots"
            )
    return unindexed


def is_known(store: Store, path: str) -> bool:
    """Whether a photo is indexed at or beneath a path."""
    return next(store.files.beneath(path), None) is not None or store.files.main_of(path) is not None
