"""Groups of duplicates as lines for pipelines and as a table for people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvsearch.output.lines import also_fields, json_line, path_fields
from cvsearch.output.screen import View, printable

if TYPE_CHECKING:
    from cvsearch.output.table import Cell


@dataclass(frozen=True, slots=True)
class Line:
    """A photo of a group.  `bits` and `score` compare it with the one to keep; `linked`: it is that file."""

    group: int
    kind: str
    keep: bool
    path: str
    sha256: bytes
    size: int
    pixels: tuple[int, int] | None
    linked: bool = False
    bits: int | None = None
    score: float | None = None
    also: tuple[str, ...] = ()


def render_lines(lines: Iterable[Line]) -> Iterator[bytes]:
    """One JSON object a photo."""
    for line in lines:
        fields = path_fields(line.path)
        yield json_line(
            {
                "group": line.group,
                "kind": line.kind,
                "keep": line.keep,
                "path": fields.pop("path"),
                "sha256": line.sha256.hex(),
                **fields,
                **({"linked": True} if line.linked else {}),
                **({} if line.bits is None else {"distance": line.bits}),
                **({} if line.score is None else {"score": line.score}),
                **also_fields(line.also),
            }
        )


def render_names(paths: Iterable[str], view: View, *, end: bytes) -> Iterator[bytes]:
    """Raw paths, each with its end; escaped on a terminal."""
    for path in paths:
        raw = os.fsencode(path)
        if view.terminal:
            raw = printable(path).encode(view.encoding, "backslashreplace")
        yield raw + end


def render_groups(lines: Sequence[Line], view: View) -> Iterator[bytes]:
    """A table: the photo to keep first in each group, then those that could go."""
    from cvsearch.output.table import Column, make_table

    columns = [
        Column("group", right=True, style="dim"),
        Column("kind"),
        Column("keep"),
        Column("size", right=True),
        Column("photo", path=True),
        Column("", style="dim"),
    ]
    return make_table(columns, (_row(line, view) for line in lines), view)


def _row(line: Line, view: View) -> list[Cell]:
    from cvsearch.output.messages import human_bytes, human_count
    from cvsearch.output.table import companion_notes

    size = human_bytes(line.size)
    if line.pixels is not None:
        size = f"{line.pixels[0]} × {line.pixels[1]}, {size}"
    notes = companion_notes(line.also)
    if line.linked:
        notes.append("the same file or photo")
    if line.bits is not None:
        notes.append(f"{human_count(line.bits, 'bit')} apart")
    elif line.score is not None:
        notes.append(f"score {line.score:.4f}")
    keep: Cell = ("keep", "bold green") if line.keep else ""
    return [str(line.group), line.kind, keep, size, line.path, "  ".join(notes)]
