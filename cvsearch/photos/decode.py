"""From a file's bytes to an opened picture: each kind of file by the library that knows it."""

from __future__ import annotations

import io
import os
import warnings
from dataclasses import dataclass
from typing import Any

from PIL import Image

from cvsearch.photos.metadata import read_exif, read_orientation
from cvsearch.photos.read import extras, sniff
from cvsearch.values import Skip

MAX_PIXELS = 300_000_000
"""The most pixels that are decoded at once; a JPEG that is drafted smaller may have twice as many."""

_PILLOW_FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": ("JPEG", "MPO"),
    **{kind: (kind,) for kind in ("PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "AVIF")},
}
_WAYS_OUT = {
    "SVG": "an SVG drawing: export it as PNG first",
    "PDF": "a PDF document: export its pages as JPEG first",
    "JXL": "a JPEG XL picture: convert it to JPEG first",
    "JPEG 2000": "a JPEG 2000 picture: convert it to JPEG first",
    "PSD": "a Photoshop document: export it as JPEG first",
    "video": "a video or sound: exclude it, or export a frame as JPEG",
    "text": "text, not a picture: exclude it",
}
_NEEDS = {"heif": "HEIC", "raw": "RAW"}
_FLIPS = {3: 3, 5: 8, 6: 6}  # LibRaw's flip to EXIF's orientation
_PILLOW_MODULES = r"(PIL|pillow_heif)\b"


@dataclass(frozen=True, slots=True)
class Opened:
    """A picture not yet decoded; `size` is its full one, `orientation` what makes it upright."""

    image: Image.Image
    file_format: str
    size: tuple[int, int]
    orientation: int
    exif: Image.Exif | None
    is_jpeg: bool


def open_picture(data: bytes, name: str, edge: int) -> Opened | Skip:
    """Open the bytes by their content (`name` only settles what content leaves open).

    A JPEG is set to be decoded as small as it can be with both sides still at least as long as
    `edge` asks.  Lasting skips: ``unsupported-format``, ``needs-heif``, ``needs-raw``,
    ``no-preview``, ``too-many-pixels``.  Bytes that are broken raise whatever the decoder raises.
    """
    _hush_decoders()
    kind = sniff(data, name)
    if kind == "RAW":
        return _open_raw(data, name, edge) if "raw" in extras() else _need("raw")
    if kind == "HEIC":
        return _open_heif(data) if "heif" in extras() else _need("heif")
    if kind in _PILLOW_FORMATS:
        return _open_plain(data, kind, edge)
    if kind is None:
        return _refuse("not a picture cvsearch knows: convert it to JPEG first, or exclude it")
    return _refuse(f"{_WAYS_OUT[kind]}")


def _open_plain(data: bytes, kind: str, edge: int) -> Opened | Skip:
    formats = _PILLOW_FORMATS[kind]
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=formats)
    except Image.DecompressionBombError:
        return _too_many(2 * MAX_PIXELS)
    size = image.size
    orientation = 1
    exif = read_exif(image)
    if kind != "TIFF":  # Pillow turns TIFF pictures itself while it decodes them
        orientation = read_orientation(exif)
    if kind == "JPEG" and not image.info.get("progressive"):
        image.draft(None, _scale(size, edge))
    if image.width * image.height > MAX_PIXELS:
        return _too_many(MAX_PIXELS)
    return Opened(image, image.format or kind, size, orientation, exif, kind == "JPEG")


def _open_heif(data: bytes) -> Opened | Skip:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    width, height = file.size
    if width * height > MAX_PIXELS:
        return _too_many(MAX_PIXELS)
    # libheif turns the picture itself and takes the EXIF orientation for a mere remark.
    image: Image.Image = file.to_pillow()
    return Opened(image, "HEIC", image.size, 1, read_exif(image), is_jpeg=False)


def _open_raw(data: bytes, name: str, edge: int) -> Opened | Skip:
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            preview = raw.extract_thumb()
            sizes = raw.sizes
            content = preview.data
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return Skip("no-preview", "the RAW file holds no preview: export it as JPEG", lasting=True)
    turn = _FLIPS.get(sizes.flip, 1)
    file_format = os.path.splitext(name)[1].lstrip(".").upper() or "RAW"
    exif: Image.Exif | None = None
    if preview.format == rawpy.ThumbFormat.JPEG:
        opened = _open_plain(content, "JPEG", edge)
        if isinstance(opened, Skip):
            return opened
        image, size, exif = opened.image, opened.size, opened.exif
        turn = opened.orientation if _says_orientation(exif) else turn
    else:
        image = Image.fromarray(content)
        size = image.size
    if turn >= 5 and (size[0] > size[1]) != (sizes.width > sizes.height):
        turn = 1  # the camera has turned the preview already
    return Opened(image, file_format, size, turn, _richer_exif(exif, data), is_jpeg=False)
