"""From a query's term to its vector, at no cost where that is possible.

A text or picture that was asked before, and a picture that is indexed, need no call.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from cvsearch.embedders.base import Embedder
from cvsearch.errors import CvsearchError
from cvsearch.pipeline import Prepare
from cvsearch.store.queries import QueryCache
from cvsearch.store.store import Store
from cvsearch.values import Skip, Space, Term

if TYPE_CHECKING:
    from cvsearch.values import Vector


class Asker:
    """Finds the vectors of terms; opens the embedder only when one has to be made.

    `read_source` gives the bytes of a picture the user named (path, address or standard input).
    """

    def __init__(
        self,
        store: Store,
        space_id: int,
        space: Space,
        cache: QueryCache,
        read_source: Callable[[str], bytes],
        prepare: Prepare,
        embedder: Callable[[], Embedder],
    ) -> None:
        self._store = store
        self._space_id = space_id
        self._space = space
        self._cache = cache
        self._read_source = read_source
        self._prepare = prepare
        self._embedder = embedder

    def vector_of(self, term: Term) -> Vector:
        """The term's vector as received: float32, shape (space.dimension,).  Raises `CvsearchError`."""
        if term.kind == "text":
            return self._text(term.value)
        return self._image(term.value)

    def _text(self, text: str) -> Vector:
        key = text.encode("utf-8", "surrogateescape")
        found = self._cache.find(self._space, "text", key)
        if found is None:
            found = self._embedder().embed_text(text).vector
            self._cache.add(self._space, "text", key, found)
        return found

    def _image(self, source: str) -> Vector:
        data = self._read_source(source)
        sha256 = hashlib.sha256(data).digest()
        row = self._store.catalogue.row_of_content(self._space_id, sha256)
        if row is not None:
            return self._stored(row)
        found = self._cache.find(self._space, "image", sha256)
        if found is not None:
            return found
        photo = self._prepare(data, source)
        if isinstance(photo, Skip):
            raise CvsearchError(
                f"this picture cannot be searched with: {source}: {photo.reason}", photo.detail
            )
        row = self._store.catalogue.row_of_pixels(self._space_id, photo.pixels)
        if row is not None:
            return self._stored(row)
        embedded = self._embedder().embed_photo(photo)
        if isinstance(embedded, Skip):
            raise CvsearchError(
                f"this picture cannot be searched with: {source}: {embedded.reason}", embedded.detail
            )
        self._cache.add(self._space, "image", sha256, embedded.vector)
        return embedded.vector

    def _stored(self, row: int) -> Vector:
        units, norms = self._store.vectors(self._space_id)
        vector: Vector = units[row] * norms[row]
        return vector
