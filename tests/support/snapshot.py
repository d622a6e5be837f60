"""One text file per output, compared exactly; `UPDATE_SNAPSHOTS=1` writes them anew."""

import os

from places import TESTS

FOLDER = TESTS / "snapshots"


def check(name: str, output: bytes) -> None:
    """Compares what was written with the snapshot of that name."""
    file = FOLDER / name
    if os.environ.get("UPDATE_SNAPSHOTS") == "1":
        file.write_bytes(output)
    assert output.decode() == file.read_bytes().decode()
