"""How well `query --strong` cuts: `python tests/benchmarks/strong.py FOLDER`.

FOLDER holds pictures and `judgments.json` (``queries`` with query, set and relevant names).  With the
built-in model, precision and recall (means over the queries; a query without an answer has a precision
of 0) of the product's rule beside three others: the first ten, a robust standard score above 4, and a
score of at least 0.2 and half of the best.  "False" counts the queries for which a rule still finds
something when all photos that answer them are taken out.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Prepared
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.providers.local import SPACE
from cvsearch.providers.local.embedder import LocalEmbedder
from cvsearch.ranking.outliers import strong_threshold

Scores = NDArray[np.float32]
Rule = Callable[[Scores], NDArray[np.bool_]]


def first_ten(scores: Scores) -> NDArray[np.bool_]:
    chosen = np.zeros(len(scores), bool)
    chosen[np.argsort(-scores)[:10]] = True
    return chosen


def above_four(scores: Scores) -> NDArray[np.bool_]:
    middle = np.median(scores)
    return (scores - middle) / (1.4826 * np.median(np.abs(scores - middle))) > 4


def half_of_best(scores: Scores) -> NDArray[np.bool_]:
    return (scores >= 0.2) & (scores >= scores.max() / 2)


def strong(scores: Scores) -> NDArray[np.bool_]:
    return scores >= strong_threshold(scores)


RULES: dict[str, Rule] = {
    "first ten": first_ten,
    "robust z > 4": above_four,
    "0.2 and half of best": half_of_best,
    "--strong": strong,
}


def embed_photos(folder: str, names: list[str], embedder: LocalEmbedder) -> Scores:
    rows = []
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            photo = prepare_photo(file.read(), name, SPACE.preparation)
        assert isinstance(photo, Prepared), name
        embedded = embedder.embed_photo(photo)
        assert isinstance(embedded, Embedded), name
        rows.append(embedded.vector)
    return np.stack(rows)


def measure(rule: Rule, found: list[tuple[Scores, NDArray[np.bool_]]]) -> tuple[float, float, int, int]:
    """Mean precision, mean recall, how many queries find nothing, and how many find what is not there."""
    precisions, recalls, empty, false = [], [], 0, 0
    for scores, relevant in found:
        chosen = rule(scores)
        hits = int((chosen & relevant).sum())
        precisions.append(hits / chosen.sum() if chosen.any() else 0.0)
        recalls.append(hits / relevant.sum())
        empty += not chosen.any()
        false += bool(rule(scores[~relevant]).any())
    return float(np.mean(precisions)), float(np.mean(recalls)), empty, false


def main(folder: str) -> None:
    with open(os.path.join(folder, "judgments.json"), encoding="utf-8") as file:
        queries = json.load(file)["queries"]
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg", ".png")))
    found: dict[str, list[tuple[Scores, NDArray[np.bool_]]]] = {}
    with LocalEmbedder() as embedder:
        photos = embed_photos(folder, names, embedder)
        for query in queries:
            try:
                scores = photos @ embedder.embed_text(query["query"]).vector
            except CvsearchError:
                scores = np.zeros(len(names), np.float32)  # a text the model refuses finds nothing
            entry = (scores, np.isin(names, query["relevant"]))
            for key in ("all", query["set"]):
                found.setdefault(key, []).append(entry)
    for key, entries in found.items():
        print(f"{key}: {len(entries)} queries")
        for name, rule in RULES.items():
            precision, recall, empty, false = measure(rule, entries)
            print(
                f"  {name:22} precision {precision:.3f}  recall {recall:.3f}  nothing {empty}  false {false}"
            )


if __name__ == "__main__":
    main(sys.argv[1])
