"""Arithmetic of paths: absolute `str` with surrogate escapes outside, bytes below a folder inside."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence


def contains(folder: str, path: str) -> bool:
    """Whether `path` is `folder` or lies beneath it; both absolute."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")


def outermost(folders: Iterable[str]) -> list[str]:
    """The folders without those that lie beneath others of them."""
    every = set(folders)
    return [one for one in every if not any(contains(other, one) for other in every - {one})]


def relative_to(folder: str, path: str) -> bytes:
    """`path` as bytes below `folder`; empty for the folder itself."""
    return os.fsencode(path[len(folder.rstrip("/")) + 1 :])


def join(folder: str, below: bytes) -> str:
    """The absolute path of what `relative_to` gave."""
    return f"{folder.rstrip('/')}/{os.fsdecode(below)}" if below else folder


def join_also(path: str, names: bytes | None) -> tuple[str, ...]:
    """The companions of a file, from what its row keeps."""
    folder = os.path.dirname(path)
    return tuple(join(folder, name) for name in names.split(b"/")) if names else ()


def split_also(also: Sequence[str]) -> bytes | None:
    """What a file's row keeps of its companions: names, which know no ``/``."""
    return b"/".join(os.fsencode(os.path.basename(path)) for path in also) or None
