"""`query -i mailed.jpg`: the same bytes and the same picture are known without a call, and labelled."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil

import album
import copies
import pytest
from terminal import run_on_terminal


@pytest.fixture
def shelf(cli, double, tmp_path, monkeypatch):
    """Pictures of their own, indexed through the double; gives their paths by name."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    paths = copies.fill(tmp_path / "shelf")
    assert cli("index", tmp_path / "shelf").code == 0
    return paths


@pytest.fixture
def mailed(shelf, tmp_path):
    """The coffee picture as it came by mail: smaller and of low quality, and not indexed."""
    return album.write(tmp_path / "mailed.jpg", copies.change(shelf["coffee.png"], scale=0.5, quality=60))


def labels(result):
    return {line["path"]: line["same"] for line in result.lines if "same" in line}


@pytest.mark.parametrize("options", [(), ("--offline",), ("--max-calls", "0")])
def test_the_same_picture_is_known_before_any_call(cli, double, shelf, mailed, options):
    before = double.calls()
    result = cli.json("query", "-i", mailed, "-n", "all", *options)
    assert (result.code, double.calls(), result.err) == (0, before, "")
    assert len(result.lines) == len(shelf)
    assert labels(result) == {shelf["coffee.png"]: "picture", shelf["same/coffee.png"]: "picture"}
    assert {line["path"] for line in result.lines[:2]} == set(labels(result))


def test_whose_vector_served_is_told(cli, shelf, mailed):
    [term] = json.loads(cli("query", "-i", mailed, "--format", "json").out)["terms"]
    with open(shelf["coffee.png"], "rb") as file:
        assert term["vector_of"] == hashlib.sha256(file.read()).hexdigest() != term["sha256"]
    told = "is an indexed photo's picture, whose vector serves: no call was made"
    assert told in cli("query", "-i", mailed, "-v").err


@pytest.mark.parametrize(("offline", "code", "calls"), [((), 0, 1), (("--offline",), 0, 0)])
def test_where_no_file_confirms_it_a_call_does_if_it_may(cli, double, shelf, mailed, offline, code, calls):
    for name in ("coffee.png", "same/coffee.png"):
        os.unlink(shelf[name])
    before = double.calls()
    result = cli.json("query", "-i", mailed, "-n", "2", *offline)
    assert (result.code, double.calls() - before) == (code, calls)
    assert set(labels(result).values()) == {"picture"}


def test_a_picture_of_other_colours_is_not_taken_for_the_same(cli, double, tmp_path, monkeypatch):
    from PIL import Image, ImageDraw

    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    (tmp_path / "photos").mkdir()
    for colour, path in ((200, 0, 0), tmp_path / "photos" / "red.png"), ((0, 80, 0), tmp_path / "green.png"):
        picture = Image.new("RGB", (600, 600), "white")
        drawing = ImageDraw.Draw(picture)
        drawing.ellipse((100, 150, 400, 420), fill=colour)
        drawing.rectangle((420, 60, 560, 300), fill=colour)
        picture.save(path)
    assert cli("index", tmp_path / "photos").code == 0
    assert cli("query", "-i", tmp_path / "green.png", "--offline").code == 4
    [line] = cli.json("query", "-i", tmp_path / "green.png").lines
    assert "same" not in line
    assert line["score"] < 0.9


def test_what_was_pasted_into_a_picture_is_seen(cli, double, shelf, tmp_path):
    from PIL import Image

    with Image.open(shelf["coffee.png"]) as picture, Image.open(shelf["chelsea.png"]) as cat:
        edited = picture.convert("RGB")
        edited.paste(cat.convert("RGB").resize((edited.width // 5, edited.height // 5)), (40, 40))
    edited.save(tmp_path / "edited.png")
    before = double.calls()
    assert cli("query", "-i", tmp_path / "edited.png", "--offline").code == 4
    result = cli.json("query", "-i", tmp_path / "edited.png", "-n", "1")
    assert (double.calls() - before, result.lines[0]["score"] < 1) == (1, True)


def test_it_is_ranked_by_the_indexed_picture(cli, shelf, mailed):
    def ranking(source):
        lines = cli.json("query", "-i", source, "-n", "all").lines
        return [(line["path"], line["score"]) for line in lines]

    assert ranking(mailed) == ranking(shelf["coffee.png"])


def test_the_built_in_model_borrows_nothing_offline(cli, shelf, mailed, tmp_path):
    index = ("--index", tmp_path / "built-in", "--provider", "local", "--offline")
    assert cli("index", os.path.dirname(shelf["coffee.png"]), *index).code == 0
    result = cli.json("query", "-i", mailed, "-n", "1", *index)
    assert result.err == ""
    assert labels(result) == {result.lines[0]["path"]: "picture"}
    assert 0.75 < result.lines[0]["score"] < 0.9999


def test_the_document_names_the_content_that_was_asked_with(cli, shelf, mailed):
    asked = ("query", "red", "-i", mailed, "--not-image", shelf["half.jpg"], "--format", "json")
    terms = json.loads(cli(*asked).out)["terms"]
    with open(mailed, "rb") as one, open(shelf["half.jpg"], "rb") as other:
        hashes = [hashlib.sha256(file.read()).hexdigest() for file in (one, other)]
    assert [term.get("sha256") for term in terms] == [None, *hashes]


def test_equal_scores_go_by_path_but_the_same_bytes_come_first(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    data = album.jpeg(1)
    noted = data[:2] + b"\xff\xfe\x00\x06note" + data[2:]
    paths = {name: album.write(tmp_path / "photos" / name, noted) for name in ("a.jpg", "b.jpg")}
    paths["z.jpg"] = album.write(tmp_path / "photos" / "z.jpg", data)
    assert cli("index", tmp_path / "photos").code == 0
    for options in ((), ("--collapse",), ("-n", "1")):
        lines = cli.json("query", "-i", paths["z.jpg"], *options).lines
        assert (lines[0]["path"], lines[0]["same"]) == (paths["z.jpg"], "bytes")
    assert [line["path"] for line in cli.json("query", "-i", paths["z.jpg"]).lines[1:]] == [
        paths["a.jpg"],
        paths["b.jpg"],
    ]


def test_the_same_bytes_come_before_the_same_picture(cli, double, shelf, tmp_path):
    before = double.calls()
    copy = shutil.copy(shelf["half.jpg"], tmp_path / "sent-to-me.jpg")
    result = cli.json("query", "-i", copy, "--offline")
    assert double.calls() == before
    assert labels(result) == {
        shelf["half.jpg"]: "bytes",
        shelf["astronaut.png"]: "picture",
        shelf["worse.jpg"]: "picture",
    }
    assert result.lines[0]["path"] == shelf["half.jpg"]


def test_another_picture_is_asked_for(cli, double, shelf, tmp_path):
    before = double.calls()
    other = album.write(tmp_path / "other.jpg", album.jpeg(5))
    assert cli("query", "-i", other, "--offline").code == 4
    result = cli.json("query", "-i", other)
    assert (result.code, double.calls(), labels(result)) == (0, before + 1, {})
    assert labels(cli.json("query", "-i", other, "--offline")) == {}


def test_a_picture_of_other_proportions_is_another(cli, double, shelf, tmp_path):
    from PIL import Image

    with Image.open(shelf["coffee.png"]) as picture:
        picture.convert("RGB").resize((300, 300)).save(tmp_path / "square.jpg")
    assert cli("query", "-i", tmp_path / "square.jpg", "--offline").code == 4


def test_one_colour_is_no_likeness(cli, double, tmp_path, monkeypatch):
    from PIL import Image

    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (60, 40), "red").save(tmp_path / "photos" / "red.png")
    Image.new("RGB", (60, 40), "blue").save(tmp_path / "blue.png")
    assert cli("index", tmp_path / "photos").code == 0
    assert cli("query", "-i", tmp_path / "blue.png", "--offline").code == 4


def test_a_picture_to_be_led_away_from_is_not_labelled(cli, shelf):
    assert labels(cli.json("query", "red", "--not-image", shelf["coffee.png"])) == {}
    mixed = cli.json("query", "red", "-n", "all", "-i", shelf["coffee.png"])
    assert set(labels(mixed).values()) == {"bytes"}


def test_an_empty_space_has_no_twin(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    album.write(tmp_path / "photos" / "broken.jpg", b"\xff\xd8\xff")
    assert cli("index", tmp_path / "photos").code == 3
    photo = album.write(tmp_path / "a.jpg", album.jpeg(1))
    assert cli("query", "-i", photo).code == 7


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "table"])
def test_every_form_says_so(cli, shelf, mailed, form):
    out = cli("query", "-i", mailed, "-n", "3", "--format", form).out.decode()
    if form == "table":
        assert out.count("same picture") == 2
    elif form == "json":
        assert [match.get("same") for match in json.loads(out)["matches"]] == ["picture", "picture", None]
    else:
        rows = list(csv.DictReader(io.StringIO(out), delimiter="\t" if form == "tsv" else ","))
        assert [row["same"] for row in rows] == ["picture", "picture", ""]


def test_on_a_terminal(shelf, mailed):
    result = run_on_terminal("query", "-i", mailed, "--offline", environ={"NO_COLOR": "1"}, columns=200)
    assert result.code == 0
    assert result.out.decode().count("same picture") == 2
