"""`query --html`: the page, from the photos as they are now."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cvsearch.cli.context import Session

if TYPE_CHECKING:
    from cvsearch.model import Report, Skip, Thumbnail

EDGE = 320
_SAMPLE_EDGE = 160
_JOBS = 4


def make_gallery(session: Session, report: Report) -> bytes:
    """The page."""
    from cvsearch.output.html.gallery import MOST, render_gallery

    pictures = _make_thumbnails(session, [match.path for match in report.matches[:MOST]])
    return render_gallery(report, pictures, _make_samples(session, report), session.view)


def _make_thumbnails(session: Session, paths: Sequence[str]) -> dict[str, Thumbnail | Skip]:
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    from cvsearch.output.progress import Progress
    from cvsearch.photos.thumbnail import make_thumbnail

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
    from cvsearch.embedding.sources import is_address
    from cvsearch.photos.thumbnail import make_thumbnail

    return {
        term.value: make_thumbnail(session.absolute(term.value), _SAMPLE_EDGE, _SAMPLE_EDGE, "jpeg")
        for term in report.terms
        if term.kind == "image" and term.value != "-" and not is_address(term.value)
    }
