"""What stands out for one query: a cut-off relative to the library's own scores.

No threshold holds across queries or models, so both parts of the rule are measured from the scores of
this query alone.  With the median as the centre and a robust spread (1.4826 times the median distance
of the scores below the median: the half that matches cannot widen; Rousseeuw and Croux, "Alternatives
to the median absolute deviation", JASA 1993), a photo is strong when

- its standard score is above Φ⁻¹(1 − 1/n), which of n ordinary photos one would reach by chance, and
- it lies at least three fifths of the way from the median to the best photo.

The rule cannot know whether the best photo is right: the best of a library without any answer is the
best all the same, and stands out if the rest is far enough behind.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARE_OF_BEST = 0.6
_TO_DEVIATION = 1.4826
"""Makes a median distance comparable with a standard deviation, for normal scores."""


def strong_threshold(scores: NDArray[np.float32]) -> float:
    """The least score that stands out among `scores` (n,), those of the photos searched.

    Infinite when none can: fewer than two photos, or none better than the median.
    """
    if len(scores) < 2:
        return float("inf")
    wide = np.sort(scores.astype(np.float64))
    middle, best = float(np.median(wide)), float(wide[-1])
    if best <= middle:
        return float("inf")
    spread = _TO_DEVIATION * float(np.median(middle - wide[: len(wide) // 2]))
    chance = NormalDist().inv_cdf(1 - 1 / len(wide))
    return max(middle + chance * spread, middle + SHARE_OF_BEST * (best - middle))
