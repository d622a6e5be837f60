"""Single words in colour, for lines that are not a table."""

from __future__ import annotations

import os
from urllib.parse import quote_from_bytes

from cvsearch.output.screen import View


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
    address = f"file://{os.uname().nodename}{quote_from_bytes(os.fsencode(path))}"
    return f"\x1b]8;;{address}\x1b\\{text}\x1b]8;;\x1b\\"


def encode(line: str, view: View) -> bytes:
    """A line as the terminal's encoding can show it."""
    return line.rstrip(" ").encode(view.encoding, "backslashreplace") + b"\n"
