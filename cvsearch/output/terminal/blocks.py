"""Pictures on a terminal as half blocks: two pixels a character, in 24-bit colour or in 256 colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cvsearch.model import Thumbnail

_LEVELS = (0, 95, 135, 175, 215, 255)
"""The six levels of red, green and blue in the 256 colours of xterm."""

_GREYISH = 30
"""How far the channels of a pixel may lie apart for it to be drawn as a grey.  The nearest colour is often
a grey where people see a dark blue: hue matters more than nearness."""

Colours = Sequence[Sequence[str]]


def render_blocks(picture: Thumbnail, *, deep: bool) -> Iterator[bytes]:
    """Lines without their ends, for a picture of RGB bytes; an odd last row stands alone.

    `deep`: the terminal has 24-bit colour.
    """
    colours = _exact(picture) if deep else _rough(picture)
    for top in range(0, picture.height, 2):
        cells, before = [], ""
        for column in range(picture.width):
            style = f"\x1b[38;{colours[top][column]}"
            if top + 1 < picture.height:
                style += f";48;{colours[top + 1][column]}"
            cells.append("▀" if style == before else f"{style}m▀")
            before = style
        yield ("".join(cells) + "\x1b[0m").encode()


def _pixels(picture: Thumbnail) -> list[list[tuple[int, int, int]]]:
    data = iter(picture.data)
    pixels = list(zip(data, data, data, strict=True))
    return [pixels[start : start + picture.width] for start in range(0, len(pixels), picture.width)]


def _exact(picture: Thumbnail) -> Colours:
    return [[f"2;{red};{green};{blue}" for red, green, blue in row] for row in _pixels(picture)]


def _rough(picture: Thumbnail) -> Colours:
    return [[f"5;{_nearest(pixel)}" for pixel in row] for row in _pixels(picture)]


def _nearest(pixel: tuple[int, int, int]) -> int:
    """Of the 6 × 6 × 6 colours the nearest; for what is nearly grey, of the 24 greys, black and white."""
    if max(pixel) - min(pixel) <= _GREYISH:
        step = round((sum(pixel) / 3 - 8) / 10)
        return 16 if step < 0 else 231 if step > 23 else 232 + step
    red, green, blue = (min(range(6), key=lambda place: abs(_LEVELS[place] - value)) for value in pixel)
    return 16 + 36 * red + 6 * green + blue
