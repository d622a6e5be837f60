"""Small pictures of photos, for pages and for terminals."""

from __future__ import annotations

import io
from typing import Literal

from PIL import Image

from cvsearch.model import Skip, Thumbnail, Unread
from cvsearch.photos.decode import fit
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.photos.read import read_photo
from cvsearch.photos.walk import stat_photo

Form = Literal["jpeg", "png", "rgb"]

_OPTIONS: dict[str, dict[str, object]] = {
    "jpeg": {"quality": 80, "subsampling": "4:2:0", "optimize": True},
    "png": {},
}


def make_thumbnail(path: str, width: int, height: int, form: Form) -> Thumbnail | Skip:
    """The photo upright, flat, without EXIF, never enlarged, in a box of pixels; else why there is none.

    Skips are those of `read_photo` and `prepare_photo`; a picture may be only one pixel high.
    """
    file = stat_photo(path)
    if isinstance(file, Unread):
        return Skip(file.reason, file.detail, lasting=False)
    read = read_photo(file)
    if isinstance(read, Skip):
        return read
    data, sha256 = read
    photo = prepare_photo(data, path, f"rgb-{max(width, height)}")
    if isinstance(photo, Skip):
        return photo
    image = Image.frombytes("RGB", (photo.width, photo.height), photo.data)
    small = _shrink(image, width, height)
    return Thumbnail(_encode(small, form), *small.size, sha256)


def _shrink(image: Image.Image, width: int, height: int) -> Image.Image:
    edge = max(image.size) * min(1.0, width / image.width, height / image.height)
    size = fit(image.size, max(1, round(edge)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _encode(image: Image.Image, form: Form) -> bytes:
    if form == "rgb":
        return image.tobytes()
    file = io.BytesIO()
    image.save(file, form.upper(), **_OPTIONS[form])
    return file.getvalue()
