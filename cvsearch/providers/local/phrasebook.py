"""What phrases mean to the network, and how a text finds them: by look-up, or by likeness.

A sense is one float32 array (see `SENSE`): a weight for each of ImageNet's classes, one for each concept
(the classes and the drawn kinds), and the looks (tones, colours, colours of the halves).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from cvsearch.providers.local import layout
from cvsearch.providers.local.layout import Array

CLASSES, TONES, COLOURS = 1000, 5, 33
_SHARPNESS = 0.07
_SLIGHT = 1e-4
_FARTHER = 0.6

_IDLE = """
    a an the of in on at with and or to for by from is are was were be been being am it its this that these
    those his her their my our your me us them him she he they we you i some any few several many much lot
    lots one two three four five six seven eight nine ten there here where who which what has have had having
    wearing holding using doing showing containing featuring depicting standing against over under into onto
    near next beside behind front inside outside around through between along across off up down out as like
    very really quite only just also not no without other another each every while during photo photos
    photograph photographs picture pictures image images pic pics snapshot shot shots view kind type sort bit
    piece pair find show search please get give looking thing things stuff
"""
STOP_WORDS = frozenset(_IDLE.split())
"""Words that say nothing about what is in a picture."""

COLOUR_WORDS = {
    word: colour
    for colour, words in {
        "black": "black ebony",
        "white": "white ivory cream",
        "gray": "gray grey silver silvery",
        "red": "red crimson scarlet maroon burgundy reddish ruby",
        "orange": "orange amber",
        "yellow": "yellow golden gold yellowish",
        "green": "green olive emerald lime greenish teal",
        "blue": "blue navy turquoise cyan azure bluish indigo",
        "purple": "purple violet lilac lavender mauve",
        "pink": "pink magenta fuchsia",
        "brown": "brown beige tan khaki chestnut bronze",
    }.items()
    for word in words.split()
}

ALSO_THINGS = frozenset(("orange", "gold", "lime", "cream", "navy", "chestnut"))
"""Colour words that name a thing when they stand alone."""

_IRREGULAR_FORMS = """
    men man women woman children child people person mice mouse geese goose feet foot teeth tooth wolves wolf
    leaves leaf knives knife wives wife shelves shelf loaves loaf halves half calves calf scarves scarf
    oxen ox swam swim ran run ate eat rode ride drove drive flew fly slept sleep sat sit stood stand
    wrote write
"""
_PAIRS = _IRREGULAR_FORMS.split()
_IRREGULAR = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))


class Phrasebook:
    """Phrases with their senses; opening it reads almost nothing."""

    def __init__(self) -> None:
        self._phrases = layout.read_list("phrases")
        self._nouns = layout.read_list("nouns")
        self._pieces = layout.read_list("pieces")
        self._starts = layout.open_table("sense_starts")
        self._parts = layout.open_table("sense_parts")
        self._weights = layout.open_table("sense_weights")
        self._lengths = layout.open_table("sense_lengths")
        self._vectors = layout.open_table("phrase_vectors")
        self._scales = layout.open_table("phrase_scales")
        self._piece_vectors = layout.open_table("piece_vectors")
        self._piece_scales = layout.open_table("piece_scales")
        self.concepts = int(layout.open_table("concept_features").shape[0])
        self.size = CLASSES + self.concepts + TONES + COLOURS

    def look_up(self, phrase: str) -> Array | None:
        """The sense of a phrase the lexicon or WordNet has, in any form; None when neither has."""
        for form in base_forms(phrase):
            row = layout.find_value(self._phrases, form)
            if row is not None:
                return self._sum([int(row)], np.ones(1, np.float32))
        for form in base_forms(phrase):
            entry = layout.find_value(self._nouns, form)
            if entry is not None:
                row, steps = entry.split()
                return self._sum([int(row)], np.array([_FARTHER ** int(steps)], np.float32))
        return None

    def is_english(self, word: str) -> bool:
        """Whether the word is a common English one and not only a name."""
        found = layout.find_value(self._pieces, word)
        return found is not None and found.endswith(" 1")

    def liken(self, texts: Sequence[str]) -> tuple[Array, Array]:
        """Each text's sense by likeness to all phrases, and the likeness (cosine) of the nearest.

        Softmax attention over the phrases; shapes (texts, size) and (texts,).
        """
        queries = np.stack([self._embed(text) for text in texts])
        cosines = layout.times(queries, self._vectors.T.astype(np.float32)) * self._scales
        senses = np.zeros((len(texts), self.size), np.float32)
        for row, likeness in enumerate(cosines):
            weights = np.exp((likeness - likeness.max()) / _SHARPNESS)
            weights /= weights.sum()
            rows = np.flatnonzero(weights > _SLIGHT)
            senses[row] = self._sum(rows, weights[rows])
        return senses, cosines.max(1)

    def _sum(self, rows: Sequence[int] | NDArray[np.intp], weights: Array) -> Array:
        """The weighted sum of the rows' senses; class and concept parts at length 1 each."""
        rows = np.asarray(rows)
        firsts, counts = self._starts[rows].astype(np.intp), np.diff(self._starts)[rows].astype(np.intp)
        offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        at = np.repeat(firsts, counts) + offsets
        parts, values = self._parts[at], self._weights[at].astype(np.float32)
        classes, concepts = (
            np.repeat(weights * self._lengths[rows, side], counts) * values for side in (0, 1)
        )
        looks = np.repeat(weights, counts) * values
        total = self.concepts + TONES + COLOURS
        return np.concatenate(
            [
                np.bincount(parts, classes, total)[:CLASSES],
                np.bincount(parts, concepts, total)[: self.concepts],
                np.bincount(parts, looks, total)[self.concepts :],
            ]
        ).astype(np.float32)

    def _embed(self, text: str) -> Array:
        """The text's unit vector: the sum of its word pieces'."""
        pieces = [piece for word in text.split() for piece in self._split(word)]
        if not pieces:
            return np.zeros(self._piece_vectors.shape[1], np.float32)
        vectors = self._piece_vectors[pieces] * self._piece_scales[pieces, None].astype(np.float32)
        return layout.unit(vectors.sum(0))

    def _split(self, word: str) -> list[int]:
        """BERT's word pieces, longest first; none for a word that cannot be split."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                found = layout.find_value(self._pieces, ("##" if start else "") + word[start:end])
                if found is not None:
                    break
            else:
                return []
            pieces.append(int(found.split()[0]))
            start = end
        return pieces


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; apostrophes and hyphens stay inside a word."""
    plain = unicodedata.normalize("NFKD", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    plain = "".join(char for char in plain if unicodedata.category(char) != "Mn")
    return [word.removesuffix("'s") for word in re.findall(r"\w+(?:['&/-]\w+)*", plain)]


def base_forms(phrase: str) -> Iterator[str]:
    """The phrase, and what it may be a plural or verb form of (or be a form of), likeliest first."""
    yield phrase
    head, space, word = phrase.rpartition(" ")
    for form in chain(_plural_forms(word), _verb_forms(word)):
        yield head + space + form


def _plural_forms(word: str) -> Iterator[str]:
    """What the word may be a plural of."""
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        yield word[:-3] + "y"
    if word.endswith("es") and len(word) > 3:
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss") and len(word) > 2:
        yield word[:-1]


def _verb_forms(word: str) -> Iterator[str]:
    """Other forms of the word's stem, the one in -ing first; then its own plural and -ing."""
    for ending in ("ing", "ed", "er"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            yield from (stem + "ing", stem, stem + "e")
            if stem[-1] == stem[-2]:
                yield stem[:-1]
    if len(word) > 2:
        yield from (word + "s", word + "ing")
