"""The memory `cvsearch index` takes: peak RSS over 1,000 and over 10,000 photos, and their ratio.

The photos are drawn, small and all different; the service is the tests' double, which answers at once
and gets eight calls at a time (more threads take longer to reach the memory they end with).
Also printed: photos/s of both runs, and of a second run over the 10,000 in which nothing changed.

    python tests/benchmarks/memory.py [FEW MANY]      (default: 1000 10000; some minutes)
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from measuring import CVSEARCH, KEY, AzureDouble, draw_photos, run, signed_in, verdict, workplace

SIZE = (320, 240)
MOST = 1.15
# A process between: a child's peak begins with that of the process that started it.
_WATCH = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
code = subprocess.run(sys.argv[1:], stdout=sys.stderr).returncode
seconds = time.perf_counter() - started
print(json.dumps([code, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
sys.exit(code)
"""


def index(folder: Path, double: AzureDouble) -> tuple[float, float]:
    """Indexes a folder; returns the seconds it took and the peak RSS in MB."""
    command = [*CVSEARCH, "index", str(folder), "--yes", "--index", f"{folder}-index"]
    return _measure(command, signed_in(folder.parent, double, RATE=1000, JOBS=8))


def _measure(command: list[str], environ: dict[str, str]) -> tuple[float, float]:
    _, seconds, peak = json.loads(run([sys.executable, "-c", _WATCH, *command], environ))
    return float(seconds), peak / (1e6 if sys.platform == "darwin" else 1e3)


def index_drawn(place: Path, count: int) -> float:
    """Draws and indexes photos twice; returns the peak RSS of the first run in MB."""
    folder = place / f"{count}"
    draw_photos(folder, count, SIZE)
    with AzureDouble(KEY) as double:
        seconds, peak = index(folder, double)
        calls = double.calls()
        again, peak_again = index(folder, double)
        assert double.calls() == calls == count, (calls, double.calls())
    print(f"{count} photos: {peak:.0f} MB, {count / seconds:.0f} photos/s")
    print(f"  again, unchanged: {peak_again:.0f} MB, {count / again:.0f} photos/s ({again:.2f} s)")
    return peak


def main() -> int:
    few, many = (int(text) for text in sys.argv[1:3] or ("1000", "10000"))
    print(f"python alone: {_measure([sys.executable, '-c', 'pass'], dict(os.environ))[1]:.0f} MB")
    with workplace() as place:
        peaks = [index_drawn(place, count) for count in (few, many)]
    return 0 if verdict(f"peak RSS, {many} photos / {few} photos", peaks[1] / peaks[0], MOST) else 1


if __name__ == "__main__":
    sys.exit(main())
