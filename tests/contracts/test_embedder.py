"""The providers keep the embedder's contract."""

from __future__ import annotations

from collections.abc import Iterator

import album
import pytest
from azure_double import AzureDouble
from contracts.embedder import EmbedderContract

from cvsearch.model import Prepared, Space
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.providers.azure.embedder import AzureEmbedder
from cvsearch.providers.azure.sign_in import KeyCredential
from cvsearch.providers.base import Embedder
from cvsearch.providers.local import SPACE
from cvsearch.providers.local.embedder import LocalEmbedder

AZURE = Space("azure", "2023-04-15", "jpeg-1024", 1024)


def prepare(space: Space) -> list[Prepared]:
    found = [prepare_photo(album.jpeg(number), f"{number}.jpg", space.preparation) for number in range(3)]
    return [photo for photo in found if isinstance(photo, Prepared)]


class TestAzure(EmbedderContract):
    @pytest.fixture
    def photos(self) -> list[Prepared]:
        return prepare(AZURE)

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with (
            AzureDouble(key="a-key-of-the-double") as double,
            AzureEmbedder(
                double.endpoint,
                KeyCredential("a-key-of-the-double"),
                api_version="2024-02-01",
                model_version=AZURE.model,
                space=AZURE,
                rate=1000,
                jobs=4,
            ) as embedder,
        ):
            yield embedder


class TestLocal(EmbedderContract):
    @pytest.fixture
    def photos(self) -> list[Prepared]:
        return prepare(SPACE)

    @pytest.fixture
    def embedder(self) -> Iterator[Embedder]:
        with LocalEmbedder() as embedder:
            yield embedder
