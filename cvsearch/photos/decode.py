"""From a file's bytes to an opened picture: each kind of file by the library that knows it."""

from __future__ import annotations

import ctypes
import io
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image, MpoImagePlugin, _imaging, features

from cvsearch.model import Skip
from cvsearch.photos.exif import read_exif, read_orientation
from cvsearch.photos.read import extras, sniff

MAX_PIXELS = 300_000_000
"""The most pixels decoded at once.  A JPEG that is decoded smaller may have twice as many: beyond
that Pillow itself refuses to open a file."""

_PILLOW_FORMATS: dict[str, tuple[str, ...]] = {
    "JPEG": ("JPEG", MpoImagePlugin.MpoImageFile.format),
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
_DECODERS = r"(PIL|pillow_heif)\b"
_EXTRAS = {"RAW": "raw", "HEIC": "heif"}

# libtiff writes its errors, which are raised as well, to stderr by itself, and Pillow has no switch for it.
# The function is found through Pillow's own module, whichever libtiff that was linked with.
with suppress(OSError, AttributeError):
    ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler(None)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture as it is stored: `image` may be drafted smaller than `size`, its full size.

    `orientation` is the EXIF number of the turn that makes it upright.
    """

    image: Image.Image
    file_format: str
    size: tuple[int, int]
    orientation: int
    exif: Image.Exif | None


def decode_picture(data: bytes, name: str, edge: int) -> Decoded | Skip:
    """Decode the bytes by what they are (`name` only settles what content leaves open).

    A JPEG may be decoded smaller, but with its longer side still at least `edge`.  Lasting
    skips: ``unsupported-format``, ``needs-heif``, ``needs-raw``, ``no-preview``,
    ``too-many-pixels``.  Bytes that are broken raise whatever their decoder raises.
    """
    if (skip := refuse(data, name)) is not None:
        return skip
    # What matters of the decoders' warnings is found out and told as a skip.  Python's own way to hush
    # them, `catch_warnings`, is not safe among threads; a filter that is set once is, and it is looked
    # for each time because whoever restores the filters takes it away.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    if not any(getattr(entry[3], "pattern", None) == _DECODERS for entry in warnings.filters):
        warnings.filterwarnings("ignore", module=_DECODERS)
    kind = sniff(data, name)
    if kind == "RAW":
        return _decode_raw(data, name, edge)
    return _decode_heif(data) if kind == "HEIC" else _decode_plain(data, str(kind), edge)


def refuse(data: bytes, name: str) -> Skip | None:
    """The lasting skip of bytes whose kind cannot be decoded here, known without decoding; else None."""
    kind = sniff(data, name)
    extra = _EXTRAS.get(str(kind))
    if extra is not None and extra not in extras():
        detail = f"{kind} needs an extra: pip install 'cvsearch[{extra}]'"
        return Skip(f"needs-{extra}", detail, lasting=True)
    if extra is not None or kind in _PILLOW_FORMATS:
        return None
    what = _WAYS_OUT[kind] if kind else "no kind of picture that is known: exclude it, or convert it to JPEG"
    return Skip("unsupported-format", f"it is {what}", lasting=True)


def fit(size: tuple[int, int], edge: int) -> tuple[int, int]:
    """The size shrunk, never enlarged, so that its longer side is at most `edge`; at least 1 × 1."""
    longer = max(size)
    if longer <= edge:
        return size
    width, height = (max(1, round(side * edge / longer)) for side in size)
    return width, height


def _decode_plain(data: bytes, kind: str, edge: int) -> Decoded | Skip:
    if kind == "AVIF" and not features.check("avif"):
        return Skip(
            "broken-extra",
            "Pillow is built without AVIF: pip install --force-reinstall pillow",
            lasting=False,
        )
    try:
        image: Image.Image = Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS[kind])
    except Image.DecompressionBombError:
        return _too_many(2 * MAX_PIXELS)
    size = image.size
    if kind == "JPEG":
        image.draft(None, fit(size, edge))
    # A progressive JPEG is held in memory whole even when it is decoded smaller.
    width, height = size if image.info.get("progressive") else image.size
    if width * height > MAX_PIXELS:
        return _too_many(MAX_PIXELS)
    image.load()
    if kind != "JPEG":  # an icon may be larger than it said, a TIFF has been turned upright
        size = image.size
    exif = read_exif(image)
    return Decoded(image, image.format or kind, size, read_orientation(exif), exif)


def _decode_heif(data: bytes) -> Decoded | Skip:
    import pillow_heif

    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=True)
    width, height = file.size
    if width * height > MAX_PIXELS:
        return _too_many(MAX_PIXELS)
    # libheif turns the picture by itself: in HEIC the EXIF orientation is a mere remark.
    image: Image.Image = file.to_pillow()
    return Decoded(image, "HEIC", image.size, 1, read_exif(image))


def _decode_raw(data: bytes, name: str, edge: int) -> Decoded | Skip:
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            preview, sizes = raw.extract_thumb(), raw.sizes
    except rawpy.LibRawFileUnsupportedError:
        return Skip(
            "unsupported-format", "LibRaw does not know this RAW file: export it as JPEG", lasting=True
        )
    except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
        return Skip("no-preview", "the RAW file holds no usable preview: export it as JPEG", lasting=True)
    if isinstance(preview.data, bytes):
        found = _decode_plain(preview.data, "JPEG", edge)
    else:
        image = Image.fromarray(preview.data)
        found = Decoded(image, "RAW", image.size, 1, None)
    if isinstance(found, Skip):
        return found
    turn = _turn_raw(found.orientation, sizes.flip, found.size, sizes.width > sizes.height)
    ending = os.path.splitext(name)[1].lstrip(".").upper()
    return Decoded(found.image, ending or "RAW", found.size, turn, _find_raw_exif(data) or found.exif)


def _turn_raw(orientation: int, flip: int, size: tuple[int, int], sensor_is_wide: bool) -> int:
    """The EXIF orientation of a preview: its own, or else LibRaw's `flip`.

    1 when the preview does not lie as the sensor does: then the camera has turned it already, and
    an orientation that it may name is the sensor's.
    """
    turn = orientation if orientation != 1 else {3: 3, 5: 8, 6: 6}.get(flip, 1)
    return 1 if turn >= 5 and (size[0] > size[1]) != sensor_is_wide else turn


def _find_raw_exif(data: bytes) -> Image.Exif | None:
    """The EXIF of RAW files that are TIFF files but for, in some makes, the mark after II or MM."""
    mark = {b"II": b"II*\x00", b"MM": b"MM\x00*"}.get(data[:2])
    if mark is None:
        return None
    exif = Image.Exif()
    try:
        exif.load(mark + data[4:])
    except Exception:  # noqa: BLE001 - Pillow's parsers let many kinds of errors through
        return None
    return exif


def _too_many(most: int) -> Skip:
    return Skip("too-many-pixels", f"the most is {most // 10**6:,} megapixels: shrink it first", lasting=True)
