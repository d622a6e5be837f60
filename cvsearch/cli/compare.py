"""`cvsearch compare`: how alike pictures are, each with each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import check_stdin
from cvsearch.cli.output import (
    PAGE,
    HtmlOption,
    JsonOption,
    MaxCallsOption,
    choose_form,
    format_option,
    stream,
    write_page,
)
from cvsearch.cli.reporter import open_looking
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.output.formats import FORMATS
from cvsearch.output.html.heatmap import compare_heatmap, render_heatmap
from cvsearch.output.rows import matrix_rows, pair_rows
from cvsearch.output.screen import View
from cvsearch.output.shaded import draw_matrix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

EXAMPLES = (
    "cvsearch compare car-1.jpg car-2.jpg cat.jpg",
    "cvsearch compare *.jpg --html matrix.html",
    "cvsearch compare a.jpg b.jpg --format jsonl | jq .score",
)


def run(
    session: Session,
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE IMAGE...",
            help="Two or more photos: paths, http(s) addresses, or - for bytes.",
            show_default=False,
        ),
    ],
    form: Annotated[str | None, format_option("csv", ("table", "csv", "jsonl"))] = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    max_calls: MaxCallsOption = None,
) -> int:
    """The cosine similarity of each picture with each other: 1 is the same, and unlike pictures are
    far from 0, so compare the scores of one matrix with each other.

    Needs no index and adds no photo to one; pictures that are indexed or were asked before cost no call.
    """
    chosen = choose_form(session, "csv", form, html, jsonl=as_json)
    if len(images) < 2:
        raise CvsearchError("one picture has nothing to be compared with", hint="name at least two")
    check_stdin(*images)
    if folder := next(filter(os.path.isdir, images), None):
        raise CvsearchError(
            f"this is a folder, not a picture: {folder}", hint="name its photos: FOLDER/*.jpg"
        )
    with session.open_index() as index:
        named = index.name_images([session.as_source(name) for name in images])
        named.check(offline=session.settings.offline)
        with open_looking(session, index, thumbnails=html is not None) as looking:
            looked = zip(images, looking.look_at(named.find(pair=False)), strict=True)
            found = [(name, image) for name, image in looked if image.vector is not None]
            if len(found) < 2:
                session.say("fewer than two pictures are left to compare")
                return ExitCode.INCOMPLETE if looking.skipped else ExitCode.DONE
            names = [name for name, _ in found]
            matrix = index.compare([image for _, image in found])
            if chosen != PAGE:
                stream(session, _render(names, matrix, chosen, session.view))
            if html is not None:
                heatmap = compare_heatmap(names, matrix)
                page = render_heatmap(heatmap, [image.thumbnail for _, image in found], looking.footer)
                write_page(session, html, page)
    return ExitCode.INCOMPLETE if looking.skipped else ExitCode.DONE


def _render(names: Sequence[str], matrix: NDArray[np.float64], form: str, view: View) -> Iterator[bytes]:
    if form == "table":
        return draw_matrix(names, matrix, view)
    result = pair_rows(names, matrix) if form == "jsonl" else matrix_rows(names, matrix)
    return FORMATS[form](result, view)
