"""What every library must do: a suite that each implementation inherits.

Who inherits gives a fixture `library`, an open library that holds `PHOTOS`, and says how near its scores
come.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

import numpy as np
import pytest

from cvsearch.model import Metadata, Skip, Space
from cvsearch.paths import Scope
from cvsearch.ranking.filters import make_filters
from cvsearch.store.base import Library

SPACE = Space("azure", "2023-04-15", "jpeg-1024", 8)
SKIP = Skip("damaged", "it cannot be decoded", lasting=True)
ROOT = "/photos"


@dataclass(frozen=True)
class Known:
    """A photo as it is put in: `vector` None for one that is skipped."""

    path: str
    content: bytes
    vector: tuple[float, ...] | None
    metadata: Metadata
    also: tuple[str, ...] = ()

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(self.content).digest()

    @property
    def pixels(self) -> bytes:
        return hashlib.sha256(b"pixels of " + self.content).digest()

    @property
    def phash(self) -> bytes:
        return hashlib.sha256(b"look of " + self.content).digest()


def _known(name: str, content: str, seed: int | None, also: tuple[str, ...] = (), **facts: object) -> Known:
    rng = np.random.default_rng(seed)
    vector = None if seed is None else tuple((3 * rng.normal(size=8)).astype(np.float32).tolist())
    return Known(f"{ROOT}/{name}", content.encode(), vector, Metadata("JPEG", 60, 40, **facts), also)


PHOTOS = (
    _known("a/one.jpg", "one", 1, taken="2024-05-01T10:00:00", camera="ACME 1"),
    _known("a/again.jpg", "one", 1, taken="2024-05-01T10:00:00", camera="ACME 1"),
    _known("a/two.jpg", "two", 2, (f"{ROOT}/a/two.nef",), taken="2025-01-01T00:00:00", camera="Other"),
    _known("b/three.jpg", "three", 3, latitude=48.85, longitude=2.29),
    _known("b/\udce9.jpg", "four", 4),
    _known("b/broken.jpg", "five", None),
)
"""Two names of one content, a companion, a name that is not UTF-8, one without a vector."""
SEEN = [photo for photo in PHOTOS if photo.vector is not None]


def cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    first, second = np.array(one, np.float64), np.array(other, np.float64)
    return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))


class LibraryContract:
    """The tests; `TOLERANCE` is how far a score may be from the true cosine."""

    TOLERANCE = 1e-6

    @pytest.fixture
    def space(self, library: Library) -> int:
        ((number, space),) = library.spaces()
        assert space == SPACE
        return number

    def test_counts(self, library: Library, space: int):
        assert library.count_photos() == len(PHOTOS)
        assert library.count_photos(space) == len(SEEN)
        assert library.count_photos(None, Scope([f"{ROOT}/b"])) == 3
        assert library.count_photos(space, Scope([f"{ROOT}/b", f"{ROOT}/b/three.jpg"])) == 2
        among = frozenset([PHOTOS[0].path, PHOTOS[-1].path, "/elsewhere.jpg"])
        assert library.count_photos(space, Scope(among=among)) == 1
        assert library.count_photos(space, Scope([f"{ROOT}/b"], among)) == 0
        assert len(library.units(space)) == len({photo.content for photo in SEEN})

    @pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.content.decode())
    def test_a_file_is_found(self, library: Library, space: int, photo: Known):
        found = library.find(photo.path, space)
        assert found is not None
        assert (found.path, found.sha256, found.also) == (photo.path, photo.sha256, photo.also)
        assert (found.row is None, found.skip) == (photo.vector is None, None if photo.vector else SKIP)

    def test_what_is_not_there_is_not_found(self, library: Library, space: int):
        assert library.find(f"{ROOT}/nowhere.jpg", space) is None
        assert library.row_of(space, content=bytes(32)) is None
        assert library.row_of(space, pixels=bytes(32)) is None
        assert library.show(f"{ROOT}/nowhere.jpg") is None

    def test_a_companion_is_its_photo(self, library: Library):
        two = PHOTOS[2]
        assert library.as_photos([two.also[0], PHOTOS[0].path, "/x"]) == [two.path, PHOTOS[0].path, "/x"]
        assert library.companions_of([photo.path for photo in PHOTOS]) == {two.path: two.also}

    @pytest.mark.parametrize("photo", SEEN, ids=lambda photo: photo.content.decode())
    def test_vectors_come_back_as_received(self, library: Library, space: int, photo: Known):
        row = library.row_of(space, content=photo.sha256)
        assert row is not None and row == library.row_of(space, pixels=photo.pixels)
        np.testing.assert_allclose(library.received(space, row), photo.vector, rtol=10 * self.TOLERANCE)

    def test_a_lasting_skip_is_remembered(self, library: Library, space: int):
        assert library.skip_of_content(space, PHOTOS[-1].sha256, "") == SKIP
        assert library.skip_of_content(space, PHOTOS[-1].sha256, "another extra") is None
        assert library.skip_of_content(space, PHOTOS[0].sha256, "") is None
        assert library.not_searched(space) == [(PHOTOS[-1].path, SKIP.reason, SKIP.detail)]

    @pytest.mark.parametrize("metric", ["cosine", "euclidean"])
    def test_scores_are_true(self, library: Library, space: int, metric: str):
        query = SEEN[2].vector
        scores = library.scores(space, np.array(query, np.float32), metric)
        rows = library.live_rows(space)
        assert rows.tolist() == sorted({library.row_of(space, content=photo.sha256) for photo in SEEN})
        files = library.files_of_rows(space, rows.tolist())
        assert sorted((path, sha256) for _, path, sha256 in files) == sorted(
            (photo.path, photo.sha256) for photo in SEEN
        )
        truth = {photo.path: photo.vector for photo in SEEN}
        for row, path, _ in files:
            distance = -float(np.linalg.norm(np.subtract(truth[path], query)))
            true = cosine(truth[path], query) if metric == "cosine" else distance
            assert float(scores[row]) == pytest.approx(true, abs=20 * self.TOLERANCE)

    def test_units_have_length_one(self, library: Library, space: int):
        units = library.units(space)[library.live_rows(space)]
        np.testing.assert_allclose(np.linalg.norm(units, axis=1), 1, atol=self.TOLERANCE)

    def test_without_limits_every_row_may_be_found(self, library: Library, space: int):
        chosen = library.choose(space, Scope(), make_filters())
        assert (chosen.rows, chosen.contents, chosen.judged) == (None, None, None)

    @pytest.mark.parametrize(
        ("scope", "filters", "found", "unjudged"),
        [
            (Scope([f"{ROOT}/b"]), {}, ["three", "four"], 0),
            (Scope(among=frozenset([f"{ROOT}/a/two.jpg"])), {}, ["two"], 0),
            (Scope([f"{ROOT}/b"], frozenset([f"{ROOT}/a/two.jpg"])), {}, [], 0),
            (Scope(), {"after": "2024-06"}, ["two"], 2),
            (Scope(), {"before": "2024-06"}, ["one"], 2),
            (Scope(), {"camera": "acme"}, ["one"], 2),
            (Scope(), {"near": (48.8, 2.3, 20.0)}, ["three"], 4),
            (Scope([f"{ROOT}/a"]), {"near": (48.8, 2.3, 20.0)}, [], 3),
        ],
    )
    def test_limits(self, library: Library, space: int, scope: Scope, filters, found, unjudged):
        chosen = library.choose(space, scope, make_filters(**filters))
        assert chosen.rows is not None and chosen.unjudged == unjudged
        contents = {photo.content.decode(): photo.sha256 for photo in SEEN}
        rows = {library.row_of(space, content=contents[content]) for content in found}
        assert set(chosen.rows.tolist()) == rows

    def test_looks(self, library: Library, space: int):
        every = library.looks(space)
        row = library.row_of(space, content=PHOTOS[2].sha256)
        assert sorted(every.rows.tolist()) == library.live_rows(space).tolist()
        one = library.looks(space, [row])
        assert (one.rows.tolist(), one.hashes.tobytes(), one.sizes.tolist()) == (
            [row],
            PHOTOS[2].phash,
            [[60, 40]],
        )

    def test_every_photo_is_told(self, library: Library, space: int):
        found = {photo.path: photo for photo in library.photos(space, ("taken", "camera"))}
        assert set(found) == {photo.path for photo in PHOTOS}
        two = found[PHOTOS[2].path]
        assert (two.metadata, two.phash, two.also) == (PHOTOS[2].metadata, PHOTOS[2].phash, PHOTOS[2].also)
        assert found[PHOTOS[0].path].row == found[PHOTOS[1].path].row is not None

    def test_bursts_need_a_camera_and_a_time(self, library: Library, space: int):
        assert set(library.burst_keys(space)) == {photo.path for photo in PHOTOS[:3]}

    def test_a_photo_is_shown(self, library: Library):
        shown = library.show(PHOTOS[1].path)
        assert shown is not None
        assert shown.names == (PHOTOS[1].path, PHOTOS[0].path)
        assert shown.photo.metadata == PHOTOS[1].metadata
        assert [space for space, _ in shown.spaces] == [SPACE]
        companion = library.show(PHOTOS[2].also[0])
        assert companion is not None and companion.photo.path == PHOTOS[2].path

    def test_status(self, library: Library, space: int):
        status = library.status()
        assert (status.folder, status.photos) == (library.location, len(PHOTOS))
        assert status.spaces == ((SPACE, len(library.units(space)), len(SEEN)),)

    @pytest.mark.parametrize("under", [(), (f"{ROOT}/b",)])
    def test_a_snapshot_has_photos_and_vectors_in_step(self, library: Library, space: int, under):
        wanted = [photo for photo in SEEN if Scope(under).admits(photo.path)]
        with library.snapshot(space, Scope(under)) as snapshot:
            paths = [os.fsdecode(path) for portion in snapshot.read_paths() for path in portion]
            units = np.concatenate([units for units, _ in snapshot.read_vectors()])
            assert snapshot.count == len(wanted)
        assert sorted(paths) == sorted(photo.path for photo in wanted)
        truth = {photo.path: photo.vector for photo in SEEN}
        for path, unit in zip(paths, units, strict=True):
            assert cosine(unit, truth[path]) == pytest.approx(1, abs=20 * self.TOLERANCE)

    def test_who_is_listed_and_has_no_vector_is_told(self, library: Library, space: int):
        with library.snapshot(space, Scope(among=[PHOTOS[0].path, PHOTOS[-1].path])) as snapshot:
            assert (snapshot.count, list(snapshot.absent)) == (1, [PHOTOS[-1].path])
