"""What a walk passes over: system folders, and what `exclude` globs and `.cvsearchignore` files name.

Globs and files are both in gitignore's syntax.  As in git, the last pattern that matches a file or
folder decides, patterns of deeper folders come before those of the folders above, the globs of the
command line before all of them, and nothing beneath an excluded folder can be taken back.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass

import pathspec

from cvsearch.errors import CvsearchError

IGNORE_FILE = ".cvsearchignore"

_SYSTEM = frozenset({"@eaDir", "#recycle", "#snapshot", "node_modules", ".git", "System Volume Information"})
_SYSTEM_STARTS = ("._", "SYNOFILE_THUMB_")
_SYSTEM_ENDS = (".lrdata",)
_APPLE_LIBRARY = ".photoslibrary"
_APPLE_ORIGINALS = "originals"

# `.` and `$` of the patterns' expressions treat a newline in a name as the end of a line, so such a
# name would slip through: a private character takes its place.
_NEWLINE = "\ue000"

# What Python's expressions may one day read as nested sets, and warn of today.
_STRANGE_SET = re.compile(r"\[[^]]*(\[|--|&&|~~|\|\|)")


@dataclass(frozen=True, slots=True)
class _Pattern:
    matcher: pathspec.RegexPattern
    folders_only: bool
    excludes: bool

    def matches(self, name: str, folder: bool) -> bool:
        """Whether it means this very name, not merely a folder above it (pathspec's group ``ps_d``)."""
        if self.folders_only and not folder:
            return False
        found = self.matcher.match_file(name)
        return found is not None and not found.match.groupdict().get("ps_d")


@dataclass(frozen=True, slots=True)
class Rules:
    """Patterns that hold beneath one folder, and the `outer` rules that are asked after them."""

    base: str
    patterns: tuple[_Pattern, ...]
    outer: Rules | None = None

    def verdict(self, path: str, *, folder: bool) -> bool | None:
        """Whether `path`, which lies beneath every rule's base, is itself excluded; None: no say.

        That a folder above it is excluded is not seen here: a walk never comes so far.
        """
        rules: Rules | None = self
        while rules is not None:
            name = path[len(rules.base) :].replace("\n", _NEWLINE)
            for pattern in reversed(rules.patterns):
                if pattern.matches(name, folder):
                    return pattern.excludes
            rules = rules.outer
        return None


def is_system_folder(folder: str, name: str, is_folder: bool) -> bool:
    """Whether `name` in `folder` is what systems and catalogues leave beside photos."""
    if folder.rstrip("/").endswith(_APPLE_LIBRARY):
        return name != _APPLE_ORIGINALS or not is_folder
    return name in _SYSTEM or name.startswith(_SYSTEM_STARTS) or name.endswith(_SYSTEM_ENDS)


def make_glob_rules(root: str, globs: Iterable[str]) -> Rules:
    """The rules of `--exclude` globs, relative to `root`; raises `CvsearchError` for a broken glob."""
    try:
        patterns = _compile(glob.replace("\n", _NEWLINE) for glob in globs)
    except ValueError as error:
        raise CvsearchError(f"--exclude: {error}", "write it as in a .gitignore file") from error
    return Rules(os.path.join(root, ""), patterns)


def read_ignore_file(folder: str, outer: Rules | None) -> Rules | None:
    """`outer`, preceded by the rules of the ignore file in `folder` if there is one.

    Raises `OSError` when the file cannot be read and `ValueError` when a line is no pattern: what
    it excludes is then unknown, and a photo that was to be left out must not be sent.
    """
    path = os.path.join(folder, IGNORE_FILE)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return outer
    except FileNotFoundError:
        return outer
    with open(path, "rb") as file:
        lines = os.fsdecode(file.read().removeprefix(b"\xef\xbb\xbf")).split("\n")
    patterns = _compile(line.removesuffix("\r") for line in lines)
    return Rules(os.path.join(folder, ""), patterns, outer) if patterns else outer


def _compile(lines: Iterable[str]) -> tuple[_Pattern, ...]:
    found = []
    for line in lines:
        text = line if line.endswith("\\ ") else line.rstrip()
        if _STRANGE_SET.search(text) and not text.startswith("#"):
            raise ValueError(f"a set within a set is not understood: {text!r}")
        try:
            matchers = pathspec.GitIgnoreSpec.from_lines([text.removesuffix("/")]).patterns
        except (ValueError, re.error) as error:
            raise ValueError(f"not a pattern: {text!r}") from error
        found += [
            _Pattern(one, text.endswith("/"), one.include) for one in matchers if one.include is not None
        ]
    return tuple(found)
