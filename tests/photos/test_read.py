"""Reading: bytes and their hash, faults as skips, and what bytes are by their content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import draw, encode, make_dng

from cvsearch.model import PhotoFile, Skip
from cvsearch.photos import read
from cvsearch.photos.read import extras, read_photo, sniff
from cvsearch.photos.walk import stat_photo


def find(path: Path) -> PhotoFile:
    file = stat_photo(str(path))
    assert isinstance(file, PhotoFile)
    return file


def reason(found: object) -> tuple[str, bool]:
    assert isinstance(found, Skip)
    assert found.detail
    return found.reason, found.lasting


def test_reads_bytes_and_their_hash(tmp_path: Path) -> None:
    path = tmp_path / "odd\n\udcff.jpg"
    path.write_bytes(b"some bytes")
    assert read_photo(find(path)) == (b"some bytes", hashlib.sha256(b"some bytes").digest())


def test_a_file_that_shrank_since_it_was_found_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"long bytes")
    file = find(path)
    path.write_bytes(b"short")
    found = read_photo(file)
    assert isinstance(found, tuple) and found[0] == b"short"


def test_faults_are_skips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.touch()
    assert reason(read_photo(find(path))) == ("empty-file", True)
    path.write_bytes(b"12345")
    monkeypatch.setattr(read, "MAX_BYTES", 4)
    assert reason(read_photo(find(path))) == ("too-large-file", True)
    monkeypatch.undo()
    file = find(path)
    path.unlink()
    assert reason(read_photo(file)) == ("vanished", False)
    assert reason(read_photo(PhotoFile(f"{path}/b.jpg", 1, 1))) == ("vanished", False)
    path.mkdir()
    assert reason(read_photo(file)) == ("read-error", False)
    path.rmdir()
    os.mkfifo(path)
    assert reason(read_photo(file)) == ("read-error", False)


@pytest.mark.parametrize(
    ("error", "expected"),
    [(PermissionError(13, "no"), "permission"), (OSError(5, "Input/output error"), "read-error")],
)
def test_what_the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, expected: str
) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr(os, "open", refuse)
    assert reason(read_photo(PhotoFile(str(tmp_path), 1, 1))) == (expected, False)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"first")
    file = find(path)
    fstat = os.fstat
    calls: list[int] = []

    def grow_meanwhile(handle: int) -> os.stat_result:
        status = fstat(handle)
        if not calls:
            path.write_bytes(b"grown meanwhile")
        calls.append(handle)
        return status

    monkeypatch.setattr(os, "fstat", grow_meanwhile)
    assert reason(read_photo(file)) == ("read-error", False)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "ICO", "AVIF", "PDF"])
def test_pictures_are_known_by_their_content(file_format: str) -> None:
    assert sniff(encode(draw(), file_format), "wrong.heic") == file_format


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a", "HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "a", "AVIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a", "RAW"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a.jpg", "video"),
        (b"II*\0\x10\0\0\0CR\2\0", "a", "RAW"),
        (b"II*\0\x08\0\0\0", "a.tif", "TIFF"),
        (b"II*\0\x08\0\0\0", "A.NEF", "RAW"),
        (b"\x01\x02\x03\x04\x05\x06", "a.kdc", "RAW"),
        (b"\xff\xd8\xff\xe0", "a.nef", "JPEG"),
        (b"<?xml version='1.0'?>\n<svg>", "a", "SVG"),
        (b"<!DOCTYPE html><html>", "a.jpg", "text"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a.jpg", "text"),
        (b"\xff\x0a\xfa\x7f", "a", "JXL"),
        (b"8BPS\0\1", "a", "PSD"),
        (b"BM, this is no bitmap", "a", "text"),
        (b"\x01\x02\x03\x04\x05\x06", "a.jpg", None),
        (b"", "a.jpg", None),
    ],
)
def test_content_decides_and_the_ending_only_where_it_must(
    data: bytes, name: str, expected: str | None
) -> None:
    assert sniff(data, name) == expected


def test_a_dng_is_a_tiff_but_for_its_ending() -> None:
    data = make_dng(encode(draw(), "JPEG"))
    assert (sniff(data, "a.dng"), sniff(data, "a.tif")) == ("RAW", "TIFF")


@given(st.binary(max_size=300))
def test_no_bytes_are_too_odd_to_sniff(data: bytes) -> None:
    assert sniff(data) is None or isinstance(sniff(data), str)
    assert sniff(b"\0\0\0\xffftyp" + data) in ("video", "HEIC", "AVIF", "RAW")


def test_extras_are_those_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "_EXTRAS", {"heif": "json", "raw": "no_such_module"})
    assert extras() == {"heif"}
