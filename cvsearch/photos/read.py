"""Reading photos: a file's bytes with their SHA-256, and what they are by their content."""

from __future__ import annotations

import hashlib
import os
import stat
from importlib.util import find_spec

from cvsearch.model import PhotoFile, Skip
from cvsearch.photos.formats import photo_kind

MAX_BYTES = 2**30

_EXTRAS = {"heif": "pillow_heif", "raw": "rawpy"}

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"\x00\x00\x01\x00", "ICO"),
    (b"FUJIFILMCCD-RAW", "RAW"),
    (b"IIRO", "RAW"),
    (b"IIRS", "RAW"),
    (b"MMOR", "RAW"),
    (b"IIU\x00", "RAW"),
    (b"FOVb", "RAW"),
    (b"\x00MRM", "RAW"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "RAW"),
    (b"%PDF", "PDF"),
    (b"\xff\x0a", "JXL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "PSD"),
    (b"\x1aE\xdf\xa3", "video"),
    (b"\x00\x00\x01\xba", "video"),
    (b"\x00\x00\x01\xb3", "video"),
)
_TIFF_STARTS = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_BRANDS: dict[bytes, str] = {
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs"), "HEIC"),
    b"crx ": "RAW",
}
_BMP_HEADER_SIZES = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def extras() -> frozenset[str]:
    """The optional extras that are installed, of ``heif`` and ``raw``; nothing is imported."""
    return frozenset(extra for extra, module in _EXTRAS.items() if find_spec(module) is not None)


def extras_text() -> str:
    """The installed extras as one word, by which remembered skips go stale."""
    return ",".join(sorted(extras()))


def read_photo(file: PhotoFile) -> tuple[bytes, bytes] | Skip:
    """The file's bytes, read once, and their SHA-256 (32 bytes).

    Lasting skips: ``too-large-file`` (over 1 GiB, unread), ``empty-file``.  Passing skips:
    ``vanished``, ``permission``, ``read-error`` (also when the file changed while it was read).
    """
    try:
        # Not to wait for ever, should a pipe have taken the file's place.
        handle = os.open(file.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        return _make_skip(error)
    try:
        with open(handle, "rb") as opened:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                return Skip("read-error", "it is not a regular file any more", lasting=False)
            if before.st_size > MAX_BYTES:
                detail = f"{before.st_size:,} bytes; the most is {MAX_BYTES:,}"
                return Skip("too-large-file", detail, lasting=True)
            data = opened.read(before.st_size + 1)  # one more than there should be tells that it has grown
            after = os.fstat(handle)
    except OSError as error:
        return _make_skip(error)
    if len(data) != after.st_size or before.st_mtime_ns != after.st_mtime_ns:
        return Skip("read-error", "it changed while it was read; the next run reads it again", lasting=False)
    if not data:
        return Skip("empty-file", "the file has no bytes", lasting=True)
    return data, hashlib.sha256(data).digest()


def sniff(data: bytes, name: str = "") -> str | None:
    """What the bytes are by their content, None if unknown.

    ``JPEG PNG GIF BMP WEBP TIFF ICO AVIF HEIC RAW`` can be photos (a multi-picture file is a
    ``JPEG``); ``SVG PDF JXL PSD video text`` and ``JPEG 2000`` are known to be none cvsearch reads.
    Many RAW files are TIFF files too, or have no mark of their own: there `name`'s ending decides.
    """
    found = _sniff_start(data) or _sniff_box(data) or _sniff_text(data)
    if photo_kind(name) == "raw" and found in (None, "TIFF"):
        return "RAW"
    return found


def _sniff_start(data: bytes) -> str | None:
    for start, kind in _STARTS:
        if data.startswith(start):
            return kind
    if data.startswith(_TIFF_STARTS):
        return "RAW" if data[8:10] == b"CR" else "TIFF"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if data[:4] == b"RIFF":
        return "WEBP" if data[8:12] == b"WEBP" else "video"
    return None


def _sniff_box(data: bytes) -> str | None:
    """The kinds whose file begins with an ISO base media `ftyp` box: its brands tell them apart."""
    if data[4:8] != b"ftyp":
        return "video" if data[4:8] in (b"moov", b"mdat", b"wide") else None
    size = min(max(int.from_bytes(data[:4], "big"), 16), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, size, 4))]
    kinds = [_BRANDS[brand] for brand in brands if brand in _BRANDS]
    if kinds:
        return kinds[0]
    return "HEIC" if b"mif1" in brands or b"msf1" in brands else "video"


def _sniff_text(data: bytes) -> str | None:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<"):
        return "SVG" if b"<svg" in head else "text"
    try:
        head[:-4].decode()
    except UnicodeDecodeError:
        return None
    return "text" if head and not any(byte < 9 for byte in head) else None


def _make_skip(error: OSError | ValueError) -> Skip:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return Skip("vanished", "it is not there any more", lasting=False)
    if isinstance(error, PermissionError):
        return Skip("permission", "you may not read it", lasting=False)
    detail = (isinstance(error, OSError) and error.strerror) or str(error)
    return Skip("read-error", detail, lasting=False)
