"""Output on threads of its own: a reader who pauses, or goes, holds up nothing that is worth money."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO, cast

from cvsearch.errors import Interrupted

if TYPE_CHECKING:
    from cvsearch.embedding.pipeline import CancelToken

MOST_LINES = 100_000
"""So many events may wait for their reader before nothing new is begun."""
MOST_TALK = 10_000
"""So many pieces of talk may wait for theirs; the rest is left unsaid."""
_LAST_SECONDS = 0.5


class BackgroundWriter:
    """Writes to a stream in the background; after a fault (`fault`) nothing more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()
        self.fault: OSError | None = None
        with suppress(OSError):
            stream.flush()
        self._handle = _handle_of(stream)
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many pieces wait to be written."""
        return self._queue.qsize()

    def put(self, data: bytes) -> None:
        """Hands over what is to be written; never waits."""
        self._queue.put(data)

    def finish(self, seconds: float | None = None) -> bool:
        """Waits until all is written, or for so long; says whether it is."""
        self._queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (data := self._queue.get()) is not None:
            if self.fault is None:
                try:
                    self._write(data)
                except OSError as error:
                    self.fault = error

    def _write(self, data: bytes) -> None:
        if self._handle is None:
            self._stream.buffer.write(data)
            self._stream.flush()
            return
        # Past Python's buffer, whose lock would hold up the end of the process.
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self._handle, rest) :]
            except BlockingIOError:
                select.select([], [self._handle], [])


def _handle_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None


class _Aside:
    """Stands for a stream of talk: what is written there never waits."""

    def __init__(self, stream: TextIO, writer: BackgroundWriter) -> None:
        self._stream = stream
        self._writer = writer

    def write(self, text: str) -> int:
        if self._writer.waiting < MOST_TALK:
            self._writer.put(text.encode(self._stream.encoding or "utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """It is on its way."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def open_background_writer(stop: CancelToken) -> Iterator[BackgroundWriter]:
    """The writer for data; talk on stderr goes aside as well.  At the end all that waits is written.

    A signal ends that wait.  The process then ends here if not even the error can be told.
    """
    stderr = sys.stderr
    data, talk = BackgroundWriter(sys.stdout), BackgroundWriter(stderr)
    sys.stderr = cast(TextIO, _Aside(stderr, talk))
    try:
        try:
            yield data
        finally:
            seconds = _LAST_SECONDS if stop.at_once else None
            data.finish(seconds)
            talk.finish(seconds)
    except Interrupted as error:
        if not talk.finish(_LAST_SECONDS):
            os._exit(int(error.code))
        raise
    finally:
        sys.stderr = stderr
