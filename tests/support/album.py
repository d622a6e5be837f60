"""Folders of real pictures for the tests: small JPEGs that are drawn, and scikit-image's own."""

from __future__ import annotations

import functools
import io
import os
import random
import shutil

import skimage
from PIL import Image

BUNDLED = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png", "retina.jpg", "rocket.jpg")
"""Pictures that come with scikit-image; all differ, all are wider than ten pixels."""


@functools.cache
def jpeg(number: int, width: int = 48, height: int = 36) -> bytes:
    """A small JPEG; each number has pixels of its own."""
    dice = random.Random(number)
    coarse = Image.frombytes("RGB", (6, 4), dice.randbytes(6 * 4 * 3))
    file = io.BytesIO()
    coarse.resize((width, height), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


def write(path: str | os.PathLike[str], data: bytes) -> str:
    """Writes a file, and the folders around it; returns its path as text."""
    name = os.fspath(path)
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name, "wb") as file:
        file.write(data)
    return name


def fill(folder: str | os.PathLike[str], count: int, first: int = 0) -> list[str]:
    """Writes `count` distinct photos ``000.jpg`` …; returns their paths in order."""
    numbers = range(first, first + count)
    return [write(os.path.join(folder, f"{number:03}.jpg"), jpeg(number)) for number in numbers]


def copy_bundled(folder: str | os.PathLike[str]) -> list[str]:
    """Copies scikit-image's pictures; returns their paths in order."""
    os.makedirs(folder, exist_ok=True)
    data = os.path.join(os.path.dirname(skimage.__file__), "data")
    return [shutil.copy(os.path.join(data, name), os.path.join(folder, name)) for name in BUNDLED]


def fill_with_one(folder: str | os.PathLike[str], count: int, picture: int, first: int = 0) -> list[str]:
    """Many photos for next to nothing: hard links to one picture, so that they cost one call."""
    (source,) = fill(folder, 1, first)
    write(source, jpeg(picture))
    names = [os.path.join(folder, f"{number:03}.jpg") for number in range(first, first + count)]
    for name in names[1:]:
        os.link(source, name)
    return names


def touch(path: str, seconds: float = 5.0) -> None:
    """Moves a file's modification time, as an edit would."""
    status = os.stat(path)
    later = status.st_mtime_ns + int(seconds * 1e9)
    os.utime(path, ns=(status.st_atime_ns, later))
