"""Comparing pictures: the matrix and its forms, what it costs and how it ends."""

import base64
import csv
import io
import json
import os
import re

import album
import numpy as np
import pytest
import snapshot
import truth
from hypothesis import given
from hypothesis import strategies as st
from reports import make_view
from rich.cells import cell_len
from terminal import run_on_terminal

from cvsearch.output.shaded import draw_matrix
from cvsearch.output.table import cut_path
from cvsearch.ranking.cosine import cosine_matrix

ORDINARY = [f"PXL_20240510_12345678{number}.MP.jpg" for number in range(6)]
LONG = [
    *ORDINARY,
    *(f"Screenshots/Screenshot 2024-05-1{number} at 12.00.00.png" for number in range(3)),
    "日本の写真" * 12 + ".jpg",
    "\x1b[31m\n\udcff" * 20 + ".jpg",
    "a folder with a long name/" * 5 + "short.jpg",
    "x" * 250 + "end.jpg",
    "❤️" * 40,
]


def read_csv(data):
    """The names of the columns and rows, and the scores."""
    rows = list(csv.reader(io.StringIO(data.decode("utf-8", "surrogateescape"), newline="")))
    assert rows[0][0] == "image"
    return (
        rows[0][1:],
        [row[0] for row in rows[1:]],
        np.array([[float(cell) for cell in row[1:]] for row in rows[1:]]),
    )


def expected(paths):
    units = [truth.picture(path) / np.linalg.norm(truth.picture(path)) for path in paths]
    return np.array(units) @ np.array(units).T


def test_the_matrix_is_that_of_plain_cosines(cli, double, photos):
    paths = [str(photos / name) for name in ("003.jpg", "000.jpg", "005.jpg", "003.jpg")]
    result = cli("compare", *paths)
    assert (result.code, result.err) == (0, "")
    columns, rows, scores = read_csv(result.out)
    assert columns == rows == paths
    assert np.array_equal(scores, scores.T)
    assert np.all(np.diag(scores) == 1)
    assert scores[0, 3] == 1
    assert np.allclose(scores, expected(paths), atol=truth.NEAR)
    assert double.calls() == 3


def test_images_are_named_as_given(cli, double, photos):
    os.chdir(photos)
    names = ["000.jpg", "./001.jpg", f"../photos/{'002.jpg'}"]
    assert read_csv(cli("compare", *names).out)[:2] == (names, names)


def test_pairs_as_jsonl(cli, double, photos):
    paths = [str(photos / f"{number:03}.jpg") for number in range(4)]
    scores = expected(paths)
    for argv in (["--json"], ["--format", "jsonl"]):
        lines = cli("compare", *paths, *argv).lines
        pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]
        assert [(line["a"], line["b"]) for line in lines] == [(paths[a], paths[b]) for a, b in pairs]
        assert np.allclose(
            [line["score"] for line in lines], [scores[pair] for pair in pairs], atol=truth.NEAR
        )


def test_asking_again_and_indexed_photos_cost_nothing(cli, library, double, home, tmp_path):
    before = double.calls()
    stranger = album.write(tmp_path / "stranger.jpg", album.jpeg(99))
    first = cli("compare", *library, stranger)
    assert double.calls() == before + 1
    assert cli("compare", *library, stranger, "--offline").out == first.out
    assert double.calls() == before + 1
    assert json.loads(cli("status", "--json").out)["photos"] == 6


def test_a_page_never_takes_the_place_of_a_photo(cli, double, photos):
    paths = sorted(str(path) for path in photos.iterdir())
    before = album.jpeg(0)
    result = cli("compare", "--html", *paths)
    assert (result.code, result.out, double.calls()) == (2, b"", 0)
    assert f"this file is not an HTML page and would be overwritten: {paths[0]}" in result.err
    assert (photos / "000.jpg").read_bytes() == before


def test_bytes_on_standard_input(cli, double, photos):
    result = cli("compare", "-", photos / "000.jpg", stdin=album.jpeg(0))
    assert read_csv(result.out)[2].tolist() == [[1, 1], [1, 1]]


def test_bad_pictures_are_left_out(cli, double, photos):
    broken = album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    good = [str(photos / "000.jpg"), str(photos / "001.jpg")]
    result = cli("compare", good[0], broken, good[1])
    assert result.code == 3
    assert f"skipped {broken}: damaged" in result.err
    assert read_csv(result.out)[0] == good
    alone = cli("compare", good[0], broken)
    assert (alone.code, alone.out) == (3, b"")
    assert "fewer than two pictures" in alone.err


@pytest.mark.parametrize(
    ("argv", "code", "message"),
    [
        (["000.jpg"], 2, "one picture has nothing to be compared with"),
        ([], 2, "Missing argument"),
        (["000.jpg", "nowhere.jpg"], 2, "there is no such file"),
        (["000.jpg", "."], 2, "this is a folder"),
        (["-", "-"], 2, "standard input can be used once"),
        (["000.jpg", "001.jpg", "--json", "--format", "csv"], 2, "several formats"),
        (["000.jpg", "http://127.0.0.1:1/x.jpg", "--offline"], 4, "--offline forbids fetching"),
        (["000.jpg", "001.jpg", "--offline"], 4, "--offline forbids a call"),
    ],
)
def test_wrong_usage(cli, double, photos, argv, code, message):
    os.chdir(photos)
    result = cli("compare", *argv)
    assert (result.code, result.out, double.calls()) == (code, b"", 0)
    assert message in result.err


def test_every_name_comes_back(cli, double, tmp_path):
    names = [b"latin-\xe9.jpg", b'"quoted", comma.jpg', b"two\nlines.jpg", "日本.jpg".encode()]
    paths = [os.path.join(os.fsencode(tmp_path), name) for name in names]
    for number, path in enumerate(paths):
        album.write(os.fsdecode(path), album.jpeg(number))
    named = [os.fsdecode(path) for path in paths]
    columns, rows, _ = read_csv(cli("compare", *named).out)
    assert [os.fsencode(name) for name in columns] == [os.fsencode(name) for name in rows] == paths
    first = cli("compare", *named, "--json").lines[0]
    assert os.fsencode(first["a"]) == base64.b64decode(first["a_base64"]) == paths[0]
    assert "b_base64" not in first


@pytest.mark.parametrize("columns", [80, 200])
def test_tables(cli, double, photos, columns, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    album.fill(photos, 6, first=6)
    os.chdir(photos.parent)
    paths = sorted(f"photos/{path.name}" for path in photos.iterdir())
    shown = run_on_terminal("compare", *paths, err=False, columns=columns)
    assert (shown.code, shown.err) == (0, "")
    assert max(map(len, shown.out.decode().splitlines())) <= columns
    snapshot.check(f"compare-{columns}.txt", shown.out)


@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("names", [ORDINARY, LONG])
def test_no_line_is_longer_than_the_terminal(names, width):
    scores = np.full((len(names), len(names)), -0.12345)
    shown = b"".join(draw_matrix(names, scores, make_view(width=width))).decode()
    assert max(map(cell_len, shown.splitlines())) <= width
    for panel in shown.split("\n\n"):
        assert len(set(map(cell_len, panel.splitlines()))) == 1
    for name in ORDINARY:
        assert width == 20 or re.search(rf"(?m)^ *\d+ P\S*{re.escape(name[-8:])} ", shown)


def test_ordinary_names_leave_room_for_columns(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    os.chdir(tmp_path)
    for number, name in enumerate(ORDINARY):
        album.write(tmp_path / name, album.jpeg(number))
    shown = run_on_terminal("compare", *ORDINARY, err=False, columns=80)
    snapshot.check("compare-long-80.txt", shown.out)


@given(st.text("ab日/ ❤\ufe0f", max_size=40), st.integers(1, 30), st.sampled_from(["…", "..."]))
def test_a_cut_path_fits_and_keeps_its_end(path, width, mark):
    shown = cut_path(path, width, mark)
    assert cell_len(shown) <= max(width, len(mark))
    assert shown in (path, path.rpartition("/")[2]) or mark in shown
    if path and cell_len(path[-1:]) + len(mark) < width:
        assert shown[-1] == path[-1]


@given(
    st.integers(2, 6).flatmap(
        lambda length: st.lists(
            st.lists(st.floats(-100, 100, width=32), min_size=length, max_size=length), min_size=2, max_size=6
        )
    )
)
def test_any_matrix_is_symmetric_with_ones_on_the_diagonal(rows):
    vectors = [np.array(row, np.float32) for row in rows]
    if any(np.linalg.norm(vector) < 1e-3 for vector in vectors):
        return
    matrix = cosine_matrix(vectors)
    assert np.array_equal(matrix, matrix.T)
    assert np.all(np.diag(matrix) == 1)
    assert np.all(np.abs(matrix) <= 1)
