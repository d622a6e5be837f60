"""What the benchmarks share: commands run and timed, drawn photos, and the service on this machine."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))  # the double lives with the tests

from azure_double import AzureDouble as AzureDouble
from PIL import Image

KEY = "benchmark-key"
CVSEARCH = (sys.executable, "-m", "cvsearch")


def run(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> bytes:
    """Runs a command, piped and without a terminal; returns its stdout.  Exits when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environ)
    if done.returncode:
        sys.exit(f"{' '.join(argv)} ended with {done.returncode}:\n{done.stderr.decode()}")
    return done.stdout


def seconds_each(commands: Sequence[Sequence[str]], rounds: int, environ: Mapping[str, str]) -> list[float]:
    """Each command's median wall time in seconds; the commands take turns, after a round that warms up."""
    taken: list[list[float]] = [[] for _ in commands]
    for number in range(rounds + 1):
        for times, argv in zip(taken, commands, strict=True):
            started = time.perf_counter()
            run(argv, environ)
            if number:
                times.append(time.perf_counter() - started)
    return [statistics.median(times) for times in taken]


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder for the length of a benchmark."""
    with TemporaryDirectory(prefix="cvsearch-benchmark-") as folder:
        yield Path(folder)


def environment(home: Path, **settings: object) -> dict[str, str]:
    """This process's environment without settings of cvsearch's but those given (``RATE=20``)."""
    ours = ("CVSEARCH_", "VISION_", "XDG_", "AZURE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    own = {f"CVSEARCH_{name}": str(value) for name, value in settings.items()}
    return {**kept, **own, "HOME": str(home)}


def signed_in(home: Path, double: AzureDouble, **settings: object) -> dict[str, str]:
    """The environment that names the service on this machine."""
    return environment(home, ENDPOINT=double.endpoint, KEY=KEY, **settings)


def draw_photos(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """Writes distinct soft JPEGs of a size (width, height), a hundred to a folder."""
    paths = []
    for number in range(count):
        path = folder / f"{number // 100:03}" / f"{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.frombytes("RGB", (8, 6), random.Random(number).randbytes(8 * 6 * 3))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path, quality=88)
        paths.append(path)
    return paths


def verdict(name: str, figure: float, bound: float, *, least: bool = False) -> bool:
    """Prints a figure against its bound (the most, or the least it may be); says whether it holds."""
    good = figure >= bound if least else figure <= bound
    print(f"{name}: {figure:.3f} (at {'least' if least else 'most'} {bound:g}: {'good' if good else 'BAD'})")
    return good
