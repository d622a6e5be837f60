"""Following a page: its lines pasted into one bash, in a clone, with stand-ins for what is around."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KEY = "0123456789abcdef-secret-key"
LOG = "calls"
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
ACTIVATE = 'PATH="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd):$PATH"\n'


@dataclass(frozen=True)
class Step:
    """A line of a block and what became of it; `calls` are those that Azure got."""

    line: str
    code: int
    out: str
    err: str
    calls: int


def follow(lines: Sequence[str], home: Path, typed: str = "") -> list[Step]:
    """Pastes the lines into one bash, in the clone, off a terminal; nothing of the tester's is around."""
    notes = home.parent / "notes"
    notes.mkdir()
    script = [
        f"{{ {line}\n}} >'{notes}/{number}.out' 2>'{notes}/{number}.err'\n"
        f"echo $? $(cat '{home.parent / LOG}' | wc -l) >'{notes}/{number}.end'\n"
        for number, line in enumerate(lines)
    ]
    environ = {
        "HOME": str(home),
        "PATH": f"{home / 'tools'}:{os.defpath}",
        "PYTHONPATH": str(home / "packages"),
        "LANG": "C.UTF-8",
    }
    subprocess.run(
        ["bash", "-c", "".join(script)], cwd=home / "clone", env=environ, input=typed.encode(), check=True
    )
    steps, calls = [], 0
    for number, line in enumerate(lines):
        out, err, end = ((notes / f"{number}.{what}").read_text() for what in ("out", "err", "end"))
        code, total = map(int, end.split())
        steps.append(Step(line, code, out, err, total - calls))
        calls = total
    return steps
