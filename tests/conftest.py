"""Fixtures that many tests share.

`home` isolates the environment; `cli` runs `main(argv)` in this process; `double` is the service on
this machine, with the settings that name it; `hurry` makes waits for the service short; `photos` is a
folder of six small distinct photos.  The functions behind them are in `album` (pictures on disk) and
`running` (the command line).
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import album
import pytest
from azure_double import AzureDouble
from running import Cli

from cvsearch.providers.http.scheduler import Timing

KEY = "0123456789abcdef-secret-key"
SPEED = 50.0

for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    # A shell ignores them for what it runs in the background or under nohup, and children inherit that.
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, also the working folder, and no settings but those a test makes."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in list(os.environ):
        if name.startswith(("CVSEARCH_", "VISION_", "XDG_", "AZURE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "PWD", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Runs cvsearch in this process: ``cli("index", folder)`` gives code, out (bytes) and err (text)."""
    return Cli(monkeypatch)


@pytest.fixture
def double(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AzureDouble]:
    """The service, with the environment that names it; every photo it was sent must have been prepared."""
    with AzureDouble(key=KEY, keep_bodies=True) as server:
        monkeypatch.setenv("CVSEARCH_ENDPOINT", server.endpoint)
        monkeypatch.setenv("CVSEARCH_KEY", KEY)
        monkeypatch.setenv("CVSEARCH_RATE", "1000")
        monkeypatch.setenv("CVSEARCH_JOBS", "4")
        yield server
    assert server.violations == []


@pytest.fixture
def hurry(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """The embedder's clock runs so many times as fast: retries and cool-offs take no time to speak of."""
    speed = getattr(request, "param", SPEED)

    def wait(bell: threading.Condition, seconds: float | None) -> bool:
        return bell.wait(None if seconds is None else seconds / speed)

    hasty = Timing(clock=lambda: time.monotonic() * speed, wait=wait)
    monkeypatch.setattr("cvsearch.providers.azure.embedder.Timing", lambda: hasty)
    return speed


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with six distinct photos, ``000.jpg`` to ``005.jpg``."""
    folder = tmp_path / "photos"
    album.fill(folder, 6)
    return folder


@pytest.fixture(scope="session")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with six `photos` and, beside them, their `index`; made once, to be copied."""
    folder = tmp_path_factory.mktemp("indexed")
    album.fill(folder / "photos", 6)
    with pytest.MonkeyPatch.context() as patch, AzureDouble(key=KEY) as server:
        patch.setenv("CVSEARCH_CONFIG", str(folder / "no config"))
        patch.setenv("CVSEARCH_ENDPOINT", server.endpoint)
        patch.setenv("CVSEARCH_KEY", KEY)
        result = Cli(patch)("index", folder / "photos", "--index", folder / "index")
        assert result.code == 0, result.err
    return folder


@pytest.fixture
def library(
    cli: Cli, double: AzureDouble, tmp_path: Path, indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """The paths of six photos like `photos`, already indexed; CVSEARCH_INDEX names the index."""
    for name in ("photos", "index"):
        shutil.copytree(indexed / name, tmp_path / name, dirs_exist_ok=True)
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    return sorted(str(path) for path in (tmp_path / "photos").iterdir())


@pytest.fixture
def count(double: AzureDouble) -> Callable[[], int]:
    """Calls for pictures since the last look."""
    seen = 0

    def count() -> int:
        nonlocal seen
        before, seen = seen, double.calls("vectorizeImage")
        return seen - before

    return count
