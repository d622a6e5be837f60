"""Running cvsearch on a terminal: stdout, stderr and stdin, each or all, are pseudo-terminals."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import selectors
import signal
import struct
import subprocess
import termios
import time
import tty
from collections.abc import Callable, Mapping
from functools import partial

from running import COMMAND, MOST_SECONDS, Result


def run_on_terminal(
    *argv: str | os.PathLike[str],
    out: bool = True,
    err: bool = True,
    stdin: bytes | None = None,
    interrupt: bool = False,
    columns: int = 100,
    environ: Mapping[str, str] | None = None,
) -> Result:
    """Runs the command to its end.  What is not `out` or `err` is a pipe; `stdin` is typed when
    a question is asked (None: stdin is no terminal); `interrupt` sends Ctrl-C instead.
    """
    pairs = [_open(columns) if wanted else os.pipe() for wanted in (out, err)]
    typed = _open(columns) if stdin is not None else None
    with subprocess.Popen(
        [*COMMAND, *map(os.fspath, argv)],
        env={**os.environ, **(environ or {})},
        stdin=typed[1] if typed else subprocess.DEVNULL,
        stdout=pairs[0][1],
        stderr=pairs[1][1],
        start_new_session=True,  # or it would find the terminal that runs the tests
    ) as process:
        for _, inner in [*pairs, *([typed] if typed else [])]:
            os.close(inner)
        try:
            reply = partial(os.write, typed[0], stdin) if typed and stdin else None
            if interrupt:
                reply = partial(_interrupt, process)
            written = _read_all([outer for outer, _ in pairs], reply)
            code = process.wait(MOST_SECONDS)
        finally:
            process.kill()
            for outer, _ in [*pairs, *([typed] if typed else [])]:
                os.close(outer)
    return Result(code, written[0], written[1].decode())


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    time.sleep(0.3)  # a person is never as fast as the step from the question to the wait for its answer
    process.send_signal(signal.SIGINT)


def _open(columns: int) -> tuple[int, int]:
    outer, inner = pty.openpty()
    tty.setraw(inner)
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    return outer, inner


def _read_all(handles: list[int], reply: Callable[[], object] | None) -> list[bytes]:
    """All that is written; the reply is given when something was asked."""
    data = {handle: bytearray() for handle in handles}
    deadline = time.monotonic() + MOST_SECONDS
    with selectors.DefaultSelector() as selector:
        for handle in handles:
            selector.register(handle, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < deadline, "it never ended"
            for key, _ in selector.select(1):
                part = _read(key.fd)
                data[key.fd] += part
                if reply is not None and part.rstrip().endswith((b":", b"[y/N]")):
                    reply()
                    reply = None
                if not part:
                    selector.unregister(key.fd)
    return [bytes(data[handle]) for handle in handles]


def _read(handle: int) -> bytes:
    try:
        return os.read(handle, 65536)
    except OSError as error:
        # So a pseudo-terminal says that nobody can write to it any more.
        if error.errno == errno.EIO:
            return b""
        raise
