"""From whatever colours a picture is stored in to 8-bit sRGB without transparency."""

from __future__ import annotations

import io
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

_CMS_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_DIRECT_MODES = frozenset({"L", "RGB", "RGBA", "CMYK"})
"""Those of which pixels can be averaged."""
_12_BITS = 4095


def flatten(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """A new RGB picture of `size`, on white where `image` is transparent, with no `info` of the old.

    Its colour profile is applied when it is another than sRGB and can be used.
    """
    profile_data = image.info.get("icc_profile")
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        flat = Image.fromarray(_scale(np.asarray(image)))
    elif image.has_transparency_data:
        flat = image.convert("RGBA")
    elif image.mode in _DIRECT_MODES:
        flat = image
    else:
        flat = image.convert("L" if image.mode == "1" else "RGB")
    if flat.size != size:
        flat = flat.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    if flat.mode == "RGBA":
        white = Image.new("RGBA", size, "white")
        flat = Image.alpha_composite(white, flat).convert("RGB")
    rgb = None
    if (profile := find_foreign_profile(profile_data, flat.mode)) is not None:
        with suppress(Exception):  # one that cannot be used is no reason to leave the picture out
            rgb = ImageCms.profileToProfile(flat, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    rgb = rgb or flat.convert("RGB")
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
    except Exception:  # noqa: BLE001 - nor is a broken one
        return None
    return None if _CMS_MODES.get(space) != mode or "sRGB" in described else profile


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
