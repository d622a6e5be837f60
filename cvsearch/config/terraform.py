"""What Terraform deployed, read from the outputs of the module in ``terraform/``, and what to set for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from cvsearch.config.rules import ENV_PREFIX, Secret
from cvsearch.errors import CvsearchError

_SECONDS = 120.0
_CREDENTIALS = frozenset(("key", "key_command"))
_HINT_PIPE = "terraform output -json | cvsearch config import-terraform -"


@dataclass(frozen=True, slots=True)
class Deployment:
    """An Azure resource: `auth` is ``key`` or ``entra``; without keys, `key` is None."""

    endpoint: str
    auth: str
    key: Secret | None


def find_module(folder: str) -> str:
    """Where Terraform's files are: ``terraform/`` in the folder, else the folder.  Raises `CvsearchError`."""
    for place in (os.path.join(folder, "terraform"), folder):
        if os.path.isdir(place) and any(name.endswith((".tf", ".tf.json")) for name in os.listdir(place)):
            return place
    raise CvsearchError(
        f"there are no Terraform files in {folder} or its folder terraform",
        "name the folder you deployed from: cvsearch config import-terraform DIR",
    )


def run_terraform(folder: str, environ: Mapping[str, str]) -> bytes:
    """The JSON of ``terraform output -json`` in that folder.  Raises `CvsearchError`."""
    if not os.path.isdir(folder):
        raise CvsearchError(
            f"{folder} is not a folder", "name the folder you deployed from, or - to read JSON from a pipe"
        )
    command = ["terraform", "output", "-json", "-no-color"]
    try:
        done = subprocess.run(  # noqa: S603 - no shell, and nothing of the user's in it
            command,
            cwd=folder,
            env={**environ, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise CvsearchError(
            "terraform is not on your PATH", f"install it, or where it is, run: {_HINT_PIPE}"
        ) from None
    except subprocess.TimeoutExpired:
        raise CvsearchError(
            f"terraform output did not end within {_SECONDS:.0f} seconds",
            f"is its state within reach? run: terraform -chdir={folder} output",
        ) from None
    if done.returncode != 0:
        # The sentence after ``Error:``, without the frame that Terraform draws.
        lines = [line.strip("│╷╵ ") for line in done.stderr.decode(errors="replace").splitlines()]
        said = next((line for line in lines if line.startswith("Error")), f"status {done.returncode}")
        raise CvsearchError(
            f"terraform output failed in {folder}: {said.removeprefix('Error:').strip()}",
            f"mend that first: terraform -chdir={folder} output",
        )
    return done.stdout


def read_outputs(text: bytes, source: str) -> Deployment:
    """The deployment that ``terraform output -json`` describes.  Raises `CvsearchError`; shows no key."""
    try:
        outputs = json.loads(text)
    except ValueError:
        outputs = None
    if not isinstance(outputs, dict):
        _refuse_json(source)
    if not outputs:
        raise CvsearchError(
            f"there are no outputs in {source}: nothing is deployed from there yet",
            "run: terraform apply",
        )
    endpoint, auth = (_value(outputs, name, source) for name in ("cvsearch_endpoint", "cvsearch_auth"))
    if endpoint is None or auth is None:
        missing = "cvsearch_endpoint" if endpoint is None else "cvsearch_auth"
        raise CvsearchError(
            f"the outputs from {source} have no {missing}",
            "they are of another module, or of an older one: apply the one in terraform/ again",
        )
    if auth not in ("key", "entra"):
        raise CvsearchError(
            f"cvsearch_auth from {source} is neither key nor entra", "apply the module in terraform/ again"
        )
    # Terraform leaves out outputs that are null: without keys there is no cvsearch_key.
    key = _value(outputs, "cvsearch_key", source) if auth == "key" else None
    return Deployment(endpoint, auth, None if key is None else Secret(key))


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a deployment makes of the config file.

    `new` are the values to set, `removed` the names that have to go, each with its reason, `kept` the
    credential that stays in the file, and `overridden` the variables that go before what is set, by the
    names of their settings.
    """

    new: dict[str, str] = field(repr=False)  # the key may be among them
    removed: dict[str, str]
    kept: str | None
    overridden: dict[str, str]

    @property
    def lacks_key(self) -> bool:
        """Whether a key is needed, and neither the file nor the environment has one or a command for it."""
        has_one = self.kept is not None or not _CREDENTIALS.isdisjoint({*self.new, *self.overridden})
        return self.new["auth"] == "key" and not has_one


def plan_takeover(
    deployment: Deployment,
    old: Mapping[str, object],
    environ: Mapping[str, str],
    *,
    other_host: str | None,
    with_key: bool,
) -> Takeover:
    """What to set, and what the config file's `old` values say of another resource or way of signing in.

    `other_host` is that of the old endpoint: empty when there is none, None when it is the deployment's
    own.  Raises `CvsearchError` when the key is wanted and the deployment gave none.
    """
    new = {"endpoint": deployment.endpoint, "auth": deployment.auth}
    if with_key and deployment.auth == "key":
        if deployment.key is None:
            raise CvsearchError(
                "the deployment uses a key, but its outputs have no cvsearch_key",
                hint="apply the module in terraform/ again, or leave out --with-key",
            )
        new["key"] = deployment.key.reveal()
    held = [name for name in ("key", "key_command") if name in old and name not in new]
    removed: dict[str, str] = {}
    if deployment.auth == "entra":
        removed = dict.fromkeys(held, "keys are switched off in this deployment")
    elif "key" in new:
        removed = dict.fromkeys(held, "the key in the file takes its place")
    elif "key" in held and other_host is not None:
        # A key command stays: it may well print the key of what is deployed now.
        removed["key"] = (
            f"it is of another resource, {other_host}" if other_host else "no endpoint says whose it is"
        )
    kept = next((name for name in held if name not in removed), None)
    used = ("endpoint", "auth", *(("key", "key_command") if deployment.auth == "key" else ()))
    variables = {name: ENV_PREFIX + name.upper() for name in used}
    overridden = {name: variable for name, variable in variables.items() if variable in environ}
    return Takeover(new, removed, kept, overridden)


def _refuse_json(source: str) -> NoReturn:
    raise CvsearchError(f"what came from {source} is not the JSON of terraform output", f"run: {_HINT_PIPE}")


def _value(outputs: Mapping[str, object], name: str, source: str) -> str | None:
    """An output's text; None when it is null or not there."""
    output = outputs.get(name)
    if output is None:
        return None
    if not isinstance(output, dict) or "value" not in output:
        _refuse_json(source)
    value = output["value"]
    if value is not None and not (isinstance(value, str) and value.strip()):
        raise CvsearchError(
            f"{name} from {source} is no text, or empty", "apply the module in terraform/ again"
        )
    return value
