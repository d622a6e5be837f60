"""`cvsearch config import-terraform`: from a deployment to settings in one step."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping

from cvsearch.cli.context import Session
from cvsearch.config.terraform import Deployment
from cvsearch.errors import CredentialsError, CvsearchError, ExitCode

_CREDENTIALS = ("key", "key_command")


def import_terraform(session: Session, source: str | None, *, with_key: bool) -> int:
    """Writes endpoint and sign-in of Terraform's outputs to the config file, the key if it is asked for.

    All of it in one write; what the file holds for another resource or another way of signing in goes.
    """
    from cvsearch.config.file import config_path, read_config, write_settings
    from cvsearch.providers.azure.endpoint import read_endpoint

    deployment, folder = _read(session, source)
    endpoint = read_endpoint(deployment.endpoint)
    new = {"endpoint": endpoint.base, "auth": deployment.auth}
    if (key := _wanted_key(deployment, with_key=with_key)) is not None:
        new["key"] = key
    path = config_path(session.environ)
    old = read_config(path)
    removed = _outdated(old, new, endpoint.host)
    write_settings(path, new | dict.fromkeys(removed))
    session.say(
        f"written to {path}: endpoint {endpoint.base}, auth {deployment.auth}{', key' if key else ''}"
    )
    for name, reason in removed.items():
        session.say(f"{name} removed from {path}: {reason}")
    kept = [name for name in _CREDENTIALS if name in old.keys() - removed.keys() - new.keys()]
    overridden = _say_what_wins(session, path, deployment.auth)
    if deployment.auth == "entra":
        _say_entra(session, with_key=with_key)
    elif kept:
        session.say(f"the {kept[0]} in {path} stays; --with-key writes the deployment's key instead")
    elif key is None and not overridden & {*_CREDENTIALS}:
        _say_key(session, folder)
    session.say("cvsearch doctor checks it")
    return ExitCode.DONE


def _read(session: Session, source: str | None) -> tuple[Deployment, str | None]:
    """The deployment and Terraform's folder; no folder when its JSON came from standard input."""
    from cvsearch.config.terraform import find_module, read_outputs, run_terraform

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


def _outdated(old: Mapping[str, object], new: Mapping[str, str], host: str) -> dict[str, str]:
    """The credentials in the file that what is written makes void, each with the reason."""
    held = [name for name in _CREDENTIALS if name in old and name not in new]
    if new["auth"] == "entra":
        return dict.fromkeys(held, "keys are switched off in this deployment")
    if "key" in new:
        return dict.fromkeys(held, "the key in the file takes its place")
    if "key" in held and (other := _host(old)) != host:
        # A key command stays: it may well print the key of what is deployed now.
        return {"key": f"it is of another resource, {other}" if other else "no endpoint says whose it is"}
    return {}


def _host(settings: Mapping[str, object]) -> str | None:
    """The host of the endpoint that is set; None when there is none that could be one."""
    from cvsearch.providers.azure.endpoint import read_endpoint

    try:
        return read_endpoint(str(settings.get("endpoint", ""))).host
    except CvsearchError:
        return None


def _say_what_wins(session: Session, path: str, auth: str) -> set[str]:
    """Says which variables hide what is written; their settings' names."""
    names = ("endpoint", "auth", *(_CREDENTIALS if auth == "key" else ()))
    found = {name: variable for name in names if (variable := f"CVSEARCH_{name.upper()}") in session.environ}
    for variable in found.values():
        session.say(
            f"note: {variable} is in your environment and goes before {path}; unset it to use the file's"
        )
    return {*found}


def _say_entra(session: Session, *, with_key: bool) -> None:
    if with_key:
        session.say("no key was written: keys are switched off in this deployment")
    session.say("Entra signs in: pip install 'cvsearch[entra]', az login; a new role may take ten minutes")


def _say_key(session: Session, folder: str | None) -> None:
    """Without --with-key: where the key is to come from."""
    place = f" -chdir={shlex.quote(folder)}" if folder else ""
    command = f"terraform{place} output -raw cvsearch_key"
    session.say("no key was written: use --with-key, or cvsearch config set key, or have Terraform print it:")
    session.say(f"  cvsearch config set key_command {shlex.quote(command)}")
