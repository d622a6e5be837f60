"""Queries of several terms: bringing scores of different kinds to one scale.

A text and a picture score a library on different scales (a right text match is a cosine of 0.35, an
unrelated picture one of 0.5), so a plain weighted sum would be ruled by the pictures.  Each term's
scores are therefore standardised against the library itself, as Montague and Aslam ("Relevance
score normalization for metasearch", CIKM 2001) do under the name ZMUV: zero mean, unit variance.
The standard scores are combined by Stouffer's weighted method (Stouffer et al., "The American
Soldier", 1949): ``Σ w·z / √Σ w²``, which is again a standard score where terms are independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvsearch.model import Term, TermShare
from cvsearch.ranking.cosine import DECIMALS


def standardise(scores: NDArray[np.float32], live: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores (n,) as standard scores of the rows that are `live`: float32, shape (n,).

    All zero when the live rows' scores do not differ: such a term says nothing.
    """
    part = scores[live].astype(np.float64)
    deviation = float(part.std()) if len(part) else 0.0
    if deviation < 1e-9:
        return np.zeros_like(scores)
    standard: NDArray[np.float32] = ((scores - part.mean()) / deviation).astype(np.float32)
    return standard


def combine(
    scores: Sequence[NDArray[np.float32]], weights: Sequence[float], live: NDArray[np.int64]
) -> NDArray[np.float32]:
    """The combined standard score of several terms: float32, shape (n,).  Weights may be negative."""
    length = float(np.sqrt(sum(weight**2 for weight in weights)))
    total = np.zeros(len(scores[0]), np.float64)
    for term, weight in zip(scores, weights, strict=True):
        total += weight * standardise(term, live)
    return (total / length).astype(np.float32)


class Explainer:
    """What each term gave to a row; the library's own figures are taken once."""

    def __init__(
        self, terms: Sequence[Term], scores: Sequence[NDArray[np.float32]], live: NDArray[np.int64]
    ) -> None:
        self._terms = terms
        self._scores = scores
        self._sorted = [np.sort(np.round(one[live].astype(np.float64), DECIMALS)) for one in scores]
        self._means = [float(one.mean()) for one in self._sorted]
        self._spreads = [float(one.std()) or 1.0 for one in self._sorted]

    def shares(self, row: int) -> tuple[TermShare, ...]:
        """Each term's share of one row's score, and where the row stands for that term alone."""
        standards = [
            (float(scores[row]) - mean) / spread
            for scores, mean, spread in zip(self._scores, self._means, self._spreads, strict=True)
        ]
        total = sum(abs(term.weight * z) for term, z in zip(self._terms, standards, strict=True)) or 1.0
        shares = []
        for term, scores, library, standard in zip(
            self._terms, self._scores, self._sorted, standards, strict=True
        ):
            score = float(scores[row])
            better = len(library) - int(np.searchsorted(library, round(score, DECIMALS), "right"))
            percentile = 100.0 * (len(library) - better) / len(library)
            share = term.weight * standard / total
            shares.append(TermShare(term, score, standard, share, better + 1, percentile))
        return tuple(shares)
