"""The filters of `query` as users write them: dates, cameras, places."""

from __future__ import annotations

import re

from cvsearch.errors import CvsearchError
from cvsearch.search.filters import Wanted

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?")


def make_wanted(after: str | None, before: str | None, camera: str | None, near: str | None) -> Wanted:
    """What the user wants.  Raises `CvsearchError` for what is no date, camera or place."""
    if camera is not None and not camera.strip():
        raise CvsearchError("--camera is empty", hint="give a part of the camera's name")
    return Wanted(
        None if after is None else _parse_date("--after", after),
        None if before is None else _parse_date("--before", before),
        camera,
        None if near is None else _parse_place(near),
    )


def _parse_date(option: str, text: str) -> str:
    from datetime import datetime

    if _DATE.fullmatch(text):
        filled = text + "0001-01-01T00:00:00"[len(text) :]
        try:
            datetime.fromisoformat(filled)
        except ValueError:
            pass
        else:
            return text.replace(" ", "T")
    raise CvsearchError(f"{option} takes a date, not {text!r}", hint="write 2024, 2024-05 or 2024-05-01")


def _parse_place(text: str) -> tuple[float, float, float]:
    try:
        latitude, longitude, kilometres = (float(part) for part in text.split(","))
    except ValueError:
        latitude, longitude, kilometres = 91.0, 0.0, 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < kilometres < 1e5):
        raise CvsearchError(
            f"--near takes LAT,LON,KM, not {text!r}",
            hint="such as --near 48.8584,2.2945,5 (degrees, kilometres)",
        )
    return latitude, longitude, kilometres
