"""`cvsearch config`: every setting with its value and where it came from; setting and removing one."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import sys
from contextlib import suppress
from dataclasses import replace
from typing import Annotated

import typer

from cvsearch.api import read_endpoint, setting_rules
from cvsearch.cli.context import Session
from cvsearch.config.file import config_path, read_config, unset_setting, write_setting, write_settings
from cvsearch.config.settings import describe
from cvsearch.config.terraform import Takeover, find_module, plan_takeover, read_outputs, run_terraform
from cvsearch.errors import CredentialsError, CvsearchError, ExitCode
from cvsearch.output.formats import json_line, render_list
from cvsearch.output.rows import setting_rows

_ACTIONS = ("set", "unset", "import-terraform")
EXAMPLES = (
    "cvsearch config",
    "cvsearch config set endpoint https://NAME.cognitiveservices.azure.com",
    "cvsearch config set key              # asks; the key is never an argument",
    "cvsearch config unset endpoint",
    "cvsearch config import-terraform      # after terraform apply",
    "cvsearch config import-terraform DIR --with-key",
    "terraform output -json | cvsearch config import-terraform -",
)


def _offer_names(context: typer.Context, incomplete: str) -> list[str]:
    """Settings, to unset only those of the config file; none for import-terraform: shells offer folders."""
    rules = setting_rules()
    names = list(rules) if context.params["action"] in ("set", "unset") else []
    if context.params["action"] == "unset":
        with suppress(CvsearchError):
            names = list(read_config(config_path(os.environ), rules))
    return [name for name in names if name.startswith(incomplete)]


def _offer_values(context: typer.Context, incomplete: str) -> list[str]:
    """The words a setting takes, where it takes but a few."""
    if context.params["action"] != "set" or (rule := setting_rules().get(context.params["name"])) is None:
        return []
    words = re.split(", | or ", rule.allowed)
    try:
        for word in words:
            rule.parse(word)
    except ValueError:  # so it is a description
        return []
    return [word for word in words if len(words) > 1 and word.startswith(incomplete)]


def run(
    session: Session,
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="[set|unset|import-terraform]",
            help="What to do; none: show.",
            autocompletion=lambda incomplete: [one for one in _ACTIONS if one.startswith(incomplete)],
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
        return _import_terraform(session, name, with_key=with_key)
    if action in ("set", "unset") and name is not None:
        return _change(session, action, name, value)
    raise CvsearchError(
        "config takes: set NAME VALUE, unset NAME, or import-terraform [DIR|-]",
        hint="see cvsearch config --help",
    )


def _change(session: Session, action: str, name: str, value: str | None) -> int:
    path, rules = config_path(os.environ), setting_rules()
    if action == "unset":
        if not unset_setting(path, name, rules):
            raise CvsearchError(
                f"{name} is not set in {path}", hint="see where it comes from: cvsearch config"
            )
        session.say(f"{name} removed from {path}")
        return ExitCode.DONE
    if name in rules and rules[name].secret:
        if value is not None:
            raise CvsearchError(
                "the key is never a command-line argument: others could see it",
                hint=f"run cvsearch config set {name} and type it, or pipe it in",
            )
        value = (getpass.getpass("key: ") if sys.stdin.isatty() else sys.stdin.readline()).strip()
    if value is None:
        raise CvsearchError(f"{name} needs a value", hint=f"cvsearch config set {name} VALUE")
    removed = write_setting(path, name, value, rules)
    session.say(f"{name} written to {path}")
    if removed is not None:
        session.say(f"{removed} removed from {path}: the {name} takes its place")
    return ExitCode.DONE


def _show(session: Session, *, as_json: bool) -> int:
    found = describe(session.settings)
    if not as_json:
        session.write(render_list(setting_rows(found), session.view))
        return ExitCode.DONE
    fields: dict[str, object] = {}
    for one in found:
        # As JSON has it; a key stays hidden.
        value = one.value if isinstance(one.value, bool | int | float | None) else one.shown
        fields[one.name] = {"value": value, "source": one.source}
    session.write([json_line(fields)])
    return ExitCode.DONE


def _import_terraform(session: Session, source: str | None, *, with_key: bool) -> int:
    """Writes endpoint and sign-in of Terraform's outputs to the config file, the key if it is asked for.

    All of it in one write; what the file holds for another resource or another way of signing in goes.
    """
    folder = None
    if source == "-":
        deployment = read_outputs(sys.stdin.buffer.read(), "standard input")
    elif session.settings.offline:
        raise CredentialsError(
            "terraform may fetch its state over the network, which --offline forbids",
            hint="pipe it in: terraform output -json | cvsearch config import-terraform -",
        )
    else:
        folder = find_module(session.cwd) if source is None else session.absolute(source)
        deployment = read_outputs(run_terraform(folder, session.environ), folder)
    endpoint = read_endpoint(deployment.endpoint)
    path, rules = config_path(session.environ), setting_rules()
    old = read_config(path, rules)
    other = None
    with suppress(CvsearchError):
        other = read_endpoint(str(old.get("endpoint", ""))).host
    takeover = plan_takeover(
        replace(deployment, endpoint=endpoint.base),
        old,
        session.environ,
        other_host=None if other == endpoint.host else other or "",
        with_key=with_key,
    )
    write_settings(path, takeover.new | dict.fromkeys(takeover.removed), rules)
    _tell_takeover(session, path, takeover, folder, with_key=with_key)
    return ExitCode.DONE


def _tell_takeover(
    session: Session, path: str, takeover: Takeover, folder: str | None, *, with_key: bool
) -> None:
    new, say = takeover.new, session.say
    say(f"written to {path}: endpoint {new['endpoint']}, auth {new['auth']}{', key' if 'key' in new else ''}")
    for name, reason in takeover.removed.items():
        say(f"{name} removed from {path}: {reason}")
    for variable in takeover.overridden.values():
        say(f"note: {variable} is in your environment and goes before {path}; unset it to use the file's")
    if new["auth"] == "entra":
        if with_key:
            say("no key was written: keys are switched off in this deployment")
        say("Entra signs in: pip install 'cvsearch[entra]', az login; a new role may take ten minutes")
    elif takeover.kept is not None:
        say(f"the {takeover.kept} in {path} stays; --with-key writes the deployment's key instead")
    elif takeover.lacks_key:
        place = f" -chdir={shlex.quote(folder)}" if folder else ""
        command = f"terraform{place} output -raw cvsearch_key"
        say("no key was written: use --with-key, or cvsearch config set key, or have Terraform print it:")
        say(f"  cvsearch config set key_command {shlex.quote(command)}")
    say("cvsearch doctor checks it")
