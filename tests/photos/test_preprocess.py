"""Preparing: upright, flat, shrunk, without EXIF, in the recipe's form."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import (
    RED,
    STORED,
    WHITE,
    draw,
    draw_noise,
    encode,
    is_near,
    load,
    make_exif,
    prepare,
    refuse,
    see,
)
from PIL import Image

from cvsearch.model import Prepared, Skip
from cvsearch.photos import preprocess as module
from cvsearch.photos.phash import make_phash
from cvsearch.photos.preprocess import prepare_photo, strip_jpeg


def store(image: Image.Image, orientation: int, file_format: str) -> bytes:
    turn = STORED.get(orientation)
    stored = image if turn is None else image.transpose(turn)
    return encode(stored, file_format, exif=make_exif({0x112: orientation}).tobytes())


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("recipe", ["rgb-30", "jpeg-30"])
def test_ends_up_upright(orientation: int, file_format: str, recipe: str) -> None:
    data = store(draw(), orientation, file_format)
    seen = see(data, recipe)
    assert seen.size == (30, 20)
    assert is_near(seen.getpixel((5, 5)), RED)
    assert is_near(seen.getpixel((25, 5)), WHITE) and is_near(seen.getpixel((5, 15)), WHITE)
    metadata = prepare(data, recipe).metadata
    assert (metadata.width, metadata.height) == (60, 40)


def test_a_large_jpeg_is_shrunk_and_a_small_one_is_not_enlarged() -> None:
    prepared = prepare(load("rocket.jpg"), "jpeg-300")
    assert (prepared.width, prepared.height) == (300, 200)
    assert (prepared.metadata.width, prepared.metadata.height) == (640, 427)
    image = Image.open(io.BytesIO(prepared.data))
    assert (image.format, image.size, image.mode) == ("JPEG", (300, 200), "RGB")
    assert prepare(load("rocket.jpg"), "jpeg-1024").width == 640


def test_rgb_is_raw_bytes() -> None:
    prepared = prepare(encode(Image.new("RGB", (1, 1), (1, 2, 3)), "PNG"), "rgb-5")
    assert prepared.data == b"\1\2\3"
    assert len(prepare(load("chelsea.png"), "rgb-100").data) == 100 * 67 * 3


def test_a_small_plain_jpeg_is_sent_as_it_is() -> None:
    plain = encode(draw_noise(), "JPEG", quality=97, subsampling=0)
    prepared = prepare(plain, "jpeg-1024")
    assert prepared.data == plain
    full = encode(
        draw_noise(), "JPEG", quality=97, subsampling=0, exif=make_exif({0x10F: "SECRET"}), comment=b"SECRET"
    )
    assert prepare(full, "jpeg-1024").data == plain
    assert prepare(full, "jpeg-60").data == plain
    assert prepare(full, "jpeg-59").data != plain
    pair = encode(draw(), "MPO", save_all=True, append_images=[draw_noise()])
    assert prepare(pair, "jpeg-60").data == strip_jpeg(pair)


def test_an_odd_jpeg_is_written_anew() -> None:
    cmyk = encode(draw().convert("CMYK"), "JPEG")
    turned = store(draw(), 6, "JPEG")
    for data in (cmyk, turned):
        prepared = prepare(data, "jpeg-1024")
        assert Image.open(io.BytesIO(prepared.data)).mode == "RGB"
        assert (prepared.width, prepared.height) == (60, 40)
        assert is_near(see(data, "jpeg-1024").getpixel((8, 8)), RED, 25)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("edge", [30, 1024])
def test_nothing_personal_is_sent(file_format: str, edge: int) -> None:
    exif = make_exif({0x10F: "SECRET", 0x112: 1}, {0x8825: {1: "N", 2: (52.0, 1.0, 2.0), 29: "SECRET"}})
    options = {"comment": b"SECRET"} if file_format == "JPEG" else {}
    data = encode(draw(), file_format, exif=exif.tobytes(), **options)
    assert b"SECRET" in data
    sent = prepare(data, f"jpeg-{edge}").data
    assert b"SECRET" not in sent and b"Exif" not in sent
    image = Image.open(io.BytesIO(sent))
    assert len(image.getexif()) == 0
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_hashes_are_of_the_prepared_pixels() -> None:
    plain = encode(draw_noise(), "JPEG")
    noted = encode(draw_noise(), "JPEG", exif=make_exif({0x10F: "new"}), comment=b"new")
    one, other = prepare(plain, "jpeg-50"), prepare(noted, "jpeg-50")
    assert one.pixels == other.pixels and one.phash == other.phash and len(one.pixels) == 32
    raw = prepare(noted, "rgb-50")
    assert raw.pixels == one.pixels == hashlib.sha256(b"50 33 " + raw.data).digest()
    assert raw.phash == make_phash(see(noted, "rgb-50"))
    different = [prepare(encode(draw_noise(seed=b"\1\xee"), "JPEG"), "jpeg-50"), prepare(plain, "jpeg-49")]
    assert len({one.pixels, *(prepared.pixels for prepared in different)}) == 3


def test_equal_bytes_of_another_shape_are_another_picture() -> None:
    wide, tall = (prepare(encode(Image.new("RGB", size, "red"), "PNG")) for size in ((20, 30), (30, 20)))
    assert wide.data == tall.data and wide.pixels != tall.pixels


def test_a_large_sheet_is_reduced_like_a_small_one() -> None:
    large = see(encode(draw(3000, 2000), "PNG"), "rgb-60")
    assert np.abs(np.asarray(large).astype(int) - np.asarray(draw())).mean() < 3


@pytest.mark.parametrize("size", [(1, 1), (10, 500), (3000, 12)])
def test_too_small_to_send(size: tuple[int, int]) -> None:
    data = encode(Image.new("RGB", size, "red"), "PNG")
    skip = refuse(data, "jpeg-1024")
    assert (skip.reason, skip.lasting) == ("too-small", True)
    assert f"{size[0]} × {size[1]}" in skip.detail
    assert prepare(data, "rgb-1024").width == min(size[0], 1024)


def test_just_large_enough_to_send() -> None:
    assert prepare(encode(Image.new("RGB", (11, 11)), "PNG"), "jpeg-1024").width == 11


def test_the_most_that_can_be_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(draw_noise(300, 200), "PNG")
    best = len(prepare(data, "jpeg-300").data)
    monkeypatch.setattr(module, "MAX_SENT_BYTES", best - 1)
    assert len(prepare(data, "jpeg-300").data) < best
    jpeg = encode(draw_noise(300, 200), "JPEG", quality=100)
    assert len(prepare(jpeg, "jpeg-300").data) < best < len(jpeg)
    monkeypatch.setattr(module, "MAX_SENT_BYTES", 10)
    assert (refuse(data).reason, refuse(data).lasting) == ("too-large-picture", True)


def test_no_memory_is_a_passing_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(module, "flatten", fail)
    skip = refuse(encode(draw(), "PNG"))
    assert (skip.reason, skip.lasting) == ("out-of-memory", False)


@pytest.mark.parametrize("recipe", ["", "jpeg", "png-5", "jpeg-0", "rgb-1024x", "rgb--1"])
def test_recipes_must_be_known(recipe: str) -> None:
    with pytest.raises(ValueError, match="no recipe"):
        prepare_photo(encode(draw(), "PNG"), "x", recipe)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "AVIF"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=6),
    st.floats(0.1, 1),
)
def test_broken_bytes_are_a_picture_or_a_skip(
    file_format: str, changes: list[tuple[float, int]], kept: float
) -> None:
    data = bytearray(encode(draw(), file_format))
    for at, value in changes:
        data[int(at * len(data))] = value
    found = prepare_photo(bytes(data[: int(kept * len(data))]), "x.jpg", "jpeg-50")
    assert isinstance(found, Prepared | Skip)


@given(st.binary(max_size=200), st.sampled_from(["a.jpg", "b.nef", "c.heic", "d\udcff\n"]))
def test_any_bytes_are_a_skip(data: bytes, name: str) -> None:
    assert isinstance(prepare_photo(data, name, "rgb-50"), Skip)
