"""What is said on stderr."""

import dataclasses
import json

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
