"""The global options, declared once and taken by every command before or after its name."""

from __future__ import annotations

import inspect
import math
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import StrEnum
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.main import get_command

from cvsearch.api import Index, provider_names
from cvsearch.cli.context import Session, lead_nowhere
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.paths import Scope


class Color(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


_Provider = StrEnum("_Provider", {name.upper(): name for name in provider_names()})  # type: ignore[misc]

GLOBALS: dict[str, Any] = {
    "index": Annotated[str | None, typer.Option("--index", metavar="DIR", help="The index's folder.")],
    "provider": Annotated[_Provider | None, typer.Option("--provider", help="Who makes the vectors.")],
    "offline": Annotated[bool | None, typer.Option("--offline", help="Do not use the network.")],
    "color": Annotated[Color | None, typer.Option("--color", help="When to use colour.")],
    "quiet": Annotated[bool | None, typer.Option("--quiet", "-q", help="Print only errors on stderr.")],
    "verbose": Annotated[bool | None, typer.Option("--verbose", "-v", help="Say more on stderr.")],
    "debug": Annotated[
        bool | None, typer.Option("--debug", help="Log each request (the key hidden) and show tracebacks.")
    ],
}
_RATES = {"s": 1, "m": 60, "h": 3600}
_OF_SETTINGS = ("index", "provider", "offline", "color")


class Expect(StrEnum):
    """What a check hopes for."""

    SOME = "some"
    NONE = "none"


ExpectOption = Annotated[
    Expect | None,
    typer.Option(
        "--expect", help="A check: 0 as expected, 1 otherwise, 3 if that is not sure as photos were skipped."
    ),
]

FilesFrom = Annotated[
    str | None,
    typer.Option("--files-from", metavar="FILE", help="Only the photos this file (or -) lists, one a line."),
]
Files0From = Annotated[
    str | None, typer.Option("--files0-from", metavar="FILE", help="The same, each name ended by NUL.")
]
UnderOption = Annotated[
    list[str] | None, typer.Option("--under", metavar="DIR", help="Only photos beneath DIR; repeatable.")
]
MinScoreOption = Annotated[
    float | None, typer.Option("--min-score", metavar="X", help="Only scores of at least X.")
]
WaitLockOption = Annotated[
    str | None, typer.Option("--wait-lock", metavar="TIME", help="Wait for another writer: 30s, 10m, 1h.")
]


def check_min_score(min_score: float | None) -> None:
    """Raises `CvsearchError` for what no score can be compared with."""
    if min_score is not None and not -1e9 < min_score < 1e9:
        raise CvsearchError("--min-score takes a number", hint="such as --min-score 0.3")


def check_stdin(*sources: str | None) -> None:
    """Raises `CvsearchError` when several sources are ``-``."""
    if sources.count("-") > 1:
        raise CvsearchError("standard input can be used once", hint="name a file instead of one -")


def find_scope(session: Session, index: Index, scope: Scope) -> Scope:
    """The places and the list as the index knows them; tells of places where nothing is indexed.

    Raises `CvsearchError` for a place that is nowhere.
    """
    known, unindexed = index.find_scope(scope)
    for path in unindexed:
        session.say(f"nothing is indexed there: {path} (cvsearch index {shlex.quote(path)})")
    return known


def is_complete(session: Session, index: Index, scope: Scope) -> bool:
    """Whether every photo in scope is indexed as it is on disk now; what is not is told."""
    seen, unseen = index.count_coverage(scope)
    if unseen:
        session.say(
            f"not looked at: {unseen:,} in scope are skipped, new, changed or missing: "
            "run cvsearch index; then cvsearch status --skipped lists what is left"
        )
    elif not seen:
        session.say("no indexed photo in scope is on this disk: the check is not sure")
    return seen > 0 and not unseen


def judge(expect: Expect, *, found: bool, complete: bool) -> ExitCode:
    """How a check ends; `complete`: there was something in scope, and all of it was looked at."""
    if expect is Expect.NONE and found:
        return ExitCode.NOTHING_FOUND
    if not complete:
        return ExitCode.INCOMPLETE
    return ExitCode.DONE if found == (expect is Expect.SOME) else ExitCode.NOTHING_FOUND


def parse_seconds(text: str | None) -> float:
    """Seconds of ``30s``, ``10m`` or ``1h``; a bare number is seconds."""
    if text is None:
        return 0
    number, unit = (text[:-1], text[-1]) if text[-1:] in _RATES else (text, "s")
    try:
        seconds = float(number) * _RATES[unit]
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise CvsearchError(f"this is no length of time: {text}", hint="write 30s, 10m or 1h")
    return seconds


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A parameter that Typer reads off a signature."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def with_globals(function: Callable[..., Any], own: Sequence[inspect.Parameter]) -> Callable[..., Any]:
    """The function as Typer is to see it: it takes its context, its own options and the global ones."""
    wanted = [
        parameter("context", typer.Context),
        *own,
        *(parameter(name, annotation, None) for name, annotation in GLOBALS.items()),
    ]
    function.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in wanted}
    return function


def help_text(summary: str, examples: Sequence[str]) -> str:
    """A command's help: examples first, then what it does."""
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{summary}"


def make_command(name: str, short: str, module: ModuleType) -> Any:
    """A module's ``run(session, …) -> exit code`` as a command that takes the global options too.

    Its help is built from the module's ``EXAMPLES`` and the function's docstring, or what is `short`.
    """
    command = module.run
    _, *own = inspect.signature(command, eval_str=True).parameters.values()

    def run(context: typer.Context, **values: Any) -> int:
        before = context.parent.params if context.parent is not None else {}
        here = {key: values.pop(key) for key in GLOBALS}
        flags = {key: before.get(key) if value is None else value for key, value in here.items()}
        settings = {key: flags[key] for key in _OF_SETTINGS if flags[key] is not None}
        if "max_calls" in values:
            settings["max_calls"] = values.pop("max_calls")
        session = Session(
            settings,
            quiet=bool(flags["quiet"]),
            verbose=bool(flags["verbose"]),
            check=values.get("expect") is not None,
        )
        try:
            with session.log_requests() if flags["debug"] else nullcontext():
                return int(command(session, **values))
        except BrokenPipeError:
            lead_nowhere(sys.stdout)
            return ExitCode.INCOMPLETE if session.check else ExitCode.DONE

    text = help_text(inspect.getdoc(command) or short, module.EXAMPLES)
    part = typer.Typer(rich_markup_mode=None, add_completion=False)
    part.command(name, help=text)(
        with_globals(run, [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own])
    )
    return get_command(part)
