"""Tables for people: columns that fit the terminal, file names never cut, scores shaded."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from cvsearch.model import Match, Report
from cvsearch.output.lines import separated_row
from cvsearch.output.names import fit_path
from cvsearch.output.screen import View, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Cell = str | tuple[str, str]
"""What is in a cell, or that with its style: rich's words, and only ANSI colours, bold and dim."""

_GAP = 2
_BAR = 8
_BAR_FROM_WIDTH = 60
_LEAST_WIDTH = 12
_BLOCK = 500
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True, slots=True)
class Column:
    """A column; a `path` column takes absolute paths, shortens their folders and links to them."""

    title: str
    right: bool = False
    path: bool = False
    style: str = ""


def make_table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], view: View) -> Iterator[bytes]:
    """A list of things: a table on a terminal, elsewhere a header and rows separated by tabs."""
    if view.terminal:
        return _drawn(columns, rows, view)
    titles: list[Sequence[Cell]] = [[column.title for column in columns]]
    return _tabbed([*titles, *rows])


def make_pairs(pairs: Iterable[tuple[str, Cell]], view: View) -> Iterator[bytes]:
    """One thing's facts, label and value; elsewhere than on a terminal separated by a tab."""
    if view.terminal:
        return _drawn((Column("", style="dim"), Column("")), pairs, view)
    return _tabbed(pairs)


def render_matches(report: Report, view: View, block: int = _BLOCK) -> Iterator[bytes]:
    """The matches with rank, score to four decimals, a bar that compares the scores, and the photo.

    `block` matches at a time, the header with the first.
    """
    smallest_first = report.metric == "euclidean"
    bars = view.width is None or view.width >= _BAR_FROM_WIDTH
    columns = [
        Column("rank", right=True, style="dim"),
        Column("distance" if smallest_first else "score", right=True),
        *([Column("")] if bars else []),
        Column("photo", path=True),
    ]
    if notes := any(match.same or match.also or match.alike for match in report.matches):
        columns.append(Column(""))
    parts = relative([match.score for match in report.matches], smallest_first)
    rows: list[list[Cell]] = []
    for match, part in zip(report.matches, parts, strict=True):
        bar: list[Cell] = [(make_bar(part, view), shade(part))] if bars else []
        note: list[Cell] = ["  ".join(match_notes(match))] if notes else []
        rows.append([str(match.rank), (f"{match.score:.4f}", shade(part)), *bar, match.path, *note])
    yield from _drawn(columns, rows, view, block)
    if any(match.shares for match in report.matches):
        yield b"\n"
        yield from _explain(report, view)


def _explain(report: Report, view: View) -> Iterator[bytes]:
    """What each term gave to each match."""
    columns = [
        Column("rank", right=True, style="dim"),
        Column("term"),
        Column("score", right=True),
        Column("standard", right=True),
        Column("share", right=True),
        Column("alone", right=True),
        Column("percentile", right=True),
    ]
    rows: list[list[Cell]] = []
    for match in report.matches:
        for number, share in enumerate(match.shares):
            weight = "" if share.term.weight == 1 else f"{share.term.weight:g} × "
            rows.append(
                [
                    "" if number else str(match.rank),
                    weight + share.term.value,
                    f"{share.score:.4f}",
                    f"{share.standard:+.2f}",
                    f"{100 * share.share:.0f} %",
                    f"{share.rank:,}",
                    f"{share.percentile:.1f}",
                ]
            )
    return _drawn(columns, rows, view)


def match_notes(match: Match) -> list[str]:
    """What else is to be said of a match: that it is what was shown, its companions, its near-twins."""
    same = [f"same {match.same}"] if match.same else []
    alike = [f"+{match.alike:,} alike"] if match.alike else []
    return [*same, *companion_notes(match.also), *alike]


def companion_notes(also: Iterable[str]) -> list[str]:
    """Companions as a table names them: ``+ a.nef``."""
    return [f"+ {os.path.basename(path)}" for path in also]


def relative(scores: Sequence[float], smallest_first: bool = False) -> list[float]:
    """Each score as a part of the best one, from 0 to 1; of distances, the smallest as a part of each.

    There is no scale that holds for every query, so a score is only compared with the best.
    """
    if smallest_first:
        best = min(scores, default=0.0)
        return [1.0 if score <= best else best / score for score in scores]
    best = max(scores, default=0.0)
    return [1.0 if score >= best else max(0.0, score / best) if best > 0 else 0.0 for score in scores]


def shade(part: float) -> str:
    """The style of a score by where it lies between worst and best; readable on light and dark."""
    if part >= 2 / 3:
        return "bold green"
    return "green" if part >= 1 / 3 else "dim"


def make_bar(part: float, view: View) -> str:
    """A bar of one to eight columns, never empty."""
    if not view.unicode:
        return "#" * max(1, round(part * _BAR))
    full, rest = divmod(max(1, round(part * _BAR * 8)), 8)
    return _EIGHTHS[8] * full + _EIGHTHS[rest].strip()


def fit_widths(natural: Sequence[int], least: Sequence[int], room: int | None) -> list[int]:
    """Widths that together fit the room: the widest gives way first, none below its least."""
    widths = list(natural)
    while room is not None and sum(widths) > room:
        shrinkable = [index for index, width in enumerate(widths) if width > least[index]]
        if not shrinkable:
            break
        widths[max(shrinkable, key=widths.__getitem__)] -= 1
    return widths


def _tabbed(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    for row in rows:
        yield separated_row((cell if isinstance(cell, str) else cell[0] for cell in row), "\t")


def _drawn(
    columns: Sequence[Column], rows: Iterable[Sequence[Cell]], view: View, block: int = _BLOCK
) -> Iterator[bytes]:
    """A block of rows at a time, so that the first of a hundred thousand is seen at once."""
    from rich.cells import cell_len

    table = [list(row) for row in rows]
    shown = [[_shown(cell, column, view) for cell, column in zip(row, columns, strict=True)] for row in table]
    titles = [column.title for column in columns]
    natural = [max(map(cell_len, entries)) for entries in zip(titles, *shown, strict=True)]
    least = [
        width if column.right else min(width, _LEAST_WIDTH)
        for width, column in zip(natural, columns, strict=True)
    ]
    gaps = _GAP * (len(columns) - 1)
    widths = fit_widths(natural, least, None if view.width is None else view.width - gaps)
    console = _make_console(sum(widths) + gaps, view)
    for start in range(0, max(1, len(table)), block):
        grid = _make_grid(columns, widths, header=start == 0 and any(titles))
        for row, texts in zip(table[start : start + block], shown[start : start + block], strict=True):
            grid.add_row(
                *(
                    _make_text(cell, text, column, width, view)
                    for cell, text, column, width in zip(row, texts, columns, widths, strict=True)
                )
            )
        yield _flush(console, grid, view)


def _make_console(width: int, view: View) -> Console:
    from rich.console import Console

    # The environment is `View`'s affair: rich is told everything and asks nothing.
    return Console(
        file=io.StringIO(),
        width=max(1, width),
        height=25,
        color_system="standard" if view.color else None,
        force_terminal=view.color,
        no_color=not view.color,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )


def _make_grid(columns: Sequence[Column], widths: Sequence[int], header: bool) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=header, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(
            column.title,
            style=column.style,
            width=width,
            overflow="fold",
            justify="right" if column.right else "left",
        )
    return grid


def _make_text(cell: Cell, shown: str, column: Column, width: int, view: View) -> Text:
    from rich.style import Style
    from rich.text import Text

    style = Style.null() if isinstance(cell, str) else Style.parse(cell[1])
    if not column.path:
        return Text(shown, style)
    if view.color and view.terminal:
        path = cell if isinstance(cell, str) else cell[0]
        style += Style(link=f"file://{os.uname().nodename}{quote_from_bytes(os.fsencode(path))}")
    # As a part of the text: the padding beside it is no link.
    return Text().append(fit_path(shown, width, "…" if view.unicode else "..."), style)


def _flush(console: Console, grid: Table, view: View) -> bytes:
    buffer = console.file
    assert isinstance(buffer, io.StringIO)  # noqa: S101 - what _make_console made
    console.print(grid)
    text = "".join(line.rstrip(" ") + "\n" for line in buffer.getvalue().split("\n")[:-1])
    buffer.seek(0)
    buffer.truncate()
    return text.encode(view.encoding, "backslashreplace")


def _shown(cell: Cell, column: Column, view: View) -> str:
    text = cell if isinstance(cell, str) else cell[0]
    return shown_path(text, view) if column.path else printable(text)


def shown_path(path: str, view: View) -> str:
    """The path as tables show it: relative to the working folder if it lies beneath it, and printable."""
    base = view.cwd.rstrip("/") + "/"
    if view.cwd and path.startswith(base):
        path = path[len(base) :]
        # What is copied from the screen must not be taken for an option.
        path = "./" + path if path.startswith("-") else path
    return printable(path)
