"""Zero-shot classification: pictures against labels, with "none of these" as a possible answer.

A label's vector is the mean of the unit vectors of its prompts (one a template), brought to length 1
again: prompt ensembling, as Radford et al. ("Learning Transferable Visual Models From Natural Language
Supervision", ICML 2021, section 3.1.4) do it.

Whether a label fits at all is judged per picture, by how it stands among labels nobody asked for.  A
cosine that means "yes" differs from model to model and from picture to picture, so the picture is also
scored against a cohort of everyday labels (`EVERYDAY`), and a label fits when its score lies more than
`STANDS_OUT` standard deviations above the cohort's mean.  This is test normalisation, T-norm, from
speaker verification (Auckenthaler, Carey and Lloyd-Thomas, "Score Normalization for Text-Independent
Speaker Verification Systems", Digital Signal Processing 10, 2000); labels outside the question as the
judges of "none" are the idea of Fort, Ren and Lakshminarayanan ("Exploring the Limits of
Out-of-Distribution Detection", NeurIPS 2021).

It cannot know whether a label that stands out is right, nor tell a label that is hard to see from one
that is not there: a small thing in a busy picture may be called none of these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cvsearch.model import Vector
from cvsearch.ranking.cosine import DECIMALS, as_unit

Array = NDArray[np.float64]

EVERYDAY = (
    *("a person", "a crowd", "an animal", "a plant", "food", "a drink", "a vehicle", "a building"),
    *("a room", "furniture", "a street", "a landscape", "water", "the sky", "a tool", "a machine"),
    *("an electronic device", "clothing", "sport", "a toy", "a drawing", "a document", "a pattern"),
    "darkness",
)
"""What most photos show something of, at one level of detail."""
STANDS_OUT = 2.0


def mean_direction(vectors: Sequence[Vector]) -> Array:
    """The unit vector of the mean of the vectors' unit vectors: float64, shape (d,)."""
    units = np.stack([as_unit(vector) for vector in vectors])
    return as_unit(units.mean(axis=0))


def least_score(scores_of_cohort: Array) -> float:
    """The score that a label has to exceed, from one picture's scores against the cohort (n,)."""
    return float(scores_of_cohort.mean() + STANDS_OUT * scores_of_cohort.std())


def choose_labels(
    labels: Sequence[str], scores: Array, top: int | None, least: float | None, above: float | None
) -> tuple[tuple[str | None, float], ...]:
    """The labels that fit, best first, at most `top`; ties stay in the order they were given.

    A label fits when its score, to six decimals, is at least `least` and above `above` (None: any is).
    """
    shown = np.round(scores, DECIMALS) + 0.0
    order = np.argsort(-shown, kind="stable").tolist()
    fitting = [
        (labels[place], float(shown[place]))
        for place in order
        if (least is None or shown[place] >= least) and (above is None or scores[place] > above)
    ]
    return tuple(fitting[:top]) or ((None, float(shown[order[0]])),)
