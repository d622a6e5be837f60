"""What form a command's output takes, and the HTML page that goes beside it or in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import CvsearchError

if TYPE_CHECKING:
    from enum import StrEnum

PAGE = "html"
"""The form of a page on stdout, in place of everything else."""

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line (jsonl).")]
HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Write a page with pictures, too; - for stdout, alone."),
]
MaxCallsOption = Annotated[
    int | None, typer.Option("--max-calls", metavar="N", min=0, help="Make no more calls (6).")
]


def choose_form(
    session: Session, piped: str, form: StrEnum | None, html: str | None = None, **switches: bool
) -> str:
    """The one form that was named, or else ``table`` on a terminal and `piped` elsewhere.

    `switches` are options that stand for the form of their name.  Raises `CvsearchError` when several
    were named, or when a page would go to a terminal.
    """
    named = [name for name, given in switches.items() if given]
    named += [form.value] if form is not None else []
    named += [PAGE] if html == "-" else []
    if len(set(named)) > 1:
        raise CvsearchError(f"several formats were named: {', '.join(named)}", hint="give one of them")
    if html == "-" and session.view.terminal:
        raise CvsearchError("a page says nothing to a terminal", hint="name a file: --html FILE")
    return named[0] if named else ("table" if session.view.terminal else piped)


def check_page(session: Session, html: str | None) -> None:
    """Before a call is paid for.  Raises `CvsearchError` where no page can be written."""
    from cvsearch.cli.writing import check_target

    if html is not None and html != "-":
        check_target(session.absolute(html), "an HTML page", b"<!doctype html")


def write_page(session: Session, html: str, page: bytes) -> None:
    """Writes the page into the file that was named, which is said, or to stdout."""
    from cvsearch.cli.writing import write_file

    if html == "-":
        session.write([page])
        return
    write_file(session.absolute(html), [page])
    session.say(f"wrote {html}")
