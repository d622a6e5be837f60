"""The README's commands do what it says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent
README = (PROJECT / "README.md").read_text(encoding="utf-8")


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", README, re.DOTALL)


def test_ci_calls_the_test_command() -> None:
    [command] = [block.strip() for block in blocks() if block.strip().endswith(".venv/bin/pytest")]
    assert command in (PROJECT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_the_first_command_finds_the_cat(tmp_path: Path) -> None:
    steps = blocks()[0].strip().split(" && ")
    assert steps[:2] == ["python3 -m venv .venv", ".venv/bin/pip install -q ."]
    shutil.copytree(PROJECT / "docs" / "photos", tmp_path / "docs" / "photos")
    environ = {
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
    }
    outputs = [
        subprocess.run(
            step.replace(".venv/bin/", ""),
            shell=True,
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for step in steps[2:]
    ]
    assert outputs[0] == ""
    assert outputs[1].splitlines()[0] == str(tmp_path / "docs" / "photos" / "cat.jpg")


def test_what_it_links_to_is_there() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (PROJECT / target).exists(), target
