"""From a picture's pixels to its vector: what the network sees, and colours where it sees it.

The colours' names are Berlin and Kay's basic colour terms ("Basic Color Terms", 1969), told apart by
rules over hue, saturation and value.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cvsearch.providers.local import layout
from cvsearch.providers.local.layout import COLOURS, Array

# Before it is imported: from 1.32 on onnxruntime keeps a device id and reports to its maker otherwise.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime  # type: ignore[import-untyped]

GRID = 72
_FINE = 256
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_SMALL, _MIDDLE, _LARGE = 260, 300, 340
_NARROWEST = 96
_SQUARE = 1.08
_WORKING_EDGE = 640
_TEMPERATURE = 5.0
_EVIDENCE = 16
_UNLIKELY = 1e-3
_SALIENT, _FLOOR = 0.7, 0.05


@dataclass(frozen=True)
class Sight:
    """What the network answered to one view: logits (1000,), features (1280,), map (1280, h, w)."""

    logits: Array
    features: Array
    map: Array


class PictureEncoder:
    """EfficientNet-Lite2 over several views; one network thread, safe to call from many threads."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.enable_mem_pattern = False  # else it keeps a plan for every shape it ever saw
        self._session = onnxruntime.InferenceSession(
            layout.NETWORK, options, providers=["CPUExecutionProvider"]
        )
        self._mean = np.array(layout.open_table("feature_mean"))
        self._project = layout.open_table("feature_projection").astype(np.float32)
        self._classes = layout.open_table("class_projection").astype(np.float32)
        self._weights = np.array(layout.open_table("class_weights"))
        self._groups = np.array(layout.open_table("class_groups"))

    def encode(self, pixels: NDArray[np.uint8]) -> Array:
        """The picture's unit vector, float32 (1024,); `pixels` are RGB, shape (height, width, 3)."""
        picture = _working_size(Image.fromarray(pixels))
        views = make_views(picture)
        sights = [self._look(view) for view, _ in views]
        shares = np.array([share for _, share in views], np.float32)
        shares /= shares.sum()
        blocks = self._concepts(sights, shares) | self._looks(picture, sights[0])
        return layout.join({name: layout.WEIGHTS[name] * block for name, block in blocks.items()})

    def _look(self, view: Image.Image) -> Sight:
        scaled = (np.asarray(view, np.float32) - 127) / 128
        outputs = ["logits", "features", "map"]
        answer = self._session.run(outputs, {"image": scaled.transpose(2, 0, 1)[None]})
        return Sight(*(part[0] for part in answer))

    def _concepts(self, sights: list[Sight], shares: Array) -> dict[str, Array]:
        """What is there: ConSE's class probabilities, and the pooled feature about its mean."""
        chances = np.stack([softmax(sight.logits / _TEMPERATURE) for sight in sights])
        above = np.maximum(layout.times(shares, chances) - 1 / chances.shape[1], 0)
        feature = layout.times(shares, np.stack([sight.features for sight in sights])) - self._mean
        return {
            "classes": layout.times(layout.unit(above), self._classes),
            "features": layout.unit(layout.times(feature, self._project)),
        }

    def _looks(self, picture: Image.Image, sight: Sight) -> dict[str, Array]:
        """Colours of the whole, of its halves, and of each group of things; tones; light and dark."""
        cells = np.asarray(picture.resize((GRID, GRID), Image.Resampling.BOX))
        small = np.divide(cells, 255, dtype=np.float32)
        names, even = name_colours(small), np.ones((GRID, GRID), np.float32)
        shares, maps = self._evidence(sight)
        salient = colour_areas(names, _spread(maps.sum(0)))
        whole = _SALIENT * salient + (1 - _SALIENT) * colour_areas(names, even)
        bound = np.zeros((layout.GROUPS, len(COLOURS)), np.float32)
        for group in np.flatnonzero(shares > _UNLIKELY):
            bound[group] = np.sqrt(shares[group] * colour_areas(names, _spread(maps[group])))
        half = GRID // 2
        return {
            "tones": _with_rest(measure_tones(picture, small)),
            "colours": np.sqrt(whole),
            "upper": np.sqrt(colour_areas(names[:half], even[:half])),
            "lower": np.sqrt(colour_areas(names[half:], even[half:])),
            "bound": bound.ravel(),
            "light": _light(small),
        }

    def _evidence(self, sight: Sight) -> tuple[Array, Array]:
        """How likely each group of things is, and where: class activation maps, shape (groups, h, w).

        Zhou et al., "Learning Deep Features for Discriminative Localization" (CVPR 2016).
        """
        chances = softmax(sight.logits)
        top = np.argsort(-chances, kind="stable")[:_EVIDENCE]
        flat = sight.map.reshape(sight.map.shape[0], -1)
        maps = layout.times(chances[top, None] * self._weights[top].astype(np.float32), flat)
        shares = np.bincount(self._groups, chances, layout.GROUPS).astype(np.float32)
        grouped = np.zeros((layout.GROUPS, flat.shape[1]), np.float32)
        np.add.at(grouped, self._groups[top], maps)
        return shares, grouped.reshape(layout.GROUPS, *sight.map.shape[1:])


def make_views(picture: Image.Image) -> list[tuple[Image.Image, float]]:
    """The views with their shares: whole (squashed, once mirrored; then undistorted), and both ends."""
    bicubic, mirror = Image.Resampling.BICUBIC, Image.Transpose.FLIP_LEFT_RIGHT
    width, height = picture.size
    short = min(width, height)
    scale = _LARGE / (width * height) ** 0.5
    shape = max(_NARROWEST, round(width * scale)), max(_NARROWEST, round(height * scale))
    if max(shape) > _LARGE * 3:
        shape = _LARGE, _LARGE
    views = [
        (picture.resize((_MIDDLE, _MIDDLE), bicubic), 1.0),
        (picture.resize((_SMALL, _SMALL), bicubic).transpose(mirror), 1.0),
        (picture.resize(shape, bicubic), 0.5),
    ]
    if max(width, height) > _SQUARE * short:
        far = (width - short, height - short, width, height)
        views.append((picture.resize((_SMALL, _SMALL), bicubic, (0, 0, short, short)), 0.25))
        views.append((picture.resize((_SMALL, _SMALL), bicubic, far).transpose(mirror), 0.25))
    return views


def softmax(logits: Array) -> Array:
    """Chances that sum to 1, along the last axis."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True), np.float32)


def _working_size(picture: Image.Image) -> Image.Image:
    """No larger than the views need, so that making them is quick."""
    scale = _WORKING_EDGE / max(picture.size)
    if scale >= 1:
        return picture
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _spread(activation: Array) -> Array:
    """A map's positive part over the colour grid, with a little weight everywhere."""
    positive = np.maximum(activation, 0)
    positive = positive / max(float(positive.max()), 1e-9) + _FLOOR
    grid = Image.fromarray(positive.astype(np.float32)).resize((GRID, GRID), Image.Resampling.BILINEAR)
    return np.asarray(grid)


def _with_rest(tones: Array) -> Array:
    """Tones at a scale where all of them fit into length 1, and one more number that fills it up."""
    scaled = tones / len(tones) ** 0.5
    return np.append(scaled, np.sqrt(max(0.0, 1.0 - float((scaled**2).sum())))).astype(np.float32)


def _light(small: Array) -> Array:
    """Lightness in 4 × 4 fields about its mean: tells a picture's other versions from its likes."""
    cells = small.mean(-1).reshape(4, GRID // 4, 4, GRID // 4).mean((1, 3)).ravel()
    return layout.unit(cells - cells.mean())


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


def measure_tones(picture: Image.Image, small: Array) -> Array:
    """`TONES` from 0 to 1, shape (5,): black and white, drawn (flat), dark, bright, colourful.

    `small` is the picture in `GRID` × `GRID` pixels with values from 0 to 1.
    """
    chroma = small.max(-1) - small.min(-1)
    luma = small @ _LUMA
    light, contrast = float(luma.mean()), float(luma.std())
    # Flat are pixels as light as their neighbours, of which there are many in what was drawn.
    grey = np.asarray(picture.resize((_FINE, _FINE), resample=2).convert("L"), np.int16)
    across, down = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=0))
    flat = float(((across[:-1] <= 1) & (down[:, :-1] <= 1)).mean())
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


def _ramp(value: float, width: float) -> float:
    return min(1.0, max(0.0, value / width))
