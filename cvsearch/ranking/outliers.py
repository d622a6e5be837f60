"""What stands out for one query: a cut-off relative to the library's own scores.

No threshold holds across queries or models, so both parts of the rule are measured from the scores of
this query alone.  The median is the centre, and the spread is 1.4826 times the median distance of the
scores below the median, the half that matches cannot widen (Rousseeuw and Croux, "Alternatives to the
Median Absolute Deviation", JASA 1993).  A photo is strong when

- it lies at least three fifths of the way from the median to the best photo, and
- chance does not explain it: of the k best, at most half would be expected that high if all n photos were
  ordinary.  That is the step-up of Benjamini and Hochberg ("Controlling the False Discovery Rate", Journal
  of the Royal Statistical Society B 57, 1995) at the level 1/2, with normal tails.

The rule cannot know whether the best photo is right: the best of a library without any answer is the
best all the same, and stands out if the rest is far enough behind.
"""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np
from numpy.typing import NDArray

SHARE_OF_BEST = 0.6
MOST_BY_CHANCE = 0.5
LEAST_PHOTOS = 5
"""Of fewer the lower half is a number or two, which say nothing of a spread."""
_TO_DEVIATION = 1.4826
"""Makes a median distance comparable with a standard deviation, for normal scores."""


def strong_threshold(scores: NDArray[np.float32]) -> float:
    """The least score that stands out among `scores` (n,), those of the photos searched.

    When chance explains all of them, it is what one photo alone would have needed.  Infinite when nothing
    can stand out: fewer photos than `LEAST_PHOTOS`, or none better than the median.
    """
    if len(scores) < LEAST_PHOTOS:
        return float("inf")
    ordered = np.sort(scores.astype(np.float64))
    middle, best = float(np.median(ordered)), float(ordered[-1])
    if best <= middle:
        return float("inf")
    spread = _TO_DEVIATION * float(np.median(middle - ordered[: len(ordered) // 2]))
    near = ordered[np.searchsorted(ordered, middle + SHARE_OF_BEST * (best - middle)) :]
    for count, score in enumerate(near.tolist()):
        standard = (score - middle) / spread if spread else float("inf")
        by_chance = len(ordered) * erfc(standard / sqrt(2)) / 2  # the normal distribution's upper tail
        if by_chance <= MOST_BY_CHANCE * (len(near) - count):
            return float(score)
    from statistics import NormalDist  # 2 ms, for the rare query that asks for this

    return middle + spread * NormalDist().inv_cdf(1 - MOST_BY_CHANCE / len(ordered))
