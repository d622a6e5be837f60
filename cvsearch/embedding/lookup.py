"""What needs no call: the vectors of one space that are indexed, or that were asked for before."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cvsearch.config.settings import Settings
from cvsearch.model import Look, PhotoFile, Prepared, Skip, Space, Vector
from cvsearch.providers.base import Embedder
from cvsearch.providers.registry import open_embedder, provider_of
from cvsearch.store.base import Library
from cvsearch.store.local.embedding_cache import EmbeddingCache

_MOST_IN_MEMORY = 256


@dataclass(eq=False)
class VectorLookup:
    """Finds vectors, as they were received, by content, by prepared pixels and by text.

    `library` is the index they may be in, `number` that of the space there.  What is asked for is kept in the
    cache; where none can be written the last few are still known, so that one run never pays twice in a row.
    """

    space: Space
    cache: EmbeddingCache
    library: Library | None = None
    number: int = 0
    extras: str = ""
    recent: OrderedDict[tuple[str, bytes], Vector] = field(default_factory=OrderedDict)

    def find_text(self, text: str) -> Vector | None:
        """The vector of a text that was asked before."""
        return self._find("text", text.encode("utf-8", "surrogateescape"))

    def keep_text(self, text: str, vector: Vector) -> None:
        """Keeps what a call was made for."""
        self._keep("text", text.encode("utf-8", "surrogateescape"), vector)

    def find_content(self, sha256: bytes) -> Vector | None:
        """The vector of a picture with this content."""
        indexed = self._received(content=sha256)
        return self._find("image", sha256) if indexed is None else indexed

    def find_picture(self, photo: Prepared) -> Vector | None:
        """The vector of a picture with these prepared pixels."""
        indexed = self._received(pixels=photo.pixels)
        return self._find("pixels", photo.pixels) if indexed is None else indexed

    def has_content(self, sha256: bytes) -> bool:
        """Whether `find_content` finds something."""
        return self.find_content(sha256) is not None

    def has_picture(self, photo: Prepared, sha256: bytes) -> bool:
        """Whether something is found of a picture by its content or its prepared pixels."""
        return self.has_content(sha256) or self.find_picture(photo) is not None

    def keep_picture(self, sha256: bytes, pixels: bytes, vector: Vector) -> None:
        """Keeps what a call was made for."""
        self._keep("image", sha256, vector)
        self._keep("pixels", pixels, vector)

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        """Why the index skips this content for good."""
        if self.library is None:
            return None
        return self.library.skip_of_content(self.number, sha256, self.extras)

    def content_of(self, file: PhotoFile) -> bytes | None:
        """The hash of a file that is indexed and by size and time unchanged: it need not be read."""
        known = None if self.library is None else self.library.find(file.path, self.number)
        return known.sha256 if known is not None and known.row is not None and known.is_same(file) else None

    def look_of(self, sha256: bytes) -> Look | None:
        """What an indexed picture looks like."""
        row = self._row_of(content=sha256)
        if self.library is None or row is None:
            return None
        looks = self.library.looks(self.number, [row])
        return Look(looks.hashes[0].tobytes(), *looks.sizes[0].tolist()) if len(looks.rows) else None

    def lender_of(self, photo: Prepared) -> bytes | None:
        """The content of another picture whose vector `find_picture` gave; here there is none."""
        return None

    def _received(self, *, content: bytes | None = None, pixels: bytes | None = None) -> Vector | None:
        row = self._row_of(content=content, pixels=pixels)
        return None if self.library is None or row is None else self.library.received(self.number, row)

    def _row_of(self, *, content: bytes | None = None, pixels: bytes | None = None) -> int | None:
        if self.library is None:
            return None
        return self.library.row_of(self.number, content=content, pixels=pixels)

    def _find(self, kind: str, key: bytes) -> Vector | None:
        recent = self.recent.get((kind, key))
        return self.cache.find(self.space, kind, key) if recent is None else recent

    def _keep(self, kind: str, key: bytes, vector: Vector) -> None:
        self.recent[kind, key] = vector
        if len(self.recent) > _MOST_IN_MEMORY:
            self.recent.popitem(last=False)
        self.cache.add(self.space, kind, key, vector)


@dataclass(eq=False)
class IndexLookup(VectorLookup):
    """What needs no call when photos are indexed: a content needs its row, which has the photo's facts too.

    `asks`: whether what was embedded for a query counts; `skips`: whether lasting skips do.  `asked` are the
    vectors that `has_picture` found so, by pixels: whoever writes them takes them out.
    """

    asks: bool = field(kw_only=True)
    skips: bool = field(kw_only=True)
    asked: dict[bytes, Vector] = field(default_factory=dict)

    def has_content(self, sha256: bytes) -> bool:
        return self._row_of(content=sha256) is not None

    def has_picture(self, photo: Prepared, sha256: bytes) -> bool:
        if self._row_of(pixels=photo.pixels) is not None:
            return True
        vector = self.find_asked("pixels", photo.pixels)
        if vector is not None:
            self.asked[photo.pixels] = vector
        return vector is not None

    def find_asked(self, kind: str, key: bytes) -> Vector | None:
        """The vector of a picture that was embedded for a query, by ``pixels`` or as an ``image``."""
        vector = self.cache.find(self.space, kind, key) if self.asks else None
        return vector if vector is not None and len(vector) == self.space.dimension else None

    def skip_of_content(self, sha256: bytes) -> Skip | None:
        return super().skip_of_content(sha256) if self.skips else None


def embed_text(text: str, lookup: VectorLookup, embedder: Embedder) -> Vector:
    """A text's vector as received, made and kept if it was never asked before."""
    found = lookup.find_text(text)
    if found is None:
        found = embedder.embed_text(text).vector
        lookup.keep_text(text, found)
    return found


@contextmanager
def open_counted(settings: Settings, space: Space, cache: EmbeddingCache) -> Iterator[Embedder]:
    """The provider of a space, for what is asked: its calls are counted beside the answers it brings."""
    with open_embedder(settings, space) as embedder:
        try:
            yield embedder
        finally:
            host = provider_of(space).host(settings)
            if host is not None and embedder.calls:
                cache.add_traffic(host, embedder.calls, embedder.bytes_sent)
