"""`cvsearch classify`: which of these labels fits each picture, if any."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.expect import Expect, ExpectOption, judge
from cvsearch.cli.options import (
    Files0From,
    FilesFrom,
    MinScoreOption,
    add_command,
    check_min_score,
    check_stdin,
)
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
    from cvsearch.cli.desk import Desk
    from cvsearch.embedding.pictures import Naming
    from cvsearch.model import Classification, PhotoFile, Unread
    from cvsearch.search.classify import ClassifyRequest


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "classify",
        classify,
        "Score pictures against labels.",
        (
            "cvsearch classify car.jpg --label bird --label 'a truck' --label 'a blue car'",
            "cvsearch classify drinks/ --label 'a can' --label beer --label wine --or-none --top 1",
            "cvsearch classify photos/ --labels labels.txt --template 'a photo of {}' --format csv",
            "cvsearch classify uploads/ --label 'a passport' --expect none",
        ),
    )


def classify(
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
    from cvsearch.embedding.pictures import Naming, as_source
    from cvsearch.search.classify import PLAIN, ClassifyRequest
    from cvsearch.wiring import find_index_folder

    chosen = choose_form(session, "jsonl", form, html, jsonl=as_json)
    check_page(session, html)
    check_stdin(*(images or ()), labels, files_from, files0_from)
    check_min_score(min_score)
    listed = session.listed(files_from, files0_from)
    sources = [as_source(name, session.absolute) for name in images or ()] or listed or []
    if not sources and listed is None:
        raise CvsearchError("no picture was named", hint="cvsearch classify car.jpg --label 'a car'")
    naming = Naming(sources, find_index_folder(session.settings, session.cwd))
    if images:
        naming.check(offline=session.settings.offline)
    request = ClassifyRequest(
        labels=_clean([*(label or ()), *(_read_labels(labels) if labels is not None else ())]),
        templates=_check_templates(template or [PLAIN]),
        top=top,
        min_score=min_score,
        or_none=or_none or (expect is not None and min_score is None),
    )
    among = listed if images else None
    return _Job(session, request, naming, among, expect).run(chosen, html)


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


def _check_templates(templates: list[str]) -> tuple[str, ...]:
    from cvsearch.search.classify import PLAIN

    for template in templates:
        if PLAIN not in template:
            raise CvsearchError(
                f"this template has no place for the label: {template!r}",
                hint="write {} where the label goes: --template 'a photo of {}'",
            )
    return tuple(dict.fromkeys(templates))


class _Job:
    """One invocation: looks at the pictures and writes what they are as they come."""

    def __init__(
        self,
        session: Session,
        request: ClassifyRequest,
        naming: Naming,
        among: list[str] | None,
        expect: Expect | None,
    ) -> None:
        self.session = session
        self.request = request
        self.naming = naming
        self.among = among
        self.expect = expect
        self.found = False
        self.rows: list[Classification] | None = None

    def run(self, form: str, html: str | None) -> int:
        """Does it; returns the exit code."""
        from cvsearch.cli.desk import open_desk, stream
        from cvsearch.search.classify import run_classify

        self.rows = [] if html is not None else None
        with open_desk(self.session, thumbnails=html is not None, streams=form != PAGE) as desk:
            pictures = self._find()
            classifications = run_classify(self.request, desk.text_vectors, desk.look_at(pictures))
            kept = self._keep(classifications)
            if form == PAGE:
                deque(kept, maxlen=0)
            else:
                stream(self.session, self._render(form, kept))
            if html is not None:
                self._write_page(html, desk)
            return self._end(desk)

    def _render(self, form: str, kept: Iterable[Classification]) -> Iterator[bytes]:
        from cvsearch.output.formats import FORMATS
        from cvsearch.output.rows import classify_rows
        from cvsearch.output.shaded import draw_best, draw_classifications

        if form != "table":
            return FORMATS[form](classify_rows(kept), self.session.view)
        draw = draw_best if self.request.top == 1 else draw_classifications
        return draw(kept, self.request.labels, self.session.view)

    def _find(self) -> Iterator[PhotoFile | Unread]:
        from cvsearch.photos.raw_pairs import pair_companions

        if self.among is None:
            return self.naming.find(pair_companions)
        return self.naming.find_among(self.among, pair_companions)

    def _keep(self, classifications: Iterable[Classification]) -> Iterator[Classification]:
        for classification in classifications:
            if classification.skip is None:
                self.found |= classification.found
                if self.rows is not None:
                    self.rows.append(classification)
                yield classification

    def _write_page(self, path: str, desk: Desk) -> None:
        from cvsearch.output.html.heatmap import classify_heatmap, render_heatmap

        rows = self.rows or []
        heatmap = classify_heatmap(rows, self.request.labels, self.session.view)
        thumbnails = [desk.thumbnails.get(row.image) for row in rows]
        write_page(self.session, path, render_heatmap(heatmap, thumbnails, desk.footer))

    def _end(self, desk: Desk) -> int:
        if not desk.seen:
            self.session.say("no photo was found")
        self._tell_passed_over(always=not desk.seen)
        complete = desk.seen > 0 and not desk.skipped
        if self.expect is not None:
            return judge(self.expect, found=self.found, complete=complete)
        if desk.skipped:
            return ExitCode.INCOMPLETE
        return ExitCode.DONE if desk.seen else ExitCode.NOTHING_FOUND

    def _tell_passed_over(self, *, always: bool) -> None:
        from cvsearch.output.messages import passed_over_lines

        session = self.session
        if always or self.expect is not None or session.verbose or session.talks_to_person:
            for line in passed_over_lines(self.naming.stats):
                session.say(line)
