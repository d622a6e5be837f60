"""Takes a text apart: the phrases the book knows, the other words, and the colours asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvsearch.providers.local.colours import COLOURS
from cvsearch.providers.local.words import ALSO_THINGS, COLOUR_WORDS, STOP_WORDS, split_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.providers.local.phrasebook import Phrasebook

    Array = NDArray[np.float32]

_LONGEST_PHRASE = 5
_LONGEST_TEXT = 64


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
