"""From whatever colours a picture is stored in to 8-bit sRGB without transparency."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_CMS_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_DIRECT_MODES = frozenset({"L", "RGB", "RGBA", "CMYK"})
_12_BITS = 4095


def flatten(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A new RGB picture of `size`, on white where `image` is transparent, with no `info` of the old.

    Its colour profile is applied when it is another than sRGB and can be used.
    """
    profile_data = image.info.get("icc_profile")
    flat = _make_direct(image)
    if flat.size != size:
        flat = flat.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if flat.mode == "RGBA":
        white = Image.new("RGBA", size, "white")
        flat = Image.alpha_composite(white, flat).convert("RGB")
    profile = find_foreign_profile(profile_data, flat.mode)
    rgb = (profile and _apply(profile, flat)) or flat.convert("RGB")
    rgb.info.clear()
    return rgb


def find_foreign_profile(data: object, mode: str) -> ImageCms.ImageCmsProfile | None:
    """The colour profile in `data` if pixels of `mode` need it to become sRGB.

    None when there is none, it is sRGB already, it is for other pixels or it is broken.
    """
    if not isinstance(data, bytes) or not data:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space.strip()
        described = profile.profile.profile_description or ""
    except Exception:  # noqa: BLE001 - a broken profile is no reason to leave the picture out
        return None
    return None if _CMS_MODES.get(space) != mode or "sRGB" in described else profile


def _apply(profile: ImageCms.ImageCmsProfile, image: Image.Image) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # noqa: BLE001 - nor is one that cannot be used
        return None


def _make_direct(image: Image.Image) -> Image.Image:
    """The picture in a mode of which pixels can be averaged: L, RGB, RGBA or CMYK."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return Image.fromarray(_scale(np.asarray(image)))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in _DIRECT_MODES:
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Gray values of 16 bits and more, integer or float, as uint8 of the same shape.

    16 bits keep their high byte.  Where the true range is not known from the type (12 bits stored in
    16, integers of 32 bits, floats), the least and greatest finite values become black and white.
    """
    if values.dtype.itemsize == 2 and values.size and int(values.max()) > _12_BITS:
        return (values >> 8).astype(np.uint8)
    finite = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    least, greatest = float(finite.min()), float(finite.max())
    if greatest == least:
        return np.zeros(values.shape, np.uint8)
    return ((finite - least) * (255 / (greatest - least))).astype(np.uint8)
