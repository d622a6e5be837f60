"""What pictures are by their labels: shaded lines for people, jsonl and csv for pipelines.

Each form takes the classifications as they come, so thousands of pictures need no more memory than one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from cvsearch.output.html.heatmap import Heatmap
from cvsearch.output.lines import also_fields, json_line, path_fields, separated_row
from cvsearch.output.messages import human_count
from cvsearch.output.screen import View, printable
from cvsearch.ranking.zero_shot import Classification

NONE = "none of these"
COLUMNS = ("image", "label", "rank", "score", "also")

_WIDEST_LABEL = 32
_BAR = 8

Renderer = Callable[[Iterable[Classification], Sequence[str], View], Iterator[bytes]]


def render_table(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """A picture's name, and below it each label with score and bar.

    Scores are shaded by where they lie among the picture's own: there is no scale for all pictures.
    """
    shown = {label: printable(label) for label in labels}
    for number, classification in enumerate(classifications):
        if number:
            yield b"\n"
        yield from _block(classification, shown, view)


def render_best(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """The best label of each picture, a line each."""
    from rich.cells import cell_len

    shown = {label: printable(label) for label in labels}
    width = min(_WIDEST_LABEL, max(map(cell_len, [*shown.values(), NONE])))
    for classification in classifications:
        yield _one_line(classification, shown, width, view)


def _one_line(classification: Classification, shown: dict[str, str], width: int, view: View) -> bytes:
    from rich.cells import cell_len

    from cvsearch.output.names import fit_path
    from cvsearch.output.paint import encode, link, paint
    from cvsearch.output.table import shown_path

    label, score = classification.labels[0]
    text, style = (NONE, "dim") if label is None else (shown[label], "bold green")
    gap = " " * max(0, width - cell_len(text))
    room = 10**6 if view.width is None else view.width - 11 - max(width, cell_len(text))
    path = fit_path(shown_path(classification.image, view), max(room, 12), "…" if view.unicode else "...")
    head = f"{paint(f'{score:7.4f}  {text}', style, view)}{gap}  "
    return encode(head + link(path, classification.image, view), view)


def _block(classification: Classification, shown: dict[str, str], view: View) -> Iterator[bytes]:
    from cvsearch.output.names import fit_path
    from cvsearch.output.paint import encode, link, paint
    from cvsearch.output.table import shown_path

    room = 10**6 if view.width is None else view.width
    path = fit_path(shown_path(classification.image, view), room, "…" if view.unicode else "...")
    yield encode(link(paint(path, "bold", view), classification.image, view), view)
    width = 0 if len(shown) == 1 else _BAR + 2
    for (label, score), (bar, style) in zip(classification.labels, _bars(classification, view), strict=True):
        text = NONE if label is None else shown[label]
        figures = f"{score:7.4f}  {bar:<{width}}"
        yield encode(f"{paint(figures, style, view)}{text}", view)


def _bars(classification: Classification, view: View) -> list[tuple[str, str]]:
    """A bar and a style for each label; one alone has no bar, as there is nothing to compare it with."""
    from cvsearch.output.table import make_bar, relative, shade

    if len(classification.labels) == 1:
        return [("", "" if classification.found else "dim")]
    parts = relative([score for _, score in classification.labels])
    return [(make_bar(part, view), shade(part)) for part in parts]


def render_jsonl(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """One JSON object a label, best first for each picture; the label is null for none of these."""
    for classification in classifications:
        fields = path_fields(classification.image, "image")
        image = fields.pop("image")
        fields |= also_fields(classification.also)
        for rank, (label, score) in enumerate(classification.labels, start=1):
            yield json_line({"image": image, "label": label, "rank": rank, "score": score, **fields})


def render_csv(
    classifications: Iterable[Classification], labels: Sequence[str], view: View
) -> Iterator[bytes]:
    """The same with a header and quoted as RFC 4180 says; the label is empty for none of these.

    `also` are names beside the picture, separated by ``/``.
    """
    yield separated_row(COLUMNS, ",")
    for classification in classifications:
        also = "/".join(os.path.basename(path) for path in classification.also)
        image, also = (
            os.fsencode(path).decode("utf-8", "surrogateescape") for path in (classification.image, also)
        )
        for rank, (label, score) in enumerate(classification.labels, start=1):
            row = (image, label or "", str(rank), f"{score:.6f}", also)
            yield separated_row(map(printable, row) if view.terminal else row, ",")


def make_heatmap(classifications: Sequence[Classification], labels: Sequence[str], view: View) -> Heatmap:
    """Pictures against labels; the last column is there if any picture is none of these."""
    from cvsearch.output.table import shown_path

    rows = [dict(classification.labels) for classification in classifications]
    hint = "; compare within a row" if any(len(row) > 1 for row in rows) else ""
    columns: list[str | None] = list(labels)
    if any(None in row for row in rows):
        columns.append(None)
    return Heatmap(
        title=f"{human_count(len(classifications), 'picture')} classified",
        notes=(f"Cosine similarity of each picture with each label{hint}.",),
        rows=[shown_path(classification.image, view) for classification in classifications],
        columns=[NONE if label is None else label for label in columns],
        scores=[[row.get(label) for label in columns] for row in rows],
        per_row=True,
        unshaded=columns.index(None) if None in columns else None,
    )


CLASSIFICATIONS: dict[str, Renderer] = {
    "table": render_table,
    "best": render_best,
    "jsonl": render_jsonl,
    "csv": render_csv,
}
"""By the name that `--format` knows; a table of one label each is `best`."""
