"""The bytes of a picture a user names: a path, an ``http(s)`` address, or ``-`` for standard input."""

from __future__ import annotations

import os
import stat
import sys
import threading
import time
from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import BinaryIO

from cvsearch.errors import CredentialsError, CvsearchError
from cvsearch.paths import is_address

MOST_BYTES = 20 * 1024 * 1024
MOST_FILE_BYTES = 2**30
_PORTION = 2**20
_SECONDS = 10.0
_REDIRECTS = 3


def read_source(source: str, *, offline: bool) -> bytes:
    """A picture's bytes.  Raises `CvsearchError` (4 for an address under --offline)."""
    if source == "-":
        return _read_all(sys.stdin.buffer, "standard input")
    if is_address(source):
        if offline:
            raise CredentialsError(
                f"--offline forbids fetching {source}", hint="save the picture and name the file"
            )
        return _fetch(source)
    try:
        # Not to wait for ever for whoever writes into a pipe.
        handle = os.open(source, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            kind = os.fstat(handle).st_mode
            if not stat.S_ISREG(kind):
                what = "is a directory" if stat.S_ISDIR(kind) else "is not a regular file"
                raise CvsearchError(
                    f"the picture cannot be read: {source}: it {what}",
                    hint="name a file, or - for bytes on standard input",
                )
            return _read_all(file, source)
    except OSError as error:
        raise CvsearchError(
            f"the picture cannot be read: {source}: {error.strerror}", hint="check the name"
        ) from error


def _read_all(file: BinaryIO, source: str) -> bytes:
    data = bytearray()
    while part := file.read(_PORTION):
        data += part
        if len(data) > MOST_FILE_BYTES:
            raise CvsearchError(f"the picture is larger than 1 GiB: {source}", hint="name a smaller one")
    return bytes(data)


def _fetch(address: str) -> bytes:
    """The bytes behind an address.  No server can make it last longer, whatever it drips."""
    done: SimpleQueue[bytes | Exception] = SimpleQueue()

    def work() -> None:
        try:
            done.put(_download(address))
        except Exception as error:  # noqa: BLE001 - carried to the caller's thread
            done.put(error)

    threading.Thread(target=work, name="fetch", daemon=True).start()
    try:
        result = done.get(timeout=_SECONDS)
    except Empty:
        raise _too_slow(address) from None
    if isinstance(result, Exception):
        raise result
    return result


def _too_slow(address: str) -> CvsearchError:
    return CvsearchError(
        f"the picture cannot be fetched: {address}: it took longer than {_SECONDS:.0f} s",
        hint="save it and name the file",
    )


def _download(address: str) -> bytes:
    import httpx

    try:
        with (
            httpx.Client(follow_redirects=True, max_redirects=_REDIRECTS, timeout=2 * _SECONDS) as client,
            client.stream("GET", address) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise CvsearchError(
                    f"the picture cannot be fetched: {address}: status {reply.status_code}",
                    hint="open the address in a browser, save the picture and name the file",
                )
            return _read_bounded(reply.iter_bytes(), address)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CvsearchError(
            f"the picture cannot be fetched: {address}: {error or type(error).__name__}",
            hint="open the address in a browser, save the picture and name the file",
        ) from error


def _read_bounded(parts: Iterable[bytes], address: str) -> bytes:
    deadline = time.monotonic() + _SECONDS  # by then nobody waits any more
    data = bytearray()
    for part in parts:
        data += part
        if len(data) > MOST_BYTES:
            raise CvsearchError(f"the picture is larger than 20 MB: {address}", hint="name a smaller one")
        if time.monotonic() > deadline:
            raise _too_slow(address)
    return bytes(data)
