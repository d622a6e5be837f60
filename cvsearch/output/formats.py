"""The forms a report can take, by the name that `--format` knows.  A new one is one function here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cvsearch.model import Report
from cvsearch.output import lines
from cvsearch.output.screen import View

Renderer = Callable[[Report, View], Iterator[bytes]]


def _render_table(report: Report, view: View) -> Iterator[bytes]:
    from cvsearch.output import table  # late: pipelines need none

    return table.render_matches(report, view)


FORMATS: dict[str, Renderer] = {
    "table": _render_table,
    "paths": lines.render_paths,
    "paths0": lines.render_paths0,
    "jsonl": lines.render_jsonl,
    "json": lines.render_json,
    "csv": lines.render_csv,
    "tsv": lines.render_tsv,
}
