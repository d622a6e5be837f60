"""Amounts, lengths of time and ages, as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def human_count(number: int, noun: str) -> str:
    """``1 photo`` or ``41,300 photos``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def human_bytes(number: float) -> str:
    """Bytes in decimal units, as disks are sold: ``950 bytes``, ``1.4 MB``, ``35 GB``."""
    if number < 1000:
        return human_count(int(number), "byte")
    for unit in ("kB", "MB", "GB", "TB"):
        number /= 1000
        # 999.5 would be rounded to 1,000 of this unit: that is 1.0 of the next.
        if number < 999.5 or unit == "TB":
            return f"{number:.1f} {unit}" if number < 9.95 else f"{number:,.0f} {unit}"
    raise AssertionError


def human_duration(seconds: float) -> str:
    """A length of time in at most two units: ``8 s``, ``34 min``, ``1 h 12 min``, ``3 days``."""
    seconds = max(0, round(seconds))
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE} min"
    if seconds < _DAY:
        hours, minutes = seconds // _HOUR, seconds % _HOUR // _MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return human_count(seconds // _DAY, "day")


def human_age(seconds: float) -> str:
    """How long ago, in one unit: ``just now``, ``2 h ago``, ``3 days ago``."""
    if seconds < _MINUTE:
        return "just now"
    if _HOUR <= seconds < _DAY:
        return f"{int(seconds // _HOUR)} h ago"
    return f"{human_duration(seconds)} ago"


def age_seconds(indexed_at: str, now: datetime) -> float:
    """How long ago an ISO 8601 time was, in seconds, never negative; without an offset it is UTC."""
    then = datetime.fromisoformat(indexed_at)
    return max(0.0, (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())
