"""What can be asked of an index, whatever keeps it: one Protocol, proved by `tests/contracts/library.py`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from cvsearch.model import IndexedPhoto, PhotoFacts, Skip, Space, Status, Vector
from cvsearch.paths import Scope
from cvsearch.ranking.filters import Filters

if TYPE_CHECKING:
    from cvsearch.store.local.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a query may find: rows (None: all) and contents (hashes; None: all).

    `unjudged` counts the files that a filter knew nothing of, `judged` those it let through; it is None
    without a filter.
    """

    rows: NDArray[np.int64] | None = None
    contents: frozenset[bytes] | None = None
    unjudged: int = 0
    judged: int | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """What pictures look like: rows (n,), perceptual hashes (uint8, n × 32), sizes (n × 2: width, height)."""

    rows: NDArray[np.int64]
    hashes: NDArray[np.uint8]
    sizes: NDArray[np.int64]


class Library(Protocol):
    """An index that is open for questions.

    A *space* is named by its number here, a *row* is a vector's place in its space.  Paths are absolute;
    every answer is of what is committed.
    """

    @property
    def location(self) -> str:
        """Where it is, as users name it."""
        ...

    def spaces(self) -> list[tuple[int, Space]]:
        """Every space with its number, the oldest first."""
        ...

    def refresh(self) -> None:
        """Sees what other processes have changed of the folders meanwhile."""
        ...

    def is_filled(self, space: int) -> bool:
        """Whether a space has vectors."""
        ...

    def count_photos(self, space: int | None = None, scope: Scope | None = None) -> int:
        """How many files of a scope are known; with a space, how many have a vector there."""
        ...

    def indexed_at(self) -> str | None:
        """When a run last came to its end (UTC, ISO 8601)."""
        ...

    def status(self) -> Status:
        """Roots, counts, size, traffic and the last run."""
        ...

    def show(self, path: str) -> PhotoFacts | None:
        """All that is known of a file, or of the photo it is a companion of; None when nothing is."""
        ...

    def find(self, path: str, space: int) -> IndexedPhoto | None:
        """What is known of one file in one space."""
        ...

    def as_photos(self, paths: Collection[str]) -> list[str]:
        """The same files in the same order, each companion as the photo that it goes with."""
        ...

    def not_searched(self, space: int) -> list[tuple[str, str, str]]:
        """Files without a vector in the space: path, reason, detail."""
        ...

    def count_coverage(self, space: int, scope: Scope) -> tuple[int, int]:
        """How many photos of a scope are indexed as they are on disk, and how many entries are not."""
        ...

    def photos(self, space: int, fields: Sequence[str] = ()) -> Iterator[IndexedPhoto]:
        """Every file whose content is known, with its row in the space if it has one, in no order.

        Its metadata has format and size, and those of the other fields that are asked for.
        """
        ...

    def row_of(self, space: int, *, content: bytes | None = None, pixels: bytes | None = None) -> int | None:
        """The row of a content by its SHA-256, or of any content with these prepared pixels."""
        ...

    def received(self, space: int, row: int) -> Vector:
        """One row's vector as it was received: float32, shape (dimension,)."""
        ...

    def skip_of_content(self, space: int, sha256: bytes, extras: str) -> Skip | None:
        """The lasting skip of a content, if it was made with the same extras installed."""
        ...

    def choose(self, space: int, scope: Scope, filters: Filters) -> Candidates:
        """What a query may find.  Without limits nothing is read."""
        ...

    def live_rows(self, space: int) -> NDArray[np.int64]:
        """The rows that files point at: int64, sorted, unique."""
        ...

    def scores(self, space: int, vector: Vector, metric: str) -> NDArray[np.float32]:
        """One number a row, the higher the better: float32, shape (rows,).

        The cosine with a vector as received, or for ``euclidean`` the distance, negative.
        """
        ...

    def files_of_rows(self, space: int, rows: Sequence[int]) -> list[tuple[int, str, bytes]]:
        """The files behind rows: row, path and SHA-256; dead rows have none."""
        ...

    def companions_of(self, paths: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """The companions of those of the files that have some."""
        ...

    def units(self, space: int) -> NDArray[np.float32]:
        """A space's unit vectors: float32, shape (rows, dimension); few rows at a time are to be touched."""
        ...

    def looks(self, space: int, rows: Sequence[int] | None = None) -> Looks:
        """What the pictures of rows (None: of all) look like, as far as that is known."""
        ...

    def burst_keys(self, space: int) -> dict[str, tuple[str, float]]:
        """Camera and second of every file whose camera and time are known, by path."""
        ...

    def snapshot(self, space: int, scope: Scope) -> AbstractContextManager[Snapshot]:
        """The photos of a scope with their vectors as they are at one moment, to be read in portions."""
        ...
