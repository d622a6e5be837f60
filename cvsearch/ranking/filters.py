"""Filters on what was kept of a photo at index time: when, with which camera and where it was taken."""

from __future__ import annotations

import math
from dataclasses import dataclass

EARTH_KM = 6371.0088
"""The earth's mean radius (IUGG)."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known of a photo; `taken` is ISO 8601 in the camera's own time, degrees are signed."""

    taken: str | None = None
    camera: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the user wants: taken at or after `after` and before `before` (ISO 8601, whole or begun),
    by a camera whose name holds `camera`, within the last of `near` (latitude, longitude, km).
    """

    after: str | None = None
    before: str | None = None
    camera: str | None = None
    near: tuple[float, float, float] | None = None

    def __bool__(self) -> bool:
        return self != Wanted()


def judge(fact: Fact, wanted: Wanted) -> bool | None:
    """Whether a photo is wanted; None when what would tell is not known of it."""
    answers = [_in_time(fact, wanted), _by_camera(fact, wanted), _is_near(fact, wanted)]
    if False in answers:
        return False
    return None if None in answers else True


def _in_time(fact: Fact, wanted: Wanted) -> bool | None:
    if wanted.after is None and wanted.before is None:
        return True
    if fact.taken is None:
        return None
    # ISO 8601 sorts as text, and what is begun sorts before all that goes on from it.
    return (wanted.after or "") <= fact.taken and (wanted.before is None or fact.taken < wanted.before)


def _by_camera(fact: Fact, wanted: Wanted) -> bool | None:
    if wanted.camera is None:
        return True
    return None if fact.camera is None else wanted.camera.casefold() in fact.camera.casefold()


def _is_near(fact: Fact, wanted: Wanted) -> bool | None:
    if wanted.near is None:
        return True
    if fact.latitude is None or fact.longitude is None:
        return None
    latitude, longitude, most = wanted.near
    return distance_km(fact.latitude, fact.longitude, latitude, longitude) <= most


def distance_km(latitude: float, longitude: float, to_latitude: float, to_longitude: float) -> float:
    """The great-circle distance of two places in kilometres, by the haversine formula
    (Sinnott, "Virtues of the Haversine", Sky and Telescope 68, 1984)."""
    one, other = math.radians(latitude), math.radians(to_latitude)
    half = math.sin((other - one) / 2) ** 2
    half += math.cos(one) * math.cos(other) * math.sin(math.radians(to_longitude - longitude) / 2) ** 2
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))
