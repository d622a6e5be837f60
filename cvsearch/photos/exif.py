"""What a picture says of itself besides its pixels: when, where and with what it was taken."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from cvsearch.model import Metadata

_Tags = Mapping[int, Any]

_TEXT_LENGTH = 100
_DATE = re.compile(r"(\d{4})[:/-](\d\d)[:/-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d", re.ASCII)
_DATE_TAGS = (
    (Base.DateTimeOriginal, Base.OffsetTimeOriginal),
    (Base.DateTimeDigitized, Base.OffsetTimeDigitized),
    (Base.DateTime, Base.OffsetTime),
)


def make_metadata(
    exif: Image.Exif | None, file_format: str, size: tuple[int, int], orientation: int
) -> Metadata:
    """The metadata of a picture whose upright size is `size` (width, height), in pixels.

    `exif` may hold anything: what cannot be understood is left out, nothing is raised.
    """
    tags = {**_read_ifd(exif, None), **_read_ifd(exif, IFD.Exif)}
    make, model = _clean(tags.get(Base.Make)), _clean(tags.get(Base.Model))
    if make is not None and model is not None and not model.lower().startswith(make.split()[0].lower()):
        model = f"{make} {model}"
    gps = _read_ifd(exif, IFD.GPSInfo)
    latitude = _parse_angle(gps.get(GPS.GPSLatitude), gps.get(GPS.GPSLatitudeRef), "NS", 90)
    longitude = _parse_angle(gps.get(GPS.GPSLongitude), gps.get(GPS.GPSLongitudeRef), "EW", 180)
    if latitude is None or longitude is None:
        latitude = longitude = None
    return Metadata(
        format=file_format,
        width=size[0],
        height=size[1],
        orientation=orientation,
        taken=_find_date(tags),
        camera=model or make,
        lens=_clean(tags.get(Base.LensModel)),
        latitude=latitude,
        longitude=longitude,
    )


def read_exif(image: Image.Image) -> Image.Exif | None:
    """The picture's EXIF, or None when it has none that can be parsed."""
    try:
        return image.getexif()
    except Exception:  # noqa: BLE001 - Pillow's parsers let many kinds of errors through
        return None


def read_orientation(exif: Image.Exif | None) -> int:
    """The EXIF orientation, 1 to 8; 1 when there is none or it is no such number."""
    value = _read_ifd(exif, None).get(Base.Orientation)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _read_ifd(exif: Image.Exif | None, number: int | None) -> _Tags:
    if exif is None:
        return {}
    tags: dict[int, Any] = {}
    try:
        source: Any = exif if number is None else exif.get_ifd(number)
        for tag in source:
            tags[tag] = source[tag]
    except Exception:  # noqa: BLE001 - what was read before the fault is kept
        return tags
    return tags


def _clean(value: object) -> str | None:
    """Text on one line without control characters, at most 100 characters; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    text = "".join(letter if letter.isprintable() else " " for letter in value[: 10 * _TEXT_LENGTH])
    return " ".join(text.split())[:_TEXT_LENGTH].rstrip() or None


def _find_date(tags: _Tags) -> str | None:
    for date_tag, offset_tag in _DATE_TAGS:
        found = _DATE.match(_clean(tags.get(date_tag)) or "")
        try:
            date = found and datetime(*map(int, found.groups())).isoformat()  # type: ignore[arg-type]
        except ValueError:
            continue
        if date is not None:
            offset = _clean(tags.get(offset_tag)) or ""
            return date + (offset if _OFFSET.fullmatch(offset) else "")
    return None


def _parse_angle(value: object, reference: object, letters: str, most: float) -> float | None:
    """Signed degrees of degrees, minutes and seconds; positive for the first of `letters`."""
    side = (_clean(reference) or "?")[0].upper()
    if side not in letters or not isinstance(value, tuple | list) or not 1 <= len(value) <= 3:
        return None
    try:
        parts = [float(part) for part in value]
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not all(math.isfinite(part) and part >= 0 for part in parts):
        return None
    degrees = math.fsum(part / 60.0**power for power, part in enumerate(parts))
    if degrees > most:
        return None
    return round(degrees if side == letters[0] else -degrees, 7)
