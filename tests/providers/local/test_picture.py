"""The local model's pictures: what comes out, that it is always the same, and that it finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage
from PIL import Image
from places import PROJECT, SUPPORT

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Metadata, Prepared, Space
from cvsearch.providers.local import DATA_HASH, DESCRIPTION, SPACE
from cvsearch.providers.local.embedder import LocalEmbedder
from cvsearch.providers.local.layout import (
    BLOCKS,
    COLOURS,
    DIMENSION,
    FOLDER,
    TONES,
    find_value,
    hash_data,
    join,
    read_list,
)
from cvsearch.providers.local.picture import colour_areas, measure_tones, name_colours

SAMPLES = os.path.join(os.path.dirname(skimage.__file__), "data")
NAMES = (
    *("astronaut.png", "chelsea.png", "coffee.png", "coins.png", "rocket.jpg", "page.png"),
    *("hubble_deep_field.jpg", "brick.png", "motorcycle_left.png", "horse.png"),
)


def prepared(picture: Image.Image) -> Prepared:
    rgb = picture.convert("RGB")
    rgb.thumbnail((1024, 1024))
    return Prepared(rgb.tobytes(), *rgb.size, b"", b"", Metadata("PNG", *rgb.size))


def sample(name: str) -> Prepared:
    with Image.open(os.path.join(SAMPLES, name)) as picture:
        return prepared(picture)


def vector_of(embedder: LocalEmbedder, photo: Prepared) -> np.ndarray:
    found = embedder.embed_photo(photo)
    assert isinstance(found, Embedded)
    assert found.receipt is None
    return found.vector


@pytest.fixture(scope="module")
def embedder() -> Iterator[LocalEmbedder]:
    with LocalEmbedder() as opened:
        yield opened


@pytest.fixture(scope="module")
def vectors(embedder: LocalEmbedder) -> np.ndarray:
    return np.stack([vector_of(embedder, sample(name)) for name in NAMES])


def test_the_space_is_named_by_the_data():
    assert hash_data() == DATA_HASH
    assert Space("local", f"concepts-{DATA_HASH}", "rgb-1024", 1024) == SPACE
    assert LocalEmbedder().space == SPACE
    assert SPACE.dimension == DIMENSION


def test_the_hash_sees_names_and_contents(tmp_path):
    (tmp_path / "a").write_bytes(b"1")
    first = hash_data(str(tmp_path))
    (tmp_path / "a").rename(tmp_path / "b")
    renamed = hash_data(str(tmp_path))
    (tmp_path / "b").write_bytes(b"2")
    assert len({first, renamed, hash_data(str(tmp_path))}) == 3


def test_the_data_stay_small():
    sizes = [os.path.getsize(os.path.join(FOLDER, name)) for name in os.listdir(FOLDER)]
    assert sum(sizes) <= 20_000_000


def test_knowing_the_space_loads_nothing():
    code = (
        "import sys, cvsearch.providers.local as local; assert local.SPACE and local.DESCRIPTION;"
        "print([name for name in ('numpy', 'PIL', 'onnxruntime') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert "English" in DESCRIPTION


def test_vectors_are_unit_and_finite(vectors):
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(NAMES), SPACE.dimension)
    assert np.isfinite(vectors).all()
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a cat", "chelsea.png"),
        ("cup of coffee", "coffee.png"),
        ("motorbike", "motorcycle_left.png"),
        ("stars in the night sky", "hubble_deep_field.jpg"),
        ("a page of printed text", "page.png"),
        ("brick wall", "brick.png"),
        ("rocket launch", "rocket.jpg"),
    ],
)
def test_texts_find_their_pictures(embedder, vectors, text, name):
    scores = vectors @ embedder.embed_text(text).vector
    assert NAMES[int(scores.argmax())] == name


def test_a_copy_is_nearest_to_its_original(embedder, vectors):
    for number, name in enumerate(NAMES[:5]):
        with Image.open(os.path.join(SAMPLES, name)) as picture:
            width, height = picture.size
            cut = picture.convert("RGB").crop((width // 12, height // 15, width, height))
            changed = cut.resize((width * 2 // 3, height * 2 // 3))
        assert int((vectors @ vector_of(embedder, prepared(changed))).argmax()) == number


def test_vectors_are_bit_equal_in_any_order_and_number_of_threads(embedder, vectors):
    photos = [sample(name) for name in NAMES]
    with LocalEmbedder() as other, ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda photo: vector_of(other, photo), reversed(photos)))
    assert np.array_equal(np.stack(again[::-1]), vectors)


def test_vectors_are_bit_equal_in_another_process_with_other_threads(embedder, vectors):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]; import test_picture as here\n"
        "with here.LocalEmbedder() as embedder:\n"
        "    print(here.vector_of(embedder, here.sample('coffee.png')).tobytes().hex())"
    )
    command = [sys.executable, "-c", code, os.path.dirname(__file__), str(SUPPORT)]
    for threads in ("1", "3"):
        environment = os.environ | {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        assert done.stdout.strip() == vectors[NAMES.index("coffee.png")].tobytes().hex()


@pytest.mark.parametrize("size", [(1, 1), (1, 1024), (1024, 1), (2, 3), (7, 300), (1024, 64), (1024, 1024)])
@pytest.mark.parametrize("fill", ["black", "white", "red"])
def test_odd_pictures_have_vectors(embedder, size, fill):
    vector = vector_of(embedder, prepared(Image.new("RGB", size, fill)))
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_a_plain_colour_finds_itself(embedder):
    plain = {name: Image.new("RGB", (90, 60), name) for name in ("red", "green", "blue", "yellow", "white")}
    photos = np.stack([vector_of(embedder, prepared(picture)) for picture in plain.values()])
    for number, name in enumerate(plain):
        assert int((photos @ embedder.embed_text(name).vector).argmax()) == number


def test_noise_has_a_vector(embedder):
    noise = np.random.default_rng(0).integers(0, 256, (333, 517, 3), np.uint8)
    assert np.linalg.norm(vector_of(embedder, prepared(Image.fromarray(noise)))) == pytest.approx(1, abs=1e-5)


def test_closed_means_closed():
    with LocalEmbedder() as opened:
        pass
    with pytest.raises(CvsearchError, match="closed"):
        opened.embed_text("a cat")
    with pytest.raises(CvsearchError, match="closed"):
        opened.embed_photo(sample("coffee.png"))


def test_jobs_are_the_processors_unless_said():
    assert LocalEmbedder().jobs >= 1
    assert LocalEmbedder(jobs=3).jobs == 3


@pytest.mark.parametrize(
    ("rgb", "name"),
    [
        ((0, 0, 0), "black"),
        ((255, 255, 255), "white"),
        ((128, 128, 128), "gray"),
        ((220, 20, 20), "red"),
        ((255, 140, 0), "orange"),
        ((250, 230, 40), "yellow"),
        ((30, 160, 40), "green"),
        ((30, 60, 200), "blue"),
        ((130, 40, 200), "purple"),
        ((255, 130, 190), "pink"),
        ((110, 65, 25), "brown"),
    ],
)
def test_colours_have_their_names(rgb, name):
    pixel = np.array(rgb, np.float32)[None] / 255
    assert COLOURS[int(name_colours(pixel)[0])] == name


def test_areas_are_shares_of_the_weight():
    names = np.array([[0, 0], [3, 7]])
    areas = colour_areas(names, np.array([[1, 1], [2, 4]], np.float32))
    assert areas[[0, 3, 7]] == pytest.approx([0.25, 0.25, 0.5])


@pytest.mark.parametrize(
    ("tone", "value"),
    [("dark", 20), ("bright", 250)],
)
def test_tones_of_plain_greys(tone, value):
    picture = Image.new("RGB", (50, 50), (value, value, value))
    small = np.full((72, 72, 3), value / 255, np.float32)
    assert measure_tones(picture, small)[TONES.index(tone)] == 1


def test_blocks_share_out_the_dimensions():
    ends = [block.stop for block in BLOCKS.values()]
    starts = [block.start for block in BLOCKS.values()]
    assert starts == [0, *ends[:-1]]
    assert ends[-1] <= SPACE.dimension
    vector = join({"colours": np.ones(11, np.float32)})
    assert vector[BLOCKS["colours"]] == pytest.approx(11**-0.5)


def test_values_are_found_in_lists():
    nouns = read_list("phrases")
    assert find_value(nouns, "cat") is not None
    assert find_value(nouns, "no such phrase") is None
    assert find_value(b"\na\t1\nb\t2\n", "b") == "2"


def test_the_network_library_leaves_and_reports_nothing(tmp_path):
    """onnxruntime keeps a device id in the home folder and reports to its maker, unless it is told not to."""
    photos = os.path.join(PROJECT, "docs", "photos")
    home = tmp_path / "home"
    home.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "ORT_"))}
    subprocess.run(
        [sys.executable, "-m", "cvsearch", "--index", str(tmp_path / "index"), "index", "-q", photos],
        env={**own, "HOME": str(home), "CVSEARCH_CONFIG": str(tmp_path / "none.toml")},
        check=True,
    )
    assert os.listdir(home) == []
