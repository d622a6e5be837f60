"""What is said on stderr."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import NOW, make_report

from cvsearch.output import messages as talk


def test_an_error_is_two_lines():
    assert talk.error_text("no index: /a\x1b[2J", "run cvsearch index") == (
        "error: no index: /a\\x1b[2J\nhint: run cvsearch index\n"
    )
    assert talk.error_text("a\nb", None) == "error: a\\nb\n"


@given(st.text(), st.none() | st.text())
def test_an_error_in_json(message, hint):
    line = talk.error_json(4, message, hint)
    assert json.loads(line) == {"error": {"code": 4, "message": message, "hint": hint}}
    assert line.count(b"\n") == 1


def test_what_a_query_says():
    report = make_report()
    assert talk.searched_line(report, NOW) == "searched 80,412 photos, indexed 2 h ago"
    assert (
        talk.searched_line(dataclasses.replace(report, indexed_at=None, searched=1), NOW)
        == "searched 1 photo"
    )


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
    assert talk.human_bytes(number) == text


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
    assert talk.human_duration(seconds) == duration
    assert talk.human_age(seconds) == age


def test_counts():
    assert talk.human_count(41300) == "41,300"
    assert talk.human_count(1, "photo") == "1 photo"
    assert talk.human_count(41300, "photo") == "41,300 photos"
