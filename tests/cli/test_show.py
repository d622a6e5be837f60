"""`show`: what is known of a photo, what was sent of it, where it stands, or why it was skipped."""

import hashlib
import json
import os
import shutil
import socket

import album
import pytest
import truth
from pictures import encode, make_exif
from PIL import Image
from terminal import run_on_terminal
from truth import cosines, ranked


@pytest.fixture
def travel(cli, double, tmp_path, monkeypatch):
    """A photo with all that EXIF may tell, indexed among others; gives its path."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    exif = make_exif(
        {0x010F: "ACME", 0x0110: "ACME One", 0x0112: 6},
        {
            0x8769: {0x9003: "2019:07:14 18:30:05", 0xA434: "ACME 35mm f/2"},
            0x8825: {1: "N", 2: (35.0, 30.0, 36.0), 3: "W", 4: (24.0, 15.0, 0.0)},
        },
    )
    album.fill(tmp_path / "photos", 3)
    path = album.write(
        tmp_path / "photos" / "travel.jpg",
        encode(Image.effect_noise((60, 40), 90).convert("RGB"), "JPEG", exif=exif),
    )
    assert cli("index", tmp_path / "photos").code == 0
    return path


def facts(cli, path, *argv):
    result = cli.json("show", path, *argv)
    assert (result.code, result.err) == (0, "")
    assert len(result.lines) == 1
    return result.lines[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("new.jpg", "it is there, but was never indexed, or is excluded"),
        ("nowhere.jpg", "there is no such file"),
    ],
)
def test_a_photo_that_is_not_in_the_index(cli, library, photos, name, message):
    album.write(photos / "new.jpg", album.jpeg(90))
    result = cli("show", photos / name)
    assert (result.code, result.out) == (7, b"")
    assert result.err.startswith(f"error: not in the index: {photos / name}: {message}\nhint: ")


def test_all_that_is_known(cli, double, travel):
    told = facts(cli, travel)
    with open(travel, "rb") as file:
        data = file.read()
    assert told["path"] == travel
    assert told["names"] == [travel]
    assert told["sha256"] == hashlib.sha256(data).hexdigest()
    assert told["size"] == len(data)
    metadata = told["metadata"]
    assert (metadata["format"], metadata["width"], metadata["height"]) == ("JPEG", 40, 60)
    assert metadata["orientation"] == 6
    assert metadata["taken"] == "2019-07-14T18:30:05"
    assert "ACME One" in metadata["camera"]
    assert metadata["lens"] == "ACME 35mm f/2"
    assert metadata["latitude"] == pytest.approx(35.51)
    assert metadata["longitude"] == pytest.approx(-24.25)
    (space,) = told["spaces"]
    assert (space["provider"], space["model"], space["preparation"]) == ("azure", "2023-04-15", "jpeg-1024")
    assert space["indexed"] is True
    assert space["skip"] is None
    call = next(call for call in double.requests if call.request_id == space["sent"]["request_id"])
    assert space["sent"]["host"] == double.endpoint.removeprefix("http://")
    assert (space["sent"]["size"], space["sent"]["sha256"]) == (call.size, call.sha256)
    assert space["sent"]["sent_at"].endswith("Z")


def test_the_same_for_people(cli, double, travel):
    text = cli("show", travel).out.decode()
    sent = facts(cli, travel)["spaces"][0]["sent"]
    for part in (travel, "2019-07-14", "ACME One", "ACME 35mm", "35.510000, -24.250000", "40 × 60"):
        assert part in text
    for part in (sent["host"], sent["request_id"], sent["sha256"], sent["sent_at"]):
        assert part in text


def test_all_its_names(cli, library, photos):
    copies = [shutil.copy(library[0], photos / name) for name in ("a copy.jpg", "z\udcff.jpg")]
    assert cli("index").code == 0
    names = facts(cli, library[0])["names"]
    assert names == sorted([library[0], *map(os.fspath, copies)], key=os.fsencode)
    assert facts(cli, copies[1])["names"] == names
    assert r"z\xff.jpg" in cli("show", library[0]).out.decode()


def test_several_photos(cli, library):
    result = cli.json("show", *library[:3])
    assert [line["path"] for line in result.lines] == library[:3]


def test_a_relative_name(cli, library, photos):
    os.chdir(photos)
    assert facts(cli, "./001.jpg")["path"] == library[1]


def test_a_photo_that_is_gone_is_still_known(cli, library):
    os.unlink(library[0])
    assert facts(cli, library[0])["spaces"][0]["indexed"] is True


def test_why_it_was_skipped(cli, library, photos):
    broken = album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index").code == 3
    told = facts(cli, broken)
    skip = told["spaces"][0]["skip"] or told["fault"]
    assert skip["reason"]
    assert skip["detail"]
    assert told["spaces"][0]["indexed"] is False
    text = cli("show", broken).out.decode()
    assert "skipped" in text
    assert skip["reason"] in text


def test_a_passing_fault(cli, double, photos, tmp_path, monkeypatch, hurry):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    monkeypatch.setenv("CVSEARCH_JOBS", "1")
    album.fill(tmp_path / "one", 1, first=80)
    assert cli("index", photos).code == 0
    double.rule = lambda number, call: "500"
    assert cli("index", tmp_path / "one").code in (3, 5)
    double.rule = None
    path = str(tmp_path / "one" / "080.jpg")
    told = cli.json("show", path)
    if told.code == 0:  # it was skipped; it was not, if the service was given up
        assert told.lines[0]["spaces"][0]["indexed"] is False
    assert cli("index", tmp_path / "one").code == 0
    assert facts(cli, path)["fault"] is None
    assert facts(cli, path)["spaces"][0]["indexed"] is True


# --- Where it stands -------------------------------------------------------------------------------


def test_rank_score_and_percentile(cli, library):
    expected = ranked(library, cosines(library, truth.text("red")))
    for place, (path, score) in enumerate(expected, start=1):
        told = facts(cli, path, "--for", "red")["for"]
        assert (told["text"], told["rank"], told["of"]) == ("red", place, 6)
        assert told["score"] == pytest.approx(score, abs=truth.NEAR)
        assert told["percentile"] == pytest.approx(100 * (7 - place) / 6, abs=1e-6)
    text = cli("show", expected[1][0], "--for", "red").out.decode()
    assert f"rank 2 of 6, score {expected[1][1]:.4f}, percentile 83.3" in text


def test_a_text_asked_before_costs_nothing_here(cli, library, double):
    assert cli("query", "red car").code == 0
    before = double.calls()
    assert facts(cli, library[0], "--for", "  red   car ", "--offline")["for"]["rank"]
    assert double.calls() == before


def test_an_empty_text(cli, library, double):
    before = double.calls()
    result = cli("show", library[0], "--for", " ")
    assert (result.code, double.calls()) == (2, before)
    assert "the text is empty" in result.err


def test_why_it_is_not_in_the_results(cli, library, photos):
    broken = album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index").code == 3
    told = facts(cli, broken, "--for", "red")["for"]
    assert told["rank"] is None
    assert told["of"] == 6
    assert told["why"]
    assert "not among the 6 photos searched" in cli("show", broken, "--for", "red").out.decode()


# --- What is sent ----------------------------------------------------------------------------------


def test_the_exact_bytes_that_were_sent(cli, double, travel, home):
    sent = facts(cli, travel)["spaces"][0]["sent"]
    body = next(
        double.bodies[call.number] for call in double.requests if call.request_id == sent["request_id"]
    )
    result = cli("show", travel, "--sent", "-")
    assert (result.code, result.out, result.err) == (0, body, "")
    assert cli("show", travel, "--sent", home / "sent.jpg").out == b""
    assert (home / "sent.jpg").read_bytes() == body
    assert hashlib.sha256(body).hexdigest() == sent["sha256"]


def test_it_needs_no_network_no_key_and_no_index(cli, home, double, monkeypatch):
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)

    def refuse(*_, **__):
        raise AssertionError("it looked at the network")

    paths = [*album.copy_bundled(home / "photos"), album.write(home / "photos" / "small.jpg", album.jpeg(3))]
    with monkeypatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        shown = {path: cli("show", path, "--sent", "-", "--offline") for path in paths}
    assert {result.code for result in shown.values()} == {0}
    assert not (home / ".local").exists()
    monkeypatch.setenv("CVSEARCH_ENDPOINT", double.endpoint)
    monkeypatch.setenv("CVSEARCH_KEY", double.key)
    assert cli("index", home / "photos").code == 0
    received = set(double.bodies.values())
    assert {result.out for result in shown.values()} == received


def test_nothing_would_be_sent(cli, home):
    path = album.write(home / "broken.jpg", b"\xff\xd8\xff no picture")
    result = cli("show", path, "--sent", "-")
    assert (result.code, result.out) == (2, b"")
    assert "nothing would be sent of" in result.err
    missing = cli("show", home / "no.jpg", "--sent", "-")
    assert (missing.code, missing.out) == (2, b"")
    assert str(home / "no.jpg") in missing.err


def test_the_bytes_of_one_photo_only(cli, library):
    result = cli("show", *library[:2], "--sent", "-")
    assert (result.code, result.out) == (2, b"")
    assert "--sent writes one photo" in result.err


def test_a_place_that_cannot_be_written(cli, library):
    result = cli("show", library[0], "--sent", "/nowhere/x.jpg")
    assert result.code == 2
    assert "/nowhere/x.jpg" in result.err


# --- On a terminal ---------------------------------------------------------------------------------


def test_a_thumbnail_where_the_terminal_can(travel):
    result = run_on_terminal("show", travel, environ={"COLORTERM": "truecolor"})
    assert result.code == 0
    assert "▀".encode() in result.out
    assert b"\x1b[38;2;" in result.out
    plain = run_on_terminal("show", travel, "--color", "never")
    assert "▀".encode() not in plain.out
    assert b"\x1b" not in plain.out
    assert "▀".encode() not in run_on_terminal("show", travel, "--json").out


def test_an_evil_camera_name_is_harmless(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    exif = make_exif({0x0110: "evil\x1b[2Jcamera"})
    path = album.write(
        tmp_path / "photos" / "a.jpg",
        encode(Image.effect_noise((60, 40), 90).convert("RGB"), "JPEG", exif=exif),
    )
    assert cli("index", tmp_path / "photos").code == 0
    result = run_on_terminal("show", path, "--color", "never")
    assert b"\x1b" not in result.out
    json.loads(cli("show", path, "--json").out)
