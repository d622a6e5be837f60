"""Filters as users write them: dates, cameras, places."""

from __future__ import annotations

import re
from datetime import date, time

from cvsearch.errors import CvsearchError
from cvsearch.search.filters import Wanted

Date = str | date
"""ISO 8601, whole or begun (``2024``, ``2024-05``), or a date or datetime."""
Place = tuple[float, float, float]
"""Latitude and longitude in degrees, and a distance in kilometres."""

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?")


def make_wanted(after: Date | None, before: Date | None, camera: str | None, near: Place | None) -> Wanted:
    """What the user wants.  Raises `CvsearchError` for what is no date, camera or place."""
    if camera is not None and not camera.strip():
        raise CvsearchError("--camera is empty", hint="give a part of the camera's name")
    return Wanted(
        None if after is None else _parse_date("--after", after),
        None if before is None else _parse_date("--before", before),
        camera,
        None if near is None else _check_place(near),
    )


def _parse_date(option: str, given: Date) -> str:
    text = given if isinstance(given, str) else given.isoformat()[:19]
    if _DATE.fullmatch(text):
        filled = text + "0001-01-01T00:00:00"[len(text) :]
        try:
            date.fromisoformat(filled[:10])
            time.fromisoformat(filled[11:])
        except ValueError:
            pass
        else:
            return text.replace(" ", "T")
    raise CvsearchError(f"{option} takes a date, not {text!r}", hint="write 2024, 2024-05 or 2024-05-01")


def parse_place(text: str) -> Place:
    """The place that is written as ``LAT,LON,KM``.  Raises `CvsearchError` for what is none."""
    try:
        latitude, longitude, kilometres = (float(part) for part in text.split(","))
    except ValueError:
        raise _no_place(text) from None
    return latitude, longitude, kilometres


def _check_place(place: Place) -> Place:
    latitude, longitude, kilometres = place
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < kilometres < 1e5):
        raise _no_place(",".join(f"{number:g}" for number in place))
    return place


def _no_place(text: str) -> CvsearchError:
    return CvsearchError(
        f"--near takes LAT,LON,KM, not {text!r}",
        hint="such as --near 48.8584,2.2945,5 (degrees, kilometres)",
    )
