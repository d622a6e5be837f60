"""A heatmap as one HTML page: rows against columns, shaded by score, with thumbnails inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cvsearch.output.html.page import make_page, picture, text
from cvsearch.output.names import cut_path
from cvsearch.output.screen import printable

_STYLE = """
.frame{overflow:auto;max-height:88vh;margin-top:1rem;border:1px solid var(--line);border-radius:6px}
table{border-collapse:separate;border-spacing:0;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .5rem;border-bottom:1px solid var(--line);border-right:1px solid var(--line)}
th{background:var(--panel);font-weight:600;font-size:.8rem;text-align:left;vertical-align:middle;
white-space:pre-wrap}
thead th{position:sticky;top:0;z-index:1;text-align:center;vertical-align:bottom;min-width:5.8rem;
max-width:8.5rem;overflow-wrap:anywhere}
tbody th{position:sticky;left:0;width:12rem;min-width:10rem;max-width:16rem;overflow-wrap:anywhere}
thead th:first-child{left:0;z-index:2}
img{display:block;max-width:64px;max-height:64px;border-radius:4px;margin:0 auto .25rem}
tbody th img{margin:0 0 .25rem}
td{text-align:center;min-width:4.2rem;background:color-mix(in srgb,var(--high) calc(var(--p)*1%),var(--back))}
td.on{color:var(--on-high)}
td.self{background:var(--panel);color:var(--soft)}
td.none{color:var(--soft);background:none}
td.best{font-weight:700;text-decoration:underline}
.scale{display:inline-block;width:8rem;height:.8rem;vertical-align:-.1rem;border:1px solid var(--line);
border-radius:3px;background:linear-gradient(90deg,var(--back),var(--high))}
@media(max-width:40rem){th,td{padding:.25rem .3rem;font-size:.78rem}td,thead th{min-width:3.4rem}
tbody th{min-width:5.5rem;max-width:7rem}img{max-width:44px;max-height:44px}}
"""
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
    body = "\n".join(
        [
            *(f"<p>{text(note)}</p>" for note in heatmap.notes),
            *(f"<p>{legend}</p>" for legend in _legend(heatmap)),
            '<div class="frame"><table>',
            f"<thead><tr><th></th>{''.join(_column_heads(heatmap, thumbnails))}</tr></thead>",
            "<tbody>",
            *_rows(heatmap, thumbnails),
            "</tbody></table></div>",
        ]
    )
    return make_page(heatmap.title, body, style=_STYLE, footer=footer)


def _legend(heatmap: Heatmap) -> Iterator[str]:
    """What the shades mean, if anything is shaded."""
    counts = [len(_shaded(heatmap, row)) for row in range(len(heatmap.rows))]
    shared = _find_scale(heatmap, _pool(heatmap))
    if heatmap.per_row and max(counts, default=0) > 1:
        rest = "; a row with one score is shaded by all scores" if 1 in counts else ""
        yield f'lowest of the row <span class="scale"></span> highest of the row (underlined){rest}'
    elif shared.part(shared.high):
        yield f'{shared.low:.4f} <span class="scale"></span> {shared.high:.4f}'


def _pool(heatmap: Heatmap) -> list[float]:
    """The scores that share the one scale."""
    return [score for row in range(len(heatmap.rows)) for score in _shaded(heatmap, row)]


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
        short = _shorten(name.rpartition("/")[2] if heatmap.same else name, _WIDEST_COLUMN)
        shown = f"{number} · {short}" if heatmap.same else short
        image = _image(thumbnails[number - 1]) if heatmap.same else ""
        yield f'<th scope="col" title="{text(name)}">{image}{text(shown)}</th>'


def _rows(heatmap: Heatmap, thumbnails: Sequence[bytes | None]) -> Iterator[str]:
    pool = _pool(heatmap)
    for row, (name, scores) in enumerate(zip(heatmap.rows, heatmap.scores, strict=True)):
        short = _shorten(name, _WIDEST_ROW)
        shown = f"{row + 1} · {short}" if heatmap.same else short
        scale = _find_scale(heatmap, pool, _shaded(heatmap, row))
        cells = "".join(_cell(heatmap, row, column, score, scale) for column, score in enumerate(scores))
        head = f'<th scope="row" title="{text(name)}">{_image(thumbnails[row])}{text(shown)}</th>'
        yield f"<tr>{head}{cells}</tr>"


def _shorten(name: str, most: int) -> str:
    return cut_path(printable(name), most)


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
