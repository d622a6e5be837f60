"""The sentences "which of these labels is it" and "how alike are they", picture by picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from cvsearch.model import Classification, EmbeddedImage, Vector
from cvsearch.ranking.cosine import as_unit
from cvsearch.ranking.zero_shot import EVERYDAY, choose_labels, least_score, mean_direction
from cvsearch.search.request import PLAIN, ClassifyRequest


def list_prompts(request: ClassifyRequest) -> list[str]:
    """The texts whose vectors `classify` needs, in the order in which it takes them."""
    labels = [*request.labels, *(EVERYDAY if request.or_none else ())]
    return [template.replace(PLAIN, label) for label in labels for template in request.templates]


def classify(
    request: ClassifyRequest, prompts: Sequence[Vector], images: Iterable[EmbeddedImage]
) -> Iterator[Classification]:
    """Each picture's labels; `prompts` are the vectors of `list_prompts`."""
    step = len(request.templates)
    starts = range(0, len(prompts), step)
    directions = np.stack([mean_direction(prompts[start : start + step]) for start in starts])
    labels, cohort = np.split(directions, [len(request.labels)])
    for image in images:
        if image.vector is None:
            yield Classification(image.name, skip=image.skip)
            continue
        unit = as_unit(image.vector)
        above = least_score(cohort @ unit) if request.or_none else None
        chosen = choose_labels(request.labels, labels @ unit, request.top, request.min_score, above)
        yield Classification(image.name, chosen, also=image.also, thumbnail=image.thumbnail)
