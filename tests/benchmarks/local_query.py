"""What a new text costs with the built-in model: `python tests/benchmarks/local_query.py`.

Fills an index with 10,000 clustered vectors of the built-in model's space and measures the whole command,
``cvsearch query TEXT`` in a fresh process, with texts that were never asked.  The floor beside it is the
same Python importing numpy.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from cached_query import fill
from measuring import environment, run, seconds_each, verdict, workplace

from cvsearch.model import WalkOptions
from cvsearch.providers.local import SPACE
from cvsearch.store.local.library import open_writer

COUNT = 10_000
MOST_SECONDS = 0.5
TEXTS = ("a red car", "a dog on a beach", "two people at a table", "snow on mountains", "an old clock")


def make_index(home: Path) -> Path:
    folder = home / "index"
    with open_writer(str(folder), create=True) as store:
        store.begin()
        space = store.catalogue.add_space(SPACE)
        store.roots.add("folder", str(home / "photos"), WalkOptions())
        fill(store, space, str(home / "photos"), COUNT)
        store.commit()
    return folder


def main() -> int:
    with workplace() as home:
        folder, environ = make_index(home), environment(home)
        taken = []
        for text in TEXTS:
            started = time.perf_counter()
            run([sys.executable, "-m", "cvsearch", "--index", str(folder), "query", text], environ)
            taken.append(time.perf_counter() - started)
        [floor] = seconds_each([[sys.executable, "-c", "import numpy"]], 5, environ)
    median = statistics.median(taken)
    print(f"a new text over {COUNT} photos: {median:.3f} s, {median / floor:.1f} times importing numpy")
    return 0 if verdict("seconds for a new text", median, MOST_SECONDS) else 1


if __name__ == "__main__":
    sys.exit(main())
