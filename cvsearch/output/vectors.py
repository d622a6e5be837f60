"""Vectors as lines for pipelines: JSON, a photo a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from cvsearch.output.lines import also_fields, json_line, path_fields

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def vector_line(
    path: str, also: Sequence[str], facts: Mapping[str, object], vector: NDArray[np.float32]
) -> bytes:
    """A photo with its vector as received (float32, shape (d,)).

    Nine significant digits, not the six decimals of scores, so that every float32 can be had back.
    """
    head = json_line({**path_fields(path), **also_fields(also), **facts}).removesuffix(b"}\n")
    numbers = ",".join(["%.9g"] * len(vector)) % tuple(vector.tolist())
    return head + b',"vector":[' + numbers.encode("ascii") + b"]}\n"
