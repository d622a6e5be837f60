"""`query --html`: the page, from the photos as they are now."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.session import Session
from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from cvsearch.values import Report, Skip, Thumbnail

EDGE = 320
_SAMPLE_EDGE = 160
_JOBS = 4

HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Write a gallery page, too; - for stdout, alone."),
]


def check_html(session: Session, html: str | None) -> None:
    """Before a call is paid for.  Raises `CvsearchError` where no page can go."""
    from cvsearch.cli.writing import check_target

    if html == "-" and session.view.terminal:
        raise CvsearchError("a page says nothing to a terminal", hint="name a file: --html FILE")
    if html not in (None, "-"):
        check_target(session.absolute(str(html)))


def write_gallery(session: Session, report: Report, html: str | None) -> None:
    """Writes the page into the file that was named, if one was, and says so."""
    from cvsearch.cli.writing import write_file

    if html not in (None, "-"):
        write_file(session.absolute(str(html)), [make_gallery(session, report)])
        session.say(f"wrote {html}")


def make_gallery(session: Session, report: Report) -> bytes:
    """The page."""
    from cvsearch.render.gallery import MOST, render_gallery

    pictures = _make_thumbnails(session, [match.path for match in report.matches[:MOST]])
    return render_gallery(report, pictures, _make_samples(session, report), session.view)


def _make_thumbnails(session: Session, paths: Sequence[str]) -> dict[str, Thumbnail | Skip]:
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    from cvsearch.photos.thumbnail import make_thumbnail
    from cvsearch.render.progress import Progress

    make = partial(make_thumbnail, width=EDGE, height=EDGE, form="jpeg")
    made: dict[str, Thumbnail | Skip] = {}
    progress = Progress(
        "thumbnails",
        sys.stderr,
        live=session.can_redraw,
        quiet=session.quiet,
        color=session.color_on_stderr,
    )
    with progress, ThreadPoolExecutor(min(_JOBS, os.cpu_count() or 1)) as pool:
        try:
            for path, thumbnail in zip(paths, pool.map(make, paths), strict=True):
                made[path] = thumbnail
                progress.update(len(made), len(paths))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # who interrupts does not wait for the rest
            raise
    return made


def _make_samples(session: Session, report: Report) -> dict[str, Thumbnail | Skip]:
    """Small copies of the pictures that were asked with; only of files."""
    from cvsearch.photos.thumbnail import make_thumbnail
    from cvsearch.sources import is_address

    return {
        term.value: make_thumbnail(session.absolute(term.value), _SAMPLE_EDGE, _SAMPLE_EDGE, "jpeg")
        for term in report.terms
        if term.kind == "image" and term.value != "-" and not is_address(term.value)
    }
