"""The answers cvsearch must give: the double's own vectors, compared in plain numpy."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from azure_double import MODELS, picture_vector, text_vector
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]
NEAR = 2e-6
"""Scores are float32 with six decimals."""


def picture(source: str | os.PathLike[str] | bytes, model: str = MODELS[0]) -> Floats:
    """The vector of a picture that is sent as it is."""
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        return np.array(picture_vector(image, model))


def text(words: str, model: str = MODELS[0]) -> Floats:
    """The vector of a text."""
    return np.array(text_vector(words, model))


def cosine(one: Floats, other: Floats) -> float:
    """The angle between two vectors, whatever their lengths."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def cosines(paths: Sequence[str], vector: Floats, model: str = MODELS[0]) -> Floats:
    """The cosine of each photo with a vector."""
    return np.array([cosine(picture(path, model), vector) for path in paths])


def standard(scores: Floats) -> Floats:
    """Standard scores: zero mean, unit variance."""
    return (scores - scores.mean()) / scores.std()


def ranked(paths: Sequence[str], scores: Sequence[float] | Floats) -> list[tuple[str, float]]:
    """Best first; ties to six decimals by path bytes."""
    pairs = zip(paths, (float(score) for score in scores), strict=True)
    return sorted(pairs, key=lambda pair: (-round(pair[1], 6), os.fsencode(pair[0])))


def check_ranking(rows: Sequence[Mapping[str, Any]], expected: Sequence[tuple[str, float]]) -> None:
    """Rows of jsonl against what `ranked` gave: the same photos in the same order with the same scores."""
    assert [row["path"] for row in rows] == [path for path, _ in expected]
    assert [row["rank"] for row in rows] == list(range(1, len(expected) + 1))
    for row, (_, score) in zip(rows, expected, strict=True):
        assert abs(row["score"] - score) <= NEAR, (row, score)
