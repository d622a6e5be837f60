"""`cvsearch config import-terraform`: from a deployment to settings in one step."""

from __future__ import annotations

import os
import shlex
import sys

from cvsearch.cli.session import Session
from cvsearch.deployment import Deployment
from cvsearch.errors import CredentialsError, CvsearchError, ExitCode

_WHY_REMOVED = {
    "entra": "keys are switched off in this deployment",
    "key": "the key in the file takes its place",
}


def import_terraform(session: Session, source: str | None, *, with_key: bool) -> int:
    """Writes endpoint and sign-in of Terraform's outputs to the config file, the key if it is asked for.

    A key that is in the file goes when the deployment has none, and a key command when a key is
    written: Azure's settings in the file belong to one resource.
    """
    from cvsearch.embedders.azure_endpoint import read_endpoint
    from cvsearch.settings import config_path, unset_setting, write_setting

    deployment, folder = _read(session, source)
    endpoint = read_endpoint(deployment.endpoint).base
    wanted = {"endpoint": endpoint, "auth": deployment.auth}
    if (key := _wanted_key(deployment, with_key=with_key)) is not None:
        wanted["key"] = key
    path = config_path(os.environ)
    for name in _superseded(deployment, with_key=with_key):
        if unset_setting(path, name):
            session.say(f"{name} removed from {path}: {_WHY_REMOVED[deployment.auth]}")
    for name, value in wanted.items():
        write_setting(path, name, value)
    session.say(f"written to {path}: endpoint {endpoint}, auth {deployment.auth}{', key' if key else ''}")
    _say_what_wins(session, path)
    if deployment.auth == "entra":
        _say_entra(session, with_key=with_key)
    elif key is None:
        _say_key(session, path, folder)
    session.say("cvsearch doctor checks it")
    return ExitCode.DONE


def _read(session: Session, source: str | None) -> tuple[Deployment, str | None]:
    """The deployment and Terraform's folder; no folder when its JSON came from standard input."""
    from cvsearch.deployment import find_module, read_outputs, run_terraform

    if source == "-":
        return read_outputs(sys.stdin.buffer.read(), "standard input"), None
    if session.settings.offline:
        raise CredentialsError(
            "terraform may fetch its state over the network, which --offline forbids",
            hint="pipe it in: terraform output -json | cvsearch config import-terraform -",
        )
    folder = find_module(session.cwd) if source is None else session.absolute(source)
    return read_outputs(run_terraform(folder, session.environ), folder), folder


def _wanted_key(deployment: Deployment, *, with_key: bool) -> str | None:
    if not with_key or deployment.auth == "entra":
        return None
    if deployment.key is None:
        raise CvsearchError(
            "the deployment uses a key, but its outputs have no cvsearch_key",
            hint="apply the module in terraform/ again, or leave out --with-key",
        )
    return deployment.key.reveal()


def _superseded(deployment: Deployment, *, with_key: bool) -> tuple[str, ...]:
    """The settings in the file that what is written makes void."""
    if deployment.auth == "entra":
        return ("key", "key_command")
    return ("key_command",) if with_key else ()


def _say_what_wins(session: Session, path: str) -> None:
    for name in ("endpoint", "auth", "key", "key_command"):
        if (variable := f"CVSEARCH_{name.upper()}") in session.environ:
            session.say(f"note: {variable} is in your environment and goes before {path}")


def _say_entra(session: Session, *, with_key: bool) -> None:
    if with_key:
        session.say("no key was written: keys are switched off in this deployment")
    session.say("Entra signs in: pip install 'cvsearch[entra]', az login; a new role may take ten minutes")


def _say_key(session: Session, path: str, folder: str | None) -> None:
    """Without --with-key: where the key is to come from."""
    from cvsearch.config_file import read_config

    kept = [name for name in ("key", "key_command") if name in read_config(path)]
    if kept:
        session.say(f"the {kept[0]} in {path} stays; --with-key writes the deployment's key instead")
        return
    place = f" -chdir={shlex.quote(folder)}" if folder else ""
    command = f"terraform{place} output -raw cvsearch_key"
    session.say("no key was written: use --with-key, or CVSEARCH_KEY, or have Terraform print it each time:")
    session.say(f"  cvsearch config set key_command {shlex.quote(command)}")
