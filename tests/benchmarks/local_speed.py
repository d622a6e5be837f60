"""How fast the local model is: `python tests/benchmarks/local_speed.py [FOLDER] [--jobs N]`.

Prints pictures a second from JPEG files to vectors with N threads (default: the processors), and what a
first text costs in a fresh process: starting Python with numpy, and the model on top.  Without FOLDER
it draws 64 pictures of 1024 × 768.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from local_quality import prepare
from PIL import Image

from cvsearch.providers.local.embedder import LocalEmbedder

_TEXT = "a black cat sleeping on a chair"
_COLD = f"""
import time
import numpy
start = time.perf_counter()
from cvsearch.providers.local.embedder import LocalEmbedder
with LocalEmbedder() as embedder:
    embedder.embed_text({_TEXT!r})
    print(time.perf_counter() - start)
"""


def draw_pictures(folder: str, count: int = 64) -> None:
    """JPEG files of smooth noise, about as large as photos."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = random.integers(0, 255, (48, 64, 3), np.uint8)
        picture = Image.fromarray(coarse).resize((1024, 768), Image.Resampling.BICUBIC)
        picture.save(os.path.join(folder, f"{number}.jpg"), quality=90)


def measure_pictures(folder: str, jobs: int) -> tuple[int, float]:
    """How many pictures, and how many a second; loading the model is not counted."""
    paths = [os.path.join(folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".jpg")]
    with LocalEmbedder() as embedder, ThreadPoolExecutor(jobs) as pool:
        embedder.embed_photo(prepare(paths[0]))
        start = time.perf_counter()
        list(pool.map(lambda path: embedder.embed_photo(prepare(path)), paths))
        return len(paths), len(paths) / (time.perf_counter() - start)


def measure_text(rounds: int = 5) -> tuple[float, float]:
    """The best of some fresh processes: seconds for the whole process, and for the model in it."""
    walls, models = [], []
    for _ in range(rounds):
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", _COLD], check=True, capture_output=True, text=True)
        walls.append(time.perf_counter() - start)
        models.append(float(done.stdout))
    return min(walls), min(models)


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the local model is.")
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--jobs", type=int, default=LocalEmbedder().jobs)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as drawn:
        if options.folder is None:
            draw_pictures(drawn)
        count, rate = measure_pictures(options.folder or drawn, options.jobs)
    print(f"{count} pictures with decoding, {options.jobs} threads: {rate:.1f} a second")
    wall, model = measure_text()
    print(f"first text, cold: {model * 1000:.0f} ms in the model, {wall * 1000:.0f} ms for the whole process")


if __name__ == "__main__":
    main()
