"""What `classify` and `compare` show people: scores that are shaded by where they lie among one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from cvsearch.model import Classification
from cvsearch.output.screen import View, encode_line, link, paint, printable
from cvsearch.output.table import cut_path, fit_path, make_bar, relative, shade, shown_path, text_width

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NONE = "none of these"

_NO_LIMIT = 10**6
_WIDEST_LABEL = 32
_LEAST_PATH = 12
_BAR = 8
_GAP = "  "
_SHADES = " ░▒▓█"
_PLAIN_SHADES = " .:+#"


def draw_classifications(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """A picture's name, and below it each label with score and bar, as the pictures come.

    Scores are shaded by where they lie among the picture's own: there is no scale for all pictures.
    """
    width = 0 if len(labels) == 1 else _BAR + len(_GAP)
    for number, one in enumerate(classifications):
        if number:
            yield b"\n"
        path = fit_path(shown_path(one.image, view), _room(view), view.ellipsis)
        yield encode_line(link(paint(path, "bold", view), one.image, view), view)
        parts = relative([score for _, score in one.labels])
        bars = [(make_bar(part, view), shade(part)) for part in parts]
        if len(bars) == 1:  # there is nothing to compare it with
            bars = [("", "" if one.found else "dim")]
        for (label, score), (bar, style) in zip(one.labels, bars, strict=True):
            figures = paint(f"{score:7.4f}  {bar:<{width}}", style, view)
            yield encode_line(figures + _label_text(label), view)


def draw_best(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """The best label of each picture, a line each, as the pictures come."""
    width = min(_WIDEST_LABEL, max(map(text_width, [*map(printable, labels), NONE])))
    for one in classifications:
        label, score = one.labels[0]
        text, style = _label_text(label), "dim" if label is None else "bold green"
        gap = " " * max(0, width - text_width(text))
        room = _room(view) - 11 - max(width, text_width(text))
        path = fit_path(shown_path(one.image, view), max(room, _LEAST_PATH), view.ellipsis)
        head = f"{paint(f'{score:7.4f}  {text}', style, view)}{gap}{_GAP}"
        yield encode_line(head + link(path, one.image, view), view)


def _label_text(label: str | None) -> str:
    return NONE if label is None else printable(label)


def draw_matrix(names: Sequence[str], scores: NDArray[np.float64], view: View) -> Iterator[bytes]:
    """The matrix, in panels of as many columns as fit; columns bear the numbers of the rows.

    A block before each score shades it by where it lies among the scores of unlike pictures.
    """
    digits = len(str(len(names)))
    cell = len(_GAP) + 1 + max(7, digits)
    heads = _heads(names, view, digits + 1 + cell)
    margin = digits + 1 + text_width(heads[0])
    step = max(1, (_room(view) - margin) // cell)
    others = [float(score) for row, line in enumerate(scores) for score in line[row + 1 :]]
    low, room = min(others), max(others) - min(others)
    for start in range(0, len(names), step):
        columns = range(start, min(start + step, len(names)))
        if start:
            yield b"\n"
        titles = "".join(f"{column + 1:>{cell}}" for column in columns)
        yield encode_line(paint(" " * margin + titles, "bold", view), view)
        for row, (name, head) in enumerate(zip(names, heads, strict=True)):
            line = f"{row + 1:>{digits}} {link(head, name, view)}"
            for column in columns:
                score = float(scores[row, column])
                part = 1.0 if row == column or room < 1e-9 else (score - low) / room
                style = "dim" if row == column else shade(part)
                line += _GAP + paint(f"{_block(part, view)}{score:>{cell - 3}.4f}", style, view)
            yield encode_line(line, view)


def _heads(names: Sequence[str], view: View, beside: int) -> list[str]:
    """The names as they are shown, all of one width: a third of the terminal at most.

    `beside` is the least width of what else is in a line.
    """
    shown = [shown_path(name, view) for name in names]
    if view.width is not None:
        most = max(1, min(max(_LEAST_PATH, view.width // 3), view.width - beside))
        shown = [cut_path(name, most, view.ellipsis) for name in shown]
    width = max(map(text_width, shown))
    return [name + " " * (width - text_width(name)) for name in shown]


def _block(part: float, view: View) -> str:
    shades = _SHADES if view.unicode else _PLAIN_SHADES
    return shades[min(len(shades) - 1, max(0, round(part * (len(shades) - 1))))]


def _room(view: View) -> int:
    return _NO_LIMIT if view.width is None else view.width
