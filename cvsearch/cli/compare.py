"""`cvsearch compare`: how alike pictures are, each with each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import add_command, check_stdin
from cvsearch.cli.output import (
    PAGE,
    HtmlOption,
    JsonOption,
    MaxCallsOption,
    check_page,
    choose_form,
    format_option,
    write_page,
)
from cvsearch.errors import CvsearchError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.cli.desk import Desk
    from cvsearch.model import Vector


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "compare",
        compare,
        "Compare pictures with one another.",
        (
            "cvsearch compare car-1.jpg car-2.jpg cat.jpg",
            "cvsearch compare *.jpg --html matrix.html",
            "cvsearch compare a.jpg b.jpg --format jsonl | jq .score",
        ),
    )


def compare(
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
    from cvsearch.cli.desk import open_desk, stream
    from cvsearch.output.formats import FORMATS
    from cvsearch.output.rows import matrix_rows, pair_rows
    from cvsearch.output.shaded import draw_matrix
    from cvsearch.ranking.compare import cosine_matrix

    chosen = choose_form(session, "csv", form, html, jsonl=as_json)
    _check_usage(images)
    check_page(session, html)
    with open_desk(session, thumbnails=html is not None) as desk:
        names, vectors = _look(session, images, desk)
        if len(vectors) > 1:
            matrix = cosine_matrix(vectors)
            if chosen == "table":
                stream(session, draw_matrix(names, matrix, session.view))
            elif chosen != PAGE:
                rows = pair_rows if chosen == "jsonl" else matrix_rows
                stream(session, FORMATS[chosen](rows(names, matrix), session.view))
            if html is not None:
                write_page(session, html, _make_page(session, desk, names, matrix))
        else:
            session.say("fewer than two pictures are left to compare")
        return ExitCode.INCOMPLETE if desk.skipped else ExitCode.DONE


def _check_usage(images: Sequence[str]) -> None:
    import os

    if len(images) < 2:
        raise CvsearchError("one picture has nothing to be compared with", hint="name at least two")
    check_stdin(*images)
    for name in images:
        if os.path.isdir(name):
            raise CvsearchError(
                f"this is a folder, not a picture: {name}", hint="name its photos: FOLDER/*.jpg"
            )


def _look(session: Session, images: Sequence[str], desk: Desk) -> tuple[list[str], list[Vector]]:
    """The pictures that could be looked at, as they were named, and their vectors."""
    from cvsearch.embedding.pictures import Naming, as_source

    naming = Naming([as_source(name, session.absolute) for name in images], "")
    naming.check(offline=session.settings.offline)
    names, vectors = [], []
    for name, seen in zip(images, desk.look_at(naming.find()), strict=True):
        if seen.vector is not None:
            names.append(name)
            vectors.append(seen.vector)
    return names, vectors


def _make_page(session: Session, desk: Desk, names: Sequence[str], matrix: NDArray[np.float64]) -> bytes:
    from cvsearch.embedding.pictures import as_source
    from cvsearch.output.html.heatmap import compare_heatmap, render_heatmap

    thumbnails = [desk.thumbnails.get(as_source(name, session.absolute)) for name in names]
    return render_heatmap(compare_heatmap(names, matrix), thumbnails, desk.footer)
