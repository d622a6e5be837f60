"""WordNet's nouns over ImageNet's classes: which classes a noun covers, and which it is nearest to."""

from __future__ import annotations

import os
from collections import defaultdict, deque
from dataclasses import dataclass

_WIDEST_PHRASE = 650  # above it a noun (object, artifact) says nothing
_WIDEST_ENTRY = 60
_FARTHEST_ENTRY = 2
_LEMMAS = 3


@dataclass(frozen=True)
class Synset:
    """One sense: its lemmas, its hypernyms' keys and its gloss."""

    lemmas: list[str]
    above: list[str]
    gloss: str


class Nouns:
    """WordNet 3.0's noun hierarchy with ImageNet's classes hung into it.

    `classes` are the class synsets' keys (eight digits) in class order.
    """

    def __init__(self, folder: str, classes: list[str]) -> None:
        self.synsets = _read_synsets(os.path.join(folder, "data.noun"))
        self.senses = _read_senses(os.path.join(folder, "index.noun"))
        self.classes = classes
        self.covered = self._cover()

    def _cover(self) -> dict[str, set[int]]:
        covered: dict[str, set[int]] = defaultdict(set)
        for index, key in enumerate(self.classes):
            for above, _ in self._ancestors(key):
                covered[above].add(index)
        return dict(covered)

    def _ancestors(self, key: str) -> list[tuple[str, int]]:
        """The synset and all above it with their distance, nearest first."""
        seen: dict[str, int] = {}
        waiting = deque([(key, 0)])
        while waiting:
            at, distance = waiting.popleft()
            if at not in seen:
                seen[at] = distance
                waiting.extend((above, distance + 1) for above in self.synsets[at].above)
        return list(seen.items())

    def group(self, noun: str) -> list[int]:
        """The classes of the noun's widest sense that is not too wide; KeyError when there is none."""
        sets = [self.covered[key] for key in self.senses.get(noun, []) if key in self.covered]
        sets = [found for found in sets if len(found) <= _WIDEST_PHRASE]
        if not sets:
            raise KeyError(f"WordNet has no class below {noun!r}")
        return sorted(max(sets, key=len))

    def phrases(self) -> dict[str, list[tuple[int, ...]]]:
        """Every lemma that covers classes, with the class sets of its senses."""
        found: dict[str, set[tuple[int, ...]]] = defaultdict(set)
        for index, key in enumerate(self.classes):
            for lemma in self.synsets[key].lemmas:
                found[lemma.lower()].add((index,))
        for key, below in self.covered.items():
            if len(below) <= _WIDEST_PHRASE:
                for lemma in self.synsets[key].lemmas[:_LEMMAS]:
                    found[lemma.lower()].add(tuple(sorted(below)))
        return {lemma: sorted(sets) for lemma, sets in found.items() if len(lemma) > 1}

    def dictionary(self) -> dict[str, tuple[tuple[int, ...], int]]:
        """Nouns by their first sense: the nearest covered synset's classes and the steps up to it."""
        entries = {}
        for noun, keys in self.senses.items():
            for above, distance in self._ancestors(keys[0]):
                if distance > _FARTHEST_ENTRY:
                    break
                below = self.covered.get(above, set())
                if 0 < len(below) <= _WIDEST_ENTRY:
                    entries[noun] = (tuple(sorted(below)), distance)
                    break
        return entries


def _read_synsets(path: str) -> dict[str, Synset]:
    synsets = {}
    with open(path, encoding="latin-1") as file:
        for line in file:
            if line.startswith(" "):
                continue
            head, _, gloss = line.partition("|")
            words = head.split()
            count = int(words[3], 16)
            lemmas = [word.replace("_", " ") for word in words[4 : 4 + 2 * count : 2]]
            rest = words[4 + 2 * count + 1 :]
            above = [rest[i + 1] for i in range(0, len(rest) - 3, 4) if rest[i] in ("@", "@i")]
            synsets[words[0]] = Synset(lemmas, above, gloss.strip())
    return synsets


def _read_senses(path: str) -> dict[str, list[str]]:
    senses = {}
    with open(path, encoding="latin-1") as file:
        for line in file:
            if not line.startswith(" "):
                words = line.split()
                senses[words[0].replace("_", " ")] = words[4 + int(words[3]) + 2 :]
    return senses
