"""What a long run tells: progress, and events on threads of their own, so that a reader who pauses, or goes,
holds up nothing that is worth money."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO, cast

from cvsearch.api import Index
from cvsearch.cli.context import Session
from cvsearch.errors import Interrupted
from cvsearch.model import EmbeddedImage, PhotoFile, Unread, Vector
from cvsearch.output.progress import Progress
from cvsearch.output.screen import can_redraw, use_color
from cvsearch.signals import CancelToken, heard_by

if TYPE_CHECKING:
    from cvsearch.api import ImageRun

MOST_LINES = 100_000
"""So many events may wait for their reader before nothing new is begun."""
MOST_TALK = 10_000
"""So many pieces of talk may wait for theirs; the rest is left unsaid."""
_LAST_SECONDS = 0.5


class BackgroundWriter:
    """Writes what is put into its `queue` to a stream, in the background; after a `fault` nothing more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.queue: SimpleQueue[bytes | None] = SimpleQueue()
        self.fault: OSError | None = None
        self._handle: int | None = None
        with suppress(OSError):
            stream.flush()
        with suppress(OSError, ValueError):
            self._handle = stream.fileno()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._thread.start()

    def finish(self, seconds: float | None = None) -> bool:
        """Waits until all is written, or for so long; says whether it is."""
        self.queue.put(None)
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while (data := self.queue.get()) is not None:
            rest = memoryview(data)
            try:
                if self._handle is None and self.fault is None:
                    self._stream.buffer.write(data)
                    self._stream.flush()
                # Past Python's buffer, whose lock would hold up the end of the process.
                while rest and self._handle is not None and self.fault is None:
                    try:
                        rest = rest[os.write(self._handle, rest) :]
                    except BlockingIOError:
                        select.select([], [self._handle], [])
            except OSError as error:
                self.fault = error


class _Aside:
    """Stands for a stream of talk: what is written there never waits."""

    def __init__(self, stream: TextIO, queue: SimpleQueue[bytes | None]) -> None:
        self._stream = stream
        self._queue = queue

    def write(self, text: str) -> int:
        if self._queue.qsize() < MOST_TALK:
            self._queue.put(text.encode(self._stream.encoding or "utf-8", "backslashreplace"))
        return len(text)

    def flush(self) -> None:
        """It is on its way."""

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


@contextmanager
def open_background_writer(token: CancelToken) -> Iterator[BackgroundWriter]:
    """The writer for data; talk on stderr goes aside as well.  At the end all that waits is written.

    A signal ends that wait.  The process then ends here if not even the error can be told.
    """
    stderr = sys.stderr
    data, talk = BackgroundWriter(sys.stdout), BackgroundWriter(stderr)
    sys.stderr = cast(TextIO, _Aside(stderr, talk.queue))
    try:
        try:
            yield data
        finally:
            seconds = _LAST_SECONDS if token.at_once else None
            data.finish(seconds)
            talk.finish(seconds)
    except Interrupted as error:
        if not talk.finish(_LAST_SECONDS):
            os._exit(int(error.code))
        raise
    finally:
        sys.stderr = stderr


def open_progress(
    session: Session, what: str, noun: str = "photo", *, live: bool = True, quiet: bool = False
) -> Progress:
    """How far a run is, on stderr; `live`: on a terminal as a line that is drawn over again."""
    return Progress(
        what,
        sys.stderr,
        live=live and can_redraw(sys.stderr, session.environ),
        quiet=session.quiet or quiet,
        color=use_color(session.settings.color, sys.stderr, session.environ),
        noun=noun,
    )


@dataclass(slots=True)
class Looking:
    """Looks at pictures that were named, and tells of it; `skipped` of the `seen` could not be looked at.

    `streams`: results are written while pictures are looked at.
    """

    session: Session
    images: ImageRun
    streams: bool
    seen: int = 0
    skipped: int = 0

    def embed_texts(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of labels' texts as received."""
        vectors = []
        # A live line for what is known already would only flicker.
        live = any(self.images.lookup.find_text(text) is None for text in texts)
        with open_progress(self.session, "preparing labels", "text", live=live) as progress:
            for number, text in enumerate(texts, start=1):
                vectors.append(self.images.embed_text(text))
                progress.update(number, len(texts), 0, self.images.calls)
        return vectors

    def look_at(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[EmbeddedImage]:
        """The pictures in order; those that are skipped are told of as they come."""
        session = self.session
        # A live line would stand between results that go through a pipe to the same terminal; on a
        # terminal the results themselves tell how far it is.
        on_screen = self.streams and session.view.terminal
        with (
            heard_by(self.images.token, session.say),
            open_progress(session, "looking", live=not self.streams, quiet=on_screen) as progress,
        ):
            for image in self.images.run(pictures):
                self.seen += 1
                if image.skip is not None:
                    self.skipped += 1
                    say = session.say if on_screen else progress.say
                    why = image.skip.reason + (f" ({image.skip.detail})" if image.skip.detail else "")
                    say(f"skipped {image.name}: {why}")
                progress.update(self.seen, None, self.skipped, self.images.calls)
                yield image

    @property
    def footer(self) -> str:
        """What a page says of where its scores come from."""
        view = self.session.view
        return f"cvsearch {view.version} · {self.images.lookup.space} · {view.now:%Y-%m-%d %H:%M} UTC"


@contextmanager
def open_looking(
    session: Session, index: Index, *, thumbnails: bool = False, streams: bool = False
) -> Iterator[Looking]:
    """With `thumbnails` every picture is read, also one that is indexed, and a small copy is kept."""
    with index.open_images(CancelToken(), thumbnails=thumbnails) as (images, notices):
        if session.talks:
            for notice in notices:
                session.say(notice)
        try:
            yield Looking(session, images, streams)
        except Interrupted as error:
            error.hint = "what was paid for is kept; run the same command again to go on"
            raise
