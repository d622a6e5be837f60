"""An embedder that is opened when the first photo needs it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cvsearch.model import Embedded, Prepared, Skip, Space
from cvsearch.providers.base import Embedder
from cvsearch.providers.http.scheduler import Stopped


class LateEmbedder:
    """Stands for the embedder that `open_embedder` gives, and opens it at the first call.

    So a run that finds every photo's vector in the index needs no credential and no network.  What
    opening raises, the call raises.
    """

    def __init__(self, open_embedder: Callable[[], Embedder], space: Space, jobs: int) -> None:
        self.space = space
        self.jobs = jobs
        self._open = open_embedder
        self._lock = threading.Lock()
        self._embedder: Embedder | None = None
        self._stopped = False

    @property
    def calls(self) -> int:
        """How many requests have left this machine, those that failed included."""
        return 0 if self._embedder is None else self._embedder.calls

    @property
    def bytes_sent(self) -> int:
        """How many bytes of request bodies have left this machine."""
        return 0 if self._embedder is None else self._embedder.bytes_sent

    def embed_photo(self, photo: Prepared) -> Embedded | Skip:
        """The photo's vector, from the embedder behind this one."""
        return self._opened().embed_photo(photo)

    def embed_text(self, text: str) -> Embedded:
        """The text's vector, from the embedder behind this one."""
        return self._opened().embed_text(text)

    def _opened(self) -> Embedder:
        with self._lock:
            if self._stopped:
                raise Stopped("stopped before the call was made")
            if self._embedder is None:
                self._embedder = self._open()
            return self._embedder

    def stop(self) -> None:
        """Makes calls that wait end at once with `Stopped`; those on the wire may finish."""
        with self._lock:
            self._stopped = True
        if self._embedder is not None:
            self._embedder.stop()

    def close(self) -> None:
        """Stop, and close the embedder if it was opened."""
        self.stop()
        if self._embedder is not None:
            self._embedder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
