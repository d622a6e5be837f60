"""What a file is, by the ending of its name, and which files are one photo.

A RAW and the JPEG or HEIC of the same stem beside it are: the JPEG (or else the HEIC) is the photo, the
RAW its companion: named with it, never read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

_ENDINGS = {
    "photo": "jpg jpeg jpe jfif png gif bmp dib webp tif tiff ico mpo avif",
    "heif": "heic heif hif",
    "raw": "3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf ori pef raf raw rw2 "
    "rwl sr2 srf srw x3f",
}
_KINDS = {ending: kind for kind, endings in _ENDINGS.items() for ending in endings.split()}
_JPEG = ("jpg", "jpeg", "jpe", "jfif")


def photo_kind(name: str) -> str | None:
    """What a file is by the ending of its name: ``photo``, ``heif``, ``raw``, or None for no photo."""
    _, dot, ending = os.path.basename(name).rpartition(".")
    return _KINDS.get(ending.lower()) if dot else None


def pair_companions(paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Which of the files have companions among them: photo to companions, in the order given.

    Stems are compared byte by byte, endings whatever their case.  A RAW goes with the JPEG rather than
    with the HEIC, and with the first of several.
    """
    jpegs: dict[str, str] = {}
    heics: dict[str, str] = {}
    raws: dict[str, list[str]] = {}
    for path in paths:
        (stem, _, ending), kind = path.rpartition("."), photo_kind(path)
        if kind == "raw":
            raws.setdefault(stem, []).append(path)
        elif kind == "heif":
            heics.setdefault(stem, path)
        elif kind and ending.lower() in _JPEG:
            jpegs.setdefault(stem, path)
    mains = heics | jpegs
    return {mains[stem]: tuple(companions) for stem, companions in raws.items() if stem in mains}
