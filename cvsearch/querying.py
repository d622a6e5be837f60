"""The sentence "find what looks like this", from terms to a report."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import CvsearchError, NoIndexError
from cvsearch.search.mix import combine
from cvsearch.search.rank import DECIMALS, cosine_scores, distances, leading_rows
from cvsearch.store.roots import contains
from cvsearch.store.store import Store
from cvsearch.values import Match, Report, Space, Term

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.values import Vector

_SPARE_ROWS = 64


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What the user asked.  `top` None: all.  `among` None: every file; `under` empty: every folder.

    `count` asks for the numbers of files searched and not searched, which take a look at every file.
    """

    terms: Sequence[Term]
    metric: str = "cosine"
    top: int | None = 10
    min_score: float | None = None
    under: Sequence[str] = ()
    among: frozenset[str] | None = None
    count: bool = False

    def admits(self, path: str) -> bool:
        """Whether a file lies where the user wants to look."""
        if self.among is not None and path not in self.among:
            return False
        return not self.under or any(contains(folder, path) for folder in self.under)


def run_query(
    store: Store,
    space_id: int,
    space: Space,
    request: QueryRequest,
    vector_of: Callable[[Term], Vector],
) -> Report:
    """Ranks the library by the terms.  Raises `NoIndexError` when the space has no vectors."""
    _check_metric(request)
    if not store.catalogue.rows(space_id):
        raise NoIndexError(
            f"nothing is indexed yet in {store.folder} for {space}",
            hint="index a folder: cvsearch index PATH",
        )
    vectors = [vector_of(term) for term in request.terms]
    units, norms = store.vectors(space_id)
    scores = _score(store, space_id, request, vectors, units, norms)
    matches = _find_matches(store, space_id, request, scores)
    return Report(
        terms=tuple(request.terms),
        metric=request.metric,
        filters=_filters(request),
        index=store.folder,
        indexed_at=store.indexed_at(),
        space=space,
        searched=_count_searched(store, space_id, request) if request.count else 0,
        not_searched=store.files.count_not_searched(space_id) if request.count else {},
        matches=matches,
    )


def _check_metric(request: QueryRequest) -> None:
    """Before a call is paid for."""
    if request.metric == "euclidean" and (len(request.terms) != 1 or request.terms[0].weight <= 0):
        raise CvsearchError(
            "--metric euclidean compares with one text or picture",
            hint="leave out --also, --not and --not-image",
        )


def _score(
    store: Store,
    space_id: int,
    request: QueryRequest,
    vectors: Sequence[Vector],
    units: NDArray[np.float32],
    norms: NDArray[np.float32],
) -> NDArray[np.float32]:
    """One number a row, the higher the better."""
    weights = [term.weight for term in request.terms]
    if request.metric == "euclidean":
        return -distances(units, norms, vectors[0])
    cosines = [cosine_scores(units, vector) for vector in vectors]
    if len(vectors) == 1 and weights[0] > 0:
        return cosines[0]
    return combine(cosines, weights, store.files.live_rows(space_id))


def _find_matches(
    store: Store, space_id: int, request: QueryRequest, scores: NDArray[np.float32]
) -> tuple[Match, ...]:
    """The best files: rows are looked up from the top, in growing portions, until there are enough."""
    scores = _limit(store, space_id, request, scores)
    wanted = len(scores) if request.top is None else request.top
    portion = wanted + _SPARE_ROWS
    while True:
        rows = leading_rows(scores, portion)
        files = [
            (-round(float(scores[row]), DECIMALS), os.fsencode(path), path, sha256)
            for row, path, sha256 in store.files.of_rows(space_id, rows.tolist())
            if request.admits(path)
        ]
        if (request.top is not None and len(files) >= wanted) or portion >= len(scores):
            break
        portion *= 8
    files.sort(key=lambda file: file[:2])
    sign = 1 if request.metric == "euclidean" else -1
    files = files[: request.top]
    also = store.files.also_of([path for _, _, path, _ in files])
    return tuple(
        Match(rank, sign * key + 0.0, path, sha256, also.get(path, ()))
        for rank, (key, _, path, sha256) in enumerate(files, start=1)
    )


def _limit(
    store: Store, space_id: int, request: QueryRequest, scores: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The scores, −inf where the user does not want to look."""
    keep = np.ones(len(scores), bool)
    if request.under:
        keep[:] = False
        keep[store.files.live_rows(space_id, request.under)] = True
    if request.among is not None:
        among = (store.files.row_of(path, space_id) for path in request.among)
        chosen = np.zeros(len(scores), bool)
        chosen[[row for row in among if row is not None]] = True
        keep &= chosen
    if request.min_score is not None:
        keep &= np.round(scores.astype(np.float64), DECIMALS) >= request.min_score
    return np.where(keep, scores, np.float32(-np.inf))


def _count_searched(store: Store, space_id: int, request: QueryRequest) -> int:
    if request.among is not None:
        return sum(
            store.files.row_of(path, space_id) is not None for path in request.among if request.admits(path)
        )
    folders = set(request.under or ("/",))
    outermost = [
        folder for folder in folders if not any(contains(other, folder) for other in folders - {folder})
    ]
    return sum(store.files.count_searched(space_id, folder) for folder in outermost)


def _filters(request: QueryRequest) -> dict[str, object]:
    filters: dict[str, object] = {"top": "all" if request.top is None else request.top}
    if request.min_score is not None:
        filters["min_score"] = request.min_score
    if request.under:
        filters["under"] = list(request.under)
    if request.among is not None:
        filters["files"] = len(request.among)
    return filters
