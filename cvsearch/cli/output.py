"""What form a command's output takes, and the files it is told to write: whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Annotated, Any

import typer

from cvsearch.cli.context import Session
from cvsearch.errors import CvsearchError

PAGE = "html"
"""The form of a page on stdout, in place of everything else."""

_BEGINNING = 256

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line (jsonl).")]
HtmlOption = Annotated[
    str | None,
    typer.Option("--html", metavar="FILE", help="Write a page with pictures, too; - for stdout, alone."),
]
MaxCallsOption = Annotated[
    int | None, typer.Option("--max-calls", metavar="N", min=0, help="Make no more calls (6).")
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
    were named, or when a page would go to a terminal.
    """
    named = [name for name, given in switches.items() if given]
    named += [form] if form is not None else []
    named += [PAGE] if html == "-" else []
    if len(set(named)) > 1:
        raise CvsearchError(f"several formats were named: {', '.join(named)}", hint="give one of them")
    if html == "-" and session.view.terminal:
        raise CvsearchError("a page says nothing to a terminal", hint="name a file: --html FILE")
    return named[0] if named else ("table" if session.view.terminal else piped)


def check_page(session: Session, html: str | None) -> None:
    """Before a call is paid for.  Raises `CvsearchError` where no page can be written."""
    if html is not None and html != "-":
        check_target(session.absolute(html), "an HTML page", b"<!doctype html")


def write_page(session: Session, html: str, page: bytes) -> None:
    """Writes the page into the file that was named, which is said, or to stdout."""
    if html == "-":
        session.write([page])
        return
    write_file(session.absolute(html), [page])
    session.say(f"wrote {html}")


def check_target(path: str, what: str, beginning: bytes) -> None:
    """Before work is done for it.  Raises `CvsearchError` where no file can be written.

    Nor is a file that is there and not `what` it should be: then it has another `beginning`, apart from
    white space before it and from capitals.
    """
    if os.path.isdir(path):
        raise CvsearchError(f"this is a folder, not a file: {path}", hint="name a file in it")
    if not os.path.isdir(folder := os.path.dirname(os.path.realpath(path))):
        raise CvsearchError(f"there is no such folder: {folder}", hint="make it first: mkdir -p")
    if os.path.isfile(path) and not _begins_with(path, beginning.lower()):
        raise CvsearchError(
            f"this file is not {what} and would be overwritten: {path}",
            hint="name another file, or remove this one first",
        )


def _begins_with(path: str, beginning: bytes) -> bool:
    """Whether the file does, or is empty."""
    with open(path, "rb") as file:
        first = file.read(_BEGINNING)
    return not first or first.lstrip().lower().startswith(beginning)


def write_file(path: str, chunks: Iterable[bytes]) -> None:
    """Writes a file as `open_file` does."""
    with open_file(path) as file:
        file.writelines(chunks)


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
