"""Makes the package's data files from published packages: `python build.py DOWNLOADS OUT`.

Needs numpy, scipy, Pillow, onnx and onnxruntime, about 1 GB of memory and five minutes of one core.
Reads no picture but those it draws.  Steps and sources are explained in `docs/local-model.md`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from typing import Any

import drawings
import numpy as np
import onnx
from checkpoint import read_checkpoint
from concepts import LOOKS, Senses, concept_features, draw_features, group_classes, unit
from lexicon import Reader
from network import make_network, mean_features
from numpy.typing import NDArray
from sentences import Sentences, read_vocabulary, split_pieces
from sources import Sources, fetch
from tokens import english_words, fit_tokens, make_texts
from wordnet import Nouns

Array = NDArray[np.float32]
HERE = os.path.dirname(os.path.abspath(__file__))
WIDTH, TEXT_WIDTH, DRAWN_SIZE = 416, 192, 300
log = logging.getLogger("build")


def build(sources: Sources, out: str) -> None:
    """Writes every data file into the folder `out`."""
    os.makedirs(out, exist_ok=True)
    network = os.path.join(out, "network.onnx")
    weights = read_checkpoint(sources.checkpoint)
    onnx.save(make_network(weights), network)
    log.info("network written")
    classifier, mean = weights["_fc.weight"].astype(np.float32), mean_features(weights)
    names, nouns = _read_classes(sources)
    drawn = draw_features(network, DRAWN_SIZE)
    log.info("%d kinds drawn", len(drawn))
    projection = _principal(classifier - classifier.mean(0), WIDTH)
    features = concept_features(classifier, mean, drawn, projection)
    senses = Senses(len(names), list(drawn))
    texts = _collect(senses, names, nouns, out)
    class_rows = senses.class_matrix()[: len(texts)]
    tables = senses.tables(features) | _text_tables(sources, texts, nouns, out)
    tables |= {
        "feature_mean": mean,
        "feature_projection": projection.astype(np.float16),
        "class_projection": _principal(class_rows, WIDTH).astype(np.float16),
        "concept_features": features.astype(np.float16),
        "class_weights": _int8(unit(classifier - classifier.mean(0)))[0],
        "class_groups": group_classes(nouns),
    }
    for name, table in tables.items():
        np.save(os.path.join(out, f"{name}.npy"), table)


def _read_classes(sources: Sources) -> tuple[list[str], Nouns]:
    with open(sources.class_names, encoding="utf-8") as file:
        names: list[str] = json.load(file)
    with open(sources.class_synsets, encoding="utf-8") as file:
        synsets = json.load(file)
    return names, Nouns(sources.wordnet, [synsets[str(index)][1:] for index in range(len(names))])


def _principal(matrix: Array, width: int) -> Array:
    """The matrix's first right singular vectors as columns: the projection that keeps most of it."""
    _, _, axes = np.linalg.svd(matrix.astype(np.float64), full_matrices=False)
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])
    return np.asarray((axes * signs[:, None])[:width].T, np.float32)


def _collect(senses: Senses, names: list[str], nouns: Nouns, out: str) -> list[str]:
    """Adds every phrase's and noun's sense, writes their lists; the phrases' texts by row."""
    reader = Reader(names, nouns.group, list(drawings.KINDS), LOOKS)
    rows = {entry.phrase: senses.add_entry(entry) for entry in reader.read(os.path.join(HERE, "lexicon.txt"))}
    texts = list(rows)
    phrases = nouns.phrases()
    for index, name in enumerate(names):
        phrases[name.lower()] = sorted({*phrases.get(name.lower(), []), (index,)})
    for phrase, sets in sorted(phrases.items()):
        texts.append(phrase)
        rows.setdefault(phrase, senses.add_sets(sets))
    for index, name in enumerate(names):
        gloss = nouns.synsets[nouns.classes[index]].gloss.split(";")[0]
        senses.add_sets([(index,)])
        texts.append(f"{name}: {gloss}")
    _write_list(os.path.join(out, "phrases.txt"), rows)
    sets_seen: dict[tuple[int, ...], int] = {}
    entries = {}
    for noun, (classes, steps) in sorted(nouns.dictionary().items()):
        if classes not in sets_seen:
            sets_seen[classes] = senses.add_sets([classes])
        entries[noun] = f"{sets_seen[classes]} {steps}"
    _write_list(os.path.join(out, "nouns.txt"), entries)
    return texts


def _text_tables(sources: Sources, texts: list[str], nouns: Nouns, out: str) -> dict[str, NDArray[Any]]:
    """Phrase and word piece vectors, by MiniLM and its distillation."""
    vocabulary = read_vocabulary(sources.vocabulary)
    sentences = Sentences(sources.sentences, vocabulary)
    vectors = sentences.embed(texts)
    corpus = make_texts(sources.wordnet, vocabulary)
    log.info("embedding %d texts", len(corpus))
    table = fit_tokens(
        [*corpus, *texts, *texts], np.concatenate([sentences.embed(corpus), vectors, vectors]), vocabulary
    )
    axes = _principal(vectors, TEXT_WIDTH)
    table, vectors = table @ axes, unit(vectors @ axes)
    summed = np.stack([table[split_pieces(text, vocabulary)].sum(0) for text in texts])
    phrases, phrase_scales = _int8(unit(unit(summed) + vectors))
    pieces, piece_scales = _int8(table)
    english = english_words(sources.wordnet)
    marked = {piece: f"{number} {int(piece in english)}" for piece, number in vocabulary.items()}
    _write_list(os.path.join(out, "pieces.txt"), marked)
    return {
        "phrase_vectors": phrases,
        "phrase_scales": phrase_scales,
        "piece_vectors": pieces,
        "piece_scales": piece_scales,
    }


def _int8(rows: Array) -> tuple[NDArray[np.int8], Array]:
    """Rows as whole numbers and the scale of each."""
    scales = np.maximum(np.abs(rows).max(1) / 127, 1e-12).astype(np.float32)
    return np.round(rows / scales[:, None]).astype(np.int8), scales


def _write_list(path: str, values: dict[str, Any]) -> None:
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{key}\t{value}\n" for key, value in values.items())


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    build(fetch(sys.argv[1]), sys.argv[2])
