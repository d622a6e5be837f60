"""Decoding: every kind of file, the limits, and what is refused with a way out."""

from __future__ import annotations

import io
import struct
import sys
import threading
import types
import warnings
import zlib

import pytest
from pictures import WHITE, draw, draw_noise, encode, is_near, make_dng, make_exif, prepare, refuse, see
from PIL import Image, features

from cvsearch.model import Skip
from cvsearch.photos import decode
from cvsearch.photos.decode import decode_picture, fit

RED = (255, 0, 0)


def shows_red(seen: Image.Image) -> bool:
    width, height = seen.size
    there, here = seen.getpixel((width // 5, height // 5)), seen.getpixel((width * 4 // 5, height * 4 // 5))
    return is_near(there, RED) and is_near(here, WHITE)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "MPO", "AVIF"])
def test_formats(file_format: str) -> None:
    if file_format == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    data = encode(draw(64, 64), file_format)
    assert shows_red(see(data, name="any.name"))
    assert prepare(data).metadata.format == ("JPEG" if file_format == "MPO" else file_format)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_the_first_frame_is_seen(file_format: str) -> None:
    frames = [draw_noise(), draw().transpose(Image.Transpose.ROTATE_180)]
    data = encode(draw(), file_format, save_all=True, append_images=frames)
    assert shows_red(see(data))


def test_heic(monkeypatch: pytest.MonkeyPatch) -> None:
    heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    exif = make_exif({0x112: 6, 0x132: "2020:01:02 03:04:05"}).tobytes()
    heif.from_pillow(draw()).save(file, exif=exif)
    prepared = prepare(file.getvalue())
    assert (prepared.metadata.format, prepared.metadata.taken) == ("HEIC", "2020-01-02T03:04:05")
    assert (prepared.width, prepared.height) == (prepared.metadata.width, prepared.metadata.height)
    assert refuse(file.getvalue()[:-50]).reason == "damaged"
    assert refuse(file.getvalue()[:60]).reason == "damaged"
    monkeypatch.setattr(decode, "MAX_PIXELS", 60 * 40 - 1)
    assert refuse(file.getvalue()).reason == "too-many-pixels"


def test_a_pillow_without_avif_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda _: False)
    skip = refuse(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif")
    assert (skip.reason, skip.lasting) == ("broken-extra", False)


@pytest.mark.parametrize(
    ("orientation", "size"), [(1, (60, 40)), (3, (60, 40)), (6, (40, 60)), (8, (40, 60))]
)
def test_raw_previews_are_turned(orientation: int, size: tuple[int, int]) -> None:
    pytest.importorskip("rawpy")
    prepared = prepare(make_dng(encode(draw(), "JPEG"), orientation), name="a.DNG")
    metadata = prepared.metadata
    assert (prepared.width, prepared.height) == size == (metadata.width, metadata.height)
    assert (metadata.format, metadata.orientation) == ("DNG", orientation)
    assert (metadata.camera, metadata.taken) == ("ACME One", "2021-05-06T07:08:09")


def test_raw_previews_that_are_upright_already() -> None:
    pytest.importorskip("rawpy")
    portrait = encode(draw(40, 60), "JPEG")
    assert shows_red(see(make_dng(portrait, 6), name="a.dng"))
    said = encode(draw(40, 60).transpose(Image.Transpose.ROTATE_90), "JPEG", exif=make_exif({0x112: 6}))
    assert said[2:4] == b"\xff\xe0"
    said = said[:2] + said[20:]  # a camera's preview begins with its EXIF
    assert shows_red(see(make_dng(said), name="a.dng"))


def test_raw_that_is_none() -> None:
    pytest.importorskip("rawpy")
    assert refuse(b"II*\0 this is not", name="a.nef").reason in ("damaged", "unsupported-format")
    data = make_dng(encode(draw(), "JPEG"))
    assert refuse(data[:300], name="a.dng").reason in ("damaged", "no-preview", "unsupported-format")


def test_raw_with_a_bitmap_or_without_a_preview(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    class NoThumbnailError(Exception):
        pass

    class Raw:
        sizes = types.SimpleNamespace(flip=6, width=60, height=40)
        fails = False

        def __enter__(self) -> Raw:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def extract_thumb(self) -> object:
            if self.fails:
                raise NoThumbnailError
            stored = draw(40, 60).transpose(Image.Transpose.ROTATE_90)
            return types.SimpleNamespace(data=np.asarray(stored))

    fake = types.SimpleNamespace(
        imread=lambda _: Raw(),
        LibRawFileUnsupportedError=KeyError,
        LibRawNoThumbnailError=NoThumbnailError,
        LibRawUnsupportedThumbnailError=NoThumbnailError,
    )
    monkeypatch.setitem(sys.modules, "rawpy", fake)
    monkeypatch.setattr(decode, "extras", lambda: frozenset({"raw"}))
    assert shows_red(see(b"FUJIFILMCCD-RAW", name="x"))
    assert prepare(b"FUJIFILMCCD-RAW", name="x").metadata.format == "RAW"
    monkeypatch.setattr(Raw, "fails", True)
    assert refuse(b"FUJIFILMCCD-RAW").reason == "no-preview"


def test_missing_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "extras", frozenset)
    for data, extra in ((b"\0\0\0\x18ftypheic\0\0\0\0mif1", "heif"), (b"FUJIFILMCCD-RAW", "raw")):
        skip = refuse(data)
        assert (skip.reason, skip.lasting) == (f"needs-{extra}", True)
        assert f"pip install 'cvsearch[{extra}]'" in skip.detail


def test_extras_that_do_not_load_are_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "extras", lambda: frozenset({"heif"}))
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    skip = refuse(b"\0\0\0\x18ftypheic\0\0\0\0mif1")
    assert (skip.reason, skip.lasting) == ("broken-extra", False)


@pytest.mark.parametrize(
    ("data", "way_out"),
    [
        (b"<svg/>", "PNG"),
        (b"%PDF-1.7", "JPEG"),
        (b"\xff\x0a", "JPEG"),
        (b"just text", "exclude"),
        (b"\1\2", "JPEG"),
    ],
)
def test_what_is_refused_has_a_way_out(data: bytes, way_out: str) -> None:
    skip = refuse(data)
    assert (skip.reason, skip.lasting) == ("unsupported-format", True)
    assert way_out in skip.detail


def make_png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


@pytest.mark.parametrize("side", [18_000, 30_000, 2**31 - 1])
def test_bombs_are_not_opened(side: int) -> None:
    skip = refuse(make_png_header(side, side))
    assert (skip.reason, skip.lasting) == ("too-many-pixels", True)


def test_a_jpeg_that_is_decoded_smaller_may_be_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_PIXELS", 6000)
    image = draw(120, 80)
    assert prepare(encode(image, "JPEG"), "rgb-50").metadata.width == 120
    for data in (
        encode(image, "JPEG", progressive=True),
        encode(image, "PNG"),
        encode(draw(120, 160), "JPEG"),
    ):
        assert refuse(data, "rgb-50").reason == "too-many-pixels"


@pytest.mark.parametrize(
    "file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "tiff_lzw", "packbits", "jpeg", "AVIF"]
)
def test_truncated_files_are_damaged(file_format: str, capfd: pytest.CaptureFixture[str]) -> None:
    image = draw_noise(200, 150)
    if file_format.islower() or file_format in ("jpeg", "packbits"):
        data = encode(image, "TIFF", compression=file_format)
    else:
        data = encode(image, file_format)
    for part in (0.3, 0.6, 0.9):
        skip = refuse(data[: int(len(data) * part)])
        assert (skip.reason, skip.lasting) == ("damaged", True)
        assert "0x" not in skip.detail
    assert capfd.readouterr() == ("", "")


def test_no_warning_escapes_in_any_thread() -> None:
    corrupt = encode(draw(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0junk")
    results: list[object] = []

    def work() -> None:
        results.extend(decode_picture(corrupt, "x", 100) for _ in range(10))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 40
    assert not any(isinstance(result, Skip) for result in results)


@pytest.mark.parametrize(
    ("size", "edge", "expected"),
    [
        ((10, 20), 30, (10, 20)),
        ((6000, 4000), 1024, (1024, 683)),
        ((9000, 1), 100, (100, 1)),
        ((1, 1), 1, (1, 1)),
    ],
)
def test_fit(size: tuple[int, int], edge: int, expected: tuple[int, int]) -> None:
    assert fit(size, edge) == expected
