"""Pictures that the tests draw, encode and wrap."""

from __future__ import annotations

import io
import os
import struct
from typing import Any

import skimage
from PIL import Image, ImageFilter

from cvsearch.model import Prepared, Skip
from cvsearch.photos.preprocess import prepare_photo

RED, WHITE = (255, 0, 0), (255, 255, 255)

# The transposition that, undone by each EXIF orientation, leaves the picture upright.
STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def draw(width: int = 60, height: int = 40) -> Image.Image:
    """White with a red quarter at the upper left: shows which way is up."""
    image = Image.new("RGB", (width, height), WHITE)
    image.paste(RED, (0, 0, width // 2, height // 2))
    return image


def draw_noise(width: int = 60, height: int = 40, seed: bytes = b"\x07\x80\x33") -> Image.Image:
    """Soft colourful noise, the same for the same seed."""
    noise = Image.frombytes("RGB", (8, 6), (seed * 200)[: 8 * 6 * 3][::-1]).filter(ImageFilter.SHARPEN)
    return noise.resize((width, height), Image.Resampling.BICUBIC)


def load(name: str) -> bytes:
    """One of scikit-image's bundled pictures."""
    with open(os.path.join(os.path.dirname(skimage.__file__), "data", name), "rb") as file:
        return file.read()


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def make_exif(tags: dict[Any, Any], ifds: dict[Any, Any] | None = None) -> Image.Exif:
    exif = Image.Exif()
    exif.update(tags)
    for number, entries in (ifds or {}).items():
        exif.get_ifd(number).update(entries)
    return exif


def prepare(data: bytes, recipe: str = "rgb-1024", name: str = "x.jpg") -> Prepared:
    prepared = prepare_photo(data, name, recipe)
    assert isinstance(prepared, Prepared), prepared
    return prepared


def see(data: bytes, recipe: str = "rgb-1024", name: str = "x.jpg") -> Image.Image:
    """What an embedder would see."""
    prepared = prepare(data, recipe, name)
    if recipe.startswith("jpeg"):
        return Image.open(io.BytesIO(prepared.data))
    return Image.frombytes("RGB", (prepared.width, prepared.height), prepared.data)


def refuse(data: bytes, recipe: str = "jpeg-1024", name: str = "x.jpg") -> Skip:
    skip = prepare_photo(data, name, recipe)
    assert isinstance(skip, Skip), skip
    return skip


def is_near(colour: object, other: tuple[int, int, int], most: int = 12) -> bool:
    assert isinstance(colour, tuple)
    return all(abs(a - b) <= most for a, b in zip(colour, other, strict=True))


def make_dng(preview: bytes, orientation: int = 1) -> bytes:
    """A RAW file: a DNG with a black 64 × 48 sensor image and a JPEG preview."""
    width, height = Image.open(io.BytesIO(preview)).size
    pixels = bytes(64 * 48 * 2)

    def lay_out(sub: int, exif: int, sensor_at: int, preview_at: int) -> tuple[bytes, bytes, bytes]:
        first: list[tuple[int, int, Any]] = [
            (254, 4, (1,)),
            (256, 4, (width,)),
            (257, 4, (height,)),
            (258, 3, (8, 8, 8)),
        ]
        first += [(259, 3, (7,)), (262, 3, (6,)), (271, 2, b"ACME\0"), (272, 2, b"ACME One\0")]
        first += [(273, 4, (preview_at,)), (274, 3, (orientation,)), (277, 3, (3,)), (278, 4, (height,))]
        first += [(279, 4, (len(preview),)), (330, 4, (sub,)), (34665, 4, (exif,)), (50706, 1, (1, 4, 0, 0))]
        sensor: list[tuple[int, int, Any]] = [
            (254, 4, (0,)),
            (256, 4, (64,)),
            (257, 4, (48,)),
            (258, 3, (16,)),
            (259, 3, (1,)),
        ]
        sensor += [(262, 3, (32803,)), (273, 4, (sensor_at,)), (277, 3, (1,)), (278, 4, (48,))]
        sensor += [(279, 4, (len(pixels),)), (33421, 3, (2, 2)), (33422, 1, (0, 1, 1, 2))]
        date: list[tuple[int, int, Any]] = [(0x9003, 2, b"2021:05:06 07:08:09\0")]
        head = _lay_out_ifd(first, 8)
        body = _lay_out_ifd(sensor, 8 + len(head))
        return head, body, _lay_out_ifd(date, 8 + len(head) + len(body))

    sizes = [len(part) for part in lay_out(0, 0, 0, 0)]
    at = [8 + sum(sizes[:1]), 8 + sum(sizes[:2]), 8 + sum(sizes), 8 + sum(sizes) + len(pixels)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(lay_out(*at)) + pixels + preview


def _lay_out_ifd(entries: list[tuple[int, int, Any]], at: int) -> bytes:
    body, extra, extra_at = b"", b"", at + 2 + 12 * len(entries) + 4
    for tag, kind, values in entries:
        raw = values if kind == 2 else struct.pack(f"<{len(values)}{' B HI'[kind]}", *values)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack("<I", extra_at + len(extra))
            extra += raw + b"\0" * (len(raw) % 2)
        body += struct.pack("<HHI", tag, kind, len(values)) + place
    return struct.pack("<H", len(entries)) + body + bytes(4) + extra
