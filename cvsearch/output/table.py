"""Tables for people: columns that fit the terminal, file names never cut, scores shaded."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from cvsearch.output.rows import Column, Result
from cvsearch.output.screen import View, encode, file_address, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_GAP = 2
_BAR = 8
_BAR_FROM_WIDTH = 60
_LEAST_WIDTH = 12
_BLOCK = 500
_EIGHTHS = " ▏▎▍▌▋▊▉█"


class _Cell(NamedTuple):
    """What is shown in a cell, in which style, and the file that it links to."""

    text: str
    style: str = ""
    path: str = ""


def render_table(result: Result[Any], view: View, block: int = _BLOCK) -> Iterator[bytes]:
    """The columns that have a title, `block` rows at a time, the header with the first.

    So the first of a hundred thousand rows is seen at once.  Scores have four decimals and a bar that
    compares them.
    """
    rows = list(result.rows)
    columns, cells = [], []
    for column, part in _lay_out(result.columns, rows, view):
        columns.append(column)
        cells.append(part)
    natural = [
        max(map(text_width, [column.title or "", *(cell.text for cell in part)]))
        for column, part in zip(columns, cells, strict=True)
    ]
    least = [
        width if column.right else min(width, _LEAST_WIDTH)
        for width, column in zip(natural, columns, strict=True)
    ]
    gaps = _GAP * (len(columns) - 1)
    widths = fit_widths(natural, least, None if view.width is None else view.width - gaps)
    console = _make_console(sum(widths) + gaps, view)
    for start in range(0, max(1, len(rows)), block):
        grid = _make_grid(columns, widths, header=start == 0 and any(column.title for column in columns))
        for row in zip(*(part[start : start + block] for part in cells), strict=True):
            grid.add_row(*(_make_text(cell, width, view) for cell, width in zip(row, widths, strict=True)))
        with console.capture() as captured:
            console.print(grid)
        lines = captured.get().split("\n")[:-1]
        yield encode("".join(line.rstrip(" ") + "\n" for line in lines), view)
    if result.details is not None:
        yield b"\n"
        yield from render_table(result.details, view)


def _lay_out(
    columns: Sequence[Column[Any]], rows: Sequence[Any], view: View
) -> Iterator[tuple[Column[Any], list[_Cell]]]:
    """The columns for people with their cells; after scores, if there is room, the bars."""
    for column in columns:
        if column.title is None:
            continue
        values: list[Any] = [*map(column.read, rows)]
        if column.kind == "path":
            yield column, [_Cell(shown_path(path, view), path=path) for path in values]
            continue
        texts = [printable(column.describe(value)) for value in values]
        if column.kind not in ("score", "distance"):
            style = "bold green" if column.kind == "mark" else ""
            yield column, [_Cell(text, style if text else "") for text in texts]
            continue
        parts = relative(values, column.kind == "distance")
        yield column, [_Cell(text, shade(part)) for text, part in zip(texts, parts, strict=True)]
        if view.width is None or view.width >= _BAR_FROM_WIDTH:
            yield Column("", title=""), [_Cell(make_bar(part, view), shade(part)) for part in parts]


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


def _make_grid(columns: Sequence[Column[Any]], widths: Sequence[int], header: bool) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), show_header=header, header_style="bold")
    for column, width in zip(columns, widths, strict=True):
        grid.add_column(
            column.title or "",
            style=column.style,
            width=width,
            overflow="fold",
            justify="right" if column.right else "left",
        )
    return grid


def _make_text(cell: _Cell, width: int, view: View) -> Text:
    from rich.style import Style
    from rich.text import Text

    style = Style.parse(cell.style)
    if not cell.path:
        return Text(cell.text, style)
    if view.color and view.terminal:
        style += Style(link=file_address(cell.path))
    # As a part of the text: the padding beside it is no link.
    return Text().append(fit_path(cell.text, width, view.ellipsis), style)


def shown_path(path: str, view: View) -> str:
    """The path as tables show it: relative to the working folder if it lies beneath it, and printable."""
    base = view.cwd.rstrip("/") + "/"
    if view.cwd and path.startswith(base):
        path = path[len(base) :]
        # What is copied from the screen must not be taken for an option.
        path = "./" + path if path.startswith("-") else path
    return printable(path)


def text_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def fit_path(path: str, width: int, mark: str = "…") -> str:
    """The path in at most `width` columns if its name allows: the folder's middle goes, never the name."""
    if text_width(path) <= width:
        return path
    folder, _, name = path.rpartition("/")
    if not folder:
        return path
    return f"{_cut(folder, max(0, width - text_width(f'/{name}')), mark)}/{name}"


def cut_path(path: str, width: int, mark: str = "…") -> str:
    """The path in at most `width` columns: if it must be, the name alone, without its middle."""
    shown = fit_path(path, width, mark)
    if text_width(shown) <= width:
        return shown
    name = path.rpartition("/")[2] or path
    return name if text_width(name) <= width else _cut(name, width, mark)


def _cut(text: str, width: int, mark: str) -> str:
    """The text with the mark in place of its middle, a third of the room before it."""
    room = max(0, width - text_width(mark))
    first, last = room // 3, room - room // 3
    head = text[: _count(text, first)]
    while text_width(head) > first:
        head = head[:-1]
    tail = text[len(text) - _count(text[::-1], last) :]
    while text_width(tail) > last:
        tail = tail[1:]
    return head + mark + tail


def _count(text: str, room: int) -> int:
    """How many characters fit if each is measured alone: together some are wider, such as emoji."""
    for count, character in enumerate(text):
        room -= text_width(character)
        if room < 0:
            return count
    return len(text)
