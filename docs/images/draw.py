"""Draws the README's picture: runs the real commands in a terminal and keeps what they show as SVG.

Run by hand from the project's root: ``python docs/images/draw.py``.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 84
COMMANDS = ("index docs/photos", 'query "a cat" -n 3', 'query "a cup of coffee" -n 3')


def run(arguments: str, home: str) -> str:
    """What one command shows on a terminal, live lines left out."""
    main, side = pty.openpty()
    environ = {**os.environ, "HOME": home, "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "cvsearch", *shlex.split(arguments)]
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environ, close_fds=True)
    os.close(side)
    shown = bytearray()
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # a terminal whose last writer has gone says so
        pass
    process.wait()
    os.close(main)
    text = shown.decode().replace("\r\n", "\n")
    text = re.sub(r"\x1b\]8;[^\x1b]*\x1b\\", "", text)
    text = re.sub(r"(?m)^.*(\r|\x1b\[2K).*$\n?", _last, text)
    return re.sub(r"(?m)^.*━.*\n", "", text)


def _last(line: re.Match[str]) -> str:
    """What a line that was drawn over and over shows in the end."""
    rest = re.split(r"\r|\x1b\[2K|\x1b\[1A", line[0])[-1]
    return rest if rest.strip() else ""


def main() -> None:
    """Writes ``docs/images/query.svg``."""
    console = Console(
        record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="standard"
    )
    with tempfile.TemporaryDirectory() as home:
        for arguments in COMMANDS:
            console.print(Text(f"$ cvsearch {arguments}", style="bold"))
            console.print(Text.from_ansi(run(arguments, home).rstrip("\n")))
            console.print()
    Path(__file__).with_name("query.svg").write_text(console.export_svg(title="cvsearch"), encoding="utf-8")


if __name__ == "__main__":
    main()
