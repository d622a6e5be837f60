"""What a user waits for before cvsearch does anything: `cvsearch --help`, against `import typer` alone.

Both run in new processes of the same interpreter, taking turns; the figure is the ratio of their
medians.  It also says whether the help loads a package that only some commands need.

    python tests/benchmarks/startup.py
"""

from __future__ import annotations

import sys

from measuring import CVSEARCH, environment, run, seconds_each, verdict, workplace

ROUNDS = 25
MOST = 2.5
HEAVY = ("httpx", "numpy", "PIL", "onnxruntime")
_LIST_MODULES = (
    "import sys; from cvsearch.cli.app import main; main(['--help']);"
    " sys.stdout.write('\\n' + ' '.join(sys.modules))"
)


def find_heavy() -> list[str]:
    """The heavy packages that are loaded once `cvsearch --help` is through."""
    loaded = run([sys.executable, "-c", _LIST_MODULES]).decode().splitlines()[-1].split()
    return [name for name in HEAVY if name in loaded]


def main() -> int:
    with workplace() as home:
        commands = [
            [sys.executable, "-c", "pass"],
            [sys.executable, "-c", "import typer"],
            [*CVSEARCH, "--help"],
        ]
        bare, typer, help_ = seconds_each(commands, ROUNDS, environment(home))
    print(f"python -c pass: {bare * 1000:.0f} ms")
    print(f"python -c 'import typer': {typer * 1000:.0f} ms")
    print(f"cvsearch --help: {help_ * 1000:.0f} ms")
    heavy = find_heavy()
    print(f"loaded by --help of {', '.join(HEAVY)}: {', '.join(heavy) or 'none'}")
    good = verdict("cvsearch --help / import typer", help_ / typer, MOST)
    return 0 if good and not heavy else 1


if __name__ == "__main__":
    sys.exit(main())
