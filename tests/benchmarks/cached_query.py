"""A query that was asked before, over a large index, against a bare script over the same vectors.

Makes an index of clustered vectors × 1024 through cvsearch's own store, and puts the query's vector
into the cache of asked queries.  Then `cvsearch query TEXT` (a new process, piped, files in the page
cache) takes turns with a script that imports numpy, maps the same file, multiplies, sorts and prints
ten rows; the figure is the ratio of their medians.  Needs 0.5 GB of room for 100,000 vectors.

    python tests/benchmarks/cached_query.py [VECTORS ...]      (default: 10000 100000)
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from measuring import CVSEARCH, environment, run, seconds_each, verdict, workplace
from numpy.typing import NDArray

from cvsearch.model import Embedded, Metadata, PhotoFile, Prepared, Space
from cvsearch.store.local.embedding_cache import EmbeddingCache
from cvsearch.store.local.library import open_library, open_writer
from cvsearch.store.local.transactions import Store
from cvsearch.store.local.vectors import VectorFile

ROUNDS = 15
MOST = 1.8
TEXT = "red car"
SPACE = Space("azure", "2023-04-15", "jpeg-1024", 1024)
_BATCH = 2000
_BARE = """
import sys
import numpy
units = numpy.memmap(sys.argv[1], numpy.float32, mode="r").reshape(-1, 1024)
query = numpy.fromfile(sys.argv[2], numpy.float32)
scores = units @ (query / numpy.linalg.norm(query))
for row in numpy.argsort(-scores)[:10]:
    print(f"{scores[row]:.6f} {row}")
"""


def make_vectors(count: int) -> Iterator[NDArray[np.float32]]:
    """Vectors as received (norm about 92) around two hundred centres, in batches."""
    dice = np.random.default_rng(2024)
    centres = dice.standard_normal((200, SPACE.dimension), np.float32)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        near = dice.standard_normal((size, SPACE.dimension), np.float32)
        wide = centres[dice.integers(len(centres), size=size)] + np.float32(0.7) * near
        yield wide * (92 / np.linalg.norm(wide, axis=1, keepdims=True))


def fill(store: Store, space: int, root: str, count: int) -> None:
    """Indexes photos that do not exist, a hundred to a folder."""
    number = 0
    for batch in make_vectors(count):
        store.begin()
        for vector in batch:
            _add(store, space, f"{root}/{number // 100:04}/IMG_{number:06}.jpg", vector)
            number += 1
        store.commit()


def _add(store: Store, space: int, path: str, vector: NDArray[np.float32]) -> None:
    sha256 = hashlib.sha256(path.encode()).digest()
    photo = Prepared(b"", 640, 480, hashlib.sha256(sha256).digest(), bytes(32), Metadata("JPEG", 640, 480))
    store.add_indexed(space, PhotoFile(path, 100_000, 1), sha256, photo, Embedded(vector))


def make_index(home: Path, count: int) -> tuple[str, Path, Path]:
    """An index, its vector file, and a file with the vector of the query, which it holds as asked before."""
    folder = str(home / f"index-{count}")
    query = next(make_vectors(1))[0]
    with open_writer(folder, create=True) as store:
        number = store.begin_run()
        store.begin()
        space = store.catalogue.add_space(SPACE)
        store.commit()
        fill(store, space, str(home / "photos"), count)
        store.begin()
        store.catalogue.connection.execute(
            "UPDATE run SET ended_at = started_at, code = 0 WHERE id = ?", (number,)
        )
        store.commit()
    EmbeddingCache((folder,)).add(SPACE, "text", TEXT.encode(), query)
    path = home / "query.f32"
    query.tofile(path)
    with open_library(folder) as store:
        generation = store.catalogue.generation(space)
    return folder, Path(VectorFile(folder, space, generation, SPACE.dimension).path), path


def compare(home: Path, count: int) -> bool:
    """Measures one size; says whether the ratio is within its bound."""
    folder, vectors, query = make_index(home, count)
    settings = environment(home, INDEX=folder)
    ours = [*CVSEARCH, "query", TEXT]
    bare = [sys.executable, "-c", _BARE, str(vectors), str(query)]
    _check_same(run([*ours, "--format", "csv"], settings), run(bare, settings))
    taken, plain = seconds_each([ours, bare], ROUNDS, settings)
    print(f"{count} vectors: cvsearch query {taken * 1000:.0f} ms, bare script {plain * 1000:.0f} ms")
    return verdict(f"cvsearch query / bare script, {count} vectors", taken / plain, MOST)


def _check_same(ours: bytes, bare: bytes) -> None:
    rows = [line.split()[1] for line in bare.decode().splitlines()]
    found = [name.partition(".")[0].lstrip("0") or "0" for name in ours.decode().split("IMG_")[1:]]
    if found != rows:
        sys.exit(f"the query and the bare script disagree:\n{found}\n{rows}")


def main() -> int:
    counts = [int(text) for text in sys.argv[1:]] or [10_000, 100_000]
    with workplace() as home:
        good = [compare(home, count) for count in counts]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
