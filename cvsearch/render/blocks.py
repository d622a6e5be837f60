"""Pictures on a terminal as half blocks: two pixels a character, in 24-bit colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any


def render_blocks(pixels: Sequence[Any] | Any) -> Iterator[bytes]:
    """Lines for pixels (height × width × 3, 0 to 255); an odd last row stands alone."""
    height = len(pixels)
    for top in range(0, height, 2):
        cells = []
        for column in range(len(pixels[top])):
            red, green, blue = (int(value) for value in pixels[top][column])
            cell = f"\x1b[38;2;{red};{green};{blue}"
            if top + 1 < height:
                red, green, blue = (int(value) for value in pixels[top + 1][column])
                cell += f";48;2;{red};{green};{blue}"
            cells.append(f"{cell}m▀")
        yield ("".join(cells) + "\x1b[0m\n").encode()
