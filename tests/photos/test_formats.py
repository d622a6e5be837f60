"""A RAW and the JPEG or HEIC of the same stem beside it are one photo: one call, one row."""

from __future__ import annotations

import csv
import io
import json
import os

import album
import pytest
from hypothesis import given
from hypothesis import strategies as st
from terminal import run_on_terminal

from cvsearch.photos.formats import pair_companions


@pytest.fixture
def index(monkeypatch, tmp_path):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))


@pytest.fixture
def pair(index, tmp_path):
    """A JPEG with a RAW beside it, neither indexed."""
    return [album.write(tmp_path / "photos" / name, album.jpeg(1)) for name in ("a.jpg", "a.nef")]


def rows(cli):
    return [
        (line["path"], line.get("also")) for line in cli.json("query", "-n", "all", "--offline", "red").lines
    ]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["a.jpg", "a.nef"], {"a.jpg": ("a.nef",)}),
        (["IMG_1.NEF", "IMG_1.JPG"], {"IMG_1.JPG": ("IMG_1.NEF",)}),
        (["a.heic", "a.cr3"], {"a.heic": ("a.cr3",)}),
        (["a.heic", "a.dng", "a.jpeg"], {"a.jpeg": ("a.dng",)}),
        (["a.jpg", "a.jpeg", "a.nef"], {"a.jpg": ("a.nef",)}),
        (["a.jpg", "a.dng", "a.nef"], {"a.jpg": ("a.dng", "a.nef")}),
        (["a.png", "a.nef"], {}),
        (["a.jpg", "A.nef"], {}),
        (["a.jpg", "a.b.nef"], {}),
        (["one/a.jpg", "two/a.nef"], {}),
        (["a.nef", "b.nef"], {}),
        (["jpg", "nef", ".nef"], {}),
        ([], {}),
    ],
)
def test_pairs(names, pairs):
    assert pair_companions(names) == pairs


@given(st.lists(st.sampled_from([f"{stem}.{end}" for stem in "ab" for end in ("jpg", "heic", "nef", "png")])))
def test_every_raw_goes_with_one_photo_or_none(names):
    names = list(dict.fromkeys(names))
    pairs = pair_companions(names)
    companions = [raw for raws in pairs.values() for raw in raws]
    assert len(companions) == len(set(companions))
    assert set(companions) | set(pairs) <= set(names)
    assert not set(companions) & set(pairs)


def test_one_call_and_one_row(cli, double, pair, tmp_path):
    jpeg, raw = pair
    album.write(tmp_path / "photos" / "b.nef", album.jpeg(2))
    result = cli.json("index", tmp_path / "photos", "--dry-run")
    assert result.counts() == {"found": 2, "also": 1, "indexed": 2, "calls": 2}
    result = cli.json("index", tmp_path / "photos")
    assert (result.code, double.calls()) == (0, 2)
    assert result.counts() == {"found": 2, "also": 1, "indexed": 2, "calls": 2}
    events = {event["path"]: event.get("also") for event in result.events("indexed")}
    assert events == {jpeg: [raw], str(tmp_path / "photos" / "b.nef"): None}
    assert "(and 1 RAW file beside them)" in result.err
    assert cli("query", "red").code == 0
    assert dict(rows(cli)) == events
    separated = csv.DictReader(io.StringIO(cli("query", "red", "--format", "csv").out.decode()))
    assert {row["path"]: row["also"] for row in separated} == {
        jpeg: os.path.basename(raw),
        str(tmp_path / "photos" / "b.nef"): "",
    }
    again = cli.json("index")
    assert again.counts() == {"found": 2, "also": 1, "unchanged": 2}
    assert again.events("unchanged")[0]["also"] == [raw]
    assert json.loads(cli("query", "red", "--format", "json").out)["searched"] == 2


def test_the_raw_stands_alone_when_the_jpeg_is_gone(cli, double, pair, tmp_path):
    jpeg, raw = pair
    assert cli("index", tmp_path / "photos").code == 0
    os.unlink(jpeg)
    result = cli.json("index")
    assert result.counts() == {"found": 1, "reused": 1, "forgotten": 1}
    assert cli("query", "red").out == os.fsencode(raw) + b"\n"
    album.write(jpeg, album.jpeg(1))
    result = cli.json("index")
    assert result.counts() == {"found": 1, "also": 1, "reused": 1, "forgotten": 1}
    assert cli("query", "red").out == os.fsencode(jpeg) + b"\n"


def test_a_raw_that_comes_or_goes_needs_no_reading(cli, double, pair, tmp_path):
    jpeg, raw = pair
    os.unlink(raw)
    assert cli("index", tmp_path / "photos").code == 0
    album.write(raw, b"anything: it is never read")
    assert cli.json("index").counts() == {"found": 1, "also": 1, "unchanged": 1}
    cli("query", "red")
    assert rows(cli) == [(jpeg, [raw])]
    os.unlink(raw)
    assert cli.json("index").counts() == {"found": 1, "unchanged": 1}
    assert rows(cli) == [(jpeg, None)]
    assert double.calls("vectorizeImage") == 1


def test_an_excluded_raw_is_no_companion(cli, double, pair, tmp_path):
    jpeg, raw = pair
    assert cli.json("index", tmp_path / "photos", "--exclude", "*.nef").counts()["found"] == 1
    cli("query", "red")
    assert rows(cli) == [(jpeg, None)]
    result = cli.json("index", tmp_path / "photos", "--exclude", "*.jpg")
    assert result.counts() == {"found": 1, "reused": 1, "forgotten": 1}
    assert rows(cli) == [(raw, None)]


def test_a_folder_named_like_a_photo_has_no_companion(cli, double, index, tmp_path):
    (tmp_path / "photos" / "a.jpg").mkdir(parents=True)
    raw = album.write(tmp_path / "photos" / "a.nef", album.jpeg(1))
    result = cli.json("index", tmp_path / "photos")
    assert [event["path"] for event in result.events("indexed")] == [raw]


@pytest.mark.parametrize("order", [1, -1])
def test_named_together(cli, double, pair, order):
    jpeg, raw = pair
    result = cli.json("index", *pair[::order])
    assert result.counts() == {"found": 1, "also": 1, "indexed": 1, "calls": 1}
    assert result.events("indexed")[0]["also"] == [raw]
    assert cli.json("index").counts() == {"found": 1, "also": 1, "unchanged": 1}
    assert cli.json("index", jpeg).counts() == {"found": 1, "also": 1, "unchanged": 1}
    assert cli.json("index", raw).counts() == {"found": 1, "also": 1, "unchanged": 1}
    os.unlink(jpeg)
    assert cli.json("index").counts() == {"found": 1, "reused": 1, "forgotten": 1}
    assert cli.json("index").counts() == {"found": 1, "unchanged": 1}


def test_a_raw_named_alone_is_a_photo_until_its_jpeg_is_named(cli, double, pair):
    jpeg, raw = pair
    assert cli.json("index", raw).counts() == {"found": 1, "indexed": 1, "calls": 1}
    assert cli.json("index", jpeg).counts() == {"found": 1, "reused": 1}
    assert cli.json("index").counts() == {"found": 1, "also": 1, "unchanged": 1, "forgotten": 1}
    cli("query", "red")
    assert rows(cli) == [(jpeg, [raw])]


def test_named_beside_its_folder(cli, double, pair, tmp_path):
    result = cli.json("index", tmp_path / "photos", pair[1])
    assert result.counts() == {"found": 1, "also": 1, "indexed": 1, "calls": 1}


def test_names_that_are_not_utf8(cli, double, index, tmp_path):
    jpeg = album.write(tmp_path / "photos" / "b\udce9.jpg", album.jpeg(1))
    raw = album.write(tmp_path / "photos" / "b\udce9.nef", album.jpeg(1))
    event = cli.json("index", tmp_path / "photos").events("indexed")[0]
    assert (event["path"], event["also"]) == (jpeg, [raw])
    assert "path_base64" in event
    assert "also_base64" in event


def test_show_names_both(cli, double, pair, tmp_path):
    jpeg, raw = pair
    assert cli("index", tmp_path / "photos").code == 0
    for path in pair:
        told = cli.json("show", path).lines[0]
        assert (told["path"], told["also"]) == (jpeg, [raw])
        assert f"one photo with\t{raw}\n" in cli("show", path).out.decode()


def test_a_table_names_both(cli, double, pair, tmp_path):
    assert cli("index", tmp_path / "photos").code == 0
    result = run_on_terminal("query", "red", environ={"NO_COLOR": "1"}, columns=200)
    assert b"+ a.nef" in result.out
    assert cli("query", "red").out == os.fsencode(pair[0]) + b"\n"


def test_a_moved_folder_takes_companions_along(cli, double, pair, tmp_path):
    assert cli("index", tmp_path / "photos").code == 0
    os.rename(tmp_path / "photos", tmp_path / "new")
    assert cli("move", tmp_path / "photos", tmp_path / "new").code == 0
    cli("query", "red")
    assert rows(cli) == [(str(tmp_path / "new" / "a.jpg"), [str(tmp_path / "new" / "a.nef")])]


def test_many_rows(cli, double, index, tmp_path, monkeypatch):
    monkeypatch.setattr("cvsearch.store.local.library.CHUNK", 2)
    for number in range(4):
        album.write(tmp_path / "photos" / f"{number}.jpg", album.jpeg(number))
        album.write(tmp_path / "photos" / f"{number}.nef", b"raw")
    assert cli("index", tmp_path / "photos").code == 0
    cli("query", "red")
    assert sorted(rows(cli)) == [
        (str(tmp_path / "photos" / f"{n}.jpg"), [str(tmp_path / "photos" / f"{n}.nef")]) for n in range(4)
    ]


def test_a_raw_stands_for_its_photo_wherever_photos_are_named(cli, double, pair, tmp_path):
    jpeg, raw = pair
    twin = album.write(tmp_path / "photos" / "b.jpg", album.jpeg(1))
    assert cli("index", tmp_path / "photos").code == 0
    listed = album.write(tmp_path / "list", os.fsencode(raw))
    for where in (["--under", raw], ["--files-from", listed]):
        found = cli.json("query", "red", *where)
        assert [line["path"] for line in found.lines] == [jpeg]
        exported = cli("export", "-", *where)
        assert (exported.code, [line["path"] for line in exported.lines]) == (0, [jpeg])
        assert cli("query", "red", "--min-score", "0.99", "--expect", "none", *where).code == 0
    assert {line["path"] for line in cli("duplicates", raw).lines} == {jpeg, twin}
    assert cli("duplicates", "--expect", "none", "--files-from", listed).code == 0


def test_companions_of_a_long_list(cli, double, pair, tmp_path):
    jpeg, raw = pair
    assert cli("index", tmp_path / "photos").code == 0
    names = [raw, *(str(tmp_path / f"{number}.nef") for number in range(600))]
    listed = album.write(tmp_path / "list", os.fsencode("\n".join(names)))
    assert [line["path"] for line in cli.json("query", "red", "--files-from", listed).lines] == [jpeg]
