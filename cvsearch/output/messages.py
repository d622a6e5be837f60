"""What people read on stderr: errors, amounts, ages."""

from __future__ import annotations

from datetime import datetime

from cvsearch.model import Report
from cvsearch.output.lines import age_seconds, json_line
from cvsearch.output.screen import printable

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def error_text(message: str, hint: str | None) -> str:
    """An error's two lines, or one without a hint; control characters are escaped."""
    lines = f"error: {printable(message)}\n"
    return lines + f"hint: {printable(hint)}\n" if hint else lines


def error_json(code: int, message: str, hint: str | None) -> bytes:
    """An error as a line of JSON."""
    return json_line({"error": {"code": int(code), "message": message, "hint": hint}})


def searched_line(report: Report, now: datetime) -> str:
    """What a query looked at: ``searched 80,412 photos, indexed 2 h ago``."""
    line = f"searched {human_count(report.searched, 'photo')}"
    if report.indexed_at is not None:
        line += f", indexed {human_age(age_seconds(report.indexed_at, now))}"
    return line


def human_count(number: int, noun: str = "") -> str:
    """``41,300``, and with a noun ``1 photo`` or ``41,300 photos``."""
    if not noun:
        return f"{number:,}"
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
