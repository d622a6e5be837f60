"""The model's concepts, ImageNet's classes and the drawn kinds: their groups, and phrases in them."""

from __future__ import annotations

from random import Random

import drawings
import numpy as np
import onnxruntime
import sheets
from lexicon import Entry
from numpy.typing import NDArray
from PIL import Image
from wordnet import Nouns

Array = NDArray[np.float32]
_SAMPLES = 32
_CONTRAST = 0.8

# Groups of things that colours are bound to, by WordNet's nouns: the first that covers a class has it,
# and what no noun covers goes with the devices.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("wheeled vehicle", "self-propelled vehicle", "public transport", "wheel", "sled"),
    ("watercraft", "aircraft"),
    ("canine",),
    ("feline", "mammal"),
    ("bird",),
    ("animal", "fish", "insect", "reptile"),
    ("clothing", "headdress", "footwear", "face mask", "bag", "jewelry"),
    ("furniture", "furnishing", "bedclothes", "cloth"),
    ("container", "utensil", "bottle", "ware", "tableware", "crockery"),
    ("device", "electronic equipment", "home appliance", "musical instrument", "computer"),
    ("food", "produce", "edible fruit", "vegetable", "beverage"),
    ("structure", "building", "roof", "natural object", "geological formation", "flower", "fungus", "plant"),
)
_REST = 9
TONES = ("bw", "graphic", "dark", "bright", "colorful")
COLOURS = ("black", "white", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
LOOKS = [*TONES, *(where + colour for where in ("", "up-", "low-") for colour in COLOURS)]


def group_classes(nouns: Nouns) -> NDArray[np.uint8]:
    """The number of each class's group, shape (1000,)."""
    groups = np.full(len(nouns.classes), 255, np.uint8)
    for number, group in enumerate(GROUPS):
        for noun in group:
            for index in nouns.group(noun):
                groups[index] = number if groups[index] == 255 else groups[index]
    groups[groups == 255] = _REST
    return groups


def draw_features(network: str, size: int) -> dict[str, Array]:
    """Each drawn kind's mean pooled feature, (1280,); every other sheet of paper is photographed."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
    means = {}
    for kind, draw in drawings.KINDS.items():
        features = []
        for sample in range(_SAMPLES):
            random = Random(f"{kind} {sample}")
            picture = draw(random)
            if sample % 2 and kind in drawings.PAPER:
                picture = sheets.photographed(random, picture)
            view = picture.resize((size, size), Image.Resampling.BICUBIC)
            scaled = (np.asarray(view, np.float32) - 127) / 128
            features.append(session.run(["features"], {"image": scaled.transpose(2, 0, 1)[None]})[0][0])
        means[kind] = np.mean(features, 0)
    return means


def concept_features(classifier: Array, mean: Array, drawn: dict[str, Array], projection: Array) -> Array:
    """Each concept's unit feature, shape (concepts, width).

    A class's is its classifier row about the mean row; a drawn kind's its mean feature about the
    feature mean, less most of what all drawn kinds have in common.
    """
    rows = unit(unit(classifier - classifier.mean(0)) @ projection)
    kinds = unit((np.stack(list(drawn.values())) - mean) @ projection)
    return np.concatenate([rows, unit(kinds - _CONTRAST * kinds.mean(0))])


def unit(vectors: Array) -> Array:
    """Rows of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9), np.float32)


class Senses:
    """Collects phrases' senses as sparse rows over concepts and looks, each distinct one once."""

    def __init__(self, classes: int, kinds: list[str]) -> None:
        self.kinds, self.first_look = kinds, classes + len(kinds)
        self.classes = classes
        self.rows: list[dict[int, float]] = []

    def add_entry(self, entry: Entry) -> int:
        """A lexicon entry's sense; its row."""
        row = dict(entry.classes)
        row |= {self.classes + self.kinds.index(kind): weight for kind, weight in entry.drawn.items()}
        row |= {self.first_look + LOOKS.index(look): weight for look, weight in entry.looks.items()}
        return self._add(row)

    def add_sets(self, sets: list[tuple[int, ...]]) -> int:
        """A noun's sense: each of its class sets with the same weight; its row."""
        row: dict[int, float] = {}
        for classes in sets:
            for index in classes:
                row[index] = row.get(index, 0.0) + len(classes) ** -0.5
        return self._add(row)

    def _add(self, row: dict[int, float]) -> int:
        self.rows.append({part: row[part] for part in sorted(row)})
        return len(self.rows) - 1

    def class_matrix(self) -> Array:
        """The class parts as rows of length 1, shape (rows, classes)."""
        matrix = np.zeros((len(self.rows), self.classes), np.float32)
        for number, row in enumerate(self.rows):
            for part, weight in row.items():
                if part < self.classes:
                    matrix[number, part] = weight
        return unit(matrix)

    def tables(self, features: Array) -> dict[str, NDArray[np.generic]]:
        """The rows as the package stores them; `features` are the concepts' (see there)."""
        counts = [len(row) for row in self.rows]
        lengths = np.zeros((len(self.rows), 2), np.float32)
        for number, row in enumerate(self.rows):
            parts = np.array(list(row), np.intp)
            weights = np.array(list(row.values()), np.float32).astype(np.float16).astype(np.float32)
            concept = parts < self.first_look
            sums = weights[parts < self.classes], weights[concept] @ features[parts[concept]]
            norms = np.array([np.linalg.norm(part) for part in sums])
            lengths[number] = np.where(norms > 0, 1 / np.maximum(norms, 1e-9), 0)
        return {
            "sense_starts": np.cumsum([0, *counts]).astype(np.uint32),
            "sense_parts": np.concatenate([np.array(list(row), np.uint16) for row in self.rows]),
            "sense_weights": np.concatenate([np.array(list(row.values()), np.float16) for row in self.rows]),
            "sense_lengths": lengths,
        }
