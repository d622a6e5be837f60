"""The `cvsearch` command: its sub-commands, and the one place where errors become two lines and a code."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from cvsearch import __version__
from cvsearch.cli import config, doctor, index, options, query, show, status, upkeep
from cvsearch.errors import CvsearchError, Interrupted

app = typer.Typer(
    name="cvsearch",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"cvsearch {__version__}\n")
        raise typer.Exit


def _root(context: typer.Context, version: bool, **_: Any) -> None:
    if context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")


def _add_root() -> None:
    version = Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ]
    own = [
        options.parameter("context", typer.Context),
        options.parameter("version", version, default=False),
    ]
    callback = options.with_signature(_root, [*own, *options.parameters()])
    text = options.help_text(
        "Search photos by words or by a sample picture.",
        ("cvsearch index ./photos", 'cvsearch query "red car"', "cvsearch query --image sample.jpg"),
    )
    app.callback(invoke_without_command=True, help=text)(callback)


_add_root()
for module in (index, query, show, status, upkeep, doctor, config):
    module.register(app)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; what went wrong is told on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with _Signals():
            return int(app(arguments, prog_name="cvsearch", standalone_mode=False) or 0)
    except Exception as error:
        if "--debug" in arguments and not isinstance(error, typer.TyperException):
            raise
        return _tell(_as_error(error), arguments)


def _as_error(error: Exception) -> CvsearchError:
    """What a user should read of any exception."""
    if isinstance(error, CvsearchError):
        return error
    if isinstance(error, typer.TyperException):
        return CvsearchError(error.format_message().rstrip("."), hint=_usage_hint(error))
    if isinstance(error, typer.Abort):
        return Interrupted()
    if isinstance(error, sqlite3.Error):
        return CvsearchError(
            f"the index cannot be read or written: {error}",
            hint="is the disk full? run it again; what was committed is kept",
        )
    if isinstance(error, OSError):
        where = f": {os.fsdecode(error.filename)}" if error.filename else ""
        return CvsearchError(f"{error.strerror or error}{where}", hint="run it again when that is mended")
    return CvsearchError(
        f"this is a mistake in cvsearch: {type(error).__name__}: {error}",
        hint="run it again with --debug and report what it shows",
    )


def _usage_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"see {context.command_path} --help" if context is not None else "see cvsearch --help"


def _tell(error: CvsearchError, arguments: Sequence[str]) -> int:
    from cvsearch.render.talk import error_json, error_text

    if _wants_json(arguments):
        text = error_json(error.code, error.message, error.hint).decode("ascii")
    else:
        text = error_text(error.message, error.hint)
    sys.stderr.write(text)
    return int(error.code)


def _wants_json(arguments: Sequence[str]) -> bool:
    formats = {"json", "jsonl"}
    return "--json" in arguments or any(
        argument in {f"--format={name}" for name in formats}
        or (argument in formats and before in ("--format", "-f"))
        for before, argument in zip(["", *arguments], arguments, strict=False)
    )


class _Signals:
    """Makes SIGINT, SIGTERM and SIGHUP errors like any other; those ignored at the start stay so."""

    def __enter__(self) -> None:
        self._before: dict[int, Any] = {}
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, _interrupt)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _interrupt(signum: int, _: object) -> None:
    raise Interrupted(signum)


def run() -> None:
    """The console script."""
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        options.close_stdout()
    sys.exit(code)
