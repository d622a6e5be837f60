"""How far a query reaches: which rows and contents it may find, under folders, lists and filters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.paths import contains

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.search.request import QueryRequest
    from cvsearch.store.local.library import Store


@dataclass(frozen=True, slots=True)
class Candidates:
    """`rows` and `contents` (hashes) that may be found, None: all; `unjudged` files a filter knew
    nothing of, `judged` those it let through."""

    rows: NDArray[np.int64] | None = None
    contents: frozenset[bytes] | None = None
    unjudged: int = 0
    judged: int | None = None

    def mask(self, count: int) -> NDArray[np.bool_]:
        """Which of `count` rows are within reach: bool, shape (count,)."""
        keep = np.ones(count, bool)
        if self.rows is not None:
            keep[:] = False
            keep[self.rows[self.rows < count]] = True
        return keep

    def count_searched(self, store: Store, space: int, request: QueryRequest) -> int:
        """How many files within reach have a vector."""
        if self.judged is not None:
            return self.judged
        if request.among is not None:
            return sum(
                store.files.row_of(path, space) is not None for path in request.among if request.admits(path)
            )
        folders = set(request.under or ("/",))
        outermost = [
            folder for folder in folders if not any(contains(other, folder) for other in folders - {folder})
        ]
        return sum(store.files.count_searched(space, folder) for folder in outermost)


def read_candidates(store: Store, space: int, request: QueryRequest) -> Candidates:
    """What a request may find.  Without limits nothing is read."""
    if request.wanted:
        return _judge_all(store, space, request)
    rows = store.files.live_rows(space, request.under) if request.under else None
    if request.among is not None:
        found = (store.files.row_of(path, space) for path in request.among)
        listed = np.array(sorted({row for row in found if row is not None}), np.int64)
        rows = listed if rows is None else np.intersect1d(rows, listed)
    return Candidates(rows)


def _judge_all(store: Store, space: int, request: QueryRequest) -> Candidates:
    rows: set[int] = set()
    contents: set[bytes] = set()
    unjudged = judged = 0
    for path, row, sha256, known in store.files.read_fields(space, request.wanted.fields):
        if not request.admits(path):
            continue
        verdict = request.wanted.judge(known)
        if verdict is None:
            unjudged += 1
        elif verdict:
            judged += 1
            rows.add(row)
            contents.add(sha256)
    return Candidates(np.array(sorted(rows), np.int64), frozenset(contents), unjudged, judged)
