"""What pictures are by their labels: shaded lines for people, jsonl and csv for pipelines.

Each form takes the verdicts as they come, so thousands of pictures need no more memory than one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from cvsearch.render.heatmap import Heatmap
from cvsearch.render.lines import also_fields, json_line, path_fields, separated_row
from cvsearch.render.screen import View, printable
from cvsearch.render.talk import human_count
from cvsearch.search.classify import Verdict

NONE = "none of these"
COLUMNS = ("image", "label", "rank", "score", "also")

_WIDEST_LABEL = 32
_BAR = 8

Renderer = Callable[[Iterable[Verdict], Sequence[str], View], Iterator[bytes]]


def render_table(verdicts: Iterable[Verdict], labels: Sequence[str], view: View) -> Iterator[bytes]:
    """A picture's name, and below it each label with score and bar.

    Scores are shaded by where they lie among the picture's own: there is no scale for all pictures.
    """
    shown = {label: printable(label) for label in labels}
    for number, verdict in enumerate(verdicts):
        if number:
            yield b"\n"
        yield from _block(verdict, shown, view)


def render_best(verdicts: Iterable[Verdict], labels: Sequence[str], view: View) -> Iterator[bytes]:
    """The best label of each picture, a line each."""
    from rich.cells import cell_len

    shown = {label: printable(label) for label in labels}
    width = min(_WIDEST_LABEL, max(map(cell_len, [*shown.values(), NONE])))
    for verdict in verdicts:
        yield _one_line(verdict, shown, width, view)


def _one_line(verdict: Verdict, shown: dict[str, str], width: int, view: View) -> bytes:
    from rich.cells import cell_len

    from cvsearch.render.names import fit_path
    from cvsearch.render.paint import encode, link, paint
    from cvsearch.render.table import shown_path

    label, score = verdict.labels[0]
    text, style = (NONE, "dim") if label is None else (shown[label], "bold green")
    gap = " " * max(0, width - cell_len(text))
    room = 10**6 if view.width is None else view.width - 11 - max(width, cell_len(text))
    path = fit_path(shown_path(verdict.image, view), max(room, 12), "…" if view.unicode else "...")
    head = f"{paint(f'{score:7.4f}  {text}', style, view)}{gap}  "
    return encode(head + link(path, verdict.image, view), view)


def _block(verdict: Verdict, shown: dict[str, str], view: View) -> Iterator[bytes]:
    from cvsearch.render.names import fit_path
    from cvsearch.render.paint import encode, link, paint
    from cvsearch.render.table import shown_path

    room = 10**6 if view.width is None else view.width
    path = fit_path(shown_path(verdict.image, view), room, "…" if view.unicode else "...")
    yield encode(link(paint(path, "bold", view), verdict.image, view), view)
    width = 0 if len(shown) == 1 else _BAR + 2
    for (label, score), (bar, style) in zip(verdict.labels, _bars(verdict, view), strict=True):
        text = NONE if label is None else shown[label]
        figures = f"{score:7.4f}  {bar:<{width}}"
        yield encode(f"{paint(figures, style, view)}{text}", view)


def _bars(verdict: Verdict, view: View) -> list[tuple[str, str]]:
    """A bar and a style for each label; one alone has no bar, as there is nothing to compare it with."""
    from cvsearch.render.table import make_bar, relative, shade

    if len(verdict.labels) == 1:
        return [("", "" if verdict.found else "dim")]
    parts = relative([score for _, score in verdict.labels])
    return [(make_bar(part, view), shade(part)) for part in parts]


def render_jsonl(verdicts: Iterable[Verdict], labels: Sequence[str], view: View) -> Iterator[bytes]:
    """One JSON object a label, best first for each picture; the label is null for none of these."""
    for verdict in verdicts:
        fields = path_fields(verdict.image, "image")
        image = fields.pop("image")
        fields |= also_fields(verdict.also)
        for rank, (label, score) in enumerate(verdict.labels, start=1):
            yield json_line({"image": image, "label": label, "rank": rank, "score": score, **fields})


def render_csv(verdicts: Iterable[Verdict], labels: Sequence[str], view: View) -> Iterator[bytes]:
    """The same with a header and quoted as RFC 4180 says; the label is empty for none of these.

    `also` are names beside the picture, separated by ``/``.
    """
    yield separated_row(COLUMNS, ",")
    for verdict in verdicts:
        also = "/".join(os.path.basename(path) for path in verdict.also)
        image, also = (os.fsencode(path).decode("utf-8", "surrogateescape") for path in (verdict.image, also))
        for rank, (label, score) in enumerate(verdict.labels, start=1):
            row = (image, label or "", str(rank), f"{score:.6f}", also)
            yield separated_row(map(printable, row) if view.terminal else row, ",")


def make_heatmap(verdicts: Sequence[Verdict], labels: Sequence[str], view: View) -> Heatmap:
    """Pictures against labels; the last column is there if any picture is none of these."""
    from cvsearch.render.table import shown_path

    rows = [dict(verdict.labels) for verdict in verdicts]
    hint = "; compare within a row" if any(len(row) > 1 for row in rows) else ""
    columns: list[str | None] = list(labels)
    if any(None in row for row in rows):
        columns.append(None)
    return Heatmap(
        title=f"{human_count(len(verdicts), 'picture')} classified",
        notes=(f"Cosine similarity of each picture with each label{hint}.",),
        rows=[shown_path(verdict.image, view) for verdict in verdicts],
        columns=[NONE if label is None else label for label in columns],
        scores=[[row.get(label) for label in columns] for row in rows],
        per_row=True,
        unshaded=columns.index(None) if None in columns else None,
    )


VERDICTS: dict[str, Renderer] = {
    "table": render_table,
    "best": render_best,
    "jsonl": render_jsonl,
    "csv": render_csv,
}
"""By the name that `--format` knows; a table of one label each is `best`."""
