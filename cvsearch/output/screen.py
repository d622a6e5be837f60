"""Where bytes go: a terminal or a pipe, how wide, in colour or not, and what is safe to show there."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote_from_bytes

DEFAULT_WIDTH = 80

_SHORT = {"\a": r"\a", "\b": r"\b", "\t": r"\t", "\n": r"\n", "\v": r"\v", "\f": r"\f", "\r": r"\r"}

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # what terminals obey
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the reading direction around
    "\u2028\u2029\ufeff"  # what some terminals break a line at, or hide
    "\ud800-\udfff]"  # what cannot be encoded: bytes that are not UTF-8 among them
)


@dataclass(frozen=True, slots=True)
class View:
    """What a renderer may know of where its bytes go, when, and for which version of the tool.

    `width` is in columns, None where lines may be of any length; `cwd` is the folder that tables
    show paths relative to, if it is not empty.
    """

    version: str
    now: datetime
    terminal: bool = False
    color: bool = False
    width: int | None = None
    encoding: str = "utf-8"
    cwd: str = ""

    @property
    def unicode(self) -> bool:
        """Whether bars and ellipses can be shown."""
        return self.encoding.lower().replace("-", "").replace("_", "").startswith("utf8")

    @property
    def ellipsis(self) -> str:
        """What stands for what was left out."""
        return "…" if self.unicode else "..."


def make_view(
    stream: Any, environ: Mapping[str, str], *, color: str, version: str, now: datetime, cwd: str
) -> View:
    """The view for an output stream; `color` is what the user chose (``auto always never``)."""
    terminal = is_terminal(stream)
    return View(
        version=version,
        now=now,
        terminal=terminal,
        color=use_color(color, stream, environ),
        width=terminal_width(stream, environ) if terminal or "COLUMNS" in environ else None,
        encoding=getattr(stream, "encoding", None) or "utf-8",
        cwd=cwd,
    )


def is_terminal(stream: Any) -> bool:
    """Whether a person reads the stream; False of one that is closed or missing."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def can_redraw(stream: Any, environ: Mapping[str, str]) -> bool:
    """Whether a line can be drawn over again there."""
    return is_terminal(stream) and environ.get("TERM") != "dumb"


def use_color(choice: str, stream: Any, environ: Mapping[str, str]) -> bool:
    """Whether to colour: what was chosen, else NO_COLOR, TERM and the stream decide."""
    if choice != "auto":
        return choice == "always"
    return not environ.get("NO_COLOR") and can_redraw(stream, environ)


def terminal_width(stream: Any, environ: Mapping[str, str]) -> int:
    """Columns of the terminal: what COLUMNS says, what the terminal says, else 80."""
    said = environ.get("COLUMNS", "")
    if said.isascii() and said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(stream.fileno()).columns or DEFAULT_WIDTH
    except (AttributeError, ValueError, OSError):
        return DEFAULT_WIDTH


def paint(text: str, style: str, view: View) -> str:
    """The text in a style (rich's words, only ANSI colours, bold and dim) where there is colour."""
    if not view.color or not style:
        return text
    from rich.color import ColorSystem
    from rich.style import Style

    return Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def link(text: str, path: str, view: View) -> str:
    """The text as a link to a file, on terminals that show colour; only absolute paths are files."""
    if not (view.color and view.terminal and os.path.isabs(path)):
        return text
    return f"\x1b]8;;{file_address(path)}\x1b\\{text}\x1b]8;;\x1b\\"


def file_address(path: str) -> str:
    """The file as an address for a terminal, which may show what another host sends."""
    return f"file://{os.uname().nodename}{quote_from_bytes(os.fsencode(path))}"


def encode(text: str, view: View) -> bytes:
    """A text as the terminal's encoding can show it."""
    return text.encode(view.encoding, "backslashreplace")


def encode_line(line: str, view: View) -> bytes:
    """A line as the terminal's encoding can show it, without the spaces at its end."""
    return encode(line.rstrip(" ") + "\n", view)


def printable(text: str) -> str:
    r"""The text with everything a terminal would obey or cannot show written as an escape.

    ``\n`` and its like, ``\x1b``, ``\xff`` for a byte that is not UTF-8, ``\u202e`` for the rest.
    Backslashes stay as they are, so that doing it twice changes nothing.
    """
    return _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if number < 0x80:
        return f"\\x{number:02x}"
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}"
