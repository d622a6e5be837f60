"""Azure Computer Vision 4.0 as a provider: its settings, its spaces, and how it is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from cvsearch.config.rules import LIMITS, Rule, Secret, matching, one_of, parse_secret, parse_text
from cvsearch.config.settings import Settings, refuse_empty
from cvsearch.errors import CredentialsError
from cvsearch.model import Space
from cvsearch.providers.azure.endpoint import read_endpoint
from cvsearch.providers.base import Choice, Embedder, Provider, fullest

DIMENSION = 1024

KNOWN_MODEL_VERSIONS = ("2023-04-15", "2022-04-11")
"""The multilingual model and the older English one; any other is passed on with a warning."""


def _without_secrets(endpoint: object) -> str:
    """An address as pasted, less what may be a password or a key in it."""
    address = re.sub(r"(?<=//)[^/@]*@", "****@", str(endpoint).partition("#")[0])
    return re.sub(r"\?.*", "?****", address)


RULES = (
    Rule(
        "endpoint",
        "the Azure resource's address",
        "an address such as https://NAME.cognitiveservices.azure.com",
        parse_text,
        deferred=True,
        lent="VISION_ENDPOINT",
        show=_without_secrets,
    ),
    Rule(
        "key",
        "the Azure resource's key",
        "one of its two keys",
        parse_secret,
        deferred=True,
        secret=True,
        lent="VISION_KEY",
        rival="key_command",
    ),
    Rule(
        "key_command",
        "a command whose output is the key",
        "a shell command",
        parse_text,
        deferred=True,
        rival="key",
    ),
    Rule("auth", "how to sign in to Azure", "key or entra", one_of("key", "entra"), "key", deferred=True),
    Rule(
        "api_version",
        "the Azure interface's version",
        "a date such as 2024-02-01",
        matching(r"\d{4}-\d\d-\d\d(-preview)?"),
        "2024-02-01",
        deferred=True,
    ),
    Rule(
        "model_version",
        "the Azure model's version",
        "a version such as 2023-04-15",
        matching(r"[0-9A-Za-z][0-9A-Za-z.-]{0,39}"),
        KNOWN_MODEL_VERSIONS[0],
        deferred=True,
    ),
)
_NEEDED = tuple(rule.name for rule in (*RULES, *LIMITS))
_NAMING = ("endpoint", "key", "key_command")
"""Settings of which each, if it is cvsearch's own, says that Azure is meant."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where Azure is and how to sign in there, complete: one credential, or with entra none."""

    endpoint: str
    auth: str
    key: Secret | None
    key_command: str | None


class AzureProvider(Provider):
    """Azure's image retrieval: a call, which costs, for each photo and text."""

    name = "azure"
    title = "Azure"
    sends = True
    settings = RULES

    def new_space(self, settings: Settings) -> Space:
        return Space(self.name, settings["model_version"], f"jpeg-{settings.max_edge}", DIMENSION)

    def is_set_up(self, settings: Settings) -> bool:
        return any(settings.found[name].own for name in _NAMING)

    def why_chosen(self, settings: Settings) -> str:
        return f"using Azure ({self.host(settings) or 'no endpoint yet'}), as your settings name it"

    def check(self, settings: Settings) -> None:
        read_account(settings)

    def choose(self, settings: Settings, existing: Sequence[tuple[Space, int]]) -> Choice:
        asked = [name for name in ("model_version", "max_edge") if settings.found[name].own]
        if self.is_named(settings) and asked:
            return Choice(self.new_space(settings))
        space = fullest(existing)
        if not asked:
            return Choice(space)
        notice = (
            f"this index is {space}; {' and '.join(asked)} set otherwise would mean paying again and is"
            " ignored (to begin a second space name --provider azure)"
        )
        return Choice(space, (notice,))

    def open(self, settings: Settings, space: Space) -> Embedder:
        account = read_account(settings)
        from cvsearch.providers.azure import embedder, sign_in

        if account.key is not None:
            credential: sign_in.Credential = sign_in.KeyCredential(account.key.reveal())
        elif account.key_command is not None:
            credential = sign_in.KeyCommandCredential(account.key_command)
        else:
            credential = sign_in.EntraCredential()
        return embedder.AzureEmbedder(
            account.endpoint,
            credential,
            api_version=settings["api_version"],
            model_version=space.model,
            space=space,
            rate=settings.rate,
            jobs=settings.jobs,
            max_calls=settings.max_calls,
        )

    def host(self, settings: Settings) -> str | None:
        return None if settings["endpoint"] is None else read_endpoint(settings["endpoint"]).host

    def warnings(self, settings: Settings) -> list[str]:
        model = settings.found["model_version"]
        if model.value in KNOWN_MODEL_VERSIONS:
            return []
        return [
            f"model_version {model.value} (from {model.source}) is not one cvsearch was written for: "
            + ", ".join(KNOWN_MODEL_VERSIONS)
        ]

    def describe_endpoint(self, settings: Settings) -> str:
        account = read_account(settings)
        endpoint = read_endpoint(account.endpoint)
        region = " (a regional endpoint: keys only)" if endpoint.regional else ""
        return f"{endpoint.base}{region}, signing in by {account.auth}"

    def describe_answer(self, settings: Settings, space: Space, seconds: float) -> str:
        return (
            f"signed in and answered in {seconds:.2f} s: api-version {settings['api_version']},"
            f" model-version {space.model}, {space.dimension} numbers"
        )


def read_account(settings: Settings) -> Account:
    """How to sign in.  Raises `CredentialsError` when something is missing, empty or ambiguous."""
    settings.refuse_empty(_NEEDED)
    endpoint, auth = settings["endpoint"], settings["auth"]
    key, command = _choose_credential(settings) if auth == "key" else (None, None)
    signs_in = auth == "entra" or key is not None or command is not None
    if endpoint is None or not signs_in:
        _refuse_half(settings, signs_in=signs_in)
    return Account(endpoint, auth, key, command)


def _choose_credential(settings: Settings) -> tuple[Secret | None, str | None]:
    """The key or the command, whichever comes from the stronger layer."""
    key, command = settings.found["key"], settings.found["key_command"]
    if None not in (key.value, command.value) and key.origin == command.origin:
        raise CredentialsError(
            f"both a key and a key command are set ({key.source}, {command.source})",
            "remove one of the two",
        )
    if command.origin < key.origin:
        return None, settings["key_command"]
    secret: Secret | None = settings["key"]
    text = "" if secret is None else secret.reveal()
    if not (text.isascii() and text.isprintable()) or " " in text:  # it must fit into an HTTP header
        raise CredentialsError(
            f"the key from {key.source} holds characters that no key has",
            "copy it again, without quotes, spaces or line ends",
        )
    return secret, None


def _refuse_half(settings: Settings, *, signs_in: bool) -> NoReturn:
    for name in _NAMING:
        if settings.found[name].empty:
            refuse_empty(settings.found[name])
    if settings["endpoint"] is not None:
        raise CredentialsError(
            f"Azure has an endpoint ({settings.found['endpoint'].source}) but no key",
            "set CVSEARCH_KEY or CVSEARCH_KEY_COMMAND, or CVSEARCH_AUTH=entra",
        )
    if signs_in:
        raise CredentialsError(
            "Azure has a credential but no endpoint",
            "set CVSEARCH_ENDPOINT to the address of your Azure resource",
        )
    raise CredentialsError(
        "Azure is not set up: there is no endpoint and no key",
        "set CVSEARCH_ENDPOINT and CVSEARCH_KEY, or use --provider local",
    )
