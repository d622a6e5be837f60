"""The sentence "look at these pictures": their vectors, in the order they were named.

Pictures go through the same pipeline as those that are indexed, so several are on their way at once and
of several with the same content one is sent; how many may overtake a slow one is bounded.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvsearch.embedding.pipeline import CancelToken, Indexed, Outcome, Pipeline, Reused, Skipped
from cvsearch.errors import CredentialsError, CvsearchError
from cvsearch.model import PhotoFile, Skip, Unread

if TYPE_CHECKING:
    from cvsearch.embedding.lookup import VectorLookup
    from cvsearch.embedding.pipeline import Prepare, Read
    from cvsearch.model import Vector
    from cvsearch.providers.base import Embedder

WINDOW = 256


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as it was named, with its vector as received (float32), or why there is none.

    `also` as in `PhotoFile`.
    """

    image: str
    vector: Vector | None = None
    skip: Skip | None = None
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class _Place:
    """A picture's place in the order; `seen` once it was looked at."""

    file: PhotoFile | None
    seen: Seen | None = None


@dataclass(slots=True)
class Gathering:
    """One run over pictures; the embedder is the caller's to close.

    `see` is told each picture's name and bytes, on several threads; then every picture is read.
    """

    kept: VectorLookup
    read: Read
    prepare: Prepare
    embedder: Embedder
    stop: CancelToken
    see: Callable[[str, bytes], object] | None = None
    _places: deque[_Place] = field(default_factory=deque)
    _on_their_way: dict[int, _Place] = field(default_factory=dict)
    _known: dict[str, bytes] = field(default_factory=dict)

    def run(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[Seen]:
        """Each picture with its vector, or why it was skipped.  What a call was made for is kept."""
        pipeline = Pipeline(self._read, self.prepare, self.embedder, _Shelf(self.kept), self.stop)
        self.stop.armed = True
        try:
            for outcome in pipeline.run(self._admit(pictures)):
                if outcome is not None:
                    self._settle(outcome)
                yield from self._in_order()
            yield from self._in_order()
        finally:
            for outcome in pipeline.drain():
                self._settle(outcome)
            self.stop.armed = False

    def _admit(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[PhotoFile | None]:
        for picture in pictures:
            while len(self._places) >= WINDOW and self._places[0].seen is None:
                yield None
            if isinstance(picture, Unread):
                skip = Skip(picture.reason, picture.detail, lasting=False)
                self._places.append(_Place(None, Seen(picture.path, skip=skip)))
                continue
            place = _Place(picture)
            self._places.append(place)
            self._on_their_way[id(picture)] = place
            sha256 = self.kept.content_of(picture) if self.see is None else None
            if sha256 is not None:
                self._known[picture.path] = sha256
            yield picture

    def _read(self, file: PhotoFile) -> tuple[bytes, bytes] | Skip:
        sha256 = self._known.pop(file.path, None)
        if sha256 is not None:
            return b"", sha256
        result = self.read(file)
        if self.see is not None and not isinstance(result, Skip):
            self.see(file.path, result[0])
        return result

    def _settle(self, outcome: Outcome) -> None:
        place = self._on_their_way.pop(id(outcome.file))
        image = outcome.file.path
        if isinstance(outcome, Skipped):
            place.seen = Seen(image, skip=outcome.skip)
        elif isinstance(outcome, Indexed):
            vector = outcome.embedded.vector
            self.kept.keep_picture(outcome.sha256, outcome.photo.pixels, vector)
            place.seen = Seen(image, vector, also=outcome.file.also)
        else:
            place.seen = Seen(image, self._vector_of(outcome), also=outcome.file.also)

    def _vector_of(self, outcome: Reused) -> Vector:
        vector = self.kept.find_content(outcome.sha256)
        if vector is None and outcome.photo is not None:
            vector = self.kept.find_pixels(outcome.photo.pixels)
        if vector is None:
            raise CvsearchError(
                f"the index was changed while this picture was looked at: {outcome.file.path}",
                hint="run it again",
            )
        return vector

    def _in_order(self) -> Iterator[Seen]:
        while self._places and (seen := self._places[0].seen) is not None:
            self._places.popleft()
            yield seen


class _Shelf:
    """What needs no call, as the pipeline asks for it: here rows say only that there is a vector."""

    def __init__(self, kept: VectorLookup) -> None:
        self._kept = kept

    def row_of_content(self, sha256: bytes) -> int | None:
        return None if self._kept.find_content(sha256) is None else 0

    def row_of_pixels(self, pixels: bytes) -> int | None:
        return None if self._kept.find_pixels(pixels) is None else 0

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        return self._kept.find_skip(sha256)


def make_read(read_file: Read, read_source: Callable[[str], bytes]) -> Read:
    """Reads files, and what is no file (an address, standard input) as `read_source` does.

    What cannot be fetched is skipped; what `--offline` forbids ends the run.
    """
    import hashlib

    def read(file: PhotoFile) -> tuple[bytes, bytes] | Skip:
        if os.path.isabs(file.path):
            return read_file(file)
        try:
            data = read_source(file.path)
        except CredentialsError:
            raise
        except CvsearchError as error:
            return Skip("unreachable", error.message, lasting=False)
        if not data:
            return Skip("empty-file", "there are no bytes", lasting=False)
        return data, hashlib.sha256(data).digest()

    return read
