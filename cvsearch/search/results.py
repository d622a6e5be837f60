"""From scores to matches: the best files, what stands out, near-twins folded, each term's share."""

from __future__ import annotations

import os
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cvsearch.model import Match, Vector
from cvsearch.ranking.clustering import collapse
from cvsearch.ranking.cosine import DECIMALS, leading_rows
from cvsearch.ranking.fusion import Explainer, combine
from cvsearch.ranking.outliers import strong_threshold
from cvsearch.search.request import QueryRequest
from cvsearch.store.base import Candidates, Library

_SPARE_ROWS = 64


@dataclass(frozen=True, slots=True)
class _File:
    row: int
    key: float
    path: str
    sha256: bytes
    asked: bool


class Ranking:
    """The library in the order of one query, in which equal scores go by path, the files `asked` with first.

    `strong_score` is what --strong came to, `least_score` the cut-off with it; None without one.  `row_of`
    has the vector rows of the matches that were found, by path.  `vectors` are the terms'.
    """

    def __init__(
        self,
        library: Library,
        space: int,
        request: QueryRequest,
        candidates: Candidates,
        vectors: Sequence[Vector],
        asked: Container[bytes] = (),
    ) -> None:
        self._library = library
        self._space = space
        self._request = request
        self._candidates = candidates
        self._asked = asked
        # Each term's numbers, one a row (float32, shape (rows,)), the higher the better; and all combined.
        self._terms = [library.scores(space, vector, request.metric) for vector in vectors]
        weights = [term.weight for term in request.terms]
        self._total = (
            self._terms[0] if request.is_plain else combine(self._terms, weights, library.live_rows(space))
        )
        self.row_of: dict[str, int] = {}
        self.strong_score = (
            strong_threshold(self._total[library.live_rows(space)]) if request.strong else None
        )
        cut_offs = [score for score in (request.min_score, self.strong_score) if score is not None]
        self.least_score = max(cut_offs, default=None)

    def find_matches(self) -> tuple[Match, ...]:
        """The best files, as many as were asked for."""
        request = self._request
        files, alike = self._collapse() if request.collapse else (self._find_files(request.top), {})
        self.row_of = {file.path: file.row for file in files}
        also = self._library.companions_of([file.path for file in files])
        sign = 1 if request.metric == "euclidean" else -1
        matches = [
            Match(rank, sign * file.key + 0.0, file.path, file.sha256, also.get(file.path, ()))
            for rank, file in enumerate(files, start=1)
        ]
        if alike:
            matches = [replace(match, alike=alike.get(match.path, 0)) for match in matches]
        if request.explain:
            explainer = Explainer(request.terms, self._terms, self._library.live_rows(self._space))
            matches = [replace(match, shares=explainer.shares(self.row_of[match.path])) for match in matches]
        return tuple(matches)

    def _find_files(self, top: int | None) -> list[_File]:
        """The best files: rows are looked up from the top, in growing portions, until there are enough."""
        total, wanted = self._total, self._candidates.rows
        keep = np.ones(len(total), bool)
        if wanted is not None:
            keep[:] = False
            keep[wanted[wanted < len(total)]] = True
        if self.least_score is not None:
            keep &= np.round(total.astype(np.float64), DECIMALS) >= round(self.least_score, DECIMALS)
        scores = np.where(keep, total, np.float32(-np.inf))
        portion = (len(scores) if top is None else top) + _SPARE_ROWS
        contents = self._candidates.contents
        while True:
            rows = leading_rows(scores, portion)
            files = [
                _File(row, -round(float(total[row]), DECIMALS), path, sha256, sha256 in self._asked)
                for row, path, sha256 in self._library.files_of_rows(self._space, rows.tolist())
                if self._request.scope.admits(path) and (contents is None or sha256 in contents)
            ]
            if (top is not None and len(files) >= top) or portion >= len(scores):
                return sorted(files, key=lambda file: (file.key, not file.asked, os.fsencode(file.path)))[
                    :top
                ]
            portion *= 8

    def _collapse(self) -> tuple[list[_File], dict[str, int]]:
        """The best file of each group of near-twins, and how many more there are of each."""
        files = self._find_files(None)
        bursts = self._library.burst_keys(self._space)
        groups = collapse(
            [file.row for file in files],
            [bursts.get(file.path) for file in files],
            self._library.units(self._space),
            self._request.top,
        )
        leaders = [files[leader] for leader, _ in groups]
        return leaders, {files[leader].path: len(others) for leader, others in groups}


def count_not_searched(
    library: Library, space: int, request: QueryRequest, candidates: Candidates
) -> dict[str, int]:
    """Files in scope that could not be ranked, by reason."""
    counts: dict[str, int] = {}
    for path, reason, _ in library.not_searched(space):
        if request.scope.admits(path):
            counts[reason] = counts.get(reason, 0) + 1
    strangers = sum(library.find(path, space) is None for path in request.scope.among or ())
    for reason, number in (("not-judged", candidates.unjudged), ("not-in-index", strangers)):
        if number:
            counts[reason] = number
    return counts
