"""The built-in local model: pictures and English texts as vectors, without account or network.

It is a zero-shot model in concept space after ConSE (Norouzi et al., "Zero-Shot Learning by Convex
Combination of Semantic Embeddings", ICLR 2014); `docs/local-model.md` explains it.  Here are its name
and its space, known without loading it: the encoders load what they need when they are first asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from cvsearch.config.settings import Settings
from cvsearch.errors import CvsearchError
from cvsearch.model import Space
from cvsearch.providers.base import Choice, Embedder, Provider, fullest

DESCRIPTION = "basic offline model: English, common objects, scenes and colours"
"""The one line by which documentation and command line introduce the model."""

DATA_HASH = "3cee2c72"
"""The first digits of `layout.hash_data()`: other data are another space.  A test compares them."""

MAX_EDGE = 1024

SPACE = Space("local", f"concepts-{DATA_HASH}", f"rgb-{MAX_EDGE}", 1024)
"""The built-in model's space: its photos are prepared as raw RGB, no edge above `MAX_EDGE`."""


class LocalProvider(Provider):
    """The built-in model: always there, and nothing leaves this machine."""

    name = SPACE.provider
    title = "the built-in model"
    sends = False
    check_name = "model"

    def new_space(self, settings: Settings) -> Space:
        return SPACE

    def is_set_up(self, settings: Settings) -> bool:
        return True

    def why_chosen(self, settings: Settings) -> str:
        return f"using the built-in model ({DESCRIPTION}), as no Azure resource is set up"

    def choose(self, settings: Settings, existing: Sequence[tuple[Space, int]]) -> Choice:
        if self.is_named(settings):
            return Choice(SPACE)
        raise CvsearchError(
            _other_model(fullest(existing)),
            hint="begin a second space beside it with --provider local; nothing is lost and nothing costs",
        )

    def open(self, settings: Settings, space: Space) -> Embedder:
        if space != SPACE:
            raise CvsearchError(
                _other_model(space), hint="index again beside it: cvsearch index --provider local"
            )
        from cvsearch.providers.local.embedder import LocalEmbedder

        return LocalEmbedder()

    def describe_answer(self, settings: Settings, space: Space, seconds: float) -> str:
        return DESCRIPTION


def _other_model(space: Space) -> str:
    return f"this index was made with another built-in model ({space.model}, now {SPACE.model})"
