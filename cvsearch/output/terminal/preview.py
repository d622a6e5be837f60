"""Matches with their pictures: each line of the table, and beneath it what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cvsearch.model import Report, Skip, Thumbnail
from cvsearch.output.screen import View, printable
from cvsearch.output.table import render_matches
from cvsearch.output.terminal.images import Canvas, render_thumbnail


def render_preview(
    report: Report, view: View, canvas: Canvas, thumbnail: Callable[[str], Thumbnail | Skip]
) -> Iterator[bytes]:
    """The table, a match at a time; `thumbnail` gives a path's picture in the canvas's form and box."""
    chunks = render_matches(report, view, block=1)
    for match in report.matches:
        yield next(chunks)
        picture = thumbnail(match.path)
        if isinstance(picture, Skip):
            why = f"no picture: {picture.reason}" + (f" ({picture.detail})" if picture.detail else "")
            yield (" " * canvas.indent + printable(why) + "\n\n").encode(view.encoding, "backslashreplace")
        else:
            yield from render_thumbnail(picture, canvas)
            yield b"\n"
    yield from chunks
