"""The terminal behind stdout: asked what pictures it can show, and left as it was found."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import sys
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from cvsearch.output.terminal.images import QUESTION, Canvas, Protocol, find_protocol, is_answered

_SECONDS = 1.0
"""How long an answer may take: over a slow line too, for what comes later ends up in the shell."""

_SAVE, _RESTORE_AND_ERASE = b"\x1b7", b"\x1b8\x1b[K"
"""Around the question: a terminal that prints what it does not understand leaves nothing behind."""


def find_canvas(environ: Mapping[str, str], width: int, height: int, indent: int = 0) -> Canvas:
    """Where pictures of at most `width` × `height` cells are drawn on stdout's terminal.

    At least a line of it stays free, so that what the picture is of is seen with it.
    """
    try:
        answer = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
    except OSError:
        answer = bytes(8)
    rows, columns, x_pixels, y_pixels = struct.unpack("HHHH", answer)
    rows, columns = rows or 24, columns or 80
    cell = x_pixels // columns, y_pixels // rows  # in pixels, where the terminal tells
    room = columns - indent - 1
    return Canvas(
        _find_protocol(environ),
        columns=max(1, min(width, room)),
        rows=max(1, min(height, rows - 2)),
        indent=indent,
        deep=environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"),
        **({"cell": cell} if all(cell) else {}),
    )


def _find_protocol(environ: Mapping[str, str]) -> Protocol:
    # Multiplexers answer for themselves while pictures would go through them; macOS's own terminal
    # prints the question.
    if (
        environ.get("TMUX")
        or environ.get("STY")
        or environ.get("TERM", "").startswith(("tmux", "screen"))
        or environ.get("TERM_PROGRAM") == "Apple_Terminal"
    ):
        return "blocks"
    sys.stdout.flush()
    sys.stderr.flush()
    with suppress(OSError):
        # The very terminal that stdout is, for reading and writing, whatever stdin is.
        handle = os.open(os.ttyname(sys.stdout.fileno()), os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            if _in_foreground(handle):
                with _listening(handle):
                    return find_protocol(_ask(handle))
        finally:
            os.close(handle)
    return "blocks"


def _in_foreground(handle: int) -> bool:
    """From the background a process that asks would be stopped for it."""
    with suppress(OSError):  # it is not the terminal that controls this process: nobody stops anybody
        return os.tcgetpgrp(handle) == os.getpgrp()
    return True


@contextmanager
def _listening(handle: int) -> Iterator[None]:
    """Keys and answers come at once and are not echoed, until the terminal is as it was before."""
    try:
        before = termios.tcgetattr(handle)
        tty.setcbreak(handle, termios.TCSANOW)
    except termios.error as error:
        raise OSError(*error.args) from error
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(handle, termios.TCSANOW, before)


def _ask(handle: int) -> bytes:
    """The answer, as far as it comes in time; nobody is asked over what has been typed ahead."""
    answer = b""
    if select.select([handle], [], [], 0)[0]:
        return answer
    os.write(handle, _SAVE + QUESTION + _RESTORE_AND_ERASE)
    deadline = time.monotonic() + _SECONDS
    while not is_answered(answer):
        if not select.select([handle], [], [], max(0.0, deadline - time.monotonic()))[0]:
            break
        if not (part := os.read(handle, 1024)):
            break
        answer += part
    return answer
