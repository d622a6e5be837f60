"""A provider that nobody knows of: it sends, costs, and is added to the registry as any other would be.

Run as a script, this is cvsearch with that provider.  What it would send goes to a file: the path in the
environment's ``PAYING_LOG``, a line a call.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime

import numpy as np

from cvsearch.config.rules import Rule, parse_text
from cvsearch.errors import CredentialsError
from cvsearch.model import Embedded, Receipt, Space
from cvsearch.providers import registry
from cvsearch.providers.base import Embedder, Provider

HOST = "paying.example"
SPACE = Space("paying", "v1", "jpeg-256", 16)


class PayingEmbedder(Embedder):
    """Makes vectors out of hashes, and notes each call."""

    def __init__(self) -> None:
        self.space = SPACE
        self._sent: list[int] = []

    @property
    def calls(self) -> int:
        return len(self._sent)

    @property
    def bytes_sent(self) -> int:
        return sum(self._sent)

    def embed_photo(self, photo):
        return self._embed(photo.data)

    def embed_text(self, text):
        return self._embed(text.encode())

    def _embed(self, body: bytes) -> Embedded:
        self._sent.append(len(body))
        with open(os.environ["PAYING_LOG"], "a", encoding="utf-8") as file:
            file.write(f"{len(body)}\n")
        digest = hashlib.sha256(body).digest()
        vector = np.frombuffer(digest, np.uint8)[: SPACE.dimension].astype(np.float32) + 1
        sent_at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Embedded(vector, Receipt(HOST, sent_at, "id-1", len(body), digest))


class PayingProvider(Provider):
    """The descriptor, with a setting of its own."""

    name = "paying"
    title = "the paying service"
    sends = True
    settings = (
        Rule("paying_key", "its key", "a key", parse_text, deferred=True, secret=True, show=lambda _: "****"),
    )

    def new_space(self, settings):
        return SPACE

    def is_set_up(self, settings):
        return settings.found["paying_key"].own

    def check(self, settings):
        settings.refuse_empty(["paying_key"])
        if settings["paying_key"] is None:
            raise CredentialsError("the paying service has no key", "set CVSEARCH_PAYING_KEY")

    def host(self, settings):
        return HOST

    def open(self, settings, space):
        self.check(settings)
        return PayingEmbedder()


def providers() -> dict[str, Provider]:
    """The registry's table with its line."""
    own = PayingProvider()
    return {own.name: own, **registry.PROVIDERS}


if __name__ == "__main__":
    registry.PROVIDERS = providers()
    from cvsearch.cli.app import run

    run()
