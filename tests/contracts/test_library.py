"""The folder on this machine keeps the library's contract."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from contracts.library import PHOTOS, ROOT, SKIP, SPACE, LibraryContract

from cvsearch.model import Embedded, PhotoFile, Prepared, WalkOptions
from cvsearch.store.base import Library
from cvsearch.store.local.library import open_library, open_writer


class TestFolder(LibraryContract):
    @pytest.fixture
    def library(self, tmp_path) -> Iterator[Library]:
        folder = str(tmp_path / "index")
        with open_writer(folder, create=True) as store:
            store.begin()
            number = store.catalogue.add_space(SPACE)
            store.roots.add("folder", ROOT, WalkOptions())
            for photo in PHOTOS:
                file = PhotoFile(photo.path, len(photo.content), 1, photo.also)
                prepared = Prepared(b"", 60, 40, photo.pixels, photo.phash, photo.metadata)
                row = store.catalogue.row_of_content(number, photo.sha256)
                if photo.vector is None:
                    store.add_skipped(number, file, photo.sha256, SKIP, "")
                elif row is None:
                    new = Embedded(np.array(photo.vector, np.float32))
                    store.add_indexed(number, file, photo.sha256, prepared, new)
                else:
                    store.add_name(file, photo.sha256)
            store.commit()
        with open_library(folder) as library:
            yield library
