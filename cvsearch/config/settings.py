"""What the user set, and where: flag, then environment, then config file, then the default."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NoReturn

from cvsearch.config.file import config_path, read_config, unset_setting, write_setting
from cvsearch.config.rules import KNOWN_MODEL_VERSIONS, PRICE_DATE, RULES, Rule, Secret, is_empty
from cvsearch.errors import CredentialsError, CvsearchError

__all__ = [
    "PRICE_DATE",
    "RULES",
    "Origin",
    "Secret",
    "Setting",
    "Settings",
    "SignIn",
    "config_path",
    "describe",
    "unset_setting",
    "write_setting",
]

_NAMES_AZURE = ("endpoint", "key", "key_command")


class Origin(IntEnum):
    """The layers, the strongest first; `LENT` are Microsoft's own environment variables."""

    FLAG = 0
    ENVIRONMENT = 1
    FILE = 2
    LENT = 3
    DEFAULT = 4


@dataclass(frozen=True, slots=True)
class Setting:
    """One value and where it came from.  `empty`: it was there but said nothing, `value` is the default."""

    name: str
    value: object
    source: str
    origin: Origin = Origin.DEFAULT
    empty: bool = False

    @property
    def own(self) -> bool:
        """Whether the user set it for cvsearch, rather than Microsoft's variables or nobody."""
        return self.origin < Origin.LENT

    @property
    def shown(self) -> str:
        """The value as people read and write it; a key stays hidden."""
        if self.empty:
            return "(empty)"
        if self.value is None:
            return "(not set)"
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if self.name == "rate" and isinstance(self.value, float):
            return f"{self.value:g}/s" if self.value >= 1 else f"{self.value * 60:g}/m"
        if self.name == "endpoint":
            return _without_secrets(str(self.value))
        return str(self.value)


def _without_secrets(endpoint: str) -> str:
    """An address as pasted, less what may be a password or a key in it."""
    address = re.sub(r"(?<=//)[^/@]*@", "****@", endpoint.partition("#")[0])
    return re.sub(r"\?.*", "?****", address)


@dataclass(frozen=True, slots=True)
class SignIn:
    """Where Azure is and how to sign in there, complete: one credential, or with entra none."""

    endpoint: str
    auth: str
    key: Secret | None
    key_command: str | None


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting's value; `found` has each with its source, `warnings` what the user should know.

    `rate` is in calls per second, `max_edge` in pixels, `price` in US dollars for 1,000 pictures.
    """

    index: str | None
    provider: str
    offline: bool
    color: str
    endpoint: str | None
    key: Secret | None
    key_command: str | None
    auth: str
    api_version: str
    model_version: str
    rate: float | None
    jobs: int | None
    max_edge: int
    max_calls: int | None
    price: float
    found: Mapping[str, Setting]
    warnings: list[str]

    @classmethod
    def load(cls, flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
        """Settings from all layers; a flag that is None was not given.  Raises `CvsearchError`."""
        if wrong := set(flags) - (set(RULES) - {"key"}):
            raise ValueError(f"no such flags, and the key is never one: {sorted(wrong)}")
        path = config_path(environ)
        file = read_config(path)
        found = {name: _find(rule, flags, environ, file, path) for name, rule in RULES.items()}
        values: dict[str, Any] = {name: setting.value for name, setting in found.items()}
        return cls(**values, found=found, warnings=_warnings(found, path if "key" in file else None))

    @property
    def names_azure(self) -> bool:
        """Whether cvsearch's own settings name Azure, be it only by half."""
        return any(self.found[name].own for name in _NAMES_AZURE)

    def azure(self) -> SignIn:
        """How to sign in.  Raises `CredentialsError` when something is missing, empty or ambiguous."""
        for setting in self.found.values():
            if setting.empty and setting.own:
                _refuse_empty(setting)
        key, command = self._credential() if self.auth == "key" else (None, None)
        signs_in = self.auth == "entra" or key is not None or command is not None
        if self.endpoint is None or not signs_in:
            self._refuse_half(signs_in)
        return SignIn(self.endpoint, self.auth, key, command)

    def _credential(self) -> tuple[Secret | None, str | None]:
        """The key or the command, whichever comes from the stronger layer."""
        key, command = self.found["key"], self.found["key_command"]
        if self.key is not None and self.key_command is not None and key.origin == command.origin:
            raise CredentialsError(
                f"both a key and a key command are set ({key.source}, {command.source})",
                "remove one of the two",
            )
        if command.origin < key.origin:
            return None, self.key_command
        if self.key is not None and not _can_be_key(self.key.reveal()):
            raise CredentialsError(
                f"the key from {key.source} holds characters that no key has",
                "copy it again, without quotes, spaces or line ends",
            )
        return self.key, None

    def _refuse_half(self, signs_in: bool) -> NoReturn:
        for name in _NAMES_AZURE:
            if self.found[name].empty:
                _refuse_empty(self.found[name])
        if self.endpoint is not None:
            raise CredentialsError(
                f"Azure has an endpoint ({self.found['endpoint'].source}) but no key",
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


def describe(settings: Settings) -> list[Setting]:
    """Every setting with its source, in a stable order; keys stay hidden in `shown`, `str` and `repr`."""
    return list(settings.found.values())


def _find(
    rule: Rule, flags: Mapping[str, object], environ: Mapping[str, str], file: Mapping[str, object], path: str
) -> Setting:
    """The strongest layer's value for one setting."""
    if flags.get(rule.name) is not None:
        flag = "flag --" + rule.name.replace("_", "-")
        return _parsed(rule, flags[rule.name], flag, Origin.FLAG)
    if rule.variable in environ:
        return _parsed(rule, environ[rule.variable], f"environment {rule.variable}", Origin.ENVIRONMENT)
    if rule.name in file:
        return _parsed(rule, file[rule.name], f"file {path}", Origin.FILE)
    if rule.lent is not None and rule.lent in environ:
        return _parsed(rule, environ[rule.lent], f"environment {rule.lent}", Origin.LENT)
    return Setting(rule.name, rule.default, "default")


def _parsed(rule: Rule, value: object, source: str, origin: Origin) -> Setting:
    if not is_empty(value):
        return Setting(rule.name, rule.read(value, source), source, origin)
    if rule.azure:
        # Whether this is an error only Azure knows; a run with the local model needs none of these.
        return Setting(rule.name, rule.default, source, origin, empty=True)
    raise CvsearchError(
        f"{rule.name} is set but empty (from {source})", f"remove it, or give it {rule.allowed}"
    )


def _refuse_empty(setting: Setting) -> NoReturn:
    raise CredentialsError(
        f"{setting.name} is set but empty (from {setting.source})",
        f"remove it, or give it {RULES[setting.name].allowed}",
    )


def _can_be_key(text: str) -> bool:
    """Whether the text fits into an HTTP header as it is."""
    return text.isascii() and text.isprintable() and " " not in text


def _warnings(found: Mapping[str, Setting], key_file: str | None) -> list[str]:
    warnings = []
    if key_file is not None and _others_may_read(key_file):
        warnings.append(f"{key_file} holds a key and others may read it; run: chmod 600 {key_file}")
    model = found["model_version"]
    if model.value not in KNOWN_MODEL_VERSIONS:
        warnings.append(
            f"model_version {model.value} (from {model.source}) is not one cvsearch was written for: "
            + ", ".join(KNOWN_MODEL_VERSIONS)
        )
    return warnings


def _others_may_read(path: str) -> bool:
    return bool(os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH))
