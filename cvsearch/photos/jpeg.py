"""The segments of a JPEG file: what must go before it may leave this machine, without re-encoding."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SOI = b"\xff\xd8"
_EOI = b"\xff\xd9"
_APP0, _APP14, _COM = 0xE0, 0xEE, 0xFE
_START_OF_SCAN = 0xDA
_APPS = range(0xE0, 0xF0)
# Tables, restart interval, and the frames every decoder knows: baseline, extended, progressive.
_PICTURE = frozenset({0xC0, 0xC1, 0xC2, 0xC4, 0xDB, 0xDD})
# Within a scan 0xFF is data before 0x00 and goes on after a restart mark.
_SCAN_END = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]", re.DOTALL)
_JFIF_HEAD = 12
_ADOBE_LENGTH = 12


def strip_jpeg(data: bytes) -> bytes | None:
    """The same picture, bit for bit, with nothing but what a decoder needs; None if it is unusual.

    Gone are EXIF, XMP, IPTC, colour profiles, comments, embedded thumbnails and whatever follows the
    first picture.
    """
    if not data.startswith(_SOI):
        return None
    try:
        return b"".join([_SOI, *_keep_segments(data), _EOI])
    except _UnusualError:
        return None


class _UnusualError(Exception):
    """Something stands where a common JPEG file has nothing."""


def _keep_segments(data: bytes) -> Iterator[bytes]:
    at, scans = len(_SOI), 0
    while True:
        marker, at = _read_marker(data, at)
        if marker == _EOI[1]:
            break
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise _UnusualError
        body = data[at + 2 : at + length]
        at += length
        yield from _keep_segment(marker, body)
        if marker == _START_OF_SCAN:
            end = _SCAN_END.search(data, at)
            if end is None:
                raise _UnusualError
            yield data[at : end.start()]
            at, scans = end.start(), scans + 1
    if not scans:
        raise _UnusualError


def _read_marker(data: bytes, at: int) -> tuple[int, int]:
    start = at
    while data[at : at + 1] == b"\xff":
        at += 1
    if at == start or at >= len(data):
        raise _UnusualError
    return data[at], at + 1


def _keep_segment(marker: int, body: bytes) -> Iterator[bytes]:
    if marker == _APP0 and body.startswith(b"JFIF\x00") and len(body) >= _JFIF_HEAD:
        body = body[:_JFIF_HEAD] + b"\x00\x00"  # no thumbnail
    elif marker == _APP14 and body.startswith(b"Adobe"):
        body = body[:_ADOBE_LENGTH]
    elif marker in _APPS or marker == _COM:
        return
    elif marker not in _PICTURE and marker != _START_OF_SCAN:
        raise _UnusualError
    yield bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body
