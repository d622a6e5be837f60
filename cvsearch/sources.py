"""The bytes of a picture a user names: a path, an ``http(s)`` address, or ``-`` for standard input."""

from __future__ import annotations

import sys

from cvsearch.errors import CredentialsError, CvsearchError

MOST_BYTES = 20 * 1024 * 1024
_SECONDS = 10.0
_REDIRECTS = 3


def is_address(source: str) -> bool:
    """Whether a source is fetched over the network."""
    return source.lower().startswith(("http://", "https://"))


def read_source(source: str, *, offline: bool) -> bytes:
    """A picture's bytes.  Raises `CvsearchError` (4 for an address under --offline)."""
    if source == "-":
        return sys.stdin.buffer.read()
    if is_address(source):
        if offline:
            raise CredentialsError(
                f"--offline forbids fetching {source}", hint="save the picture and name the file"
            )
        return _fetch(source)
    try:
        with open(source, "rb") as file:
            return file.read()
    except OSError as error:
        raise CvsearchError(
            f"the picture cannot be read: {source}: {error.strerror}", hint="check the name"
        ) from error


def _fetch(address: str) -> bytes:
    import httpx

    try:
        with (
            httpx.Client(follow_redirects=True, max_redirects=_REDIRECTS, timeout=_SECONDS) as client,
            client.stream("GET", address) as reply,
        ):
            if reply.status_code != httpx.codes.OK:
                raise CvsearchError(
                    f"the picture cannot be fetched: {address}: status {reply.status_code}",
                    hint="open the address in a browser, save the picture and name the file",
                )
            return _read_bounded(reply, address)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CvsearchError(
            f"the picture cannot be fetched: {address}: {error or type(error).__name__}",
            hint="open the address in a browser, save the picture and name the file",
        ) from error


def _read_bounded(reply: object, address: str) -> bytes:
    import time

    import httpx

    assert isinstance(reply, httpx.Response)  # noqa: S101 - httpx is imported only when it is needed
    deadline = time.monotonic() + _SECONDS
    data = bytearray()
    for part in reply.iter_bytes():
        data += part
        if len(data) > MOST_BYTES:
            raise CvsearchError(f"the picture is larger than 20 MB: {address}", hint="name a smaller one")
        if time.monotonic() > deadline:
            raise CvsearchError(
                f"the picture took longer than 10 s: {address}", hint="save it and name the file"
            )
    return bytes(data)
