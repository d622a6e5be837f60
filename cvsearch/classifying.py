"""The sentence "which of these labels is it", picture by picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.search.classify import (
    EVERYDAY,
    Verdict,
    as_unit,
    choose_labels,
    least_score,
    mean_direction,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cvsearch.gathering import Seen
    from cvsearch.values import Vector

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
    request: ClassifyRequest, text_vector: Callable[[str], Vector], pictures: Iterable[Seen]
) -> Iterator[Verdict]:
    """Each picture's labels; the labels' own vectors come first, before a picture is looked at."""
    labels = _directions(request.labels, request.templates, text_vector)
    cohort = _directions(EVERYDAY, request.templates, text_vector) if request.or_none else None
    for seen in pictures:
        if seen.vector is None:
            yield Verdict(seen.image, skip=seen.skip)
            continue
        unit = as_unit(seen.vector)
        above = None if cohort is None else least_score(cohort @ unit)
        chosen = choose_labels(request.labels, labels @ unit, request.top, request.min_score, above)
        yield Verdict(seen.image, chosen)


def _directions(
    labels: Sequence[str], templates: Sequence[str], text_vector: Callable[[str], Vector]
) -> NDArray[np.float64]:
    """Unit vectors of the labels: float64, shape (labels, d)."""
    return np.stack(
        [
            mean_direction([text_vector(template.replace(PLAIN, label)) for template in templates])
            for label in labels
        ]
    )
