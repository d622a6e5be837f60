"""Reads `lexicon.txt`: everyday phrases in terms of what the network knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Group = Callable[[str], list[int]]


@dataclass
class Entry:
    """One phrase's parts: class index → weight, and the weights of drawn kinds, tones and colours."""

    phrase: str
    classes: dict[int, float] = field(default_factory=dict)
    drawn: dict[str, float] = field(default_factory=dict)
    looks: dict[str, float] = field(default_factory=dict)


class Reader:
    """Resolves names: `classes` are the classes' names in order, `group` a noun's classes."""

    def __init__(self, classes: list[str], group: Group, drawn: list[str], looks: list[str]) -> None:
        self.classes: dict[str, list[int]] = {}
        for index, name in enumerate(classes):
            self.classes.setdefault(name.lower(), []).append(index)
        # a comma separates parts, so a class whose name has one goes by the name without it
        self.classes |= {name.replace(",", ""): found for name, found in self.classes.items()}
        self.group, self.drawn, self.looks = group, drawn, looks

    def read(self, path: str) -> list[Entry]:
        """Every phrase of the file; a phrase that comes twice is refused."""
        entries: list[Entry] = []
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip() and not line.startswith("#"):
                    try:
                        entries += self._line(line.strip())
                    except (KeyError, ValueError) as error:
                        raise ValueError(f"{path}:{number}: {error}") from error
        _refuse_twice(entries)
        return entries

    def _line(self, line: str) -> Iterator[Entry]:
        phrases, equals, parts = line.partition(" = ")
        if not equals:
            raise ValueError(f"no ' = ' in {line!r}")
        meaning = Entry("")
        for part in parts.split(","):
            name, _, weight = part.strip().partition(":")
            self._add(meaning, name.strip(), float(weight or 1))
        for phrase in phrases.split(","):
            yield Entry(phrase.strip().lower(), meaning.classes, meaning.drawn, meaning.looks)

    def _add(self, meaning: Entry, name: str, weight: float) -> None:
        if name.startswith("#"):
            _known(name[1:], self.looks)
            meaning.looks[name[1:]] = weight
        elif name.startswith("@"):
            _known(name[1:], self.drawn)
            meaning.drawn[name[1:]] = weight
        else:
            found = self.group(name[1:]) if name.startswith("*") else self.classes[name.lower()]
            for index in found:
                share = weight / len(found) ** 0.5
                meaning.classes[index] = meaning.classes.get(index, 0.0) + share


def _known(name: str, names: list[str]) -> None:
    if name not in names:
        raise KeyError(f"unknown part {name!r}")


def _refuse_twice(entries: list[Entry]) -> None:
    phrases = [entry.phrase for entry in entries]
    twice = sorted({phrase for phrase in phrases if phrases.count(phrase) > 1})
    if twice:
        raise ValueError(f"phrases that come twice: {', '.join(twice)}")
    odd = [phrase for phrase in phrases if not re.fullmatch(r"[\w' /&+.-]+", phrase)]
    if odd:
        raise ValueError(f"phrases with odd characters: {odd}")
