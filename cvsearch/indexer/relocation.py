"""Roots that an index has lost by being copied or moved without its photos.

A root beside the index is kept relative to it, and would point at its new surroundings: at a folder that
nobody named.  Such a root is trusted again once photos of it were found there, or when it is named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from cvsearch.errors import CvsearchError
from cvsearch.store.local.library import Store
from cvsearch.store.local.roots import Root

SAMPLE = 100


def find_relocated(store: Store, named: Iterable[str] = ()) -> dict[str, str | None]:
    """The roots that are not where the index is now, with the place they were last right at, if known.

    Remembers of the others that they are; those that are `named` are meant to be.
    """
    moved, meant = store.roots.moved(), set(named)
    relocated: dict[str, str | None] = {}
    for root, before in moved:
        if (root.kind == "folder" and root.path in meant) or _is_there(store, root, before):
            store.roots.trust(root)
        else:
            relocated[root.path] = before
    return relocated


def _is_there(store: Store, root: Root, before: str | None) -> bool:
    """Whether any of a root's first photos is where it should be, of the size it had."""
    photos = store.files.some(root, SAMPLE)
    if not photos:
        return root.kind == "files" or before is None
    return any(_has_size(path, size) for path, size in photos)


def _has_size(path: str, size: int) -> bool:
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


def refuse_relocated(store: Store, paths: Iterable[str], relocated: Mapping[str, str | None]) -> None:
    """Raises `CvsearchError` for a path beneath a relocated root: it would vouch for all of it."""
    for path in paths if relocated else ():
        root = store.roots.owner(path)
        if root is not None and root.path in relocated:
            raise CvsearchError(
                f"this index was copied or moved, and the photos it knows are not beneath {root.path}",
                hint=f"say where they are first: {move_command(root.path, relocated[root.path])}",
            )


def move_command(path: str, before: str | None) -> str:
    """What tells an index where the photos of a root are."""
    import shlex

    return f"cvsearch move {shlex.quote(path)} {shlex.quote(before) if before else 'NEW'}"
