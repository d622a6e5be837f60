"""Amounts, lengths of time and ages."""

from datetime import timedelta

import pytest
from reports import NOW

from cvsearch.output.humanize import age_seconds, human_age, human_bytes, human_count, human_duration


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_960, "10 kB"),
        (999_600, "1.0 MB"),
        (1_440_000, "1.4 MB"),
        (35_200_000_000, "35 GB"),
        (4.2e15, "4,200 TB"),
    ],
)
def test_bytes(number, text):
    assert human_bytes(number) == text


@pytest.mark.parametrize(
    ("seconds", "duration", "age"),
    [
        (-5, "0 s", "just now"),
        (8.4, "8 s", "just now"),
        (60, "1 min", "1 min ago"),
        (3599, "59 min", "59 min ago"),
        (3600, "1 h", "1 h ago"),
        (4320, "1 h 12 min", "1 h ago"),
        (86400, "1 day", "1 day ago"),
        (9e6, "104 days", "104 days ago"),
    ],
)
def test_times(seconds, duration, age):
    assert human_duration(seconds) == duration
    assert human_age(seconds) == age


def test_counts():
    assert human_count(1, "photo") == "1 photo"
    assert human_count(41300, "photo") == "41,300 photos"


@pytest.mark.parametrize("then", ["2026-11-05T11:59:00Z", "2026-11-05T11:59:00", "2026-11-05T12:59:00+01:00"])
def test_age(then):
    assert age_seconds(then, NOW) == 60
    assert age_seconds(then, NOW - timedelta(days=1)) == 0
