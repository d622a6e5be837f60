"""The sentence "find what looks like this", from terms to a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from cvsearch.errors import CvsearchError
from cvsearch.model import Report, Space, Term
from cvsearch.ranking.cosine import cosine_scores, distances
from cvsearch.ranking.fusion import combine
from cvsearch.search.candidates import Candidates, read_candidates
from cvsearch.search.request import QueryRequest
from cvsearch.search.results import Ranking, Scores
from cvsearch.store.local.library import Store

__all__ = ["QueryRequest", "run_query"]

if TYPE_CHECKING:
    from cvsearch.model import Vector


def run_query(
    store: Store,
    space_id: int,
    space: Space,
    request: QueryRequest,
    vector_of: Callable[[Term], Vector],
    contents: Mapping[str, bytes] | None = None,
) -> Report:
    """Ranks the library by the terms.  Raises `NoIndexError` when the space has no vectors.

    `contents` are the SHA-256 of the pictures asked with, by their sources, once `vector_of` was called.
    """
    _check_metric(request)
    store.check_filled(space_id)
    vectors = [vector_of(term) for term in request.terms]
    candidates = read_candidates(store, space_id, request)
    asked = {(contents or {}).get(term.value, b"") for term in request.terms if term.weight > 0}
    scores = _score(store, space_id, request, vectors)
    ranking = Ranking(store, space_id, request, candidates, scores, asked)
    matches = ranking.find_matches()
    return Report(
        terms=tuple(request.terms),
        metric=request.metric,
        filters=_filters(request, ranking.strong_score),
        index=store.folder,
        indexed_at=store.indexed_at(),
        space=space,
        searched=candidates.count_searched(store, space_id, request) if request.count else 0,
        not_searched=_not_searched(store, space_id, request, candidates) if request.count else {},
        matches=matches,
        unjudged=candidates.unjudged,
        contents=dict(contents or {}),
        explain=request.explain,
    )


def _check_metric(request: QueryRequest) -> None:
    """Before a call is paid for."""
    if request.metric != "euclidean":
        return
    if len(request.terms) != 1 or request.terms[0].weight <= 0:
        raise CvsearchError(
            "--metric euclidean compares with one text or picture",
            hint="leave out --also, --not and --not-image",
        )
    if request.strong or request.explain:
        raise CvsearchError(
            "--strong and --explain are for cosines, not for distances", hint="leave one of them out"
        )
    if request.min_score is not None:
        raise CvsearchError(
            "--min-score is a cosine and does not go with distances", hint="leave one of them out"
        )


def _score(store: Store, space_id: int, request: QueryRequest, vectors: Sequence[Vector]) -> Scores:
    """One number a row, the higher the better, and each term's own."""
    units, norms = store.vectors(space_id)
    weights = [term.weight for term in request.terms]
    if request.metric == "euclidean":
        total = -distances(units, norms, vectors[0])
        return Scores(total, [total])
    cosines = [cosine_scores(units, vector) for vector in vectors]
    if len(vectors) == 1 and weights[0] > 0:
        return Scores(cosines[0], cosines)
    return Scores(combine(cosines, weights, store.files.live_rows(space_id)), cosines)


def _filters(request: QueryRequest, strong_score: float | None) -> dict[str, object]:
    """The limits that were asked for; `strong_score` is infinite where nothing can stand out."""
    filters: dict[str, object] = {"top": "all" if request.top is None else request.top}
    if request.strong:
        filters["strong"] = None if strong_score == float("inf") else strong_score
    if request.min_score is not None:
        filters["min_score"] = request.min_score
    if request.under:
        filters["under"] = list(request.under)
    if request.among is not None:
        filters["files"] = len(request.among)
    filters |= request.wanted.given
    if request.collapse:
        filters["collapse"] = True
    return filters


def _not_searched(
    store: Store, space_id: int, request: QueryRequest, candidates: Candidates
) -> dict[str, int]:
    """Files in scope that could not be ranked, by reason."""
    counts: dict[str, int] = {}
    for path, reason, _ in store.files.not_searched(space_id):
        if request.admits(path):
            counts[reason] = counts.get(reason, 0) + 1
    strangers = sum(store.files.find(path, space_id) is None for path in request.among or ())
    for reason, number in (("not-judged", candidates.unjudged), ("not-in-index", strangers)):
        if number:
            counts[reason] = number
    return counts
