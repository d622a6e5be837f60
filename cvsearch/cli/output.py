"""Where a command's output goes, and in what form: stdout, a page, files that are whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from cvsearch.api import make_thumbnail
from cvsearch.cli.context import Session
from cvsearch.cli.reporter import open_progress
from cvsearch.errors import CvsearchError
from cvsearch.model import Report, Skip, Thumbnail
from cvsearch.output.formats import FORMATS
from cvsearch.output.rows import query_rows
from cvsearch.paths import is_address

if TYPE_CHECKING:
    from cvsearch.output.terminal.images import Canvas

PAGE = "html"
"""The form of a page on stdout, in place of everything else."""

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line (jsonl).")]
HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Write a page with pictures, too; - for stdout, alone."),
]
MaxCallsOption = Annotated[
    int | None, typer.Option("--max-calls", metavar="N", min=0, help="Stop after N calls; exit code 6.")
]


def format_option(piped: str, formats: Iterable[str]) -> Any:
    """The option `--format` of a command that may write `formats`, and `piped` where no person reads."""
    names = [name for name in formats if name != "paths0"]  # that is --print0

    def check(name: str | None) -> str | None:
        if name is not None and name not in names:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(map(repr, names))}.")
        return name

    return typer.Option(
        "--format",
        metavar=f"<{'|'.join(names)}>",
        help=f"table on a terminal, else {piped}.",
        show_default=False,
        callback=check,
        autocompletion=lambda incomplete: [name for name in names if name.startswith(incomplete)],
    )


def choose_form(
    session: Session, piped: str, form: str | None, html: str | None = None, **switches: bool
) -> str:
    """The one form that was named, or else ``table`` on a terminal and `piped` elsewhere.

    `switches` are options that stand for the form of their name.  Raises `CvsearchError` when several
    were named, and, before a call is paid for, when a page would go to a terminal or cannot be written.
    """
    named = [name for name, given in switches.items() if given]
    named += [form] if form is not None else []
    named += [PAGE] if html == "-" else []
    if len(set(named)) > 1:
        raise CvsearchError(f"several formats were named: {', '.join(named)}", hint="give one of them")
    if html == "-" and session.view.terminal:
        raise CvsearchError("a page says nothing to a terminal", hint="name a file: --html FILE")
    if html is not None and html != "-":
        check_target(session.absolute(html), "an HTML page", b"<!doctype html")
    return named[0] if named else ("table" if session.view.terminal else piped)


def stream(session: Session, chunks: Iterable[bytes]) -> None:
    """Data to stdout, each chunk as it comes."""
    for chunk in chunks:
        session.write([chunk])


def write_page(session: Session, html: str, page: bytes) -> None:
    """Writes the page into the file that was named, which is said, or to stdout."""
    if html == "-":
        session.write([page])
        return
    with open_file(session.absolute(html)) as file:
        file.write(page)
    session.say(f"wrote {html}")


def check_target(path: str, what: str, beginning: bytes) -> None:
    """Before work is done for it.  Raises `CvsearchError` where no file can be written.

    Nor is a file that is there and not `what` it should be: then it is not empty and has another
    `beginning`, apart from white space before it and from capitals.
    """
    if os.path.isdir(path):
        raise CvsearchError(f"this is a folder, not a file: {path}", hint="name a file in it")
    if not os.path.isdir(folder := os.path.dirname(os.path.realpath(path))):
        raise CvsearchError(f"there is no such folder: {folder}", hint="make it first: mkdir -p")
    if not os.path.isfile(path):
        return
    with open(path, "rb") as file:
        first = file.read(256)
    if first and not first.lstrip().lower().startswith(beginning.lower()):
        raise CvsearchError(
            f"this file is not {what} and would be overwritten: {path}",
            hint="name another file, or remove this one first",
        )


@contextmanager
def open_file(path: str) -> Iterator[IO[bytes]]:
    """Puts a new file in the place of what is there, behind any symbolic link, with the same permissions.

    A pipe or a device is written to as it is.
    """
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as file:
            yield file
        return
    temporary = f"{os.path.dirname(target)}/.cvsearch-{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException as error:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = path  # the temporary name says nothing to anybody
        raise


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
    canvas = _find_canvas(session, form, _COLUMNS, _ROWS, _INDENT) if preview and report.matches else None
    if canvas is None:
        session.write(FORMATS[form](query_rows(report, session.view.now), session.view))
        return
    from cvsearch.output.terminal.images import render_preview

    pictures = (make_thumbnail(match.path, *canvas.box, canvas.form) for match in report.matches)
    stream(session, render_preview(report, session.view, canvas, pictures))


def find_show_canvas(session: Session, wanted: bool | None, *, as_json: bool) -> Canvas | None:
    """Where `show` draws; without a wish wherever it can, silently."""
    if wanted is False:
        return None
    form = "json" if as_json else "table"
    return _find_canvas(session, form, _SHOW_COLUMNS, _SHOW_ROWS, silent=wanted is None)


def write_picture(session: Session, path: str, canvas: Canvas) -> None:
    """One photo's picture; nothing when there is none."""
    from cvsearch.output.terminal.images import render_thumbnail

    picture = make_thumbnail(path, *canvas.box, canvas.form)
    if not isinstance(picture, Skip):
        session.write(render_thumbnail(picture, canvas))


def _find_canvas(
    session: Session, form: str, columns: int, rows: int, indent: int = 0, *, silent: bool = False
) -> Canvas | None:
    """The canvas; None, with a notice, where nothing can be drawn."""
    why, canvas = "", None
    if not session.view.terminal:
        why = "stdout is no terminal"
    elif form != "table":
        why = "pictures go with the table alone"
    elif not session.view.color:
        why = "colour is off (NO_COLOR, TERM=dumb or --color never)"
    else:
        from cvsearch.output.terminal.probe import find_canvas

        canvas = find_canvas(session.environ, columns, rows, indent)
    if canvas is not None and canvas.protocol == "blocks" and not session.view.unicode:
        why = "this terminal's encoding is not UTF-8"
    if why and not silent:
        session.say(f"no preview: {why}")
    return None if why else canvas


_EDGE = 320
_SAMPLE_EDGE = 160
_JOBS = 4


def make_gallery(session: Session, report: Report) -> bytes:
    """The page of a report, from the photos as they are now."""
    from concurrent.futures import ThreadPoolExecutor

    from cvsearch.output.html.gallery import MOST, render_gallery

    paths = [match.path for match in report.matches[:MOST]]
    make = partial(make_thumbnail, width=_EDGE, height=_EDGE, form="jpeg")
    pictures: dict[str, Thumbnail | Skip] = {}
    with (
        open_progress(session, "thumbnails") as progress,
        ThreadPoolExecutor(min(_JOBS, os.cpu_count() or 1)) as pool,
    ):
        try:
            for path, thumbnail in zip(paths, pool.map(make, paths), strict=True):
                pictures[path] = thumbnail
                progress.update(len(pictures), len(paths))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for the rest
            raise
    samples = {
        term.value: make_thumbnail(session.absolute(term.value), _SAMPLE_EDGE, _SAMPLE_EDGE, "jpeg")
        for term in report.terms
        if term.kind == "image" and term.value != "-" and not is_address(term.value)
    }
    return render_gallery(report, pictures, samples, session.view)
