"""From an English text to its vector, in the picture's concepts; without a network."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError
from cvsearch.providers.local import layout
from cvsearch.providers.local.layout import COLOURS, Array
from cvsearch.providers.local.phrasebook import (
    ALSO_THINGS,
    CLASSES,
    COLOUR_WORDS,
    STOP_WORDS,
    TONES,
    Phrasebook,
    split_words,
)

# How much the parts of a text and the blocks of its vector weigh: round numbers, chosen on judged
# pictures where a wide range around them does as well.
_EACH_WORD, _LOOKED_UP = 1.0, 0.2
_THINGS = 0.5
_TONE, _COLOUR, _HALF, _NAMED, _BOUND = 0.4, 0.3, 0.2, 0.1, 0.8
_STRANGE, _FAMILIAR = 0.5, 0.8
_LONGEST_PHRASE = 5
_LONGEST_TEXT = 64


class TextEncoder:
    """ConSE's text side: the classes of the phrases a text names or resembles."""

    def __init__(self) -> None:
        self._book = Phrasebook()
        self._classes = layout.open_table("class_projection")
        self._concepts = layout.open_table("concept_features")
        self._groups = layout.open_table("class_groups")

    def encode(self, text: str) -> Array:
        """The text's unit vector, float32 (1024,).  Raises `CvsearchError` when it says nothing known."""
        if not text.strip():
            raise CvsearchError("the text is empty", "say what is in the picture, for example: a red car")
        reading = read_text(text, self._book)
        sense = self._sense(reading)
        if sense is None and not reading.colours:
            raise CvsearchError(
                f"the local model knows none of the words in {text!r}",
                "describe what is in the picture in everyday English: objects, scenes, colours",
            )
        return layout.join(self._blocks(reading, sense))

    def _sense(self, reading: Reading) -> Array | None:
        """The whole text's, each word's and the known phrases' senses together; None without any.

        A word that was not looked up counts by how near it is to any phrase: names and words for what
        cannot be seen are like nothing.
        """
        if not reading.content:
            return None
        senses, likeness = self._book.liken([" ".join(reading.words), *reading.content])
        trust = np.clip((likeness - _STRANGE) / (_FAMILIAR - _STRANGE), 0, 1)
        trust[1:][list(reading.content.values())] = 1
        if trust.max() < 1 and not any(map(self._book.is_english, reading.content)):
            return None
        total = senses[0]
        if len(reading.content) > 1:
            total = total + _EACH_WORD * layout.times(trust[1:], senses[1:]) / max(
                float(trust[1:].sum()), 1.0
            )
        if reading.known:
            total = total + _LOOKED_UP * np.mean(reading.known, 0)
        return np.asarray(total, np.float32)

    def _blocks(self, reading: Reading, sense: Array | None) -> dict[str, Array]:
        if sense is None:
            sense = np.zeros(self._book.size, np.float32)
        classes, concepts = sense[:CLASSES], sense[CLASSES : CLASSES + self._book.concepts]
        looks = sense[CLASSES + self._book.concepts :]
        colours, upper, lower = looks[TONES:].reshape(3, -1)
        named, bound = self._colours(reading, classes)
        parts = {
            "classes": _THINGS * _times_stored(layout.unit(classes), self._classes),
            "features": _THINGS * layout.unit(_times_stored(concepts, self._concepts)),
            "tones": np.append(_TONE * TONES**0.5 * looks[:TONES], 0),
            "colours": _COLOUR * colours + named,
            "upper": _HALF * upper,
            "lower": _HALF * lower,
            "bound": bound.ravel(),
        }
        return {name: part / layout.WEIGHTS[name] for name, part in parts.items()}

    def _colours(self, reading: Reading, classes: Array) -> tuple[Array, Array]:
        """Colours asked for: of the whole, shape (11,), and of groups of things, shape (groups, 11)."""
        named = np.zeros(len(COLOURS), np.float32)
        bound = np.zeros((layout.GROUPS, len(COLOURS)), np.float32)
        for colour, place in reading.colours:
            owner = reading.known[place][:CLASSES] if place < len(reading.known) else classes
            groups = np.bincount(self._groups, owner, layout.GROUPS).astype(np.float32)
            named[colour] += _NAMED
            bound[:, colour] += _BOUND * layout.unit(groups)
        return named, bound


def _times_stored(vector: Array, matrix: NDArray[np.float16]) -> Array:
    """The product with a stored matrix, of which only the rows that matter are read."""
    rows = np.flatnonzero(np.abs(vector) > 1e-5)
    return layout.times(vector[rows], matrix[rows].astype(np.float32))


@dataclass
class Reading:
    """What a text says.

    `known` has the senses of phrases that were looked up, `words` the text without colours and words
    between phrases, `content` its words that carry something, with whether they were looked up.
    `colours` pairs the index of a colour with the place in `known` of what it goes with, which may be
    past the end.
    """

    known: list[Array] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    content: dict[str, bool] = field(default_factory=dict)
    colours: list[tuple[int, int]] = field(default_factory=list)


def read_text(text: str, book: Phrasebook) -> Reading:
    """Reads from left to right, longest phrases first; text beyond `_LONGEST_TEXT` words is left out."""
    words = split_words(text)[:_LONGEST_TEXT]
    idle = STOP_WORDS if any(word not in STOP_WORDS for word in words) else frozenset[str]()
    reading, start = Reading(), 0
    while start < len(words):
        start += _read_phrase(reading, words[start : start + _LONGEST_PHRASE], idle, book)
    return reading


def _read_phrase(reading: Reading, words: list[str], idle: frozenset[str], book: Phrasebook) -> int:
    """Reads what the words begin with; how many words that was.  `idle` words carry nothing."""
    for count in range(len(words), 1, -1):
        if words[0] not in idle and words[count - 1] not in idle:
            sense = book.look_up(" ".join(words[:count]))
            if sense is not None:
                return _keep(reading, words[:count], sense)
    word = words[0]
    if word in COLOUR_WORDS:
        alone = not reading.content and (len(words) == 1 or words[1] in idle)
        reading.colours.append((COLOURS.index(COLOUR_WORDS[word]), len(reading.known)))
        return _keep(reading, [word], book.look_up(word)) if alone and word in ALSO_THINGS else 1
    if word in idle:
        return 1
    return _keep(reading, [word], book.look_up(word))


def _keep(reading: Reading, words: list[str], sense: Array | None) -> int:
    reading.words += words
    for word in words:
        if word not in STOP_WORDS or len(words) == 1:
            reading.content[word] = reading.content.get(word, False) or sense is not None
    if sense is not None:
        reading.known.append(sense)
    return len(words)
