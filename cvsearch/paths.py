"""Arithmetic of paths: absolute `str` with surrogate escapes outside, bytes below a folder inside."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


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


def move_below(old: str, new: str, path: str) -> str:
    """What `path`, which is the folder `old` or lies beneath it, is called when that folder is `new`."""
    return join(new, relative_to(old, path))


def join_also(path: str, names: bytes | None) -> tuple[str, ...]:
    """The companions of a file, from what its row keeps."""
    folder = os.path.dirname(path)
    return tuple(join(folder, name) for name in names.split(b"/")) if names else ()


def split_also(also: Sequence[str]) -> bytes | None:
    """What a file's row keeps of its companions: names, which know no ``/``."""
    return b"/".join(os.fsencode(os.path.basename(path)) for path in also) or None


def is_address(source: str) -> bool:
    """Whether the source of a picture is no path, but fetched over the network."""
    return source.lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class Scope:
    """Which files: every one, or those beneath the folders `under`; with `among` only these of them."""

    under: Sequence[str] = ()
    among: Collection[str] | None = None

    def is_all(self) -> bool:
        """Whether no file is left out."""
        return not self.under and self.among is None

    def is_beneath(self, path: str) -> bool:
        """Whether a path lies beneath one of the folders."""
        return not self.under or any(contains(folder, path) for folder in self.under)

    def admits(self, path: str) -> bool:
        """Whether a file is one of them."""
        return (self.among is None or path in self.among) and self.is_beneath(path)
