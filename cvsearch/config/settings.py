"""What the user set, and where: flag, then environment, then config file, then the default; which index."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NoReturn

from cvsearch.config.file import config_path, read_config
from cvsearch.config.rules import Rule, is_empty
from cvsearch.errors import CredentialsError, CvsearchError


class Origin(IntEnum):
    """The layers, the strongest first; `LENT` are the environment variables of other programs."""

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
    rule: Rule = field(kw_only=True, repr=False)

    @property
    def own(self) -> bool:
        """Whether the user set it for cvsearch, rather than another program's variables or nobody."""
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
        return self.rule.show(self.value)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values that concern every provider; ``settings[name]`` has those of one provider too.

    `found` has every setting with its source, `warnings` what the user should know.  `rate` is in
    calls per second, `max_edge` in pixels, `price` in US dollars for 1,000 pictures.
    """

    index: str | None
    provider: str
    offline: bool
    color: str
    rate: float | None
    jobs: int | None
    max_edge: int
    max_calls: int | None
    price: float
    found: Mapping[str, Setting]
    warnings: list[str]

    @classmethod
    def load(
        cls, rules: Mapping[str, Rule], flags: Mapping[str, object], environ: Mapping[str, str]
    ) -> Settings:
        """Settings from all layers; a flag that is None was not given.  Raises `CvsearchError`."""
        if wrong := set(flags) - {name for name, rule in rules.items() if not rule.secret}:
            raise ValueError(f"no such flags, and the key is never one: {sorted(wrong)}")
        path = config_path(environ)
        file = read_config(path, rules)
        found = {name: _find(rule, flags, environ, file, path) for name, rule in rules.items()}
        general: dict[str, Any] = {name: found[name].value for name in _GENERAL}
        warnings = []
        holds_key = any(rules[name].secret for name in file)
        if holds_key and os.stat(path).st_mode & (stat.S_IRGRP | stat.S_IROTH):
            warnings = [f"{path} holds a key and others may read it; run: chmod 600 {path}"]
        return cls(**general, found=found, warnings=warnings)

    def __getitem__(self, name: str) -> Any:
        """The value of a setting, of whichever provider."""
        return self.found[name].value

    def refuse_empty(self, names: Iterable[str]) -> None:
        """Raises `CredentialsError` for the first of some settings that the user left empty."""
        names = frozenset(names)
        for setting in self.found.values():
            if setting.name in names and setting.empty and setting.own:
                refuse_empty(setting)


_GENERAL = ("index", "provider", "offline", "color", "rate", "jobs", "max_edge", "max_calls", "price")


def describe(settings: Settings) -> list[Setting]:
    """Every setting with its source, in a stable order; keys stay hidden in `shown`, `str` and `repr`."""
    return list(settings.found.values())


def refuse_empty(setting: Setting) -> NoReturn:
    """Raises `CredentialsError` for a setting that is there but says nothing."""
    raise CredentialsError(
        f"{setting.name} is set but empty (from {setting.source})",
        f"remove it, or give it {setting.rule.allowed}",
    )


def _find(
    rule: Rule, flags: Mapping[str, object], environ: Mapping[str, str], file: Mapping[str, object], path: str
) -> Setting:
    """The strongest layer's value for one setting."""
    value: object
    if flags.get(rule.name) is not None:
        value, source, origin = flags[rule.name], "flag --" + rule.name.replace("_", "-"), Origin.FLAG
    elif (variable := rule.variable) in environ:
        value, source, origin = environ[variable], f"environment {variable}", Origin.ENVIRONMENT
    elif rule.name in file:
        value, source, origin = file[rule.name], f"file {path}", Origin.FILE
    elif rule.lent is not None and rule.lent in environ:
        value, source, origin = environ[rule.lent], f"environment {rule.lent}", Origin.LENT
    else:
        return Setting(rule.name, rule.default, "default", rule=rule)
    if not is_empty(value):
        return Setting(rule.name, rule.read(value, source), source, origin, rule=rule)
    if rule.deferred:
        # Whether this is an error only a provider that needs it knows.
        return Setting(rule.name, rule.default, source, origin, empty=True, rule=rule)
    raise CvsearchError(
        f"{rule.name} is set but empty (from {source})", f"remove it, or give it {rule.allowed}"
    )


def find_index_folder(settings: Settings, cwd: str) -> str:
    """Which index: the one that was named, else the nearest ``.cvsearch`` here or above, else the user's."""
    if settings.index is not None:
        return os.path.normpath(os.path.join(cwd, settings.index))
    folder = cwd
    while True:
        if os.path.isdir(candidate := os.path.join(folder, ".cvsearch")):
            return candidate
        if folder == (folder := os.path.dirname(folder)):
            break
    import platformdirs

    return str(platformdirs.user_data_path("cvsearch"))
