"""What every embedder is: the one narrow Protocol, proved by `tests/contracts`."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from cvsearch.model import Embedded, Prepared, Skip, Space


class Embedder(Protocol):
    """Turns prepared photos and texts into vectors of one space.

    `embed_photo` and `embed_text` may be called from several threads at once; `jobs` says how many
    photos are worth having in flight.  A photo the provider will not take is a `Skip`; whatever
    ends the whole run is a `CvsearchError`.  An embedder must be closed.
    """

    space: Space
    jobs: int

    @property
    def calls(self) -> int:
        """How many requests have left this machine, those that failed included."""
        ...

    @property
    def bytes_sent(self) -> int:
        """How many bytes of request bodies have left this machine."""
        ...

    def embed_photo(self, photo: Prepared) -> Embedded | Skip:
        """The photo's vector: float32, shape (space.dimension,), finite, not zero, as received."""
        ...

    def embed_text(self, text: str) -> Embedded:
        """The text's vector, of the same kind.  Raises `CvsearchError` when it cannot be had."""
        ...

    def stop(self) -> None:
        """Makes calls that wait (for their turn, for a service to recover) end at once with an error.

        Those on the wire may finish: they are paid for.
        """
        ...

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
