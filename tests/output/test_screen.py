"""What is safe to show, and where colours go."""

import io
import os
import pty

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import NOW

from cvsearch.output.screen import can_redraw, is_terminal, make_view, printable, terminal_width, use_color


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/a/b c.jpg", "/a/b c.jpg"),
        ("日本 é [red]", "日本 é [red]"),
        ("a\nb\tc\rd", r"a\nb\tc\rd"),
        ("\x1b[31m\x7f\0", r"\x1b[31m\x7f\x00"),
        (os.fsdecode(b"\xff.jpg"), r"\xff.jpg"),
        ("\x9b2J", r"\u009b2J"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        ("\ud800", r"\ud800"),
    ],
)
def test_printable(text, shown):
    assert printable(text) == shown


@given(st.text(st.characters()))
def test_printable_is_safe_and_settled(text):
    shown = printable(text)
    assert printable(shown) == shown
    assert shown.encode().decode() == shown
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


@pytest.mark.parametrize(
    ("choice", "stream", "environ", "colored"),
    [
        ("auto", Terminal(), {}, True),
        ("auto", io.StringIO(), {}, False),
        ("auto", Terminal(), {"NO_COLOR": "1"}, False),
        ("auto", Terminal(), {"NO_COLOR": ""}, True),
        ("auto", Terminal(), {"TERM": "dumb"}, False),
        ("always", io.StringIO(), {"NO_COLOR": "1", "TERM": "dumb"}, True),
        ("never", Terminal(), {}, False),
    ],
)
def test_color(choice, stream, environ, colored):
    assert use_color(choice, stream, environ) is colored


def test_a_missing_or_closed_stream_is_no_terminal():
    closed = io.StringIO()
    closed.close()
    assert not is_terminal(None)
    assert not is_terminal(closed)


def test_a_dumb_terminal_cannot_redraw():
    assert can_redraw(Terminal(), {"TERM": "xterm"})
    assert not can_redraw(Terminal(), {"TERM": "dumb"})


@pytest.mark.parametrize("said", ["", "0", "-3", "wide", "²"])
def test_width_without_a_terminal(said):
    assert terminal_width(io.StringIO(), {"COLUMNS": said}) == 80


def test_width_as_said():
    assert terminal_width(io.StringIO(), {"COLUMNS": "123"}) == 123


def test_width_of_a_terminal():
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "wb"), os.fdopen(theirs, "w") as stream:
        assert is_terminal(stream)
        assert terminal_width(stream, {}) == 80  # a new one has no size yet


@pytest.mark.parametrize(
    ("stream", "environ", "expected"),
    [
        (Terminal(), {}, (True, True, 80)),
        (io.StringIO(), {}, (False, False, None)),
        (io.StringIO(), {"COLUMNS": "120"}, (False, False, 120)),
    ],
)
def test_a_view_of_a_stream(stream, environ, expected):
    view = make_view(stream, environ, color="auto", version="1", now=NOW, cwd="/")
    assert (view.terminal, view.color, view.width) == expected
    assert view.unicode
