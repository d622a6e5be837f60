"""How fast `cvsearch index` gets photos through a service, against what the service allows.

The service is the tests' double, in this process; cvsearch runs as its users run it.  Four runs:

* 20 calls/s allowed, answers after 250 ms, CVSEARCH_RATE=20: calls/s after the first two seconds as a
  share of 20, and the share of calls that were refused;
* nothing refused, answers after 50 ms, the rate left to cvsearch, and with CVSEARCH_RATE=1000: photos/s
  from start to end, bytes sent against the files' own, and how many times faster that is than a plain
  loop that sends one file after another (whole files, one httpx client);
* 20 calls/s allowed and the rate left to cvsearch, over a minute's worth of small photos: which rate it
  finds, and the share of calls that were refused.

The double reads every picture it gets, so on few cores it is the double that limits the second part.

    python tests/benchmarks/throughput.py [FOLDER]      (215 of its JPEGs; default: drawn photos)
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from measuring import CVSEARCH, KEY, AzureDouble, draw_photos, run, signed_in, verdict, workplace

PHOTOS, DRAWN_SIZE = 215, (1600, 1200)
SMALL_PHOTOS, SMALL_SIZE = 1000, (320, 240)
RATE, SETTLING, LATENCY = 20, 2.0, 0.25
SHORT_LATENCY = 0.05
LEAST_SHARE, MOST_REFUSED = 0.95, 0.02
_PLAIN = """
import os, sys
import httpx
with httpx.Client(headers={"Ocp-Apim-Subscription-Key": os.environ["CVSEARCH_KEY"]}) as client:
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()
        reply = client.post(
            os.environ["CVSEARCH_ENDPOINT"] + "/computervision/retrieval:vectorizeImage",
            params={"api-version": "2024-02-01", "model-version": "2023-04-15"},
            headers={"Content-Type": "application/octet-stream"},
            content=data,
        )
        reply.raise_for_status()
        assert len(reply.json()["vector"]) == 1024
"""


def collect_photos(folder: Path) -> list[Path]:
    """The photos of this benchmark in a folder of their own."""
    if len(sys.argv) < 2:
        return draw_photos(folder, PHOTOS, DRAWN_SIZE)
    folder.mkdir()
    found = sorted(path for path in Path(sys.argv[1]).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    return [Path(shutil.copy(path, folder / f"{n:03}.jpg")) for n, path in enumerate(found[:PHOTOS])]


def index(folder: Path, environ: Mapping[str, str]) -> float:
    """Indexes a folder into a new index beside it; returns the seconds that took."""
    shutil.rmtree(folder.parent / "index", ignore_errors=True)
    started = time.perf_counter()
    run([*CVSEARCH, "index", str(folder), "--yes", "--index", str(folder.parent / "index")], environ)
    return time.perf_counter() - started


def rate_after(double: AzureDouble, seconds: float, upto: float = 1e9) -> float:
    """Good calls a second from `seconds` after the first call until the last, or `upto` seconds."""
    start = double.requests[0].time
    good = [call.time - start for call in double.requests if call.status == 200]
    end = min(max(good), upto)
    return sum(seconds < moment <= end for moment in good) / (end - seconds)


def refused_share(double: AzureDouble) -> float:
    """The part of the calls that was answered 429."""
    return sum(call.status == 429 for call in double.requests) / len(double.requests)


def measure_limited(folder: Path) -> bool:
    """With a rate that the user named."""
    with AzureDouble(KEY, rate=RATE, latency=LATENCY) as double:
        index(folder, signed_in(folder.parent, double, RATE=RATE))
    print(f"\n{RATE} calls/s allowed, CVSEARCH_RATE={RATE}: {len(double.requests)} calls")
    share = rate_after(double, SETTLING) / RATE
    fast = verdict(f"calls/s after {SETTLING:g} s / {RATE}", share, LEAST_SHARE, least=True)
    return verdict("share refused (429)", refused_share(double), MOST_REFUSED) and fast


def measure_free(folder: Path, photos: list[Path]) -> None:
    """With a service that takes all it gets."""
    with AzureDouble(KEY, latency=SHORT_LATENCY, strict_photos=False) as double:
        settings = signed_in(folder.parent, double)
        started = time.perf_counter()
        run([sys.executable, "-c", _PLAIN, *map(str, photos)], settings)
        plain = time.perf_counter() - started
    print(f"\nnothing refused, plain loop: {len(photos) / plain:.1f} photos/s")
    for rate in ({}, {"RATE": 1000}):
        with AzureDouble(KEY, latency=SHORT_LATENCY) as double:
            taken = index(folder, signed_in(folder.parent, double, **rate))
        sent, whole = sum(call.size for call in double.requests), sum(path.stat().st_size for path in photos)
        print(
            f"nothing refused, {'CVSEARCH_RATE=1000' if rate else 'no rate named'}:"
            f" {len(photos) / taken:.1f} photos/s, {plain / taken:.2f} times the plain loop;"
            f" sent {sent / 1e6:.1f} MB of {whole / 1e6:.1f} MB ({sent / whole:.0%})"
        )


def measure_search(folder: Path) -> None:
    """With a rate that cvsearch has to find."""
    draw_photos(folder, SMALL_PHOTOS, SMALL_SIZE)
    with AzureDouble(KEY, rate=RATE, latency=LATENCY) as double:
        taken = index(folder, signed_in(folder.parent, double))
    print(f"\n{RATE} calls/s allowed, no rate named: {SMALL_PHOTOS} photos in {taken:.0f} s")
    for start, end in ((2, 10), (10, 30), (30, 1e9)):
        until = f"{end} s" if end < 1e9 else "the end"
        print(f"  from {start} s to {until}: {rate_after(double, start, end):.2f} good calls/s")
    print(f"  refused (429): {refused_share(double):.1%} of {len(double.requests)} calls")


def main() -> int:
    with workplace() as place:
        photos = collect_photos(place / "photos")
        good = measure_limited(place / "photos")
        measure_free(place / "photos", photos)
        measure_search(place / "small")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
