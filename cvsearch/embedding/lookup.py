"""From a query's term to its vector, at no cost where that is possible.

A text or picture that was asked before, and a picture that is indexed, need no call.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from cvsearch.errors import CvsearchError, ServiceError
from cvsearch.model import Skip, Space, Term

if TYPE_CHECKING:
    from cvsearch.embedding.pipeline import Prepare
    from cvsearch.model import IndexedPhoto, PhotoFile, Prepared, Vector
    from cvsearch.providers.base import Embedder
    from cvsearch.search.same_picture import Shown, Twin
    from cvsearch.store.local.embedding_cache import EmbeddingCache
    from cvsearch.store.local.library import Store

_MOST_IN_MEMORY = 256


class VectorLookup:
    """The vectors of one space that need no call: those of the index, if any, and those asked before.

    Where no cache can be written the last few are still known, so that one run never pays twice in a row.
    """

    def __init__(
        self,
        cache: EmbeddingCache,
        space: Space,
        store: Store | None = None,
        space_id: int = 0,
        extras: str = "",
    ) -> None:
        self.space = space
        self.cache = cache
        self._store = store
        self._space_id = space_id
        self._extras = extras
        self._recent: OrderedDict[tuple[str, bytes], Vector] = OrderedDict()

    def find_text(self, text: str) -> Vector | None:
        """A text's vector as received."""
        return self._find("text", _encode(text))

    def keep_text(self, text: str, vector: Vector) -> None:
        """Keeps what a call was made for."""
        self._keep("text", _encode(text), vector)

    def find_content(self, sha256: bytes) -> Vector | None:
        """The vector as received of a picture with this content."""
        if self._store is not None:
            row = self._store.catalogue.row_of_content(self._space_id, sha256)
            if row is not None:
                return self._store.received(self._space_id, row)
        return self._find("image", sha256)

    def find_pixels(self, pixels: bytes) -> Vector | None:
        """The vector as received of a picture with these prepared pixels."""
        if self._store is not None:
            row = self._store.catalogue.row_of_pixels(self._space_id, pixels)
            if row is not None:
                return self._store.received(self._space_id, row)
        return self._find("pixels", pixels)

    def keep_picture(self, sha256: bytes, pixels: bytes, vector: Vector) -> None:
        """Keeps what a call was made for."""
        self._keep("image", sha256, vector)
        self._keep("pixels", pixels, vector)

    def look_of(self, sha256: bytes) -> IndexedPhoto | None:
        """What an indexed picture looks like."""
        if self._store is None:
            return None
        return self._store.catalogue.read_contents([sha256]).get(sha256)

    def find_skip(self, sha256: bytes) -> Skip | None:
        """Why the index skips this content for good."""
        if self._store is None:
            return None
        return self._store.catalogue.skip_of_content(self._space_id, sha256, self._extras)

    def content_of(self, file: PhotoFile) -> bytes | None:
        """The hash of a file that is indexed and by size and time unchanged: it need not be read."""
        known = None if self._store is None else self._store.files.find(file.path, self._space_id)
        return known.sha256 if known is not None and known.row is not None and known.is_same(file) else None

    def _find(self, kind: str, key: bytes) -> Vector | None:
        recent = self._recent.get((kind, key))
        return self.cache.find(self.space, kind, key) if recent is None else recent

    def _keep(self, kind: str, key: bytes, vector: Vector) -> None:
        self._recent[kind, key] = vector
        if len(self._recent) > _MOST_IN_MEMORY:
            self._recent.popitem(last=False)
        self.cache.add(self.space, kind, key, vector)


class Asker:
    """Finds the vectors of terms; opens the embedder only when one has to be made.

    `read_source` gives the bytes of a picture the user named (path, address or standard input).
    `contents` are the SHA-256 of the pictures that were asked with, by their sources, and `shown` those
    pictures but for the ones to be led away from.  `find_twin` gives the indexed picture that is the same as
    one from elsewhere, whose vector then serves; `borrowed` are the SHA-256 of those twins, by the sources.
    """

    def __init__(
        self,
        kept: VectorLookup,
        read_source: Callable[[str], bytes],
        prepare: Prepare,
        embedder: Callable[[], Embedder],
        find_twin: Callable[[Prepared], Twin | None] = lambda photo: None,
    ) -> None:
        self._kept = kept
        self._read_source = read_source
        self._prepare = prepare
        self._embedder = embedder
        self._find_twin = find_twin
        self.contents: dict[str, bytes] = {}
        self.shown: list[Shown] = []
        self.borrowed: dict[str, bytes] = {}

    def vector_of(self, term: Term) -> Vector:
        """The term's vector as received: float32, shape (space.dimension,).  Raises `CvsearchError`."""
        if term.kind == "text":
            return self._text(term.value)
        shown = self._image(term.value)
        self.contents[term.value] = shown.sha256
        if term.weight > 0:
            self.shown.append(shown)
        return shown.vector

    def _text(self, text: str) -> Vector:
        return text_vector(text, self._kept, self._embedder)

    def _image(self, source: str) -> Shown:
        import hashlib

        from cvsearch.search.same_picture import Shown

        data = self._read_source(source)
        sha256 = hashlib.sha256(data).digest()
        found, look = self._kept.find_content(sha256), self._kept.look_of(sha256)
        if found is not None and look is not None:
            return Shown(sha256, look, found)
        photo = self._prepare(data, source)
        if isinstance(photo, Skip):
            if found is None:
                raise _refusal(source, photo)
            return Shown(sha256, None, found)
        if found is None:
            found = self._kept.find_pixels(photo.pixels)
        if found is None and (twin := self._find_twin(photo)) is not None:
            found, self.borrowed[source] = twin.vector, twin.sha256
        if found is None:
            found = self._embed(source, sha256, photo)
        return Shown(sha256, photo, found)

    def _embed(self, source: str, sha256: bytes, photo: Prepared) -> Vector:
        embedded = self._embedder().embed_photo(photo)
        if isinstance(embedded, Skip):
            raise _refusal(source, embedded)
        self._kept.keep_picture(sha256, photo.pixels, embedded.vector)
        return embedded.vector


def text_vector(text: str, kept: VectorLookup, embedder: Callable[[], Embedder]) -> Vector:
    """A text's vector as received, made and kept if it was never asked before."""
    found = kept.find_text(text)
    if found is None:
        found = embedder().embed_text(text).vector
        kept.keep_text(text, found)
    return found


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _refusal(source: str, skip: Skip) -> CvsearchError:
    if skip.reason == "service-failed":
        return ServiceError(f"the service keeps failing on this picture: {source}", skip.detail)
    return CvsearchError(f"this picture cannot be searched with: {source}: {skip.reason}", skip.detail)
