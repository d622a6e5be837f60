"""The colours and tones of a picture: areas of eleven colour names, and five tones.

The names are Berlin and Kay's basic colour terms ("Basic Color Terms", 1969), told apart by rules over
hue, saturation and value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    Array = NDArray[np.float32]

COLOURS = ("black", "white", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
TONES = ("bw", "graphic", "dark", "bright", "colorful")
GRID = 72
_FINE = 256
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def name_colours(rgb: Array) -> NDArray[np.intp]:
    """The index in `COLOURS` of every pixel; `rgb` has shape (…, 3) and values from 0 to 1."""
    hue, saturation, value, chroma = _hsv(rgb)
    grey = (saturation < 0.14) | (chroma < 0.07) | ((saturation < 0.22) & (value > 0.82))
    reddish = (hue < 18) | (hue >= 345)
    rules = (
        ("black", (value < 0.16) | ((value < 0.26) & (saturation < 0.45))),
        ("white", grey & (value > 0.84)),
        ("gray", grey & (value > 0.26)),
        ("black", grey),
        (
            "pink",
            (reddish & (saturation < 0.5) & (value > 0.75)) | ((hue >= 285) & (hue < 345) & (value > 0.45)),
        ),
        ("brown", (hue >= 8) & (hue < 40) & (value < 0.62)),
        ("brown", (hue >= 18) & (hue < 45) & (saturation < 0.48) & (value < 0.85)),
        ("brown", (hue >= 40) & (hue < 55) & (value < 0.5)),
        ("red", (hue < 14) | (hue >= 345)),
        ("orange", hue < 44),
        ("yellow", hue < 68),
        ("green", hue < 168),
        ("blue", hue < 258),
        ("purple", hue < 300),
    )
    names = [COLOURS.index(name) for name, _ in rules]
    return np.select([rule for _, rule in rules], names, COLOURS.index("pink"))


def _hsv(rgb: Array) -> tuple[Array, Array, Array, Array]:
    """Hue in degrees, saturation, value and chroma."""
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    value, low = rgb.max(-1), rgb.min(-1)
    chroma = value - low
    safe = np.where(chroma > 1e-6, chroma, 1)
    sector = np.where(
        value == red,
        ((green - blue) / safe) % 6,
        np.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = np.where(chroma > 1e-6, sector * 60, 0)
    return hue, chroma / np.maximum(value, 1e-6), value, chroma


def colour_areas(names: NDArray[np.intp], weights: Array) -> Array:
    """How much of the weight each colour has, shape (11,); it sums to 1.  The shapes are alike."""
    areas = np.bincount(names.ravel(), weights.ravel(), len(COLOURS)) / max(float(weights.sum()), 1e-9)
    return areas.astype(np.float32)


def measure_tones(picture: Image, small: Array) -> Array:
    """`TONES` from 0 to 1, shape (5,): black and white, drawn (flat), dark, bright, colourful.

    `small` is the picture in `GRID` × `GRID` pixels with values from 0 to 1.
    """
    chroma = small.max(-1) - small.min(-1)
    luma = small @ _LUMA
    light, contrast = float(luma.mean()), float(luma.std())
    flat = _flatness(picture)
    tones = (
        _ramp(0.08 - float(np.quantile(chroma, 0.95)), 0.08)
        * _ramp(0.65 - flat, 0.2)
        * _ramp(contrast, 0.12),
        _ramp(flat - 0.5, 0.3),
        _ramp(0.3 - light, 0.2),
        _ramp(light - 0.8, 0.15),
        _ramp(float(chroma.mean()) - 0.1, 0.25),
    )
    return np.array(tones, np.float32)


def _flatness(picture: Image) -> float:
    """The share of pixels that are as light as their neighbours: high in what was drawn."""
    grey = np.asarray(picture.resize((_FINE, _FINE), resample=2).convert("L"), np.int16)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    return float(((across[:-1] <= 1) & (down[:, :-1] <= 1)).mean())


def _ramp(value: float, width: float) -> float:
    return min(1.0, max(0.0, value / width))
