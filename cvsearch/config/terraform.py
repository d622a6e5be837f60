"""What Terraform deployed: the outputs of the module in ``terraform/``, run for or read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from cvsearch.config.rules import Secret
from cvsearch.errors import CvsearchError

_SECONDS = 120.0
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
        raise CvsearchError(
            f"terraform output failed in {folder}: {_complaint(done.stderr, done.returncode)}",
            f"mend that first: terraform -chdir={folder} output",
        )
    return done.stdout


def read_outputs(text: bytes, source: str) -> Deployment:
    """The deployment that ``terraform output -json`` describes.  Raises `CvsearchError`; shows no key."""
    outputs = _parse(text, source)
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


def _parse(text: bytes, source: str) -> dict[str, object]:
    try:
        outputs = json.loads(text)
    except ValueError:
        _refuse_json(source)
    if not isinstance(outputs, dict):
        _refuse_json(source)
    if not outputs:
        raise CvsearchError(
            f"there are no outputs in {source}: nothing is deployed from there yet",
            "run: terraform apply",
        )
    return outputs


def _refuse_json(source: str) -> NoReturn:
    raise CvsearchError(
        f"what came from {source} is not the JSON of terraform output", f"run: {_HINT_PIPE}"
    ) from None


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


def _complaint(errors: bytes, status: int) -> str:
    """The sentence after ``Error:``, without the frame that Terraform draws."""
    lines = [line.strip("│╷╵ ") for line in errors.decode(errors="replace").splitlines()]
    said = next((line for line in lines if line.startswith("Error")), None)
    return said.removeprefix("Error:").strip() if said else f"status {status}"
