"""The folder as a `Library`: questions that are answered from the catalogue and the vector files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import NoIndexError
from cvsearch.model import PhotoFacts, Skip, Space, Status, Vector
from cvsearch.paths import Scope, outermost
from cvsearch.ranking.cosine import cosine_scores, distances
from cvsearch.ranking.filters import Wanted, judge
from cvsearch.store.base import Candidates, Looks
from cvsearch.store.local.library import Store, has_index

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.model import IndexedPhoto
    from cvsearch.store.local.snapshot import Snapshot

HASH_BYTES = 32
_CHUNK = 500


class FolderLibrary(Store):
    """An index folder that is open for reading; see `Library` for what each method promises."""

    @property
    def location(self) -> str:
        return self.folder

    def spaces(self) -> list[tuple[int, Space]]:
        return self.catalogue.spaces()

    def count_photos(self, space: int | None = None, scope: Scope | None = None) -> int:
        scope = scope or Scope()
        if scope.among is not None:
            known = (self.files.find(path, space or 0) for path in scope.among if scope.is_beneath(path))
            return sum(one is not None and (space is None or one.row is not None) for one in known)
        folders = outermost(scope.under or ("/",))
        if space is None:
            return sum(map(self.files.count, folders))
        return sum(self.files.count_searched(space, folder) for folder in folders)

    def find(self, path: str, space: int) -> IndexedPhoto | None:
        return self.files.find(path, space)

    def as_photos(self, paths: Collection[str]) -> list[str]:
        return self.files.as_photos(paths)

    def not_searched(self, space: int) -> list[tuple[str, str, str]]:
        return self.files.not_searched(space)

    def row_of(self, space: int, *, content: bytes | None = None, pixels: bytes | None = None) -> int | None:
        if content is not None:
            return self.catalogue.row_of_content(space, content)
        return None if pixels is None else self.catalogue.row_of_pixels(space, pixels)

    def skip_of_content(self, space: int, sha256: bytes, extras: str) -> Skip | None:
        return self.catalogue.skip_of_content(space, sha256, extras)

    def choose(self, space: int, scope: Scope, wanted: Wanted) -> Candidates:
        if wanted:
            return self._judge_all(space, scope, wanted)
        rows = self.files.live_rows(space, scope.under) if scope.under else None
        if scope.among is not None:
            found = (self.files.row_of(path, space) for path in scope.among)
            listed = np.array(sorted({row for row in found if row is not None}), np.int64)
            rows = listed if rows is None else np.intersect1d(rows, listed)
        return Candidates(rows)

    def _judge_all(self, space: int, scope: Scope, wanted: Wanted) -> Candidates:
        rows: set[int] = set()
        contents: set[bytes] = set()
        unjudged = judged = 0
        for path, row, sha256, fact in self.files.facts(space):
            if not scope.admits(path):
                continue
            verdict = judge(fact, wanted)
            if verdict is None:
                unjudged += 1
            elif verdict:
                judged += 1
                rows.add(row)
                contents.add(sha256)
        return Candidates(np.array(sorted(rows), np.int64), frozenset(contents), unjudged, judged)

    def live_rows(self, space: int) -> NDArray[np.int64]:
        return self.files.live_rows(space)

    def scores(self, space: int, vector: Vector, metric: str) -> NDArray[np.float32]:
        units, norms = self.vectors(space)
        return -distances(units, norms, vector) if metric == "euclidean" else cosine_scores(units, vector)

    def files_of_rows(self, space: int, rows: Sequence[int]) -> list[tuple[int, str, bytes]]:
        return self.files.of_rows(space, rows)

    def companions_of(self, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
        return self.files.also_of(paths)

    def units(self, space: int) -> NDArray[np.float32]:
        return self.vectors(space)[0]

    def burst_keys(self, space: int) -> dict[str, tuple[str, float]]:
        return self.files.burst_keys(space)
