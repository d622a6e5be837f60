"""Folding ranked photos: near-twins and the shots of a burst become one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.search.duplicates import SCENE_COSINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

BURST_SECONDS = 2.0
"""Photos of one camera taken no further apart than this are one burst."""

Burst = tuple[str, float]
"""A camera, and when it took the photo in seconds."""


def fold(
    rows: Sequence[int], bursts: Sequence[Burst | None], units: NDArray[np.float32], top: int | None
) -> list[tuple[int, list[int]]]:
    """Groups of positions in `rows` (best first): each leader with those that fold into it.

    A photo folds into the best one before it that shows the same scene (cosine of at least
    `SCENE_COSINE`) or was taken in the same burst.  `units` (n × d) are unit vectors; `top` None: all
    groups.  Folding is to the leader itself, not along chains.
    """
    order = np.asarray(rows, np.int64)
    cameras, seconds = _as_arrays(bursts)
    free = np.ones(len(order), bool)
    groups: list[tuple[int, list[int]]] = []
    while free.any() and (top is None or len(groups) < top):
        leader = int(np.argmax(free))
        alike = (units @ units[order[leader]])[order] >= SCENE_COSINE
        if cameras[leader] >= 0:
            alike |= (cameras == cameras[leader]) & (np.abs(seconds - seconds[leader]) <= BURST_SECONDS)
        alike &= free
        alike[leader] = False
        groups.append((leader, np.flatnonzero(alike).tolist()))
        free[alike] = False
        free[leader] = False
    return groups


def _as_arrays(bursts: Sequence[Burst | None]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Cameras as numbers, −1 where there is none, and seconds."""
    numbers: dict[str, int] = {}
    cameras = [-1 if one is None else numbers.setdefault(one[0], len(numbers)) for one in bursts]
    return np.array(cameras, np.int64), np.array([0.0 if one is None else one[1] for one in bursts])
