"""A folder of real pictures with copies of several kinds, for the tests of duplicates."""

from __future__ import annotations

import io
import os
import shutil

import album
from PIL import Image


def change(path: str, *, scale: float = 1.0, quality: int = 90) -> bytes:
    """A picture as a JPEG, smaller or of lower quality."""
    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    size = max(1, int(picture.width * scale)), max(1, int(picture.height * scale))
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.LANCZOS).save(file, "JPEG", quality=quality)
    return file.getvalue()


def fill(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Six different pictures, and of three of them copies; gives the paths by name.

    ``same/coffee.png`` has the bytes of coffee; ``half.jpg`` and ``worse.jpg`` are astronaut at half the
    size and at quality 50; ``small.jpg`` is chelsea at half the size.
    """
    paths = {os.path.basename(path): path for path in album.copy_bundled(folder)}
    os.makedirs(os.path.join(folder, "same"))
    paths["same/coffee.png"] = shutil.copy(paths["coffee.png"], os.path.join(folder, "same", "coffee.png"))
    for name, source, options in (
        ("half.jpg", "astronaut.png", {"scale": 0.5}),
        ("worse.jpg", "astronaut.png", {"quality": 50}),
        ("small.jpg", "chelsea.png", {"scale": 0.5}),
    ):
        paths[name] = album.write(os.path.join(folder, name), change(paths[source], **options))
    return paths
