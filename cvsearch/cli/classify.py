"""`cvsearch classify`: which of these labels fits each picture, if any."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from cvsearch.api import PLAIN, ClassifyRequest
from cvsearch.cli.context import Session
from cvsearch.cli.options import (
    ExpectOption,
    Files0From,
    FilesFrom,
    MinScoreOption,
    check_min_score,
    check_stdin,
    judge,
)
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
from cvsearch.model import Classification
from cvsearch.output.formats import FORMATS
from cvsearch.output.html.heatmap import classify_heatmap, render_heatmap
from cvsearch.output.messages import passed_over_lines
from cvsearch.output.rows import classify_rows
from cvsearch.output.screen import View
from cvsearch.output.shaded import draw_best, draw_classifications

EXAMPLES = (
    "cvsearch classify car.jpg --label bird --label 'a truck' --label car",
    "cvsearch classify drinks/ --label 'a can' --label beer --or-none --top 1",
    "cvsearch classify photos/ --labels labels.txt --template 'a photo of {}'",
    "cvsearch classify uploads/ --label 'a passport' --expect none",
)


def run(
    session: Session,
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="[IMAGE]...", help="Photos, folders, http(s) addresses, or - for bytes."),
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", metavar="TEXT", help="A label; repeatable.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option("--labels", metavar="FILE", help="Labels, one a line (or -); # begins a comment."),
    ] = None,
    template: Annotated[
        list[str] | None,
        typer.Option("--template", metavar="TEXT", help="Around each label, as {}; several are averaged."),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", "-n", metavar="N", min=1, help="The best N labels of a picture.")
    ] = None,
    min_score: MinScoreOption = None,
    or_none: Annotated[
        bool, typer.Option("--or-none", help="Only labels that stand out; else none of these.")
    ] = False,
    expect: ExpectOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    form: Annotated[str | None, format_option("jsonl", ("table", "jsonl", "csv"))] = None,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    max_calls: MaxCallsOption = None,
) -> int:
    """Score each picture against each label by cosine similarity, best label first.

    Needs no index and adds no photo to one; pictures that are indexed, and labels and pictures asked
    before, cost no call. With --or-none or --min-score a picture may be none of these. --expect takes
    --or-none unless --min-score says what counts.
    """
    chosen = choose_form(session, "jsonl", form, html, jsonl=as_json)
    check_stdin(*(images or ()), labels, files_from, files0_from)
    check_min_score(min_score)
    listed = session.listed(files_from, files0_from)
    names = [session.as_source(name) for name in images or ()] or listed or []
    if not names and listed is None:
        raise CvsearchError("no picture was named", hint="cvsearch classify car.jpg --label 'a car'")
    templates = template or [PLAIN]
    if without := [one for one in templates if PLAIN not in one]:
        raise CvsearchError(
            f"this template has no place for the label: {without[0]!r}",
            hint="write {} where the label goes: --template 'a photo of {}'",
        )
    request = ClassifyRequest(
        labels=_clean([*(label or ()), *(_read_labels(labels) if labels is not None else ())]),
        templates=tuple(dict.fromkeys(templates)),
        top=top,
        min_score=min_score,
        or_none=or_none or (expect is not None and min_score is None),
    )
    with session.open_index() as index:
        named = index.name_images(names)
        if images:
            named.check(offline=session.settings.offline)
        pictures = named.find(pair=True) if listed is None or not images else named.find_among(listed)
        with open_looking(session, index, thumbnails=html is not None, streams=chosen != PAGE) as looking:
            prompts = looking.embed_texts(index.list_prompts(request))
            kept = _Kept(index.classify(request, prompts, looking.look_at(pictures)), html is not None)
            if chosen == PAGE:
                deque(kept, maxlen=0)
            else:
                stream(session, _render(kept, request, chosen, session.view))
            if html is not None:
                heatmap = classify_heatmap(kept.rows, request.labels, session.view)
                page = render_heatmap(heatmap, [row.thumbnail for row in kept.rows], looking.footer)
                write_page(session, html, page)
            if not looking.seen:
                session.say("no photo was found")
            if not looking.seen or expect is not None or session.talks:
                for line in passed_over_lines(named.stats):
                    session.say(line)
    if expect is not None:
        return judge(expect, found=kept.found, complete=looking.seen > 0 and not looking.skipped)
    if looking.skipped:
        return ExitCode.INCOMPLETE
    return ExitCode.DONE if looking.seen else ExitCode.NOTHING_FOUND


def _render(kept: _Kept, request: ClassifyRequest, form: str, view: View) -> Iterator[bytes]:
    if form != "table":
        return FORMATS[form](classify_rows(kept), view)
    draw = draw_best if request.top == 1 else draw_classifications
    return draw(kept, request.labels, view)


class _Kept:
    """What pictures are, as it becomes known: whether anything was found, and for a page the rows."""

    def __init__(self, classifications: Iterator[Classification], keeps: bool) -> None:
        self._classifications = classifications
        self._keeps = keeps
        self.found = False
        self.rows: list[Classification] = []

    def __iter__(self) -> Iterator[Classification]:
        for one in self._classifications:
            if one.skip is None:
                self.found |= one.found
                if self._keeps:
                    self.rows.append(one)
                yield one


def _read_labels(source: str) -> Iterator[str]:
    if source == "-":
        data = sys.stdin.buffer.read()
    else:
        with open(source, "rb") as file:
            data = file.read()
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CvsearchError(
            f"these labels are not UTF-8 text: {source}", hint="save them as UTF-8"
        ) from error
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))


def _clean(labels: Iterable[str]) -> tuple[str, ...]:
    """Each label once, in the order given, with single spaces."""
    cleaned = [" ".join(label.split()) for label in labels]
    if not cleaned:
        raise CvsearchError("no label was given", hint="--label 'a car' (repeatable), or --labels FILE")
    if "" in cleaned:
        raise CvsearchError("a label is empty", hint="say what may be in the picture: --label 'a car'")
    return tuple(dict.fromkeys(cleaned))
