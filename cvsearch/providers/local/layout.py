"""The model's data: where its files are and how they are opened, and how the dimensions are shared out.

A picture's blocks have fixed lengths (`WEIGHTS`), so that by cosine no picture is favoured for what it
is; a text fills the blocks it has something to say about.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
NETWORK = os.path.join(FOLDER, "network.onnx")

COLOURS = ("black", "white", "gray", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown")
TONES = ("bw", "graphic", "dark", "bright", "colorful")
"""What the numbers of a block of colours and of one of tones stand for, in their order."""
DIMENSION = 1024
WIDTH = 416
GROUPS = 12
_BLOCKS = {
    "classes": (WIDTH, 0.5**0.5),
    "features": (WIDTH, 0.5**0.5),
    "tones": (6, 0.3),
    "colours": (11, 0.4),
    "upper": (11, 0.2),
    "lower": (11, 0.2),
    "bound": (11 * GROUPS, 0.3),
    "light": (16, 0.1),
}
"""How many dimensions each block has, and its weight."""
WEIGHTS = {name: weight for name, (_, weight) in _BLOCKS.items()}
"""The length of each block in a picture's vector, before the whole is brought to length 1."""


BLOCKS = {
    name: slice(end - size, end)
    for (name, (size, _)), end in zip(
        _BLOCKS.items(), accumulate(size for size, _ in _BLOCKS.values()), strict=True
    )
}
"""Where each block lies; dimensions after the last are 0."""


def join(blocks: Mapping[str, Array]) -> Array:
    """The vector of length 1 made of the blocks, shape (1024,)."""
    vector = np.zeros(DIMENSION, np.float32)
    for name, block in blocks.items():
        vector[BLOCKS[name]] = block
    return unit(vector)


def unit(vector: Array) -> Array:
    """The vector brought to length 1; zero stays zero."""
    length = np.sqrt(np.square(vector, dtype=np.float64).sum(-1, keepdims=True))
    return np.asarray(vector / np.maximum(length, 1e-12), np.float32)


def times(vectors: Array, matrix: Array) -> Array:
    """The matrix product, summed in one fixed order.

    A BLAS may split sums by its number of threads; then a vector would depend on the machine's load.
    """
    return np.asarray(np.einsum("...i,ij->...j", vectors, matrix), np.float32)


def open_table(name: str) -> NDArray[Any]:
    """The array of `name`.npy, memory-mapped: only what is touched is read."""
    return np.load(os.path.join(FOLDER, f"{name}.npy"), mmap_mode="r")  # type: ignore[no-any-return]


def read_list(name: str) -> bytes:
    """The lines of `name`.txt, each ``key TAB value``, with a newline before the first and after the last."""
    with open(os.path.join(FOLDER, f"{name}.txt"), "rb") as file:
        return b"\n" + file.read()


def find_value(lines: bytes, key: str) -> str | None:
    """The value of `key` in what `read_list` gave; a plain search, so nothing is parsed at start-up."""
    wanted = b"\n" + key.encode("utf-8", "surrogateescape") + b"\t"
    start = lines.find(wanted)
    if start < 0:
        return None
    start += len(wanted)
    return lines[start : lines.index(b"\n", start)].decode("ascii")


def hash_data(folder: str = FOLDER) -> str:
    """Eight hexadecimal digits over the names and contents of the data files."""
    digest = hashlib.sha256()
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as file:
            digest.update(f"{name}\0".encode() + hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:8]
