"""What each setting may be: its name, what is allowed, its default, and the key that hides itself."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NoReturn, Self

from cvsearch.errors import CvsearchError

PRICE_DATE = "recollection of S1's list price, November 2026; look up what your region pays"
"""What to say beside every price: the default was remembered, not quoted from a price page."""

ENV_PREFIX = "CVSEARCH_"

_HIDDEN_BELOW = 8


class Secret:
    """Text that no log, table or traceback shows; only `reveal` gives it away."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that must send it."""
        return self._text

    def __str__(self) -> str:
        return "****" + (self._text[-4:] if len(self._text) >= _HIDDEN_BELOW else "")

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled")


@dataclass(frozen=True, slots=True)
class Rule:
    """One setting: `parse` takes text or a TOML value and raises ValueError; `allowed` says what it takes.

    `deferred` marks what only some providers need: left empty, it is their error, not everyone's.
    `secret` values are never a flag, an argument or part of a message.  `lent` is the environment
    variable of another program for the same thing, `rival` the setting that a file cannot have beside
    this one.  `show` gives a value as people read and write it.
    """

    name: str
    about: str
    allowed: str
    parse: Callable[[object], object]
    default: object = None
    deferred: bool = False
    secret: bool = False
    lent: str | None = None
    rival: str | None = None
    show: Callable[[object], str] = str

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.upper()

    def read(self, value: object, source: str) -> object:
        """The parsed value; a `CvsearchError` that names setting and source, but never a key."""
        try:
            return self.parse(value)
        except ValueError:
            given = "given" if self.secret else repr(value)
            raise CvsearchError(
                f"{self.name} cannot be {given} (from {source})", f"{self.name} takes {self.allowed}"
            ) from None


def is_empty(value: object) -> bool:
    """Whether a setting is there but says nothing."""
    return isinstance(value, str) and not value.strip()


def parse_text(value: object) -> str:
    """Text that says something, without spaces around it."""
    if not isinstance(value, str) or is_empty(value):
        raise ValueError
    return value.strip()


def parse_secret(value: object) -> Secret:
    """Text that hides itself."""
    return Secret(parse_text(value))


def _folder(value: object) -> str:
    # Spaces at either end may belong to the name, and a shell leaves the ~ of --index=~/x alone.
    if not isinstance(value, str | os.PathLike) or is_empty(value):
        raise ValueError
    return os.path.expanduser(os.fsdecode(value))


def one_of(*choices: str) -> Callable[[object], str]:
    """Takes one of some words, in any case."""

    def parse(value: object) -> str:
        if (text := parse_text(value).lower()) not in choices:
            raise ValueError
        return text

    return parse


def matching(pattern: str) -> Callable[[object], str]:
    """Takes text that fits a regular expression as a whole."""

    def parse(value: object) -> str:
        if not re.fullmatch(pattern, text := parse_text(value)):
            raise ValueError
        return text

    return parse


def _yes_or_no(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = parse_text(value).lower()
    if text not in ("1", "0", "true", "false", "yes", "no"):
        raise ValueError
    return text in ("1", "true", "yes")


def _whole(least: int, most: float) -> Callable[[object], int]:
    def parse(value: object) -> int:
        number = value if type(value) is int else int(matching("[0-9]{1,15}")(value))
        if not least <= number <= most:
            raise ValueError
        return number

    return parse


def _number(value: object) -> float:
    number = float(value) if type(value) in (int, float) else float(parse_text(value))  # type: ignore[arg-type]
    if not 0 <= number < math.inf:
        raise ValueError
    return number


def _rate(value: object) -> float:
    """Calls per second."""
    text, _, unit = (value if isinstance(value, str) else str(_number(value))).partition("/")
    rate = _number(text) / (60 if unit.strip() == "m" else 1)
    if not rate or (isinstance(value, str) and "/" in value and unit.strip() not in ("s", "m")):
        raise ValueError
    return rate


def _show_rate(value: object) -> str:
    rate = float(str(value))
    return f"{rate:g}/s" if rate >= 1 else f"{rate * 60:g}/m"


LIMITS = (
    Rule(
        "rate",
        "the most calls a second or a minute",
        "a number above zero: 20 or 20/s a second, 20/m a minute",
        _rate,
        deferred=True,
        show=_show_rate,
    ),
    Rule("jobs", "photos in flight at once", "a whole number from 1 to 256", _whole(1, 256), deferred=True),
    Rule(
        "max_edge",
        "the longest edge of what is embedded, in pixels",
        "a whole number from 64 to 4096",
        _whole(64, 4096),
        1024,
        deferred=True,
    ),
    Rule("max_calls", "the most calls a run may make", "a whole number", _whole(0, math.inf), deferred=True),
)
"""What bounds the work of any provider that sends."""


def make_rules(providers: Sequence[str], own: Iterable[Rule]) -> dict[str, Rule]:
    """Every setting by its name, in the order people see; `own` are those of the providers alone.

    `providers` are the names that the setting `provider` takes, the default first.
    """
    general = (
        Rule("index", "the index's folder", "a folder", _folder),
        Rule(
            "provider",
            "who makes the vectors",
            " or ".join(", ".join(providers).rsplit(", ", 1)),
            one_of(*providers),
            providers[0],
        ),
        Rule("offline", "no byte may leave this machine", "true or false", _yes_or_no, False),
        Rule(
            "color",
            "colours on the terminal",
            "auto, always or never",
            one_of("auto", "always", "never"),
            "auto",
        ),
    )
    price = Rule("price", "US dollars for 1,000 pictures, an estimate", "a number", _number, 0.10)
    return {rule.name: rule for rule in (*general, *own, *LIMITS, price)}
