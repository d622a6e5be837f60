"""Pictures against one another: a shaded matrix for people, csv and jsonl for pipelines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from cvsearch.output.lines import json_line, path_fields, separated_row
from cvsearch.output.screen import View, printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Renderer = Callable[[Sequence[str], NDArray[np.float64], View], Iterator[bytes]]

_GAP = "  "
_LEAST_NAME = 12
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:+#"


def render_table(names: Sequence[str], scores: NDArray[np.float64], view: View) -> Iterator[bytes]:
    """The matrix, in panels of as many columns as fit; columns bear the numbers of the rows.

    A block before each score shades it by where it lies among the scores of unlike pictures.
    """
    from cvsearch.output.paint import encode, link, paint

    digits = len(str(len(names)))
    cell = len(_GAP) + 1 + max(7, digits)
    heads, name_width = _heads(names, view, digits + 1 + cell)
    room = 10**6 if view.width is None else view.width - digits - 1 - name_width
    step = max(1, room // cell)
    low, high = _bounds(scores)
    for start in range(0, len(names), step):
        columns = range(start, min(start + step, len(names)))
        if start:
            yield b"\n"
        titles = "".join(f"{column + 1:>{cell}}" for column in columns)
        yield encode(paint(" " * (digits + 1 + name_width) + titles, "bold", view), view)
        for row, (name, head) in enumerate(zip(names, heads, strict=True)):
            line = f"{row + 1:>{digits}} {link(head, name, view)}"
            for column in columns:
                part = 1.0 if row == column else _part(float(scores[row, column]), low, high)
                style = "dim" if row == column else _style(part)
                line += _GAP + paint(f"{_block(part, view)}{scores[row, column]:>{cell - 3}.4f}", style, view)
            yield encode(line, view)


def _heads(names: Sequence[str], view: View, beside: int) -> tuple[list[str], int]:
    """The names as they are shown, all of one width: a third of the terminal at most.

    `beside` is the least width of what else is in a line.
    """
    from rich.cells import cell_len

    from cvsearch.output.names import cut_path
    from cvsearch.output.table import shown_path

    shown = [shown_path(name, view) for name in names]
    if view.width is not None:
        most = max(1, min(max(_LEAST_NAME, view.width // 3), view.width - beside))
        shown = [cut_path(name, most, "…" if view.unicode else "...") for name in shown]
    width = max(map(cell_len, shown))
    return [name + " " * (width - cell_len(name)) for name in shown], width


def _bounds(scores: NDArray[np.float64]) -> tuple[float, float]:
    """The least and the highest score of two different pictures of the list."""
    others = [
        float(scores[row, column]) for row in range(len(scores)) for column in range(row + 1, len(scores))
    ]
    return min(others), max(others)


def _part(score: float, low: float, high: float) -> float:
    return 1.0 if high - low < 1e-9 else (score - low) / (high - low)


def _style(part: float) -> str:
    from cvsearch.output.table import shade

    return shade(part)


def _block(part: float, view: View) -> str:
    shades = _SHADES if view.unicode else _PLAIN_SHADES
    return shades[min(len(shades) - 1, max(0, round(part * (len(shades) - 1))))]


def render_csv(names: Sequence[str], scores: NDArray[np.float64], view: View) -> Iterator[bytes]:
    """A header row and a first column with the pictures as they were named."""
    shown = [printable(name) if view.terminal else _text(name) for name in names]
    yield separated_row(["image", *shown], ",")
    for name, row in zip(shown, scores.tolist(), strict=True):
        yield separated_row([name, *(f"{score + 0.0:.6f}" for score in row)], ",")


def render_jsonl(names: Sequence[str], scores: NDArray[np.float64], view: View) -> Iterator[bytes]:
    """One JSON object for each pair, in the order of the matrix."""
    for row, first in enumerate(names):
        for column in range(row + 1, len(names)):
            fields = path_fields(first, "a") | path_fields(names[column], "b")
            pair = {key: fields.pop(key) for key in ("a", "b")}
            yield json_line({**pair, "score": float(scores[row, column]), **fields})


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "surrogateescape")


MATRICES: dict[str, Renderer] = {"table": render_table, "csv": render_csv, "jsonl": render_jsonl}
"""By the name that `--format` knows."""
