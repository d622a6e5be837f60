"""Sentence vectors by all-MiniLM-L6-v2 (int8 ONNX), and BERT's word pieces."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

Array = NDArray[np.float32]
_BATCH, _LONGEST = 32, 62
_START, _END, _UNKNOWN = 101, 102, 100


def read_vocabulary(path: str) -> dict[str, int]:
    """Word pieces by text, from `vocab.txt`."""
    with open(path, encoding="utf-8") as file:
        return {line.rstrip("\n"): index for index, line in enumerate(file)}


def split_words(text: str) -> list[str]:
    """BERT's basic tokens: lower case, no accents, punctuation on its own."""
    plain = unicodedata.normalize("NFD", text.lower())
    kept = (char for char in plain if unicodedata.category(char) != "Mn")
    return "".join(char if char.isalnum() or char.isspace() else f" {char} " for char in kept).split()


def split_pieces(text: str, vocabulary: dict[str, int]) -> list[int]:
    """The text's word pieces, longest first; a word that cannot be split is unknown."""
    pieces: list[int] = []
    for word in split_words(text):
        pieces += _word_pieces(word, vocabulary)
    return pieces


def _word_pieces(word: str, vocabulary: dict[str, int]) -> list[int]:
    pieces, start = [], 0
    while start < len(word):
        mark = "##" if start else ""
        ends = range(len(word), start, -1)
        end = next((end for end in ends if mark + word[start:end] in vocabulary), None)
        if end is None:
            return [_UNKNOWN]
        pieces.append(vocabulary[mark + word[start:end]])
        start = end
    return pieces


class Sentences:
    """Embeds texts; unit vectors of 384 numbers."""

    def __init__(self, model: str, vocabulary: dict[str, int], threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.vocabulary = vocabulary

    def embed(self, texts: Sequence[str]) -> Array:
        """Mean-pooled vectors, shape (len(texts), 384); texts of like length share a batch."""
        out = np.zeros((len(texts), 384), np.float32)
        order = sorted(range(len(texts)), key=lambda index: (len(texts[index]), index))
        for start in range(0, len(order), _BATCH):
            rows = order[start : start + _BATCH]
            out[rows] = self._batch([texts[row] for row in rows])
        return out

    def _batch(self, texts: list[str]) -> Array:
        pieces = [[_START, *split_pieces(text, self.vocabulary)[:_LONGEST], _END] for text in texts]
        shape = len(pieces), max(map(len, pieces))
        ids, mask = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, found in enumerate(pieces):
            ids[row, : len(found)], mask[row, : len(found)] = found, 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self.session.run(None, feed)[0]
        means = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdims=True)
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32)
