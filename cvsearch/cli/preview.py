"""`--preview`: pictures on the terminal, or one line that says why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session

if TYPE_CHECKING:
    from cvsearch.model import Report, Skip, Thumbnail
    from cvsearch.output.terminal.images import Canvas

_COLUMNS, _ROWS, _INDENT = 40, 12, 6
"""The box of a match: large enough to know a photo again, small enough for two or three on a screen."""

_SHOW_COLUMNS, _SHOW_ROWS = 60, 20

PreviewOption = Annotated[
    bool, typer.Option("--preview/--no-preview", help="Show the photos on the terminal, too.")
]
ShowPreviewOption = Annotated[
    bool | None,
    typer.Option(
        "--preview/--no-preview", help="Show the photo, too (where the terminal can).", show_default=False
    ),
]


def write_matches(session: Session, report: Report, form: str, *, preview: bool) -> None:
    """The report in its form, on a terminal with pictures if they were asked for."""
    from cvsearch.output.formats import FORMATS
    from cvsearch.output.rows import query_rows

    canvas = _find_canvas(session, form, _COLUMNS, _ROWS, _INDENT) if preview and report.matches else None
    if canvas is None:
        session.write(FORMATS[form](query_rows(report, session.view.now), session.view))
        return
    from cvsearch.output.terminal.images import render_preview

    pictures = (_make(match.path, canvas) for match in report.matches)
    for chunk in render_preview(report, session.view, canvas, pictures):
        session.write([chunk])


def find_show_canvas(session: Session, wanted: bool | None, *, as_json: bool) -> Canvas | None:
    """Where `show` draws; without a wish wherever it can, silently."""
    if wanted is False:
        return None
    form = "json" if as_json else "table"
    return _find_canvas(session, form, _SHOW_COLUMNS, _SHOW_ROWS, silent=wanted is None)


def write_picture(session: Session, path: str, canvas: Canvas) -> None:
    """One photo's picture; nothing when there is none."""
    from cvsearch.model import Skip
    from cvsearch.output.terminal.images import render_thumbnail

    picture = _make(path, canvas)
    if not isinstance(picture, Skip):
        session.write(render_thumbnail(picture, canvas))


def _find_canvas(
    session: Session, form: str, columns: int, rows: int, indent: int = 0, *, silent: bool = False
) -> Canvas | None:
    """The canvas; None, with a notice, where nothing can be drawn."""
    from cvsearch.output.terminal.probe import find_canvas

    why = _why_not(session, form)
    canvas = None if why else find_canvas(session.environ, columns, rows, indent)
    if canvas is not None and canvas.protocol == "blocks" and not session.view.unicode:
        why = "this terminal's encoding is not UTF-8"
    if why and not silent:
        session.say(f"no preview: {why}")
    return None if why else canvas


def _why_not(session: Session, form: str) -> str:
    """Why nothing can be drawn, as far as that is known without asking the terminal."""
    if not session.view.terminal:
        return "stdout is no terminal"
    if form != "table":
        return "pictures go with the table alone"
    if not session.view.color:
        return "colour is off (NO_COLOR, TERM=dumb or --color never)"
    return ""


def _make(path: str, canvas: Canvas) -> Thumbnail | Skip:
    from cvsearch.photos.thumbnail import make_thumbnail

    return make_thumbnail(path, *canvas.box, canvas.form)
