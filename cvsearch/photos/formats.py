"""What a file is, by the ending of its name."""

from __future__ import annotations

import os

ENDINGS: dict[str, str] = {
    "photo": "jpg jpeg jpe jfif png gif bmp dib webp tif tiff ico mpo avif",
    "heif": "heic heif hif",
    "raw": "3fr arw cr2 cr3 crw dcr dng erf fff iiq k25 kdc mef mos mrw nef nrw orf ori pef raf raw rw2 "
    "rwl sr2 srf srw x3f",
}
_KINDS = {ending: kind for kind, endings in ENDINGS.items() for ending in endings.split()}


def photo_kind(name: str) -> str | None:
    """What a file is by the ending of its name: ``photo``, ``heif``, ``raw``, or None for no photo."""
    _, dot, ending = os.path.basename(name).rpartition(".")
    return _KINDS.get(ending.lower()) if dot else None
