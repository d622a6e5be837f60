"""From scores to matches: the best files, what stands out, near-twins folded, each term's share."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.model import Match, Term, TermShare
from cvsearch.ranking.cosine import DECIMALS, leading_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.search.candidates import Candidates
    from cvsearch.search.request import QueryRequest
    from cvsearch.store.local.library import Store

_SPARE_ROWS = 64


@dataclass(frozen=True, slots=True)
class Scores:
    """One number a row (float32, shape (rows,)), the higher the better, and each term's own."""

    total: NDArray[np.float32]
    terms: Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _File:
    row: int
    key: float
    path: str
    sha256: bytes
    asked: bool

    @property
    def place(self) -> tuple[float, bool, bytes]:
        return self.key, not self.asked, os.fsencode(self.path)


class Ranking:
    """The library in the order of one query, in which equal scores go by path, the files `asked` with first.

    `strong_score` is what --strong came to, `least_score` the cut-off with it; None without one.
    """

    def __init__(
        self,
        store: Store,
        space: int,
        request: QueryRequest,
        candidates: Candidates,
        scores: Scores,
        asked: Container[bytes] = (),
    ) -> None:
        self._store = store
        self._space = space
        self._request = request
        self._candidates = candidates
        self._scores = scores
        self._asked = asked
        self.strong_score = self._find_strong_score() if request.strong else None
        self.least_score = max(
            (score for score in (request.min_score, self.strong_score) if score is not None), default=None
        )

    def find_matches(self) -> tuple[Match, ...]:
        """The best files, as many as were asked for."""
        if self._request.collapse:
            files, alike = self._fold()
        else:
            files, alike = self._find_files(self._request.top), {}
        also = self._store.files.also_of([file.path for file in files])
        sign = 1 if self._request.metric == "euclidean" else -1
        matches = [
            Match(rank, sign * file.key + 0.0, file.path, file.sha256, also.get(file.path, ()))
            for rank, file in enumerate(files, start=1)
        ]
        if alike:
            matches = [replace(match, alike=alike.get(match.path, 0)) for match in matches]
        if self._request.explain:
            explainer = Explainer(
                self._request.terms, self._scores.terms, self._store.files.live_rows(self._space)
            )
            matches = [
                replace(match, shares=explainer.shares(file.row))
                for match, file in zip(matches, files, strict=True)
            ]
        return tuple(matches)

    def _find_strong_score(self) -> float:
        from cvsearch.ranking.outliers import strong_threshold

        return strong_threshold(self._scores.total[self._store.files.live_rows(self._space)])

    def _limited(self) -> NDArray[np.float32]:
        """The scores, −inf where the user does not want to look."""
        total = self._scores.total
        keep = self._candidates.mask(len(total))
        if self.least_score is not None:
            keep &= np.round(total.astype(np.float64), DECIMALS) >= round(self.least_score, DECIMALS)
        return np.where(keep, total, np.float32(-np.inf))

    def _find_files(self, top: int | None) -> list[_File]:
        """The best files: rows are looked up from the top, in growing portions, until there are enough."""
        scores = self._limited()
        portion = (len(scores) if top is None else top) + _SPARE_ROWS
        while True:
            rows = leading_rows(scores, portion)
            files = list(self._files_of(rows.tolist()))
            if (top is not None and len(files) >= top) or portion >= len(scores):
                return sorted(files, key=lambda file: file.place)[:top]
            portion *= 8

    def _files_of(self, rows: list[int]) -> Iterator[_File]:
        contents = self._candidates.contents
        for row, path, sha256 in self._store.files.of_rows(self._space, rows):
            if self._request.admits(path) and (contents is None or sha256 in contents):
                key = -round(float(self._scores.total[row]), DECIMALS)
                yield _File(row, key, path, sha256, sha256 in self._asked)

    def _fold(self) -> tuple[list[_File], dict[str, int]]:
        """The best file of each group of near-twins, and how many more there are of each."""
        from cvsearch.ranking.collapse import fold

        files = self._find_files(None)
        units, _ = self._store.vectors(self._space)
        bursts = self._store.files.burst_keys(self._space)
        groups = fold(
            [file.row for file in files], [bursts.get(file.path) for file in files], units, self._request.top
        )
        return (
            [files[leader] for leader, _ in groups],
            {files[leader].path: len(others) for leader, others in groups},
        )


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
        return tuple(
            self._share(number, row, standard, term.weight * standard / total)
            for number, (term, standard) in enumerate(zip(self._terms, standards, strict=True))
        )

    def _share(self, number: int, row: int, standard: float, share: float) -> TermShare:
        library, score = self._sorted[number], float(self._scores[number][row])
        better = len(library) - int(np.searchsorted(library, round(score, DECIMALS), "right"))
        percentile = 100.0 * (len(library) - better) / len(library)
        return TermShare(self._terms[number], score, standard, share, better + 1, percentile)
