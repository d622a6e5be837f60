"""Colours: every mode and profile becomes 8-bit sRGB on white."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from pictures import WHITE, draw, encode, is_near, load, see
from PIL import Image, ImageCms

from cvsearch.photos.color import find_foreign_profile, flatten


def make_profile(gamma_kind: str) -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile(gamma_kind)).tobytes()  # type: ignore[arg-type]


def make_swapped_profile() -> bytes:
    """An RGB profile that is valid but not sRGB: the red and the blue primaries are exchanged."""
    profile = bytearray(make_profile("sRGB").replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be")))
    red, blue = profile.find(b"rXYZ", 128), profile.find(b"bXYZ", 128)
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "LA", "RGBA", "CMYK", "LAB", "YCbCr", "PA"])
def test_modes(mode: str) -> None:
    image = draw().convert("P").convert("PA") if mode == "PA" else None
    image = image or (
        ImageCms.profileToProfile(
            draw(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
        )
        if mode == "LAB"
        else draw().convert(mode)
    )
    assert image is not None
    flat = flatten(image, (30, 20))
    assert (flat.mode, flat.size) == ("RGB", (30, 20))
    assert is_near(flat.getpixel((25, 15)), WHITE)
    colour = flat.getpixel((5, 5))
    assert isinstance(colour, tuple) and sum(colour) < 600


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "int32", "float32"])
def test_deep_grays(dtype: str) -> None:
    ramp = np.linspace(0, 65535, 4000).reshape(40, 100).astype(dtype)
    seen = np.asarray(see(encode(Image.fromarray(ramp), "TIFF")))[..., 0]
    assert np.abs(seen.astype(int) - (ramp.astype(float) / 65535 * 255).astype(int)).max() <= 1


def test_16_bit_png() -> None:
    ramp = np.linspace(0, 65535, 4000).reshape(40, 100).astype(np.uint16)
    seen = np.asarray(see(encode(Image.fromarray(ramp), "PNG")))[..., 1]
    assert (seen == ramp >> 8).all()


@pytest.mark.parametrize("values", [[np.nan, 0, 1, np.inf], [0, 0, 0, 0], [0, 0, 0, 4095]])
def test_odd_ranges(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32).reshape(2, 2)
    flat = flatten(Image.fromarray(array), (2, 2))
    assert flat.getpixel((0, 0)) == (0, 0, 0)
    short = flatten(Image.fromarray(np.array([[0, 4095]], dtype=np.uint16)), (2, 1))
    assert short.getpixel((1, 0)) == (255, 255, 255)


def transparent(mode: str) -> tuple[Image.Image, dict[str, Any]]:
    if mode == "P":
        image = draw().convert("P", palette=Image.Palette.ADAPTIVE, colors=2)
        red = image.getpixel((0, 0))
        return image, {"transparency": bytes([0 if index == red else 255 for index in range(2)])}
    if mode == "RGB":
        return draw(), {"transparency": (255, 0, 0)}
    if mode == "L":
        return draw().convert("L"), {"transparency": draw().convert("L").getpixel((0, 0))}
    image = draw().convert(mode)
    image.putalpha(draw().convert("L").point(lambda value: 255 if value == 255 else 0))
    return image, {}


@pytest.mark.parametrize("mode", ["P", "RGB", "L", "LA", "RGBA"])
def test_what_is_transparent_is_white(mode: str) -> None:
    image, options = transparent(mode)
    seen = see(encode(image, "PNG", **options))
    assert seen.getcolors() == [(60 * 40, WHITE)]


def test_half_transparent_is_half_white() -> None:
    seen = see(encode(Image.new("RGBA", (20, 20), (0, 0, 0, 128)), "WEBP", lossless=True))
    assert is_near(seen.getpixel((3, 3)), (127, 127, 127), 1)


def test_foreign_profiles_are_applied() -> None:
    profile = make_swapped_profile()
    assert find_foreign_profile(profile, "RGB") is not None
    seen = see(encode(draw(), "PNG", icc_profile=profile))
    assert is_near(seen.getpixel((5, 5)), (0, 0, 255), 40)
    assert is_near(seen.getpixel((50, 30)), WHITE)
    shifted = see(encode(draw(), "JPEG", icc_profile=profile), "jpeg-100")
    assert is_near(shifted.getpixel((5, 5)), (0, 0, 255), 40)
    assert "icc_profile" not in shifted.info


@pytest.mark.parametrize(
    "profile", [make_profile("sRGB"), make_profile("LAB"), make_swapped_profile()[:200], b"junk"]
)
def test_useless_profiles_are_not(profile: bytes) -> None:
    assert find_foreign_profile(profile, "RGB") is None
    seen = see(encode(draw(), "PNG", icc_profile=profile))
    assert seen.getpixel((5, 5)) == (255, 0, 0)


def test_profiles_for_other_pixels_are_not() -> None:
    assert find_foreign_profile(make_swapped_profile(), "L") is None
    assert find_foreign_profile(None, "RGB") is None


def test_nothing_of_the_old_info_is_kept() -> None:
    image = draw()
    image.info.update(comment=b"SECRET", exif=b"SECRET")
    assert flatten(image, image.size).info == {}
    assert image.info["comment"] == b"SECRET"


def test_real_pictures() -> None:
    for name in ("astronaut.png", "horse.png", "logo.png", "multipage.tif", "no_time_for_that_tiny.gif"):
        flat = flatten(Image.open(io.BytesIO(load(name))), (32, 32))
        assert flat.getextrema() != ((0, 0), (0, 0), (0, 0))
