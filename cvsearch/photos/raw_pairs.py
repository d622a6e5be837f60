"""Photos of two files: a RAW and the JPEG or HEIC of the same stem beside it are one photo.

The JPEG (or else the HEIC) is the photo; the RAW is its companion: named with it, never read.
"""

from __future__ import annotations

from collections.abc import Iterable

from cvsearch.photos.formats import photo_kind

_JPEG = frozenset(("jpg", "jpeg", "jpe", "jfif"))


def pair_companions(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which of the files have companions among them: photo to companions, in the order given.

    Stems are compared byte by byte, endings whatever their case.  A RAW goes with the JPEG rather than
    with the HEIC, and with the first of several.
    """
    mains: dict[str, str] = {}
    raws: dict[str, list[str]] = {}
    for path in paths:
        if photo_kind(path) == "raw":
            raws.setdefault(_stem(path), []).append(path)
        elif _is_main(path) and (_stem(path) not in mains or _rank(path) < _rank(mains[_stem(path)])):
            mains[_stem(path)] = path
    return {mains[stem]: tuple(companions) for stem, companions in raws.items() if stem in mains}


def _is_main(path: str) -> bool:
    """Whether a file is of a kind that can have a RAW beside it: a JPEG or HEIC, by its name."""
    return photo_kind(path) == "heif" or (photo_kind(path) == "photo" and _ending(path) in _JPEG)


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def _ending(path: str) -> str:
    return path.rpartition(".")[2].lower()


def _rank(path: str) -> int:
    return 0 if _ending(path) in _JPEG else 1
