"""Files that a command was told to write: whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO

from cvsearch.errors import CvsearchError

_BEGINNING = 256


def check_target(path: str, what: str, beginning: bytes) -> None:
    """Before work is done for it.  Raises `CvsearchError` where no file can be written.

    Nor is a file that is there and not `what` it should be: then it has another `beginning`, apart from
    white space before it and from capitals.
    """
    if os.path.isdir(path):
        raise CvsearchError(f"this is a folder, not a file: {path}", hint="name a file in it")
    if not os.path.isdir(folder := os.path.dirname(os.path.realpath(path))):
        raise CvsearchError(f"there is no such folder: {folder}", hint="make it first: mkdir -p")
    if os.path.isfile(path) and not _begins_with(path, beginning.lower()):
        raise CvsearchError(
            f"this file is not {what} and would be overwritten: {path}",
            hint="name another file, or remove this one first",
        )


def _begins_with(path: str, beginning: bytes) -> bool:
    """Whether the file does, or is empty."""
    with open(path, "rb") as file:
        first = file.read(_BEGINNING)
    return not first or first.lstrip().lower().startswith(beginning)


def write_file(path: str, chunks: Iterable[bytes]) -> None:
    """Writes a file as `open_file` does."""
    with open_file(path) as file:
        file.writelines(chunks)


@contextmanager
def open_file(path: str) -> Iterator[IO[bytes]]:
    """Puts a new file in the place of what is there, behind any symbolic link, with the same permissions.

    A pipe or a device is written to as it is.
    """
    target = os.path.realpath(path)
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = None
    if mode is not None and not stat.S_ISREG(mode):
        with open(path, "wb") as file:
            yield file
        return
    temporary = f"{os.path.dirname(target)}/.cvsearch-{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, target)
    except BaseException as error:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        if isinstance(error, OSError) and error.filename == temporary:
            error.filename = path  # the temporary name says nothing to anybody
        raise
