"""How long `duplicates` looks for pictures and scenes in large libraries, and how much memory that takes.

Measures the pure functions behind it, each in a fresh process, on vectors of 1,024 numbers mapped from a
file and on hashes in memory.  The libraries are drawn, as the time depends on how alike the photos are:

- unlike: each vector has a random direction.
- themes: 500 photos share a theme.  Six tenths of the squared length of a photo's vector are its theme's,
  the rest is its own; themes have a direction in common.  All are drawn with variances that fall as 1/k
  from axis to axis, so that a few axes hold most of them.
- knots: the same with nine tenths, and what is a photo's own has a random direction, which no few axes
  hold.  The bound that rules out pairs of scenes cannot tell the photos of a theme apart: the worst case.

In each, one photo in ten is the one before it taken again (their cosine is 0.985), and one in twenty a
copy of it (0.999; of the 256 bits of its hash, random otherwise, at most 36 differ).  Every copy must be
found.  Each time is told as a ratio to the plain way, measured in the same run: all products of two
vectors, block by block, for scenes, and all distances of two hashes for pictures.

Memory is the growth of the peak RSS from where the hashes are read and the whole file is mapped and in
memory: its 4,096 bytes a photo, which the system takes back when it needs them, come on top (read from
/proc: Linux only).

    python tests/benchmarks/duplicates_scale.py [PHOTOS ...]      (default: 20000 100000; some minutes)
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import run, verdict, workplace
from numpy.typing import NDArray

from cvsearch.ranking.clustering import MOST_BITS, SCENE_COSINE, lead_pictures, lead_scenes

DIMENSION = 1024
LIBRARIES = {"unlike": 1.0, "themes": 1.0, "knots": 2.0}
"""With the most that a search for scenes may take, as a ratio to the plain way; for pictures it is:"""
MOST_PICTURE = 1.5
PER_THEME = 500
THEME_SHARES = {"themes": 0.6, "knots": 0.9}
RETAKES, COPIES = 10, 20
_BATCH = 2000
_BLOCK = 128

Floats = NDArray[np.float32]


def draw(dice: np.random.Generator, count: int, falling: bool) -> Floats:
    """Random vectors of length 1, with variances that fall from axis to axis or are all the same."""
    drawn = dice.standard_normal((count, DIMENSION), np.float32)
    if falling:
        drawn /= np.sqrt(np.arange(1, DIMENSION + 1, dtype=np.float32))
    return scale(drawn)


def scale(vectors: Floats) -> Floats:
    """The vectors at length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def make_library(folder: Path, library: str, count: int) -> None:
    """Writes unit vectors, hashes and which photos are copies."""
    dice = np.random.default_rng(count)
    folder.mkdir()
    centres = scale(draw(dice, max(1, count // PER_THEME), True) + draw(dice, 1, True))
    hashes = dice.integers(0, 256, (count, 32), np.uint8)
    copies = np.arange(COPIES - 1, count, COPIES)
    for copy in copies:
        flips = np.zeros(256, np.uint8)
        flips[dice.choice(256, dice.integers(0, 37), replace=False)] = 1
        hashes[copy] = hashes[copy - 1] ^ np.packbits(flips)
    np.savez(folder / "looks.npz", hashes=hashes, copies=copies)
    with open(folder / "units.f32", "wb") as file:
        for start in range(0, count, _BATCH):
            size = min(_BATCH, count - start)
            units = draw(dice, size, library == "themes")
            if share := THEME_SHARES.get(library):
                themes = centres[dice.integers(len(centres), size=size)]
                units = scale(np.sqrt(share) * themes + np.sqrt(1 - share) * units)
            for first, every, cosine in ((4, RETAKES, 0.985), (COPIES - 1, COPIES, 0.999)):
                change = draw(dice, len(units[first::every]), False) * np.sqrt(cosine**-2 - 1)
                units[first::every] = scale(units[first - 1 : -1 : every] + change)
            file.write(units.astype(np.float32).tobytes())


def multiply_all(units: Floats) -> int:
    """The plain way for scenes: the cosine of each photo with each."""
    found = 0
    for start in range(0, len(units), _BLOCK):
        found += np.count_nonzero(units[start : start + _BLOCK] @ units[start:].T >= SCENE_COSINE)
    return found


def compare_all(hashes: NDArray[np.uint8]) -> int:
    """The plain way for pictures: the distance of each hash to each."""
    words, found = hashes.view(np.uint64).T.copy(), 0
    for start in range(0, len(hashes), _BLOCK):
        bits = np.zeros((len(hashes[start : start + _BLOCK]), len(hashes) - start), np.uint16)
        for word in words:
            bits += np.bitwise_count(word[start : start + _BLOCK, None] ^ word[None, start:])
        found += np.count_nonzero(bits <= MOST_BITS)
    return found


def read_status(name: str) -> int:
    """A figure of this process's memory in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{name}:"))


def measure(folder: Path, what: str) -> dict[str, float]:
    """One way in this process: seconds, bytes of memory, and how many photos are like an earlier one."""
    with np.load(folder / "looks.npz") as looks:
        hashes, copies = looks["hashes"], looks["copies"]
    count = len(hashes)
    sizes, rows = np.full((count, 2), (4000, 3000), np.int64), np.arange(count)
    units = np.memmap(folder / "units.f32", np.float32, mode="r").reshape(count, DIMENSION)
    ways: dict[str, Callable[[], object]] = {
        "picture": lambda: lead_pictures(hashes, sizes, units, rows),
        "scene": lambda: lead_scenes(units, rows, SCENE_COSINE),
        "all distances": lambda: compare_all(hashes),
        "all products": lambda: multiply_all(units),
    }
    np.ones((512, 512), np.float32) @ np.ones((512, 512), np.float32)  # the threads are there
    np.add.reduce(units, axis=None)  # the file is in memory
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = read_status("VmHWM")
    started = time.perf_counter()
    found = ways[what]()
    seconds, followers = time.perf_counter() - started, 0
    growth = read_status("VmHWM") - before
    if isinstance(found, np.ndarray):
        assert (found[copies] != copies).all(), "a copy was not found"
        followers = int(np.count_nonzero(found != rows))
    return {"seconds": seconds, "growth": growth, "followers": followers}


def measure_apart(folder: Path, what: str) -> dict[str, float]:
    """The same in a process of its own."""
    return dict(json.loads(run([sys.executable, __file__, "--measure", str(folder), what])))


def compare(place: Path, count: int) -> bool:
    """Measures all libraries of one size; says whether the ratios are within their bounds."""
    plain: dict[str, float] = {}
    good = True
    for library, most in LIBRARIES.items():
        folder = place / f"{library}-{count}"
        make_library(folder, library, count)
        for kind, way in (("picture", "all distances"), ("scene", "all products")):
            if kind not in plain:
                plain[kind] = measure_apart(folder, way)["seconds"]
                print(f"{count:,} photos, {way}: {plain[kind]:.1f} s", flush=True)
            taken = measure_apart(folder, kind)
            growth = taken["growth"]
            print(
                f"{count:,} photos, {library}, {kind}: {taken['seconds']:.1f} s; peak RSS grew by"
                f" {growth / 1e6:,.0f} MB, {growth / count:,.0f} bytes a photo;"
                f" {taken['followers']:,} are like an earlier one"
            )
            ratio, bound = taken["seconds"] / plain[kind], most if kind == "scene" else MOST_PICTURE
            good &= verdict(f"{kind} / {way}, {library}", ratio, bound)
            sys.stdout.flush()
        shutil.rmtree(folder)
    return good


def main() -> int:
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(Path(sys.argv[2]), sys.argv[3])))
        return 0
    counts = [int(text) for text in sys.argv[1:]] or [20_000, 100_000]
    with workplace() as place:
        good = [compare(place, count) for count in counts]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
