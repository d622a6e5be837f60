"""`cvsearch query`: find photos by words or by pictures."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import replace
from enum import StrEnum
from typing import Annotated

import typer

from cvsearch.api import Index, QueryRequest, make_filters
from cvsearch.cli.context import Session
from cvsearch.cli.options import (
    ExpectOption,
    Files0From,
    FilesFrom,
    MinScoreOption,
    UnderOption,
    check_min_score,
    check_stdin,
    find_scope,
    is_complete,
    judge,
)
from cvsearch.cli.output import (
    PAGE,
    HtmlOption,
    JsonOption,
    MaxCallsOption,
    PreviewOption,
    choose_form,
    format_option,
    make_gallery,
    write_matches,
    write_page,
)
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.model import Report, Term
from cvsearch.output.formats import FORMATS
from cvsearch.output.humanize import human_count
from cvsearch.output.messages import searched_line
from cvsearch.paths import Scope

_WEIGHT = re.compile(r"([+-]?\d+(?:\.\d+)?):(.+)", re.DOTALL)


class Metric(StrEnum):
    """How vectors are compared."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"


EXAMPLES = (
    'cvsearch query "red car"',
    "cvsearch query --image sample.jpg -n 3",
    "cvsearch query beach --not people --also 2:sunset",
    'cvsearch query -0 "red car" | xargs -0 cp --backup=numbered -t picked/',
    'cvsearch query --json "red car" | jq -r .path',
)


def run(
    session: Session,
    text: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Words; - reads them.")
    ] = None,
    image: Annotated[
        list[str] | None,
        typer.Option("--image", "-i", metavar="SRC", help="A sample: path, http(s) address, or - for bytes."),
    ] = None,
    also: Annotated[
        list[str] | None, typer.Option("--also", metavar="[N:]TEXT", help="Another text; N is its weight.")
    ] = None,
    away: Annotated[
        list[str] | None, typer.Option("--not", metavar="[N:]TEXT", help="Rank photos like this text lower.")
    ] = None,
    not_image: Annotated[
        list[str] | None, typer.Option("--not-image", metavar="[N:]SRC", help="Away from this picture.")
    ] = None,
    top: Annotated[str, typer.Option("--top", "-n", metavar="N", help="How many, or all.")] = "10",
    min_score: MinScoreOption = None,
    metric: Annotated[Metric, typer.Option("--metric", help="How vectors are compared.")] = Metric.COSINE,
    under: UnderOption = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="DATE", help="Taken then or later: 2024, 2024-05, 2024-05-01."),
    ] = None,
    before: Annotated[str | None, typer.Option("--before", metavar="DATE", help="Taken before that.")] = None,
    camera: Annotated[
        str | None, typer.Option("--camera", metavar="TEXT", help="Taken by a camera whose name holds TEXT.")
    ] = None,
    near: Annotated[
        str | None,
        typer.Option("--near", metavar="LAT,LON,KM", help="Taken within KM kilometres of a place."),
    ] = None,
    strong: Annotated[bool, typer.Option("--strong", help="Only what stands out for this query.")] = False,
    collapse: Annotated[
        bool, typer.Option("--collapse", help="Fold bursts and near-twins into one row.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="What each term gave: share, rank, percentile.")
    ] = False,
    expect: ExpectOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    form: Annotated[str | None, format_option("paths", FORMATS)] = None,
    paths: Annotated[bool, typer.Option("--paths", "-l", help="Paths, one a line.")] = False,
    print0: Annotated[bool, typer.Option("--print0", "-0", help="Paths, each ended by NUL.")] = False,
    as_json: JsonOption = False,
    html: HtmlOption = None,
    preview: PreviewOption = False,
    max_calls: MaxCallsOption = None,
) -> int:
    """Rank the indexed photos by cosine similarity with words, pictures, or a mixture of them.

    Several words are one text. A text or picture asked before costs no call. Ends with 1 when nothing
    is found.
    """
    chosen = choose_form(session, "paths", form, html, paths=paths, paths0=print0, jsonl=as_json)
    away_from = [_split_weight(value)[1] for value in not_image or ()]
    check_stdin(*(text or ()), *(image or ()), *away_from, files_from, files0_from)
    check_min_score(min_score)
    listed = session.listed(files_from, files0_from)
    if expect is not None and not (strong or min_score is not None):
        raise CvsearchError(
            "--expect needs a cut-off: the best of any library is always found",
            hint="add --strong or --min-score X",
        )
    request = QueryRequest(
        terms=_terms(text, image, also, away, not_image),
        metric=metric.value,
        top=None if top == "all" else _parse_top(top),
        min_score=min_score,
        scope=Scope([session.absolute(folder) for folder in under or ()], listed),
        filters=make_filters(after=after, before=before, camera=camera, near=near),
        strong=strong,
        collapse=collapse,
        explain=explain,
        count=chosen == "json" or html is not None or bool(under) or session.talks or expect is not None,
    )
    with session.open_index() as index:
        scope = find_scope(session, index, request.scope)
        report = answer(session, index, replace(request, scope=scope))
        if html is not None:
            write_page(session, html, make_gallery(session, report))
        if explain and html is None and chosen.startswith("paths"):
            session.say("--explain shows nothing among plain paths: add --format table, jsonl or csv")
        code = _show(session, report, chosen, preview=preview)
        if expect is None:
            return code
        complete = _is_complete(session, index, replace(request, scope=scope), report)
        return judge(expect, found=bool(report.matches), complete=complete)


def answer(session: Session, index: Index, request: QueryRequest) -> Report:
    """The report to a query, once it is told which space is searched."""
    if index.notice is not None and session.talks:
        session.say(index.notice)
    return index.answer(request)


def _is_complete(session: Session, index: Index, request: QueryRequest, report: Report) -> bool:
    """Whether all in scope was looked at, and the cut-off could tell what stands out; what not is told."""
    if request.filters and not report.searched:
        session.say("no photo passes the filters: the check is not sure")
        return False
    if report.is_undecided:
        return False
    return is_complete(session, index, request.scope) and not report.unjudged


def _terms(
    text: list[str] | None,
    image: list[str] | None,
    also: list[str] | None,
    away: list[str] | None,
    not_image: list[str] | None,
) -> tuple[Term, ...]:
    terms = [Term("text", _read_text(text))] if text else []
    terms += [Term("image", source) for source in image or ()]
    for kind, sign, values in (("text", 1, also), ("text", -1, away), ("image", -1, not_image)):
        for value in values or ():
            weight, rest = _split_weight(value)
            terms.append(Term(kind, clean_text(rest) if kind == "text" else rest, sign * weight))
    if not terms:
        raise CvsearchError("nothing to look for", hint='cvsearch query "red car", or --image sample.jpg')
    return tuple(terms)


def _read_text(words: list[str]) -> str:
    if words == ["-"]:
        words = [sys.stdin.buffer.read().decode("utf-8", "replace")]
    elif len(words) == 1 and os.path.lexists(words[0]):
        raise CvsearchError(
            f"this is a file or folder, not a text: {words[0]}",
            hint="use --image for a sample picture, --under for a folder",
        )
    return clean_text(" ".join(words))


def clean_text(text: str) -> str:
    """The text as it is asked and cached: white space counts once, and some word is there."""
    text = " ".join(text.split())
    if not text:
        raise CvsearchError("the text is empty", hint='say what to look for: cvsearch query "red car"')
    return text


def _split_weight(value: str) -> tuple[float, str]:
    found = _WEIGHT.fullmatch(value)
    weight, rest = (float(found[1]), found[2]) if found else (1.0, value)
    if weight < 0:
        raise CvsearchError(
            f"a weight is above zero: {value!r}", hint="to turn away from it use --not or --not-image"
        )
    if weight == 0 or not rest.strip():
        raise CvsearchError(f"this term says nothing: {value!r}", hint="write TEXT or N:TEXT, N above zero")
    return weight, rest.strip()


def _parse_top(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise CvsearchError(f"--top takes a number from 1, or all, not {text!r}", hint="such as --top 20")
    return int(text)


def _show(session: Session, report: Report, form: str, *, preview: bool) -> ExitCode:
    talks, terminal = session.talks, session.view.terminal
    if talks and not terminal:
        # Before the data: what reads the pipe may write to the same terminal.
        session.say(searched_line(report, session.view.now))
    if form != PAGE and (report.matches or form != "table"):
        write_matches(session, report, form, preview=preview)
    if talks and terminal:
        session.say(searched_line(report, session.view.now))
    if talks:  # what bears on the answer and does not show in it
        for source in report.borrowed:
            session.say(f"{source} is an indexed photo's picture, whose vector serves: no call was made")
    if report.unjudged:
        unjudged = human_count(report.unjudged, "photo")
        session.say(f"{unjudged} could not be judged: date, camera or place is not known")
    if report.is_undecided:
        session.say("--strong cannot tell in so small or so uniform a library: use --min-score X")
    if not report.matches:
        session.say("nothing found")
    return ExitCode.DONE if report.matches else ExitCode.NOTHING_FOUND
