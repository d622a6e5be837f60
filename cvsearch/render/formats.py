"""The forms a report can take, by the name that `--format` knows.  A new one is one function here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cvsearch.render import lines, table
from cvsearch.render.screen import View
from cvsearch.values import Report

Renderer = Callable[[Report, View], Iterator[bytes]]

FORMATS: dict[str, Renderer] = {
    "table": table.render_matches,
    "paths": lines.render_paths,
    "paths0": lines.render_paths0,
    "jsonl": lines.render_jsonl,
    "json": lines.render_json,
    "csv": lines.render_csv,
    "tsv": lines.render_tsv,
}
