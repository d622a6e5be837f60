"""The shell examples in the documents: found, run, and compared with the output printed beneath them.

A block fenced as ``console`` is run: lines that begin with ``$ `` are commands, the rest is what they
show on a terminal of 80 columns.  A page's blocks share one folder that holds ``photos/``, a copy of
the photos that come with cvsearch; nothing but the built-in model is set up.  A block fenced as ``sh``
is not run: its cvsearch commands are checked for names and options.  Lines that end with a backslash
go on.
"""

from __future__ import annotations

import os
import pty
import random
import re
import shlex
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").glob("*.md")])
WIDTH = 80
HOME = "/home/you"
_FENCE = re.compile(r"^```(console|sh)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_PASSING = (
    (re.compile(r"in \d+ (s|min)\b"), "in N s"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r'"seconds":[\d.]+'), '"seconds":N'),
    (re.compile(r"\d[\d.,]* [kM]B\b"), "SIZE"),
)
_TOLERANCE = 0.002
"""Scores may differ in their last digits from one processor to another."""


@dataclass(frozen=True)
class Example:
    """One command and what it shows; `start` and `end` are where the output stands in the page."""

    command: str
    output: str
    start: int
    end: int


def find_blocks(text: str, kind: str) -> Iterator[re.Match[str]]:
    """The fenced blocks of one kind."""
    return (found for found in _FENCE.finditer(text) if found[1] == kind)


def find_examples(text: str) -> list[Example]:
    """The commands of all ``console`` blocks, in their order."""
    examples = []
    for block in find_blocks(text, "console"):
        for found in re.finditer(
            r"^\$ (?P<command>(?:.*\\\n)*.*)\n(?P<output>(?:(?!\$ ).*\n)*)", block[2], re.MULTILINE
        ):
            offset = block.start(2)
            examples.append(
                Example(
                    found["command"],
                    found["output"],
                    offset + found.start("output"),
                    offset + found.end("output"),
                )
            )
    return examples


def find_commands(text: str) -> list[list[str]]:
    """The cvsearch commands of ``sh`` blocks, as arguments."""
    commands = []
    for block in find_blocks(text, "sh"):
        for line in block[2].replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|\||[|;]", re.sub(r"(^|\s)#.*", "", line)):
                words = shlex.split(part) if "cvsearch" in part else []
                commands += [words[1:]] if words and Path(words[0]).name == "cvsearch" else []
    return commands


@contextmanager
def open_folder() -> Iterator[Path]:
    """What the examples find around them, in a folder whose name is as long as the one they show."""
    while True:
        folder = Path("/tmp") / "".join(random.choices(string.ascii_lowercase, k=len(HOME) - len("/tmp/")))
        try:
            folder.mkdir(mode=0o700)
            break
        except FileExistsError:
            continue
    try:
        shutil.copytree(PROJECT / "docs" / "photos", folder / "photos", ignore=shutil.ignore_patterns("*.md"))
        yield folder
    finally:
        shutil.rmtree(folder)


def run_command(command: str, folder: Path) -> str:
    """What a command shows on a terminal."""
    main, side = pty.openpty()
    environ = {
        "HOME": str(folder / ".home"),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "COLUMNS": str(WIDTH),
        "PWD": str(folder),
    }
    process = subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environ, stdin=side, stdout=side, stderr=side, close_fds=True
    )
    os.close(side)
    shown = bytearray()
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # so a terminal says that its last writer has gone
        pass
    process.wait()
    os.close(main)
    return shown.decode().replace("\r\n", "\n").replace(str(folder), HOME)


def is_alike(shown: str, printed: str) -> bool:
    """Whether two outputs are the same but for times, sizes and the last digits of scores."""
    one, other = _settle(shown), _settle(printed)
    if _NUMBER.sub("#", one) != _NUMBER.sub("#", other):
        return False
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return all(abs(float(a) - float(b)) <= _TOLERANCE for a, b in pairs)


def _settle(text: str) -> str:
    for pattern, stand_in in _PASSING:
        text = pattern.sub(stand_in, text)
    # A bar's length and padding follow the numbers.
    return re.sub(r"[▏▎▍▌▋▊▉█]+", "▌", re.sub(r" +", " ", text)).strip()
