"""What phrases mean to the network, and how a text finds them: by look-up, or by likeness.

A sense is one float32 array (see `SENSE`): a weight for each of ImageNet's classes, one for each concept
(the classes and the drawn kinds), and the looks (tones, colours, colours of the halves).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cvsearch.providers.local import layout, tables
from cvsearch.providers.local.words import base_forms

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

CLASSES, TONES, COLOURS = 1000, 5, 33
_SHARPNESS = 0.07
_SLIGHT = 1e-4
_FARTHER = 0.6


class Phrasebook:
    """Phrases with their senses; opening it reads almost nothing."""

    def __init__(self) -> None:
        self._phrases = tables.read_list("phrases")
        self._nouns = tables.read_list("nouns")
        self._pieces = tables.read_list("pieces")
        self._starts = tables.open_table("sense_starts")
        self._parts = tables.open_table("sense_parts")
        self._weights = tables.open_table("sense_weights")
        self._lengths = tables.open_table("sense_lengths")
        self._vectors = tables.open_table("phrase_vectors")
        self._scales = tables.open_table("phrase_scales")
        self._piece_vectors = tables.open_table("piece_vectors")
        self._piece_scales = tables.open_table("piece_scales")
        self.concepts = int(tables.open_table("concept_features").shape[0])
        self.size = CLASSES + self.concepts + TONES + COLOURS

    def look_up(self, phrase: str) -> Array | None:
        """The sense of a phrase the lexicon or WordNet has, in any form; None when neither has."""
        for form in base_forms(phrase):
            row = tables.find_value(self._phrases, form)
            if row is not None:
                return self._sum([int(row)], np.ones(1, np.float32))
        for form in base_forms(phrase):
            entry = tables.find_value(self._nouns, form)
            if entry is not None:
                row, steps = entry.split()
                return self._sum([int(row)], np.array([_FARTHER ** int(steps)], np.float32))
        return None

    def is_english(self, word: str) -> bool:
        """Whether the word is a common English one and not only a name."""
        found = tables.find_value(self._pieces, word)
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
                found = tables.find_value(self._pieces, ("##" if start else "") + word[start:end])
                if found is not None:
                    break
            else:
                return []
            pieces.append(int(found.split()[0]))
            start = end
        return pieces
