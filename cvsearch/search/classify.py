"""The sentence "which of these labels is it", picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.model import Classification
from cvsearch.ranking.zero_shot import (
    EVERYDAY,
    as_unit,
    choose_labels,
    least_score,
    mean_direction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.embedding.images import Seen
    from cvsearch.model import Vector

PLAIN = "{}"
"""The template that leaves a label as it is."""


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """What the user asked.  `top` None: every label that fits; without a limit every label fits."""

    labels: Sequence[str]
    templates: Sequence[str] = (PLAIN,)
    top: int | None = None
    min_score: float | None = None
    or_none: bool = False


def run_classify(
    request: ClassifyRequest,
    text_vectors: Callable[[Sequence[str]], Sequence[Vector]],
    pictures: Iterable[Seen],
) -> Iterator[Classification]:
    """Each picture's labels; the labels' own vectors come first, before this returns."""
    everyday = EVERYDAY if request.or_none else ()
    directions = _directions([*request.labels, *everyday], request.templates, text_vectors)
    labels, cohort = np.split(directions, [len(request.labels)])
    return _judge(request, labels, cohort if request.or_none else None, pictures)


def _judge(
    request: ClassifyRequest,
    labels: NDArray[np.float64],
    cohort: NDArray[np.float64] | None,
    pictures: Iterable[Seen],
) -> Iterator[Classification]:
    for seen in pictures:
        if seen.vector is None:
            yield Classification(seen.image, skip=seen.skip)
            continue
        unit = as_unit(seen.vector)
        above = None if cohort is None else least_score(cohort @ unit)
        chosen = choose_labels(request.labels, labels @ unit, request.top, request.min_score, above)
        yield Classification(seen.image, chosen, also=seen.also)


def _directions(
    labels: Sequence[str],
    templates: Sequence[str],
    text_vectors: Callable[[Sequence[str]], Sequence[Vector]],
) -> NDArray[np.float64]:
    """Unit vectors of the labels: float64, shape (labels, d)."""
    vectors = text_vectors([template.replace(PLAIN, label) for label in labels for template in templates])
    step = len(templates)
    starts = range(0, len(vectors), step)
    return np.stack([mean_direction(vectors[start : start + step]) for start in starts])
