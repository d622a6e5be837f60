"""Distils MiniLM into one vector for each word piece, so that a query needs no network.

A text's vector is the mean of its pieces' vectors; they are fitted by ridge regression (conjugate
gradients) to MiniLM's own vectors of words, nouns, glosses and made-up phrases.
"""

from __future__ import annotations

import os
import re
from random import Random

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sentences import split_pieces

Array = NDArray[np.float32]
_RIDGE, _ROUNDS, _LENGTH_POWER = 0.02, 60, 0.7
_PATTERNS = (
    "{a} {b}",
    "a {a} {b}",
    "{b} and {c}",
    "{b} on a {c}",
    "{b} with {c}",
    "a photo of a {b}",
    "{v} {b}",
)


def make_texts(wordnet: str, vocabulary: dict[str, int], seed: int = 1) -> list[str]:
    """Some 80,000 short texts: whole words, WordNet's lemmas and glosses, and made-up phrases."""
    random = Random(seed)
    lemmas = {part: _lemmas(os.path.join(wordnet, f"data.{part}")) for part in ("noun", "adj", "verb")}
    whole = [word for word in vocabulary if re.fullmatch(r"[a-z]{2,}", word)]
    common = {part: sorted(set(whole) & set(found)) for part, found in lemmas.items()}
    short = [lemma for lemma in lemmas["noun"] if lemma.count(" ") <= 2]
    texts = set(whole)
    texts |= set(random.sample([lemma for lemma in short if not lemma[0].isupper()], 35_000))
    texts |= set(random.sample([lemma for lemma in short if lemma[0].isupper()], 5_000))
    texts |= set(random.sample(_glosses(os.path.join(wordnet, "data.noun")), 15_000))
    for _ in range(12_000):
        nouns = random.choice(common["noun"]), random.choice(common["noun"])
        words = {"a": random.choice(common["adj"]), "v": random.choice(common["verb"])}
        texts.add(random.choice(_PATTERNS).format(b=nouns[0], c=nouns[1], **words))
    return sorted(texts)


def english_words(wordnet: str) -> set[str]:
    """WordNet's words that are written small: names are not among them."""
    parts = ("noun", "adj", "verb", "adv")
    lemmas = (lemma for part in parts for lemma in _lemmas(os.path.join(wordnet, f"data.{part}")))
    return {lemma for lemma in lemmas if lemma.islower() and " " not in lemma}


def _lemmas(path: str) -> list[str]:
    found = set()
    for head, _ in _entries(path):
        count = int(head[3], 16)
        found |= {re.sub(r"\(.*?\)", "", word).replace("_", " ") for word in head[4 : 4 + 2 * count : 2]}
    return sorted(found)


def _glosses(path: str) -> list[str]:
    return sorted({" ".join(gloss.split(";")[0].split()[:8]) for _, gloss in _entries(path)})


def _entries(path: str) -> list[tuple[list[str], str]]:
    with open(path, encoding="latin-1") as file:
        lines = [line.partition("|") for line in file if not line.startswith(" ")]
    return [(head.split(), gloss.strip()) for head, _, gloss in lines]


def fit_tokens(texts: list[str], vectors: Array, vocabulary: dict[str, int]) -> Array:
    """The pieces' vectors, shape (pieces, width): `vectors` are the texts' own."""
    design = _design(texts, vocabulary)
    normal = (design.T @ design).tocsr()
    diagonal = np.asarray(normal.diagonal(), np.float32)[:, None] + _RIDGE
    table = np.zeros((len(vocabulary), vectors.shape[1]), np.float32)
    rest = np.asarray(design.T @ vectors, np.float32)
    scaled = rest / diagonal
    step, size = scaled.copy(), (rest * scaled).sum(0)
    for _ in range(_ROUNDS):
        ahead = normal @ step + _RIDGE * step
        pace = size / np.maximum((step * ahead).sum(0), 1e-12)
        table += pace * step
        rest -= pace * ahead
        scaled = rest / diagonal
        new = (rest * scaled).sum(0)
        step = scaled + new / np.maximum(size, 1e-20) * step
        size = new
    return table


def _design(texts: list[str], vocabulary: dict[str, int]) -> sparse.csr_matrix:
    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for row, text in enumerate(texts):
        pieces = split_pieces(text, vocabulary)
        rows += [row] * len(pieces)
        columns += pieces
        values += [len(pieces) ** -_LENGTH_POWER] * len(pieces)
    return sparse.csr_matrix((values, (rows, columns)), (len(texts), len(vocabulary)), np.float32)
