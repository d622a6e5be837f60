"""A heatmap as one HTML page: rows against columns, shaded by score, with thumbnails inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvsearch.model import Classification
from cvsearch.output.html.page import make_page, picture, read_part, text
from cvsearch.output.humanize import human_count
from cvsearch.output.screen import View, printable
from cvsearch.output.shaded import NONE
from cvsearch.output.table import cut_path, shown_path

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STRONG = 75
"""Per cent of the colour from which text is white: below, dark text is easier to read."""
_WIDEST_COLUMN = 40
_WIDEST_ROW = 72
"""In columns of a terminal; what is longer stands whole in the title."""


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Scores of rows against columns: those of one row as a tuple, None where there is none.

    `per_row` shades each row by itself and marks its best, else all scores share one scale, as do those
    that are alone in their rows.  `same`: the rows are the columns, and what meets itself is left out of
    the scale, as is the column `unshaded`.
    """

    title: str
    notes: Sequence[str]
    rows: Sequence[str]
    columns: Sequence[str]
    scores: Sequence[Sequence[float | None]]
    per_row: bool = False
    same: bool = False
    unshaded: int | None = None


def classify_heatmap(classifications: Sequence[Classification], labels: Sequence[str], view: View) -> Heatmap:
    """Pictures against labels; the last column is there if any picture is none of these."""
    rows = [dict(one.labels) for one in classifications]
    hint = "; compare within a row" if any(len(row) > 1 for row in rows) else ""
    columns: list[str | None] = [*labels, *([None] if any(None in row for row in rows) else [])]
    return Heatmap(
        title=f"{human_count(len(rows), 'picture')} classified",
        notes=(f"Cosine similarity of each picture with each label{hint}.",),
        rows=[shown_path(one.image, view) for one in classifications],
        columns=[NONE if label is None else label for label in columns],
        scores=[[row.get(label) for label in columns] for row in rows],
        per_row=True,
        unshaded=columns.index(None) if None in columns else None,
    )


def compare_heatmap(names: Sequence[str], scores: NDArray[np.float64]) -> Heatmap:
    """Pictures, as they were named, against one another; `scores` is their matrix, of shape (n, n)."""
    return Heatmap(
        title=f"{len(names)} pictures compared",
        notes=("Cosine similarity of each picture with each other; 1 is the same direction.",),
        rows=names,
        columns=names,
        scores=scores.tolist(),
        same=True,
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    """What scores are shaded by: per cent from lowest to highest, `flat` where these are the same."""

    low: float
    high: float
    flat: int = 100
    best: float | None = None

    def part(self, score: float) -> int:
        room = self.high - self.low
        return self.flat if room < 1e-9 else round(100 * (score - self.low) / room)


def render_heatmap(heatmap: Heatmap, thumbnails: Sequence[bytes | None], footer: str = "") -> bytes:
    """The page; `thumbnails` are JPEG files of the rows, None where there is none."""
    shaded = [_shaded(heatmap, row) for row in range(len(heatmap.rows))]
    pool = [score for scores in shaded for score in scores]
    body = "\n".join(
        [
            *(f"<p>{text(note)}</p>" for note in heatmap.notes),
            *(f"<p>{legend}</p>" for legend in _legend(heatmap, [*map(len, shaded)], pool)),
            '<div class="frame"><table>',
            f"<thead><tr><th></th>{''.join(_column_heads(heatmap, thumbnails))}</tr></thead>",
            "<tbody>",
            *_rows(heatmap, thumbnails, shaded, pool),
            "</tbody></table></div>",
        ]
    )
    return make_page(heatmap.title, body, style=read_part("heatmap.css"), footer=footer)


def _legend(heatmap: Heatmap, counts: Sequence[int], pool: Sequence[float]) -> Iterator[str]:
    """What the shades mean, if anything is shaded: so many scores of each row, all of them in the `pool`."""
    shared = _find_scale(heatmap, pool)
    if heatmap.per_row and max(counts, default=0) > 1:
        rest = "; a row with one score is shaded by all scores" if 1 in counts else ""
        yield f'lowest of the row <span class="scale"></span> highest of the row (underlined){rest}'
    elif shared.part(shared.high):
        yield f'{shared.low:.4f} <span class="scale"></span> {shared.high:.4f}'


def _shaded(heatmap: Heatmap, row: int) -> list[float]:
    """The scores of a row that have a shade."""
    bare = row if heatmap.same else heatmap.unshaded
    return [score for column, score in enumerate(heatmap.scores[row]) if score is not None and column != bare]


def _find_scale(heatmap: Heatmap, pool: Sequence[float], row: Sequence[float] = ()) -> _Scale:
    """That of a row's scores, or the one that all of the `pool` share."""
    if heatmap.per_row and len(row) > 1:
        return _Scale(min(row), max(row), best=max(row))
    return _Scale(min(pool, default=0.0), max(pool, default=0.0), flat=0 if heatmap.per_row else 100)


def _column_heads(heatmap: Heatmap, thumbnails: Sequence[bytes | None]) -> Iterator[str]:
    for number, name in enumerate(heatmap.columns, start=1):
        short = cut_path(printable(name.rpartition("/")[2] if heatmap.same else name), _WIDEST_COLUMN)
        shown = f"{number} · {short}" if heatmap.same else short
        image = _image(thumbnails[number - 1]) if heatmap.same else ""
        yield f'<th scope="col" title="{text(name)}">{image}{text(shown)}</th>'


def _rows(
    heatmap: Heatmap,
    thumbnails: Sequence[bytes | None],
    shaded: Sequence[Sequence[float]],
    pool: Sequence[float],
) -> Iterator[str]:
    for row, (name, scores) in enumerate(zip(heatmap.rows, heatmap.scores, strict=True)):
        short = cut_path(printable(name), _WIDEST_ROW)
        shown = f"{row + 1} · {short}" if heatmap.same else short
        scale = _find_scale(heatmap, pool, shaded[row])
        cells = "".join(_cell(heatmap, row, column, score, scale) for column, score in enumerate(scores))
        head = f'<th scope="row" title="{text(name)}">{_image(thumbnails[row])}{text(shown)}</th>'
        yield f"<tr>{head}{cells}</tr>"


def _cell(heatmap: Heatmap, row: int, column: int, score: float | None, scale: _Scale) -> str:
    if score is None:
        return '<td class="none">–</td>'
    title = f"{text(heatmap.rows[row])} / {text(heatmap.columns[column])}"
    if heatmap.same and row == column:
        return f'<td class="self" title="{title}">{score:.4f}</td>'
    part = 0 if column == heatmap.unshaded else scale.part(score)
    marks = ["on"] * (part >= _STRONG) + ["best"] * (score == scale.best)
    return f'<td class="{" ".join(marks)}" style="--p:{part}" title="{title}">{score:.4f}</td>'


def _image(thumbnail: bytes | None) -> str:
    return "" if thumbnail is None else picture(thumbnail, "")
