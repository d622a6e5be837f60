"""Folding ranked photos: near-twins and the shots of a burst become one row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.ranking.clustering import SCENE_COSINE, lead_scenes

if TYPE_CHECKING:
    from numpy.typing import NDArray

Burst = tuple[str, float]
"""A camera, and when it took the photo in seconds."""

_BETWEEN_CAMERAS = 1e11


def fold(
    rows: Sequence[int], bursts: Sequence[Burst | None], units: NDArray[np.float32], top: int | None
) -> list[tuple[int, list[int]]]:
    """Groups of positions in `rows` (best first): each leader with those that fold into it.

    A photo folds into the best one before it that shows the same scene (cosine of at least
    `SCENE_COSINE`) or was taken in the same burst.  `units` (n × d) are unit vectors; `top` None: all
    groups.  Folding is to the leader itself, not along chains.
    """
    leaders = lead_scenes(units, np.asarray(rows, np.int64), SCENE_COSINE, _moments(bursts), top)
    groups: dict[int, list[int]] = {leader: [] for leader in np.unique(leaders)[:top].tolist()}
    for position, leader in enumerate(leaders.tolist()):
        if leader != position and leader in groups:
            groups[leader].append(position)
    return list(groups.items())


def _moments(bursts: Sequence[Burst | None]) -> NDArray[np.float64]:
    """Seconds, so far apart for two cameras that they never meet; NaN where there is no burst."""
    cameras: dict[str, int] = {}
    return np.array(
        [
            np.nan if one is None else cameras.setdefault(one[0], len(cameras)) * _BETWEEN_CAMERAS + one[1]
            for one in bursts
        ]
    )
