"""The global options, declared once and taken by every command before or after its name."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

from cvsearch.cli.context import Session, lead_nowhere
from cvsearch.errors import CvsearchError, ExitCode
from cvsearch.providers.registry import provider_names


class Color(StrEnum):
    """When to use colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


_Provider = StrEnum("_Provider", {name.upper(): name for name in provider_names()})  # type: ignore[misc]

GLOBALS: dict[str, Any] = {
    "index": Annotated[str | None, typer.Option("--index", metavar="DIR", help="The index's folder.")],
    "provider": Annotated[_Provider | None, typer.Option("--provider", help="Who makes the vectors.")],
    "offline": Annotated[bool | None, typer.Option("--offline", help="No byte may leave this machine.")],
    "color": Annotated[Color | None, typer.Option("--color", help="When to use colour.")],
    "quiet": Annotated[bool | None, typer.Option("--quiet", "-q", help="Errors alone on stderr.")],
    "verbose": Annotated[bool | None, typer.Option("--verbose", "-v", help="Say more on stderr.")],
    "debug": Annotated[
        bool | None, typer.Option("--debug", help="Log each request (the key hidden) and show tracebacks.")
    ],
}
_OF_SETTINGS = ("index", "provider", "offline", "color")

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


def parameter(name: str, annotation: Any, default: Any = inspect.Parameter.empty) -> inspect.Parameter:
    """A parameter that Typer reads off a signature."""
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def parameters() -> list[inspect.Parameter]:
    """The global options as parameters of a command."""
    return [parameter(name, annotation, None) for name, annotation in GLOBALS.items()]


def with_signature(function: Callable[..., Any], wanted: list[inspect.Parameter]) -> Callable[..., Any]:
    """The function, as Typer is to see it."""
    function.__signature__ = inspect.Signature(wanted)  # type: ignore[attr-defined]
    function.__annotations__ = {one.name: one.annotation for one in wanted}
    return function


def help_text(summary: str, examples: Sequence[str]) -> str:
    """A command's help: examples first, then what it does."""
    lines = "\n".join(f"  {example}" for example in examples)
    return f"\b\nExamples:\n{lines}\n\n{summary}"


def add_command(
    app: typer.Typer, name: str, command: Callable[..., int], short: str, examples: Sequence[str]
) -> None:
    """Registers ``(session, …) -> exit code`` as a command that takes the global options too.

    Its help is built from the examples and the command's docstring.
    """
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    wanted = [
        parameter("context", typer.Context),
        *(one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own),
        *parameters(),
    ]

    def run(**values: Any) -> int:
        context = values.pop("context")
        here = {key: values.pop(key) for key in GLOBALS}
        return _run(command, _merge(_given_before(context), here), values)

    text = help_text(inspect.getdoc(command) or short, examples)
    app.command(name, help=text, short_help=short)(with_signature(run, wanted))


def _given_before(context: typer.Context) -> dict[str, Any]:
    """The global options that stood before the command."""
    return context.parent.params if context.parent is not None else {}


def _merge(before: dict[str, Any], here: dict[str, Any]) -> dict[str, Any]:
    return {name: before.get(name) if here[name] is None else here[name] for name in GLOBALS}


def _run(command: Callable[..., int], flags: dict[str, Any], values: dict[str, Any]) -> int:
    own = {name: flags[name] for name in _OF_SETTINGS if flags[name] is not None}
    limits = {name: values.pop(name) for name in ("max_calls",) if name in values}
    session = Session(
        {**own, **limits},
        quiet=bool(flags["quiet"]),
        verbose=bool(flags["verbose"]),
        debug=bool(flags["debug"]),
        check=values.get("expect") is not None,
    )
    try:
        with session.log_requests():
            return command(session, **values)
    except BrokenPipeError:
        close_stdout()
        return ExitCode.INCOMPLETE if session.check else ExitCode.DONE


def close_stdout() -> None:
    """Nobody reads stdout any more: nothing may complain about it when the process ends."""
    lead_nowhere(sys.stdout)
