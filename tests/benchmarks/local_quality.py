"""How well the local model finds: `python tests/benchmarks/local_quality.py FOLDER`.

FOLDER holds pictures and `judgments.json`: ``queries`` (query, set, relevant names) and
``near_duplicates`` (pairs of names).  Printed for each set: mean average precision, precision and
recall among the first ten, beside a colour histogram that knows only the colour words; the median scores
of right and of wrong answers; and in how many of the pairs' directions the partner comes first.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Metadata, Prepared
from cvsearch.providers.local import MAX_EDGE
from cvsearch.providers.local.embedder import LocalEmbedder
from cvsearch.providers.local.layout import COLOURS
from cvsearch.providers.local.phrasebook import COLOUR_WORDS, split_words
from cvsearch.providers.local.picture import GRID, colour_areas, name_colours

Array = NDArray[np.float32]


def prepare(path: str) -> Prepared:
    """The picture as `rgb-1024` has it, near enough for a benchmark."""
    with Image.open(path) as picture:
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((MAX_EDGE, MAX_EDGE), Image.Resampling.BICUBIC)
    metadata = Metadata("JPEG", *upright.size)
    return Prepared(upright.tobytes(), *upright.size, b"", b"", metadata)


def histogram(photo: Prepared) -> Array:
    """The baseline's vector: the square roots of the colour names' areas."""
    picture = Image.frombytes("RGB", (photo.width, photo.height), photo.data).resize((GRID, GRID))
    names = name_colours(np.asarray(picture, np.float32) / 255)
    return np.sqrt(colour_areas(names, np.ones(names.shape, np.float32)))


def colour_query(text: str) -> Array:
    """The baseline's text: its colour words; all colours alike without any."""
    wanted = [COLOUR_WORDS[word] for word in split_words(text) if word in COLOUR_WORDS]
    return np.array([wanted.count(colour) if wanted else 1 for colour in COLOURS], np.float32)


def average_precision(ranked: list[int], relevant: set[int]) -> float:
    hits = [rank for rank, photo in enumerate(ranked, 1) if photo in relevant]
    return float(np.mean([(count + 1) / rank for count, rank in enumerate(hits)]))


def measure(queries: list[dict[str, object]], names: list[str], score: Callable[[str], Array]) -> list[float]:
    """Mean average precision, precision at ten, recall at ten."""
    rows = []
    for query in queries:
        relevant = {names.index(str(name)) for name in query["relevant"]}  # type: ignore[attr-defined]
        ranked = np.argsort(-score(str(query["query"])), kind="stable").tolist()
        found = len(relevant & set(ranked[:10]))
        rows.append((average_precision(ranked, relevant), found / 10, found / len(relevant)))
    return [float(mean) for mean in np.mean(rows, 0)]


def medians(queries: list[dict[str, object]], names: list[str], score: Callable[[str], Array]) -> list[float]:
    """The median score of all right answers, and of all wrong ones."""
    scores = np.stack([score(str(query["query"])) for query in queries])
    right = np.stack([np.isin(names, query["relevant"]) for query in queries])  # type: ignore[arg-type]
    return [float(np.median(scores[which])) for which in (right, ~right)]


def partners_first(photos: Array, pairs: list[list[str]], names: list[str]) -> int:
    likeness = photos @ photos.T
    np.fill_diagonal(likeness, -2)
    first = likeness.argmax(1)
    places = [(names.index(a), names.index(b)) for a, b in pairs]
    return sum(int(first[a] == b) + int(first[b] == a) for a, b in places)


def main(folder: str) -> None:
    with open(os.path.join(folder, "judgments.json"), encoding="utf-8") as file:
        judgments = json.load(file)
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg", ".png")))
    prepared = [prepare(os.path.join(folder, name)) for name in names]
    with LocalEmbedder() as embedder:
        found = [embedder.embed_photo(photo) for photo in prepared]
        photos = np.stack([each.vector for each in found if isinstance(each, Embedded)])
        colours = np.stack([histogram(photo) for photo in prepared])

        def by_model(text: str) -> Array:
            try:
                return photos @ embedder.embed_text(text).vector
            except CvsearchError:
                return np.zeros(len(photos), np.float32)

        def by_colour(text: str) -> Array:
            return colours @ colour_query(text)

        print(f"{len(names)} pictures, space {embedder.space}")
        for group in sorted({query["set"] for query in judgments["queries"]}):
            queries = [query for query in judgments["queries"] if query["set"] == group]
            for label, score in (("model", by_model), ("colour histogram", by_colour)):
                mean, precision, recall = measure(queries, names, score)
                figures = f"mAP {mean:.3f}  P@10 {precision:.3f}  R@10 {recall:.3f}"
                print(f"{group:6} {len(queries):4} queries  {label:17} {figures}")
        right, wrong = medians(judgments["queries"], names, by_model)
        print(f"median score: right answers {right:.2f}, wrong ones {wrong:.2f}")
    pairs = judgments["near_duplicates"]
    for label, vectors in (("model", photos), ("colour histogram", colours)):
        first = partners_first(vectors, pairs, names)
        print(f"near-duplicate partner first: {first} of {2 * len(pairs)}  {label}")


if __name__ == "__main__":
    main(sys.argv[1])
