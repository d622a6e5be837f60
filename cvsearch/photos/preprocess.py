"""Preparing photos: upright, flat, shrunk sRGB pixels without EXIF, in the form a space's recipe asks.

JPEG is written at quality 90 with 4:2:0: embedders look at a few hundred pixels, where halved colour
resolution is invisible, and 4:4:4 costs a seventh more bytes.  A JPEG that need not be shrunk loses what
must not leave this machine without re-encoding.
"""

from __future__ import annotations

import hashlib
import io
import re

from PIL import Image, UnidentifiedImageError

from cvsearch.model import Form, Prepared, Skip, Thumbnail, Unread
from cvsearch.photos.color import find_foreign_profile, flatten
from cvsearch.photos.decode import Decoded, decode_picture, fit
from cvsearch.photos.exif import make_metadata
from cvsearch.photos.phash import make_phash
from cvsearch.photos.read import read_photo
from cvsearch.photos.walk import stat_photo

MAX_SENT_BYTES = 20 * 1024 * 1024 - 1
MIN_SENT_EDGE = 11

_RECIPE = re.compile(r"(jpeg|rgb)-([1-9][0-9]{0,4})")
_QUALITIES = (90, 80, 60)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# The markers of a JPEG file's segments.
_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_APP0, _APP14, _COM = 0xE0, 0xEE, 0xFE
_START_OF_SCAN = 0xDA
_APPS = range(0xE0, 0xF0)
# Tables, restart interval, and the frames every decoder knows: baseline, extended, progressive.
_PICTURE = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD})
# Within a scan 0xFF is data before 0x00 and goes on after a restart mark.
_SCAN_END = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JFIF_HEAD = 12
_ADOBE_LENGTH = 12

_THUMBNAIL_OPTIONS: dict[str, dict[str, object]] = {
    "jpeg": {"quality": 80, "subsampling": "4:2:0", "optimize": True},
    "png": {},
}


def prepare_photo(data: bytes, name: str, recipe: str) -> Prepared | Skip:
    """Make a photo's bytes what the `recipe` asks for; `name` is the file's, for its ending.

    ``jpeg-N``: a JPEG file of less than 20 MiB, the longer side at most N pixels, both more than 10;
    ``rgb-N``: height × width × 3 bytes.  Never enlarged, first frame, alpha on white.  A small
    upright JPEG keeps its compressed pixels and only loses its metadata.

    Raises `ValueError` for a recipe of another form.  Skips, lasting: ``damaged``, ``too-small``,
    ``too-large-picture`` and those of `decode_picture`; passing: ``out-of-memory``,
    ``broken-extra``.  Safe among threads.
    """
    found = _RECIPE.fullmatch(recipe)
    if found is None:
        raise ValueError(f"no recipe: {recipe!r}")
    form, edge = found[1], int(found[2])
    try:
        decoded = decode_picture(data, name, edge)
        return decoded if isinstance(decoded, Skip) else _prepare(decoded, data, form, edge)
    except MemoryError:
        return Skip("out-of-memory", "there was not enough memory to decode it", lasting=False)
    except ImportError as error:
        return Skip("broken-extra", f"an extra is installed but cannot be loaded: {error}", lasting=False)
    except Exception as error:  # noqa: BLE001 - decoders of hostile bytes raise what they like
        return Skip("damaged", _describe(error), lasting=True)


def _prepare(decoded: Decoded, data: bytes, form: str, edge: int) -> Prepared | Skip:
    # Turned last: by then there are the fewest pixels.
    image = flatten(decoded.image, fit(decoded.size, edge))
    if (turn := _TURNS.get(decoded.orientation)) is not None:
        image = image.transpose(turn)
    (width, height), pixels = image.size, image.tobytes()
    made: bytes | Skip = pixels
    if form == "jpeg":
        if min(image.size) < MIN_SENT_EDGE:
            shrunk = "" if max(decoded.size) == max(image.size) else f", shrunk {width} × {height}"
            detail = f"it is {decoded.size[0]} × {decoded.size[1]} pixels{shrunk}; "
            detail += f"both sides must be more than {MIN_SENT_EDGE - 1}"
            return Skip("too-small", detail, lasting=True)
        made = _make_jpeg(decoded, image, data, edge)
    if isinstance(made, Skip):
        return made
    upright = decoded.size[::-1] if decoded.orientation >= 5 else decoded.size
    return Prepared(
        data=made,
        width=width,
        height=height,
        pixels=hashlib.sha256(b"%d %d " % (width, height) + pixels).digest(),
        phash=make_phash(image),
        metadata=make_metadata(decoded.exif, decoded.file_format, upright, decoded.orientation),
    )


def _make_jpeg(decoded: Decoded, image: Image.Image, data: bytes, edge: int) -> bytes | Skip:
    """The photo's own compressed pixels, if they are just what would be sent, or else `image` compressed."""
    stored = decoded.image
    if (
        decoded.file_format in ("JPEG", "MPO")
        and decoded.orientation == 1
        and max(decoded.size) <= edge
        and stored.mode in ("L", "RGB")
        and find_foreign_profile(stored.info.get("icc_profile"), stored.mode) is None
    ):
        stripped = strip_jpeg(data)
        if stripped is not None and len(stripped) <= MAX_SENT_BYTES:
            return stripped
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
        if file.tell() <= MAX_SENT_BYTES:
            return file.getvalue()
    return Skip("too-large-picture", "as a JPEG it has 20 MiB or more: lower max_edge", lasting=True)


def strip_jpeg(data: bytes) -> bytes | None:
    """The same picture, bit for bit, with nothing but what a decoder needs; None if it is unusual.

    Gone are EXIF, XMP, IPTC, colour profiles, comments, embedded thumbnails and whatever follows the
    first picture.
    """
    if not data.startswith(_SOI):
        return None
    kept, at, scans = [_SOI], len(_SOI), 0
    while True:
        start = at
        while data[at : at + 1] == b"\xff":
            at += 1
        if at == start or at >= len(data):
            return None
        marker, at = data[at], at + 1
        if marker == _EOI[1]:
            return b"".join([*kept, _EOI]) if scans else None
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            return None
        body = data[at + 2 : at + length]
        at += length
        if marker == _APP0 and body.startswith(b"JFIF\x00") and len(body) >= _JFIF_HEAD:
            body = body[:_JFIF_HEAD] + b"\x00\x00"  # no thumbnail
        elif marker == _APP14 and body.startswith(b"Adobe"):
            body = body[:_ADOBE_LENGTH]
        elif marker in _APPS or marker == _COM:
            continue
        elif marker not in _PICTURE and marker != _START_OF_SCAN:
            return None
        kept.append(bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body)
        if marker == _START_OF_SCAN:
            end = _SCAN_END.search(data, at)
            if end is None:
                return None
            kept.append(data[at : end.start()])
            at, scans = end.start(), scans + 1


def _describe(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):  # its own words name an address in memory
        return "it cannot be decoded: its beginning is broken"
    what = error.args[0] if error.args else ""
    text = " ".join((what.decode(errors="replace") if isinstance(what, bytes) else str(error)).split())
    return f"it cannot be decoded: {text[:200] or type(error).__name__}"


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
    edge = max(image.size) * min(1.0, width / image.width, height / image.height)
    size = fit(image.size, max(1, round(edge)))
    if size != image.size:
        image = image.resize(size, Image.Resampling.LANCZOS)
    if form == "rgb":
        return Thumbnail(image.tobytes(), *size, sha256)
    encoded = io.BytesIO()
    image.save(encoded, form.upper(), **_THUMBNAIL_OPTIONS[form])
    return Thumbnail(encoded.getvalue(), *size, sha256)
