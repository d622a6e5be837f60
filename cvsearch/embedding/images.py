"""From pictures that a user named to their vectors, in the order they were named.

Pictures go through the same pipeline as those that are indexed, so several are on their way at once and
of several with the same content one is sent; how many may overtake a slow one is bounded.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from cvsearch.embedding.lookup import VectorLookup, embed_text
from cvsearch.embedding.pipeline import Indexed, Outcome, Pipeline, Skipped
from cvsearch.embedding.sources import read_source
from cvsearch.errors import CredentialsError, CvsearchError, ServiceError
from cvsearch.model import EmbeddedImage, Look, PhotoFile, ScanStats, Skip, Unread, Vector, WalkOptions
from cvsearch.paths import contains, is_address
from cvsearch.photos.formats import pair_companions
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.photos.read import read_photo
from cvsearch.photos.walk import find_photos, stat_photo, stat_photos
from cvsearch.providers.base import Embedder
from cvsearch.signals import CancelToken

WINDOW = 256
THUMBNAIL_EDGE = 128
_PASSED_OVER = (
    "the walk of its folder leaves it out (hidden, excluded, a link, no photo by name): name it itself"
)


@dataclass(slots=True)
class _Place:
    """A picture's place in the order; `image` once it was looked at."""

    image: EmbeddedImage | None = None


@dataclass(slots=True)
class ImageRun:
    """One run over pictures; the embedder is the caller's to close.

    `given` are the bytes of pictures by their names.  `strict`: a picture that cannot be used is an error.
    With `thumbnails` every picture is read, also one that is indexed.
    """

    lookup: VectorLookup
    embedder: Embedder
    token: CancelToken
    offline: bool
    given: Mapping[str, bytes] = field(default_factory=dict)
    strict: bool = False
    thumbnails: bool = False
    _places: deque[_Place] = field(default_factory=deque)
    _on_their_way: dict[int, _Place] = field(default_factory=dict)
    _known: dict[str, bytes] = field(default_factory=dict)
    _small: dict[str, bytes] = field(default_factory=dict)

    @property
    def calls(self) -> int:
        """How many requests have left this machine."""
        return self.embedder.calls

    def embed_text(self, text: str) -> Vector:
        """A text's vector as received, made and kept if it was never asked before."""
        return embed_text(text, self.lookup, self.embedder)

    def run(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[EmbeddedImage]:
        """Each picture with its vector, or why it was skipped.  What a call was made for is kept."""
        prepare = partial(prepare_photo, recipe=self.lookup.space.preparation)
        pipeline = Pipeline(self._read, prepare, self.embedder, self.lookup, self.token)
        self.token.armed = True
        try:
            for outcome in pipeline.run(self._admit(pictures)):
                if outcome is not None:
                    self._settle(outcome)
                yield from self._in_order()
            yield from self._in_order()
        finally:
            for outcome in pipeline.drain():
                self._settle(outcome)
            self.token.armed = False

    def _admit(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[PhotoFile | None]:
        for picture in pictures:
            while len(self._places) >= WINDOW and self._places[0].image is None:
                yield None
            if isinstance(picture, Unread):
                skip = Skip(picture.reason, picture.detail, lasting=False)
                self._places.append(_Place(EmbeddedImage(picture.path, skip=skip)))
                continue
            self._places.append(place := _Place())
            self._on_their_way[id(picture)] = place
            if not self.strict and not self.thumbnails and (sha256 := self.lookup.content_of(picture)):
                self._known[picture.path] = sha256
            yield picture

    def _read(self, file: PhotoFile) -> tuple[bytes, bytes] | Skip:
        sha256 = self._known.pop(file.path, None)
        if sha256 is not None:
            return b"", sha256
        result = self._read_bytes(file)
        if self.thumbnails and not isinstance(result, Skip):
            small = prepare_photo(result[0], file.path, f"jpeg-{THUMBNAIL_EDGE}")
            if not isinstance(small, Skip):
                self._small[file.path] = small.data
        return result

    def _read_bytes(self, file: PhotoFile) -> tuple[bytes, bytes] | Skip:
        """What cannot be fetched is skipped; what `--offline` forbids ends the run."""
        if not self.strict and os.path.isabs(file.path):
            return read_photo(file)
        try:
            data = self.given.get(file.path)
            data = read_source(file.path, offline=self.offline) if data is None else data
        except CvsearchError as error:
            if self.strict or isinstance(error, CredentialsError):
                raise
            return Skip("unreachable", error.message, lasting=False)
        if not data and not self.strict:
            return Skip("empty-file", "there are no bytes", lasting=False)
        return data, hashlib.sha256(data).digest()

    def _settle(self, outcome: Outcome) -> None:
        place = self._on_their_way.pop(id(outcome.file))
        image = EmbeddedImage(
            outcome.file.path,
            sha256=outcome.sha256 or b"",
            thumbnail=self._small.pop(outcome.file.path, None),
        )
        if isinstance(outcome, Skipped):
            place.image = self._without_picture(image, outcome.skip)
            return
        look = None
        if outcome.photo is not None:
            size = outcome.photo.metadata.width, outcome.photo.metadata.height
            look = Look(outcome.photo.phash, *size)
        elif self.strict:
            look = self.lookup.look_of(outcome.sha256)
        if isinstance(outcome, Indexed):
            vector, lender = outcome.embedded.vector, None
            self.lookup.keep_picture(outcome.sha256, outcome.photo.pixels, vector)
        else:
            known = self.lookup.find_content(outcome.sha256)
            if known is None and outcome.photo is not None:
                known = self.lookup.find_picture(outcome.photo)
            if known is None:
                raise CvsearchError(
                    f"the index was changed while this picture was looked at: {outcome.file.path}",
                    hint="run it again",
                )
            vector = known
            lender = None if outcome.photo is None else self.lookup.lender_of(outcome.photo)
        place.image = replace(image, vector=vector, also=outcome.file.also, look=look, lender=lender)

    def _without_picture(self, image: EmbeddedImage, skip: Skip) -> EmbeddedImage:
        if not self.strict:
            return replace(image, skip=skip)
        vector = self.lookup.find_content(image.sha256)
        if vector is not None:  # it cannot be decoded here, but it is known
            return replace(image, vector=vector)
        if skip.reason == "service-failed":
            raise ServiceError(f"the service keeps failing on this picture: {image.name}", skip.detail)
        raise CvsearchError(f"this picture cannot be searched with: {image.name}: {skip.reason}", skip.detail)

    def _in_order(self) -> Iterator[EmbeddedImage]:
        while self._places and (image := self._places[0].image) is not None:
            self._places.popleft()
            yield image


@dataclass(slots=True)
class NamedImages:
    """What the user named, in order: paths (absolute), folders, addresses and ``-``.

    `stats` counts what was passed over in folders.
    """

    names: Sequence[str]
    index_folder: str
    stats: ScanStats = field(default_factory=ScanStats)

    def check(self, *, offline: bool) -> None:
        """Before anything is paid for.  Raises `CvsearchError` (4 for an address under --offline)."""
        for name in self.names:
            if is_address(name):
                if offline:
                    raise CredentialsError(
                        f"--offline forbids fetching {name}", hint="save the picture and name the file"
                    )
            elif name != "-" and not os.path.lexists(name):
                raise CvsearchError(f"there is no such file or folder: {name}", hint="check the name")

    def find(self, *, pair: bool) -> Iterator[PhotoFile | Unread]:
        """The pictures: folders are walked as `index` walks them; with `pair` a RAW goes with its JPEG."""
        pairs = pair_companions(name for name in self.names if os.path.isfile(name)) if pair else {}
        companions = {raw for raws in pairs.values() for raw in raws}
        for name in self.names:
            if name == "-" or is_address(name):
                yield PhotoFile(name, 0, 0)
            elif os.path.isdir(name):
                yield from find_photos(name, name, WalkOptions(), self.stats, self.index_folder)
            elif name not in companions:
                yield from stat_photos((name,), pairs)

    def find_among(self, listed: Iterable[str]) -> Iterator[PhotoFile | Unread]:
        """Those that are listed; last, why others that are listed beneath what was named were not met."""
        left = dict.fromkeys(name for name in listed if any(contains(place, name) for place in self.names))
        wanted = frozenset(left)
        for picture in self.find(pair=True):
            also = picture.also if isinstance(picture, PhotoFile) else ()
            met = wanted.intersection((picture.path, *also))
            if met:
                yield picture
            for name in met:
                left.pop(name, None)
        for name in left:
            file = stat_photo(name)
            yield file if isinstance(file, Unread) else Unread(name, "passed-over", _PASSED_OVER)
