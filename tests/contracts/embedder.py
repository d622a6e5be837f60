"""What every embedder keeps to, whatever provider is behind it: one suite that each one inherits.

A provider's test class gives two fixtures: `embedder`, open, and `photos`, three different ones prepared
by its space's recipe.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Prepared
from cvsearch.providers.base import Embedder


class EmbedderContract:
    """The suite."""

    def test_a_photo_gives_a_vector_of_the_space(self, embedder: Embedder, photos: list[Prepared]) -> None:
        check_vector(embedder, embedder.embed_photo(photos[0]))

    def test_a_text_gives_a_vector_of_the_space(self, embedder: Embedder) -> None:
        check_vector(embedder, embedder.embed_text("a red car"))

    def test_the_same_gives_the_same(self, embedder: Embedder, photos: list[Prepared]) -> None:
        for embed, what in ((embedder.embed_photo, photos[0]), (embedder.embed_text, "a red car")):
            one, other = embed(what), embed(what)
            assert isinstance(one, Embedded)
            assert isinstance(other, Embedded)
            assert np.array_equal(one.vector, other.vector)

    def test_different_photos_give_different_vectors(
        self, embedder: Embedder, photos: list[Prepared]
    ) -> None:
        vectors = [check_vector(embedder, embedder.embed_photo(photo)) for photo in photos]
        assert len({vector.tobytes() for vector in vectors}) == len(photos)

    def test_threads_do_not_mix_photos_up(self, embedder: Embedder, photos: list[Prepared]) -> None:
        alone = [check_vector(embedder, embedder.embed_photo(photo)) for photo in photos]
        with ThreadPoolExecutor(embedder.jobs) as pool:
            together = list(pool.map(embedder.embed_photo, photos * 3))
        for number, embedded in enumerate(together):
            assert np.array_equal(check_vector(embedder, embedded), alone[number % len(photos)])

    def test_what_was_sent_is_receipted_and_counted(self, embedder: Embedder, photos: list[Prepared]) -> None:
        before, sent = embedder.calls, embedder.bytes_sent
        embedded = embedder.embed_photo(photos[0])
        assert isinstance(embedded, Embedded)
        assert embedder.calls - before == (embedded.receipt is not None)
        assert embedder.bytes_sent - sent == (embedded.receipt.size if embedded.receipt else 0)

    def test_a_closed_one_makes_nothing(self, embedder: Embedder, photos: list[Prepared]) -> None:
        embedder.close()
        with pytest.raises(CvsearchError):
            embedder.embed_photo(photos[0])
        embedder.close()


def check_vector(embedder: Embedder, embedded: object) -> np.ndarray:
    """The vector, if it is what the Protocol promises."""
    assert isinstance(embedded, Embedded), embedded
    vector = embedded.vector
    assert vector.dtype == np.float32
    assert vector.shape == (embedder.space.dimension,)
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) > 0
    return vector
