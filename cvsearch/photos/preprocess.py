"""Preparing photos: upright, flat, shrunk sRGB pixels without EXIF, in the form a space's recipe asks.

JPEG is written at quality 90 with 4:2:0: embedders look at a few hundred pixels, where halved colour
resolution is invisible, and 4:4:4 costs a seventh more bytes.
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
from cvsearch.photos.jpeg import strip_jpeg
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
    form, edge = _parse_recipe(recipe)
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
    image = _make_upright(decoded, edge)
    if form == "jpeg":
        if min(image.size) < MIN_SENT_EDGE:
            return _too_small(decoded.size, image.size)
        made = _make_jpeg(decoded, image, data, edge)
    else:
        made = image.tobytes()
    if isinstance(made, Skip):
        return made
    turned = decoded.orientation >= 5
    upright = decoded.size[::-1] if turned else decoded.size
    width, height = image.size
    pixels = hashlib.sha256(b"%d %d " % (width, height))
    pixels.update(image.tobytes())
    return Prepared(
        data=made,
        width=width,
        height=height,
        pixels=pixels.digest(),
        phash=make_phash(image),
        metadata=make_metadata(decoded.exif, decoded.file_format, upright, decoded.orientation),
    )


def _make_upright(decoded: Decoded, edge: int) -> Image.Image:
    # Turned last: by then there are the fewest pixels.
    image = flatten(decoded.image, fit(decoded.size, edge))
    turn = _TURNS.get(decoded.orientation)
    return image if turn is None else image.transpose(turn)


def _make_jpeg(decoded: Decoded, image: Image.Image, data: bytes, edge: int) -> bytes | Skip:
    stripped = _strip(decoded, data, edge)
    if stripped is not None:
        return stripped
    for quality in _QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling="4:2:0")
        if file.tell() <= MAX_SENT_BYTES:
            return file.getvalue()
    return Skip("too-large-picture", "as a JPEG it has 20 MiB or more: lower max_edge", lasting=True)


def _strip(decoded: Decoded, data: bytes, edge: int) -> bytes | None:
    """The photo's own compressed pixels, if they are just what would be sent."""
    image = decoded.image
    if (
        decoded.file_format not in ("JPEG", "MPO")
        or decoded.orientation != 1
        or max(decoded.size) > edge
        or image.mode not in ("L", "RGB")
        or find_foreign_profile(image.info.get("icc_profile"), image.mode) is not None
    ):
        return None
    stripped = strip_jpeg(data)
    return stripped if stripped is not None and len(stripped) <= MAX_SENT_BYTES else None


def _too_small(size: tuple[int, int], made: tuple[int, int]) -> Skip:
    now = "" if max(size) == max(made) else f", shrunk {made[0]} × {made[1]}"
    detail = f"it is {size[0]} × {size[1]} pixels{now}; both sides must be more than {MIN_SENT_EDGE - 1}"
    return Skip("too-small", detail, lasting=True)


def _parse_recipe(recipe: str) -> tuple[str, int]:
    found = _RECIPE.fullmatch(recipe)
    if found is None:
        raise ValueError(f"no recipe: {recipe!r}")
    return found[1], int(found[2])


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
    image.save(file, form.upper(), **_THUMBNAIL_OPTIONS[form])
    return file.getvalue()
