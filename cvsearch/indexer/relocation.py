"""Roots that an index has lost by being copied or moved without its photos.

A root beside the index is kept relative to it, and would point at its new surroundings: at a folder that
nobody named.  Such a root is trusted again once photos of it were found there, or when it is named.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping
from contextlib import suppress

from cvsearch.errors import CvsearchError
from cvsearch.paths import contains, move_below
from cvsearch.store.local.roots import Root
from cvsearch.store.local.transactions import Store

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
    for path, size in photos:
        with suppress(OSError):
            if os.stat(path).st_size == size:
                return True
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
    return f"cvsearch move {shlex.quote(path)} {shlex.quote(before) if before else 'NEW'}"


def forget(store: Store, paths: Iterable[str]) -> int:
    """Drops photos and roots at or beneath paths; how many photos that were.

    Raises `CvsearchError`, and drops nothing, when one of the paths is not in the index.
    """
    store.begin()
    total = 0
    for path in paths:
        ids = [number for number, _, _ in store.files.beneath(path)]
        roots = [root for root in store.roots.folders() if contains(path, root.path)]
        if not ids and not roots:
            raise _not_indexed(path)
        store.files.forget(ids)
        for root in roots:
            store.roots.remove(root)
        total += len(ids)
    store.commit()
    return total


def move(store: Store, old: str, new: str) -> int:
    """Says that the folder `old` is now `new`; how many photos that were.

    Raises `CvsearchError` when `old` is not in the index, or `new` has a root of its own.
    """
    store.begin()
    files = [(number, path) for number, path, _ in store.files.beneath(old)]
    roots = [root for root in store.roots.folders() if contains(old, root.path)]
    if not files and not roots:
        raise _not_indexed(old)
    # Of a root that a copied index lost, only the whole can be moved: what is where is not known.
    relocated = {path: place for path, place in find_relocated(store).items() if not contains(old, path)}
    refuse_relocated(store, [old, new], relocated)
    taken = {root.path for root in store.roots.folders()}
    for root in roots:
        path = move_below(old, new, root.path)
        if path in taken:
            raise CvsearchError(
                f"the index already has a root there: {path}", hint="forget one of the two first"
            )
    for root in [store.roots.set_path(root, move_below(old, new, root.path)) for root in roots]:
        store.roots.take_over(root)
    for number, path in files:
        store.files.move(number, move_below(old, new, path))
    store.commit()
    return len(files)


def _not_indexed(path: str) -> CvsearchError:
    return CvsearchError(f"not in the index: {path}", hint="see what is there: cvsearch status")
