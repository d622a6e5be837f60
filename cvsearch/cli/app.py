"""The `cvsearch` command: its sub-commands, and the one place where errors become two lines and a code."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from keyword import iskeyword
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cvsearch import __version__, signals
from cvsearch.cli import options
from cvsearch.cli.context import lead_nowhere
from cvsearch.errors import CvsearchError, ExitCode, Interrupted

_COMMANDS = {
    "index": "Index photos: embed what is new or changed, forget what is gone.",
    "query": "Find photos by words or by a sample picture.",
    "classify": "Score pictures against labels.",
    "compare": "Compare pictures with one another.",
    "duplicates": "Find photos that are there twice.",
    "export": "Write vectors with paths, hashes and facts into one file.",
    "import": "Take what another index exported; searchable without the photos.",
    "show": "What is known of a photo, what was sent of it, or why it was skipped.",
    "status": "Where the index is and what it holds.",
    "forget": "Remove paths from the index; their vectors stay until prune.",
    "move": "Rename a folder in the index; nothing is read or sent.",
    "prune": "Delete vectors that no photo uses.",
    "doctor": "Check the settings, the service (one text call), the index and the extras.",
    "config": "Show or change settings.",
}
"""The commands as help lists them; each lives in the module of its name."""


class _Commands(TyperGroup):
    """Loads a command's module when the command is called; all modules to guess at one."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        for name in [cmd_name] if cmd_name in _COMMANDS else _COMMANDS:
            if name not in self.commands:
                module = import_module(f"cvsearch.cli.{name}{'_' if iskeyword(name) else ''}")
                self.commands[name] = options.make_command(name, _COMMANDS[name], module)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="cvsearch",
    cls=_Commands,
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


_version = options.parameter(
    "version",
    Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ],
    False,
)
_help = options.help_text(
    "Search photos by words or by a sample picture.",
    ("cvsearch index ./photos", 'cvsearch query "red car"', "cvsearch query --image sample.jpg"),
)
app.callback(invoke_without_command=True, help=_help)(options.with_globals(_root, [_version]))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line and returns its exit code; what went wrong is told on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        with signals.as_errors():
            return int(app(arguments, prog_name="cvsearch", standalone_mode=False) or 0)
    except SystemExit as end:
        # Typer calls a closed pipe a failure when help or the version goes there.
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        lead_nowhere(sys.stdout)
        return ExitCode.DONE
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a code
        if "--debug" in arguments and not isinstance(error, typer.TyperException):
            traceback.print_exception(error)
        return _tell(_as_error(error), arguments)


def _as_error(error: Exception) -> CvsearchError:
    """What a user should read of any exception."""
    if isinstance(error, CvsearchError):
        return error
    if isinstance(error, typer.TyperException):
        context = getattr(error, "ctx", None)
        command = "cvsearch" if context is None else context.command_path
        return CvsearchError(error.format_message().rstrip("."), hint=f"see {command} --help")
    if isinstance(error, typer.Abort):
        return Interrupted()
    if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
        return CvsearchError(
            "another program is reading or writing the index and does not let go of it",
            hint="end it (a backup, a database browser?) and run this again; what was committed is kept",
        )
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


def _tell(error: CvsearchError, arguments: Sequence[str]) -> int:
    from cvsearch.output.messages import error_json, error_text

    formats = {"json", "jsonl"}
    wants_json = "--json" in arguments or any(
        argument in {f"--format={name}" for name in formats}
        or (argument in formats and before in ("--format", "-f"))
        for before, argument in zip(["", *arguments], arguments, strict=False)
    )
    if wants_json:
        text = error_json(error.code, error.message, error.hint).decode("ascii")
    else:
        text = error_text(error.message, error.hint)
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody can be told; the code still tells
        lead_nowhere(sys.stderr)
    return int(error.code)


def run() -> None:
    """The console script."""
    # A stream that was closed before the start (``>&-``) leads nowhere, and no file takes its number.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - until the end
    code = main()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        lead_nowhere(sys.stdout)
    gc.freeze()  # all that is left ends with the process: the interpreter need not look for garbage in it
    sys.exit(code)
