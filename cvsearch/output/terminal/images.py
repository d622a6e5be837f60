"""Pictures on a terminal, by the protocol it has: kitty's, iTerm2's, or half blocks.

Kitty: https://sw.kovidgoyal.net/kitty/graphics-protocol/ · iTerm2: https://iterm2.com/documentation-images.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cvsearch.model import Thumbnail
from cvsearch.output.terminal.blocks import render_blocks

Protocol = Literal["kitty", "iterm2", "blocks"]

QUESTION = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[>q\x1b[1337n\x1b[c"
"""May I send a picture (kitty)?  Who are you (XTVERSION; iTerm2's own)?  And what every terminal
answers, so that nobody waits for answers that will not come: its primary attributes."""

_LAST_ANSWER = re.compile(rb"\x1b\[\?[0-9;]*c")
_KITTY = re.compile(rb"\x1b_Gi=31[^;\x1b]*;OK\x1b\\")
_ITERM2 = re.compile(rb"\x1bP>\|(iTerm2|WezTerm|mintty)[^\x1b]*\x1b\\|\x1b\[ITERM2 [^n]*n")
_CHUNK = 4096
_DEFAULT_CELL = (10, 20)


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


def render_thumbnail(picture: Thumbnail, canvas: Canvas) -> Iterator[bytes]:
    """The picture, of the canvas's form and box; the cursor goes from a line's start to a line's start."""
    if canvas.protocol == "blocks":
        for line in render_blocks(picture, deep=canvas.deep):
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
    if canvas.protocol == "kitty":
        yield from _kitty(picture.data, columns, rows)
    else:
        yield _iterm2(picture.data, columns, rows)
    yield b"\x1b8\r\x1b[%dB" % rows


def _kitty(png: bytes, columns: int, rows: int) -> Iterator[bytes]:
    """Transmit and show (a=T) without an answer (q=2) and without moving the cursor (C=1)."""
    data = base64.b64encode(png)
    head = b"a=T,f=100,q=2,C=1,c=%d,r=%d," % (columns, rows)
    for start in range(0, len(data), _CHUNK):
        more = start + _CHUNK < len(data)
        yield b"\x1b_G%sm=%d;%s\x1b\\" % (b"q=2," if start else head, more, data[start : start + _CHUNK])


def _iterm2(file: bytes, columns: int, rows: int) -> bytes:
    return b"\x1b]1337;File=inline=1;size=%d;width=%d;height=%d;preserveAspectRatio=1:%s\x07" % (
        len(file),
        columns,
        rows,
        base64.b64encode(file),
    )
