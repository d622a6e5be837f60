"""The shell examples in the documents: found, run, and compared with the output printed beneath them.

A block fenced as ``console`` is run: lines that begin with ``$ `` are commands, the rest is what they
show on a terminal of 80 columns.  A page's blocks share one folder that holds ``photos/``, a copy of
the photos that come with cvsearch, and ``make_frames.py``; nothing but the built-in model is set up.
A command that is a lone ``export`` holds for those that follow.  A command that needs a tool which is
not installed is not run.  Blocks fenced as ``sh``, ``yaml`` and ``crontab`` are not run: their cvsearch
commands are checked for names and options.  Lines that end with a backslash go on.  No other kinds of
blocks than `KINDS` may stand in a page.
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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from places import PROJECT

PAGES = sorted(
    [PROJECT / "README.md", PROJECT / "terraform" / "README.md", *(PROJECT / "docs").rglob("*.md")]
)
WIDTH = 80
HOME = "/home/you"
TOOLS = ("fzf", "jq", "sqlite3")
"""What the examples call besides cvsearch, Python and what every system has."""
KINDS = ("console", "sh", "yaml", "crontab", "python", "json", "hcl", "text")
"""What a block may be fenced as."""
_FENCE = re.compile(rf"^```({'|'.join(KINDS)})\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_EXPORT = re.compile(r"export( \w+=[^\s;&|]+)+")
_TOOL = re.compile(rf"(?:^|[|;&(`])\s*({'|'.join(TOOLS)})\b", re.MULTILINE)
_BEFORE = re.compile(r"^\s*(?:(?:[-*/,\d]+\s+){5})?(?:- )?(?:run: )?(?:\w+=\S+\s+)*(?=(?:\S*/)?cvsearch\s)")
"""What stands before a command: when cron runs it, a workflow's key, settings for this command alone."""
_PASSING = (
    (re.compile(r"in \d+ (s|min)\b"), "in N s"),
    (re.compile(r"\bjust now\b|\b\d+ (s|min|h) ago\b"), "AGE"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r'"seconds":[\d.]+'), '"seconds":N'),
)
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = re.compile(rf"[{_EIGHTHS.strip()}]+")
_SIZE = re.compile(r"(\d[\d.,]*) (bytes?|[kMG]B)\b")
_NUMBER = re.compile(r"-?\d+\.\d{2,}")
_UNITS = {"byte": 1, "bytes": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_SCORE_TOLERANCE, _BAR_TOLERANCE, _SIZE_TOLERANCE = 0.002, 1, 0.1
"""Scores may differ in their last digits from one processor to another, and their bars by an eighth of a
column; what a picture is compressed to by a tenth from one library to another."""


@dataclass(frozen=True)
class Example:
    """One command and what it shows; `start` and `end` are where the output stands in the page."""

    command: str
    output: str
    start: int
    end: int


def name_page(page: Path) -> str:
    """A page's name, without the project's folder and the ending."""
    return page.relative_to(PROJECT).with_suffix("").as_posix()


def find_blocks(text: str, *kinds: str) -> Iterator[re.Match[str]]:
    """The fenced blocks of some kinds."""
    return (found for found in _FENCE.finditer(text) if found[1] in kinds)


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


def find_absent_tools(command: str) -> list[str]:
    """The tools a command calls that are not installed here."""
    return sorted({tool for tool in _TOOL.findall(command) if shutil.which(tool) is None})


def find_commands(text: str) -> list[list[str]]:
    """The cvsearch commands of the blocks that are not run, as arguments."""
    return [
        words
        for block in find_blocks(text, "sh", "yaml", "crontab")
        for line in block[2].replace("\\\n", " ").splitlines()
        for words in _find_in_line(line)
    ]


def _find_in_line(line: str) -> Iterator[list[str]]:
    line = _BEFORE.sub("", re.sub(r"(^|\s)#.*", "", line))
    if not re.search(r"\bcvsearch\s", line):
        return
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split, lexer.commenters = True, ""
    parts: list[list[str]] = [[]]
    cut = False  # after a redirection, whose file is no argument
    for word in lexer:
        if set(word) <= set("|&;"):
            parts.append([])
            cut = False
        elif set(word) <= set("|&;<>"):
            cut = True
        elif not cut:
            parts[-1].append(word)
            if re.match(r"cvsearch [a-z]", word):  # a command within a command, as fzf's --preview
                yield from _find_in_line(word)
    yield from (words[1:] for words in parts if words and Path(words[0]).name == "cvsearch")


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
        shutil.copy(PROJECT / "docs" / "how-to" / "make_frames.py", folder)
        yield folder
    finally:
        shutil.rmtree(folder)


def is_export(command: str) -> bool:
    """Whether a command sets variables and does nothing else."""
    return _EXPORT.fullmatch(command) is not None


def run_command(command: str, folder: Path, before: Iterable[str] = ()) -> str:
    """What a command shows on a terminal, after the exports `before` it."""
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
        ["bash", "-c", "\n".join([*before, command])],
        cwd=folder,
        env=environ,
        stdin=side,
        stdout=side,
        stderr=side,
        close_fds=True,
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
    """Whether two outputs are the same but for times, a little of sizes, and the last digits of scores."""
    one, other = _settle(shown), _settle(printed)
    for pattern, value, is_near in (
        (_SIZE, _size, lambda a, b: abs(a - b) <= _SIZE_TOLERANCE * max(a, b)),
        (_BAR, _eighths, lambda a, b: abs(a - b) <= _BAR_TOLERANCE),
        (_NUMBER, _number, lambda a, b: abs(a - b) <= _SCORE_TOLERANCE),
    ):
        pairs = list(zip(pattern.finditer(one), pattern.finditer(other), strict=False))
        if not all(is_near(value(a), value(b)) for a, b in pairs):
            return False
        one, other = pattern.sub("#", one), pattern.sub("#", other)
    return one == other


def _settle(text: str) -> str:
    for pattern, stand_in in _PASSING:
        text = pattern.sub(stand_in, text)
    return re.sub(r" +", " ", text).strip()  # padding follows the widths of what it pads


def _size(found: re.Match[str]) -> float:
    return float(found[1].replace(",", "")) * _UNITS[found[2]]


def _eighths(found: re.Match[str]) -> float:
    return sum(map(_EIGHTHS.index, found[0]))


def _number(found: re.Match[str]) -> float:
    return float(found[0])
