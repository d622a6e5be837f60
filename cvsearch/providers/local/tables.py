"""The model's data files: where they are, how they are opened, and the hash that names them."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")
NETWORK = os.path.join(FOLDER, "network.onnx")


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
