"""What proves to Azure who sends a request: a key, a command that prints one, or Entra."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Protocol

from cvsearch.errors import CredentialsError

_COMMAND_SECONDS = 60.0
_SCOPE = "https://cognitiveservices.azure.com/.default"
_EARLY = 300.0
"""Seconds before a token's end at which the next one is fetched."""


class Credential(Protocol):
    """What signs requests.  Called by one thread at a time."""

    def header(self) -> tuple[str, str]:
        """The header's name and value.  Raises `CredentialsError` when there is none to be had."""
        ...

    def renew(self) -> bool:
        """After a refusal: get the credential anew.  False when that cannot make a difference."""
        ...


class KeyCredential:
    """A key of the resource.  Raises `CredentialsError` for text that cannot be a key."""

    def __init__(self, key: str) -> None:
        self._key = _clean_key(key, "CVSEARCH_KEY")

    def header(self) -> tuple[str, str]:
        return "Ocp-Apim-Subscription-Key", self._key

    def renew(self) -> bool:
        return False


class KeyCommandCredential:
    """A key that a shell command prints; the command is run when the key is first needed."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._key: str | None = None

    def header(self) -> tuple[str, str]:
        if self._key is None:
            self._key = _clean_key(self._run(), "CVSEARCH_KEY_COMMAND")
        return "Ocp-Apim-Subscription-Key", self._key

    def renew(self) -> bool:
        self._key = None
        self.header()
        return True

    def _run(self) -> str:
        hint = "run the command by hand: it must print the key, and nothing else, within 60 seconds"
        with subprocess.Popen(  # noqa: S602 - the setting is a shell command by its definition
            self._command,
            shell=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            try:
                output, errors = process.communicate(timeout=_COMMAND_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise CredentialsError("CVSEARCH_KEY_COMMAND did not end in time", hint) from None
        if process.returncode != 0:
            complaint = _one_line(errors.decode(errors="replace"))
            raise CredentialsError(
                f"CVSEARCH_KEY_COMMAND failed with status {process.returncode}"
                + (f": {complaint}" if complaint else ""),
                hint,
            )
        return output.decode(errors="replace")


class EntraCredential:
    """A token of Microsoft Entra, by whatever way of signing in `azure-identity` finds."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._token = ""
        self._ends = 0.0

    def header(self) -> tuple[str, str]:
        if self._now() >= self._ends - _EARLY:
            self._fetch()
        return "Authorization", f"Bearer {self._token}"

    def renew(self) -> bool:
        self._fetch()
        return True

    def _fetch(self) -> None:
        try:
            from azure.core.exceptions import AzureError
            from azure.identity import DefaultAzureCredential
        except ImportError:
            raise CredentialsError(
                "signing in by Entra needs the package azure-identity", "pip install 'cvsearch[entra]'"
            ) from None
        try:
            with DefaultAzureCredential() as credential:
                token = credential.get_token(_SCOPE)
        except (AzureError, ValueError) as error:
            raise CredentialsError(
                f"signing in by Entra failed: {_one_line(str(error))}",
                "run 'az login', or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET",
            ) from None
        self._token, self._ends = token.token, float(token.expires_on)


def _clean_key(text: str, setting: str) -> str:
    key = text.strip()
    if not key:
        raise CredentialsError(f"{setting} gives no key", "the portal shows it under 'Keys and Endpoint'")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise CredentialsError(
            f"{setting} gives something that is no key: it has spaces, line ends or other letters",
            "copy the key again; the portal shows it under 'Keys and Endpoint'",
        )
    return key


def _one_line(text: str) -> str:
    line = next((line for line in text.splitlines() if line.strip()), "")
    return "".join(char if char.isprintable() else " " for char in line).strip()[:300]
