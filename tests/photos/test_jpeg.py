"""JPEG segments: what a stripped file has lost, and that its pixels are the same."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, draw_noise, encode, make_exif
from PIL import Image, ImageCms

from cvsearch.photos.preprocess import strip_jpeg


def pixels(data: bytes) -> bytes:
    return Image.open(io.BytesIO(data)).tobytes()


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 1, "subsampling": 0}]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_only_metadata_goes(mode: str, options: dict[str, int]) -> None:
    image = draw_noise().convert(mode)
    plain = encode(image, "JPEG", **options)
    full = encode(
        image,
        "JPEG",
        exif=make_exif({0x10F: "SECRET"}),
        xmp=b"<x:xmpmeta>SECRET</x:xmpmeta>",
        comment=b"SECRET",
        icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        **options,
    )
    stripped = strip_jpeg(full + b"SECRET trailer")
    assert stripped == plain
    assert strip_jpeg(plain) == plain
    assert b"SECRET" in full


def test_thumbnails_and_later_pictures_go() -> None:
    data = encode(draw(), "JPEG")
    assert data[2:4] == b"\xff\xe0" and data[6:11] == b"JFIF\0"
    head = data[6:18] + b"\x01\x01" + b"rgb"
    with_thumbnail = data[:2] + b"\xff\xe0" + (len(head) + 2).to_bytes(2, "big") + head
    with_thumbnail += b"\xff\xff\xe0\x00\x08JFXX\0\0" + data[20:]
    assert strip_jpeg(with_thumbnail) == data
    pair = encode(draw(), "MPO", save_all=True, append_images=[draw_noise()])
    stripped = strip_jpeg(pair)
    assert stripped is not None and len(stripped) < len(pair) / 1.5
    assert Image.open(io.BytesIO(stripped)).format == "JPEG"
    assert pixels(stripped) == pixels(pair)


def test_the_colour_transform_stays() -> None:
    data = encode(draw(), "JPEG", keep_rgb=True)
    stripped = strip_jpeg(data)
    assert stripped is not None and pixels(stripped) == pixels(data)


def test_unusual_files_are_left_alone() -> None:
    data = encode(draw(), "JPEG")
    assert strip_jpeg(b"\x89PNG") is None
    assert strip_jpeg(data[:-2]) is None  # no end
    assert strip_jpeg(data[:30]) is None
    assert strip_jpeg(b"\xff\xd8\xff\xd9") is None  # no scan
    assert strip_jpeg(data.replace(b"\xff\xc0", b"\xff\xc9", 1)) is None  # arithmetic coding


@given(st.data())
def test_no_bytes_do_harm(data: st.DataObject) -> None:
    junk = b"\xff\xd8" + data.draw(st.binary(max_size=100))
    hostile = bytearray(encode(draw(16, 16), "JPEG"))
    hostile[data.draw(st.integers(0, len(hostile) - 1))] = data.draw(st.integers(0, 255))
    for content in (junk, bytes(hostile)):
        stripped = strip_jpeg(content)
        assert stripped is None or strip_jpeg(stripped) == stripped
