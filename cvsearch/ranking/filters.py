"""Filters on what was kept of a photo at index time: what users write, and whether a photo passes.

The options follow from `METADATA`: each field says how it may be filtered by, and `_TESTS` which options
that gives, what they take and when they hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from cvsearch.errors import CvsearchError
from cvsearch.model import METADATA, Filter

Date = str | date
"""ISO 8601, whole or begun (``2024``, ``2024-05``), or a date or datetime."""
Place = tuple[float, float, float]
"""Latitude and longitude in degrees, and a distance in kilometres."""

EARTH_KM = 6371.0088
"""The earth's mean radius (IUGG)."""
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """One limit: the option it was given by, the fields of `METADATA` it looks at, and what was given."""

    option: str
    fields: tuple[str, ...]
    given: Any

    def judge(self, known: Mapping[str, Any]) -> bool | None:
        """Whether a photo passes; None when what would tell is not known of it."""
        values = [known[name] for name in self.fields]
        return None if None in values else _OPTIONS[self.option][1](self.given, *values)


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user wants: every condition must hold.  Made by `make_filters`; false when there is none."""

    conditions: tuple[Condition, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.conditions)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of `METADATA` that are looked at."""
        return tuple(dict.fromkeys(name for one in self.conditions for name in one.fields))

    @property
    def given(self) -> dict[str, object]:
        """What was given, by option, as JSON can hold it."""
        return {
            one.option: list(one.given) if isinstance(one.given, tuple) else one.given
            for one in self.conditions
        }

    def judge(self, known: Mapping[str, Any]) -> bool | None:
        """Whether a photo is wanted, by its `fields`; None when what would tell is not known of it."""
        verdicts = [condition.judge(known) for condition in self.conditions]
        if False in verdicts:
            return False
        return None if None in verdicts else True


def make_filters(**given: object) -> Filters:
    """What the user wants, by option: `after` and `before` (`Date`), `camera` (a part of its name), `near`
    (`Place`, or ``LAT,LON,KM``) and what other fields allow; None is no limit.

    Raises `CvsearchError` for what is no date, text, place or number, and for a time that cannot be.
    """
    conditions = []
    for option, value in given.items():
        read, _, fields = _OPTIONS[option]
        if value is not None:
            conditions.append(Condition(option, fields, read(f"--{option.replace('_', '-')}", value)))
    start, end = (next((c.given for c in conditions if c.option == one), None) for one in ("after", "before"))
    if start is not None and end is not None and _fill(start) >= _fill(end):
        raise CvsearchError(
            f"nothing is both after {start} and before {end}", hint="--after takes the earlier date"
        )
    return Filters(tuple(conditions))


def _read_date(option: str, given: Date) -> str:
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


def _read_text(option: str, given: str) -> str:
    if not isinstance(given, str) or not given.strip():
        raise CvsearchError(f"{option} is empty", hint=f"give a part of the {option[2:]}'s name")
    return given


def _read_place(option: str, given: Place | str) -> Place:
    try:
        latitude, longitude, kilometres = map(float, given.split(",") if isinstance(given, str) else given)
    except (TypeError, ValueError):
        latitude, longitude, kilometres = 91.0, 0.0, 0.0
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180 and 0 < kilometres < 1e5):
        raise CvsearchError(
            f"{option} takes LAT,LON,KM, not {given!r}",
            hint=f"such as {option} 48.8584,2.2945,5 (degrees, kilometres)",
        )
    return latitude, longitude, kilometres


def _read_number(option: str, given: float) -> float:
    if not isinstance(given, int | float) or math.isnan(given):
        raise CvsearchError(f"{option} takes a number, not {given!r}", hint=f"such as {option} 3")
    return given


def distance_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """The great-circle distance of two places in kilometres, by the haversine formula
    (Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984)."""
    one, other = math.radians(latitude), math.radians(to_latitude)
    half = math.sin((other - one) / 2) ** 2
    half += math.cos(one) * math.cos(other) * math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


def _is_near(place: Place, latitude: float, longitude: float) -> bool:
    return distance_km(latitude, longitude, place[0], place[1]) <= place[2]


# ISO 8601 sorts as text, and what is begun sorts before all that goes on from it.
_TESTS: Mapping[Filter, Mapping[str, tuple[Callable[[str, Any], Any], Callable[..., bool]]]] = {
    Filter.DATES: {
        "after": (_read_date, lambda start, taken: start <= taken),
        "before": (_read_date, lambda end, taken: taken < end),
    },
    Filter.CONTAINS: {"{}": (_read_text, lambda part, text: part.casefold() in text.casefold())},
    Filter.NEAR: {"near": (_read_place, _is_near)},
    Filter.AT_LEAST: {"min_{}": (_read_number, lambda least, number: least <= number)},
}
"""The options of each kind of filter (with the field's name), how each is read, and when it holds."""

_PLACE = tuple(field.name for field in METADATA if field.filter is Filter.NEAR)
_OPTIONS = {
    option.format(field.name): (*test, _PLACE if field.filter is Filter.NEAR else (field.name,))
    for field in METADATA
    if field.filter is not None
    for option, test in _TESTS[field.filter].items()
}
