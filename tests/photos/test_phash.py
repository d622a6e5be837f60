"""The perceptual hash: near for pictures that look alike, far for others."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import encode, load
from PIL import Image

from cvsearch.photos.phash import distance, make_phash


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg")
    return [Image.open(io.BytesIO(load(name))).convert("RGB") for name in names]


def test_other_pictures_are_far(photos: list[Image.Image]) -> None:
    hashes = [make_phash(photo) for photo in photos]
    assert {len(value) for value in hashes} == {32}
    pairs = [(a, b) for a in hashes for b in hashes if a != b]
    assert len(pairs) == 20
    assert min(distance(a, b) for a, b in pairs) > 80


def test_the_same_picture_is_near(photos: list[Image.Image]) -> None:
    for photo in photos:
        half = photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS)
        worse = Image.open(io.BytesIO(encode(photo, "JPEG", quality=50)))
        darker = photo.point(lambda value: value * 0.8)
        for other in (half, worse, darker, photo.convert("L")):
            assert distance(make_phash(photo), make_phash(other)) <= 30


@pytest.mark.parametrize("colour", ["black", "white", "#7f8081"])
def test_one_colour_has_no_bits(colour: str) -> None:
    assert make_phash(Image.new("RGB", (300, 200), colour)) == bytes(32)


def test_one_pixel_is_enough() -> None:
    assert make_phash(Image.new("L", (1, 1), 9)) == bytes(32)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_distance_is_the_number_of_bits_that_differ(one: bytes, other: bytes) -> None:
    slow = sum((a >> bit & 1) != (b >> bit & 1) for a, b in zip(one, other, strict=True) for bit in range(8))
    assert distance(one, other) == distance(other, one) == slow
    assert distance(one, one) == 0


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="lengths"):
        distance(b"a", b"ab")
