"""Filters as users write them: dates, cameras, places."""

from __future__ import annotations

import re
from datetime import date, datetime

from cvsearch.errors import CvsearchError
from cvsearch.ranking.filters import Wanted

Date = str | date
"""ISO 8601, whole or begun (``2024``, ``2024-05``), or a date or datetime."""
Place = tuple[float, float, float]
"""Latitude and longitude in degrees, and a distance in kilometres."""

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?")


def make_wanted(
    after: Date | None, before: Date | None, camera: str | None, near: Place | str | None
) -> Wanted:
    """What the user wants.  Raises `CvsearchError` for what is no date, camera or place, and for no time."""
    if camera is not None and not (isinstance(camera, str) and camera.strip()):
        raise CvsearchError("--camera is empty", hint="give a part of the camera's name")
    start = None if after is None else _parse_date("--after", after)
    end = None if before is None else _parse_date("--before", before)
    if start is not None and end is not None and _fill(start) >= _fill(end):
        raise CvsearchError(
            f"nothing is both after {start} and before {end}", hint="--after takes the earlier date"
        )
    return Wanted(start, end, camera, None if near is None else _parse_place(near))


def _parse_date(option: str, given: Date) -> str:
    if isinstance(given, datetime) and given.tzinfo is not None:
        raise CvsearchError(
            f"{option} takes a camera's time, which has no time zone", hint="leave tzinfo out"
        )
    text = given.isoformat()[:19] if isinstance(given, date) else str(given)
    if _DATE.fullmatch(text):
        try:
            datetime.fromisoformat(_fill(text))
        except ValueError:
            pass
        else:
            return text.replace(" ", "T")
    raise CvsearchError(f"{option} takes a date, not {text!r}", hint="write 2024, 2024-05 or 2024-05-01")


def _fill(text: str) -> str:
    """The first second of what a date begins."""
    return text + "0001-01-01T00:00:00"[len(text) :]


def _parse_place(given: Place | str) -> Place:
    try:
        latitude, longitude, kilometres = map(float, given.split(",") if isinstance(given, str) else given)
    except (TypeError, ValueError):
        latitude, longitude, kilometres = 91.0, 0.0, 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < kilometres < 1e5):
        raise CvsearchError(
            f"--near takes LAT,LON,KM, not {given!r}",
            hint="such as --near 48.8584,2.2945,5 (degrees, kilometres)",
        )
    return latitude, longitude, kilometres
