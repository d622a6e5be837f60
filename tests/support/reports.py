"""Reports that the tests of the renderers share."""

from datetime import UTC, datetime

from cvsearch.model import Match, Report, Space, Term
from cvsearch.output.screen import View

NOW = datetime(2026, 11, 5, 12, 0, 0, tzinfo=UTC)

AWKWARD = (
    "/home/anna/Pictures/2019/Crete/IMG_0413.jpg",
    "/home/anna/Pictures/2019/A long summer in the south with everyone/Day 3/IMG_0414 (edited) [red].jpg",
    "/mnt/nas/Familie/frame 07 restored and recoloured by uncle Bob, final version, the second one.tiff",
    "/home/anna/Pictures/日本/東京タワー.jpg",
    '/home/anna/Pictures/two\nlines, "quoted"\t\x1b[31m.jpg',
    "/home/anna/Pictures/latin-\udce9t\udce9.jpg",
    "/home/anna/Pictures/-rf.jpg",
)


def make_view(**changes) -> View:
    return View(**({"version": "1.2.3", "now": NOW} | changes))


def make_report(paths=AWKWARD, metric="cosine", scores=None) -> Report:
    scores = scores or [0.313371 - 0.013 * number for number in range(len(paths))]
    matches = tuple(
        Match(rank, score, path, bytes([rank % 256]) * 32)
        for rank, (path, score) in enumerate(zip(paths, scores, strict=True), start=1)
    )
    return Report(
        terms=(Term("text", "snow on a roof"), Term("text", "car", -0.5)),
        metric=metric,
        filters={"top": 10, "min_score": None, "under": ["/home/anna"]},
        index="/home/anna/.local/share/cvsearch",
        indexed_at="2026-11-05T10:00:00Z",
        space=Space("azure", "2023-04-15", "jpeg-1024", 1024),
        searched=80412,
        not_searched={"skipped": 2},
        matches=matches,
    )
