"""Pictures on a terminal, by the protocol it has: kitty's, iTerm2's, or half blocks.

Kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/ · iTerm2: https://iterm2.com/documentation-images.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cvsearch.model import Report, Skip, Thumbnail
from cvsearch.output.rows import query_rows
from cvsearch.output.screen import View, encode, printable
from cvsearch.output.table import render_table

Protocol = Literal["kitty", "iterm2", "blocks"]

QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>q\x1b[1337n\x1b[c"
"""May I send a picture (kitty)?  Who are you (XTVERSION; iTerm2's own)?  And what every terminal
answers, so that nobody waits for answers that will not come: its primary attributes."""

_LAST_ANSWER = re.compile(rb"\x1b\[\?[0-9;]*c")
_KITTY = re.compile(rb"\x1b_Gi=31[^;\x1b]*;OK\x1b\\")
_ITERM2 = re.compile(rb"\x1bP>\|(iTerm2|WezTerm|mintty)[^\x1b]*\x1b\\|\x1b\[ITERM2 [^n]*n")
_CHUNK = 4096
_DEFAULT_CELL = (10, 20)

_LEVELS = (0, 95, 135, 175, 215, 255)
"""The six levels of red, green and blue in the 256 colours of xterm."""

_GREYISH = 30
"""How far the channels of a pixel may lie apart for it to be drawn as a grey.  The nearest colour is often
a grey where people see a dark blue: hue matters more than nearness."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """Where pictures are drawn: a box of at most `columns` × `rows` cells, `indent` columns from the left.

    `cell` is a cell's size in pixels; `deep` says that half blocks may have 24-bit colour.
    """

    protocol: Protocol
    columns: int
    rows: int
    indent: int = 0
    cell: tuple[int, int] = _DEFAULT_CELL
    deep: bool = False

    @property
    def form(self) -> Literal["png", "jpeg", "rgb"]:
        """What a thumbnail must be: kitty knows PNG alone, iTerm2 also JPEG, which is smaller."""
        forms: dict[Protocol, Literal["png", "jpeg", "rgb"]] = {"kitty": "png", "iterm2": "jpeg"}
        return forms.get(self.protocol, "rgb")

    @property
    def box(self) -> tuple[int, int]:
        """The most pixels a thumbnail may have: half blocks show two in a cell, one above the other."""
        if self.protocol == "blocks":
            return self.columns, 2 * self.rows
        return self.columns * self.cell[0], self.rows * self.cell[1]


def is_answered(answer: bytes) -> bool:
    """Whether the last of a terminal's answers has come."""
    return _LAST_ANSWER.search(answer) is not None


def find_protocol(answer: bytes) -> Protocol:
    """The protocol of a terminal that answered so to `QUESTION`."""
    if _KITTY.search(answer):
        return "kitty"
    return "iterm2" if _ITERM2.search(answer) else "blocks"


def render_preview(
    report: Report, view: View, canvas: Canvas, pictures: Iterator[Thumbnail | Skip]
) -> Iterator[bytes]:
    """The table, a match at a time, with the picture of each beneath it; `pictures` are of the canvas's form
    and box, and each is asked for when the line before it is out.
    """
    chunks = render_table(query_rows(report, view.now), view, block=1)
    for _ in report.matches:
        yield next(chunks)
        picture = next(pictures)
        if isinstance(picture, Skip):
            why = f"no picture: {picture.reason}" + (f" ({picture.detail})" if picture.detail else "")
            yield encode(" " * canvas.indent + printable(why) + "\n\n", view)
        else:
            yield from render_thumbnail(picture, canvas)
            yield b"\n"
    yield from chunks


def render_thumbnail(picture: Thumbnail, canvas: Canvas) -> Iterator[bytes]:
    """The picture, of the canvas's form and box; the cursor goes from a line's start to a line's start."""
    if canvas.protocol == "blocks":
        for line in _blocks(picture, deep=canvas.deep):
            yield b" " * canvas.indent + line + b"\n"
        return
    columns, rows = (
        max(1, round(side / pixels))
        for side, pixels in zip((picture.width, picture.height), canvas.cell, strict=True)
    )
    # Room is made first: terminals do not agree on where a picture leaves the cursor, or the screen.
    yield (
        b"\n" * rows + b"\x1b[%dA" % rows + (b"\x1b[%dC" % canvas.indent if canvas.indent else b"") + b"\x1b7"
    )
    data = base64.b64encode(picture.data)
    if canvas.protocol == "kitty":
        # Transmit and show (a=T) without an answer (q=2) and without moving the cursor (C=1).
        head = b"a=T,f=100,q=2,C=1,c=%d,r=%d," % (columns, rows)
        for start in range(0, len(data), _CHUNK):
            more = start + _CHUNK < len(data)
            yield b"\x1b_G%sm=%d;%s\x1b\\" % (b"q=2," if start else head, more, data[start : start + _CHUNK])
    else:
        size = len(picture.data), columns, rows
        head = b"File=inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=1:" % size
        yield b"\x1b]1337;" + head + data + b"\x07"
    yield b"\x1b8\r\x1b[%dB" % rows


def _blocks(picture: Thumbnail, *, deep: bool) -> Iterator[bytes]:
    """Lines without their ends: two pixels a character; an odd last row stands alone.

    `deep`: the terminal has 24-bit colour.
    """
    data = iter(picture.data)
    pixels = zip(data, data, data, strict=True)
    flat = [f"2;{pixel[0]};{pixel[1]};{pixel[2]}" if deep else f"5;{_nearest(pixel)}" for pixel in pixels]
    colours = [flat[start : start + picture.width] for start in range(0, len(flat), picture.width)]
    for top in range(0, picture.height, 2):
        cells, before = [], ""
        for column in range(picture.width):
            style = f"\x1b[38;{colours[top][column]}"
            if top + 1 < picture.height:
                style += f";48;{colours[top + 1][column]}"
            cells.append("▀" if style == before else f"{style}m▀")
            before = style
        yield ("".join(cells) + "\x1b[0m").encode()


def _nearest(pixel: tuple[int, int, int]) -> int:
    """Of the 6 × 6 × 6 colours the nearest; for what is nearly grey, of the 24 greys, black and white."""
    if max(pixel) - min(pixel) <= _GREYISH:
        step = round((sum(pixel) / 3 - 8) / 10)
        return 16 if step < 0 else 231 if step > 23 else 232 + step
    red, green, blue = (min(range(6), key=lambda place: abs(_LEVELS[place] - value)) for value in pixel)
    return 16 + 36 * red + 6 * green + blue
