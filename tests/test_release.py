"""The built wheel: what is in it, and that it works where nothing else is installed.

Left out of the usual run, for it installs from a package registry: ``pytest -m release``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import cvsearch

pytestmark = pytest.mark.release
PROJECT = Path(__file__).parent.parent
PHOTOS = PROJECT / "docs" / "photos"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(PROJECT)])
    [found] = folder.glob("*.whl")
    return found


def run(command: list[str], environ: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check_it_works(command: list[str], home: Path) -> None:
    """Version, index and query, with nothing set up."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("CVSEARCH_", "VISION_"))}
    environ = {
        **own,
        "CVSEARCH_CONFIG": str(home / "config.toml"),
        "CVSEARCH_INDEX": str(home / "index"),
        "PIPX_HOME": str(home / "pipx"),
        "UV_CACHE_DIR": str(home / "uv"),
        "UV_SYSTEM_CERTS": "1",
    }
    assert run([*command, "--version"], environ) == f"cvsearch {cvsearch.__version__}\n"
    run([*command, "index", str(PHOTOS)], environ)
    found = run([*command, "query", "a cat", "-n", "1"], environ)
    assert found == f"{PHOTOS / 'cat.jpg'}\n"


def test_the_wheel_holds_the_model_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "cvsearch/providers/local/data/network.onnx" in names
    assert {"cvsearch/py.typed", "cvsearch/output/html/gallery.js"} <= {*names}
    tops = {name.split("/")[0] for name in names}
    assert tops == {"cvsearch", f"cvsearch-{cvsearch.__version__}.dist-info"}
    licences = [name for name in names if "/licenses/" in name]
    assert {Path(name).name for name in licences} >= {"LICENSE", "NOTICE", "apache-2.0.txt"}


def test_pip_installs_it(wheel: Path, tmp_path: Path) -> None:
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    run([str(tmp_path / "venv/bin/pip"), "install", "-q", str(wheel)])
    check_it_works([str(tmp_path / "venv/bin/cvsearch")], tmp_path)
    check_it_works([str(tmp_path / "venv/bin/python"), "-m", "cvsearch"], tmp_path)


@pytest.mark.parametrize("tool", ["pipx", "uvx"])
def test_others_run_it(wheel: Path, tmp_path: Path, tool: str) -> None:
    run([sys.executable, "-m", "venv", str(tmp_path / "venv")])
    run([str(tmp_path / "venv/bin/pip"), "install", "-q", "pipx", "uv"])
    tools = tmp_path / "venv/bin"
    if tool == "pipx":
        check_it_works([str(tools / "pipx"), "run", "--spec", str(wheel), "cvsearch"], tmp_path)
    else:
        check_it_works([str(tools / "uvx"), "--from", str(wheel), "cvsearch"], tmp_path)
