"""`cvsearch config`: every setting with its value and where it came from; setting and removing one."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import add_command
from cvsearch.errors import CvsearchError, ExitCode

if TYPE_CHECKING:
    from cvsearch.config.settings import Setting

_ACTIONS = ("set", "unset", "import-terraform")
_EXAMPLES = (
    "cvsearch config",
    "cvsearch config set endpoint https://NAME.cognitiveservices.azure.com",
    "cvsearch config set key              # asks; the key is never an argument",
    "cvsearch config unset endpoint",
    "cvsearch config import-terraform             # from ./terraform or here, after terraform apply",
    "cvsearch config import-terraform DIR --with-key",
    "terraform output -json | cvsearch config import-terraform -",
)


def register(app: typer.Typer) -> None:
    """Adds the command with its sub-commands."""
    add_command(app, "config", config, "Show or change settings.", _EXAMPLES)


def _offer_actions(incomplete: str) -> list[str]:
    return [action for action in _ACTIONS if action.startswith(incomplete)]


def _offer_names(context: typer.Context, incomplete: str) -> list[str]:
    """Settings, to unset only those of the config file; none for import-terraform: shells offer folders."""
    from cvsearch.config.file import config_path, read_config
    from cvsearch.config.rules import RULES

    names = list(RULES) if context.params["action"] in ("set", "unset") else []
    if context.params["action"] == "unset":
        with suppress(CvsearchError):
            names = list(read_config(config_path(os.environ)))
    return [name for name in names if name.startswith(incomplete)]


def _offer_values(context: typer.Context, incomplete: str) -> list[str]:
    """The words a setting takes, where it takes but a few."""
    from cvsearch.config.rules import RULES

    if context.params["action"] != "set" or (rule := RULES.get(context.params["name"])) is None:
        return []
    words = re.split(", | or ", rule.allowed)
    try:
        for word in words:
            rule.parse(word)
    except ValueError:  # so it is a description
        return []
    return [word for word in words if len(words) > 1 and word.startswith(incomplete)]


def config(
    session: Session,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[set|unset|import-terraform]",
            help="What to do; none: show.",
            autocompletion=_offer_actions,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME|DIR|-]",
            help="The setting; for import-terraform Terraform's folder, or - for JSON.",
            autocompletion=_offer_names,
        ),
    ] = None,
    value: Annotated[
        str | None,
        typer.Argument(metavar="[VALUE]", help="Its value; not for the key.", autocompletion=_offer_values),
    ] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="import-terraform: write the key into the config file too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> int:
    """Show every setting with its value and where it came from, or change the config file (mode 0600).

    import-terraform takes over the endpoint and the way of signing in from what Terraform deployed.
    """
    if with_key and action != "import-terraform":
        raise CvsearchError("--with-key belongs to import-terraform", hint="see cvsearch config --help")
    if action is None:
        return _show(session, as_json=as_json)
    if action == "import-terraform" and value is None:
        from cvsearch.cli.handover import import_terraform

        return import_terraform(session, name, with_key=with_key)
    if action in ("set", "unset") and name is not None:
        return _change(session, action, name, value)
    raise CvsearchError(
        "config takes: set NAME VALUE, unset NAME, or import-terraform [DIR|-]",
        hint="see cvsearch config --help",
    )


def _change(session: Session, action: str, name: str, value: str | None) -> int:
    from cvsearch.config.settings import config_path, unset_setting

    path = config_path(os.environ)
    if action == "set":
        removed = _set(path, name, value)
        session.say(f"{name} written to {path}")
        if removed is not None:
            session.say(f"{removed} removed from {path}: the {name} takes its place")
        return ExitCode.DONE
    if not unset_setting(path, name):
        raise CvsearchError(f"{name} is not set in {path}", hint="see where it comes from: cvsearch config")
    session.say(f"{name} removed from {path}")
    return ExitCode.DONE


def _set(path: str, name: str, value: str | None) -> str | None:
    """Writes a setting; the name of the one that had to go for it."""
    from cvsearch.config.settings import write_setting

    if name == "key":
        if value is not None:
            raise CvsearchError(
                "the key is never a command-line argument: others could see it",
                hint="run cvsearch config set key and type it, or pipe it in",
            )
        value = _read_key()
    if value is None:
        raise CvsearchError(f"{name} needs a value", hint=f"cvsearch config set {name} VALUE")
    return write_setting(path, name, value)


def _read_key() -> str:
    import getpass

    if sys.stdin.isatty():
        return getpass.getpass("key: ").strip()
    return sys.stdin.readline().strip()


def _as_json(setting: Setting) -> object:
    """A value as JSON has it; a key stays hidden."""
    return setting.value if isinstance(setting.value, bool | int | float | None) else setting.shown


def _show(session: Session, *, as_json: bool) -> int:
    from cvsearch.config.settings import describe
    from cvsearch.output.formats import json_line, render_list
    from cvsearch.output.rows import setting_rows

    found = describe(session.settings)
    if as_json:
        session.write(
            [json_line({one.name: {"value": _as_json(one), "source": one.source} for one in found})]
        )
    else:
        session.write(render_list(setting_rows(found), session.view))
    return ExitCode.DONE
