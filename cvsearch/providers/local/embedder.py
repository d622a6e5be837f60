"""The built-in model as an embedder."""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Prepared, Skip
from cvsearch.providers.base import Embedder
from cvsearch.providers.local import SPACE

if TYPE_CHECKING:
    from cvsearch.providers.local.picture import PictureEncoder
    from cvsearch.providers.local.text import TextEncoder


class LocalEmbedder(Embedder):
    """Pictures and English texts in the space `SPACE`; nothing leaves this machine.

    Each encoder loads at its first use: onnxruntime and Pillow for photos only.  Photos are worth
    having in flight one a processor: the network runs outside Python's lock.
    """

    def __init__(self, jobs: int | None = None) -> None:
        self.space = SPACE
        self.jobs = jobs or count_processors()
        self._loading = threading.Lock()
        self._pictures: PictureEncoder | None = None
        self._texts: TextEncoder | None = None
        self._closed = False

    def embed_photo(self, photo: Prepared) -> Embedded | Skip:
        """The photo's unit vector, float32 (1024,); `photo.data` is raw RGB of `rgb-1024`."""
        from cvsearch.providers.local.picture import PictureEncoder

        with self._loading:
            self._refuse_closed()
            self._pictures = encoder = self._pictures or PictureEncoder()
        pixels = np.frombuffer(photo.data, np.uint8).reshape(photo.height, photo.width, 3)
        return Embedded(encoder.encode(pixels))

    def embed_text(self, text: str) -> Embedded:
        """The text's unit vector, float32 (1024,).

        Raises `CvsearchError` when the text is empty or the model knows none of its words.
        """
        from cvsearch.providers.local.text import TextEncoder

        with self._loading:
            self._refuse_closed()
            self._texts = encoder = self._texts or TextEncoder()
        return Embedded(encoder.encode(text))

    def _refuse_closed(self) -> None:
        if self._closed:
            raise CvsearchError("the local model is closed")

    def close(self) -> None:
        """Lets go of the loaded data; later calls raise `CvsearchError`."""
        with self._loading:
            self._closed = True
            self._pictures = self._texts = None


def count_processors() -> int:
    """The processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
