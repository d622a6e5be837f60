"""`status`: what the index holds and how the last run ended."""

import os
import re
import shutil

import album
import pytest
from replacing import replace_everywhere
from terminal import run_on_terminal


@pytest.fixture
def library(cli, double, photos, tmp_path, monkeypatch):
    """Indexed through this test's own double."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    assert cli("index", photos).code == 0


def status(cli):
    result = cli.json("status")
    assert (result.code, result.err) == (0, "")
    assert len(result.lines) == 1
    return result.lines[0]


def pairs(cli):
    """The plain form: label and value."""
    result = cli("status")
    assert (result.code, result.err) == (0, "")
    return [tuple(line.split("\t", 1)) for line in result.out.decode().splitlines()]


def test_all_of_it(cli, library, double, photos, tmp_path):
    told = status(cli)
    assert told["index"] == str(tmp_path / "index")
    (root,) = told["roots"]
    assert (root["path"], root["photos"], root["there"]) == (str(photos), 6, True)
    assert told["photos"] == 6
    (space,) = told["spaces"]
    assert (space["provider"], space["model"], space["vectors"], space["photos"]) == (
        "azure",
        "2023-04-15",
        6,
        6,
    )
    (traffic,) = told["traffic"]
    assert traffic == {
        "host": double.endpoint.removeprefix("http://"),
        "calls": 6,
        "bytes": sum(call.size for call in double.requests),
    }
    files = [os.path.join(told["index"], name) for name in os.listdir(told["index"])]
    assert told["bytes_on_disk"] == sum(map(os.path.getsize, files))
    assert told["last_run"]["code"] == 0
    assert told["last_run"]["summary"]["indexed"] == 6
    assert told["skipped"] == {}


def test_the_same_for_people_where_it_is_first(cli, library, double, photos, tmp_path):
    lines = pairs(cli)
    assert lines[0] == ("index", str(tmp_path / "index"))
    labels = dict(lines)
    assert labels["root"] == f"{photos} (6 photos)"
    assert labels["photos"] == "6"
    assert labels["space"] == "azure/2023-04-15/jpeg-1024: 6 vectors for 6 photos"
    assert re.fullmatch(r"[\d.,]+ kB", labels["on disk"])
    assert labels["indexed"].startswith("just now (")
    assert re.fullmatch(rf"6 calls, .+ to {double.endpoint[7:]}", labels["sent"])
    screen = run_on_terminal("status", "--color", "never").out.decode()
    assert str(tmp_path / "index") in screen.splitlines()[0]


def test_options_of_roots(cli, double, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    album.fill(tmp_path / "more", 1, first=50)
    assert cli("index", photos, "--exclude", "003*", "--exclude", "*.tmp", "--hidden").code == 0
    assert cli("index", tmp_path / "more", "--no-recursive", "--follow-links").code == 0
    first, second = status(cli)["roots"]
    assert first["options"] == {
        "exclude": ["003*", "*.tmp"],
        "hidden": True,
        "follow_links": False,
        "recursive": True,
    }
    assert second["options"] == {"exclude": [], "hidden": False, "follow_links": True, "recursive": False}
    text = cli("status").out.decode()
    for option in ("--exclude 003*", "--exclude *.tmp", "--hidden", "--follow-links", "--no-recursive"):
        assert option in text


def test_a_missing_root(cli, library, photos):
    shutil.rmtree(photos)
    assert status(cli)["roots"][0]["there"] is False
    assert dict(pairs(cli))["root"].endswith("(6 photos, missing)")


def test_skipped_by_reason_and_one_by_one(cli, library, photos):
    names = ["broken.jpg", "b\xe4d\udcff.jpg"]
    for name in names:
        album.write(photos / name, f"\xff\xd8\xff {name!a}".encode("latin-1"))
    assert cli("index").code == 3
    told = status(cli)
    assert sum(told["skipped"].values()) == 2
    ((reason, _),) = told["skipped"].items()
    assert ("skipped", f"2 {reason}") in pairs(cli)
    listed = cli("status", "--skipped", "--json").lines
    assert [line["path"] for line in listed] == sorted(
        (str(photos / name) for name in names), key=os.fsencode
    )
    assert {line["reason"] for line in listed} == {reason}
    assert all(line["detail"] for line in listed)
    assert [("path_base64" in line) for line in listed] == [
        line["path"].endswith("\udcff.jpg") for line in listed
    ]
    plain = cli("status", "--skipped").out
    assert plain.count(b"\n") == 3
    assert os.fsencode(photos / "broken.jpg") in plain
    screen = run_on_terminal("status", "--skipped", "--color", "never").out
    assert rb"d\xff.jpg" in screen
    assert reason.encode() in screen


def test_nothing_skipped(cli, library):
    assert cli("status", "--skipped", "--json").out == b""
    shown = cli("status", "--skipped")
    assert (shown.out, shown.err) == (b"", "nothing is skipped\n")
    assert cli("status", "--skipped").code == 0


def test_calls_and_bytes_add_up_over_runs(cli, library, double, photos):
    album.fill(photos, 2, first=60)
    assert cli("index").code == 0
    pictures = [call for call in double.requests if call.operation == "vectorizeImage"]
    (traffic,) = status(cli)["traffic"]
    assert (traffic["calls"], traffic["bytes"]) == (8, sum(call.size for call in pictures))


def test_what_is_asked_counts_too(cli, library, double, tmp_path):
    others = album.fill(tmp_path / "others", 3, first=60)
    assert cli("query", "red").code == 0
    assert cli("classify", others[0], "--label", "green", "--label", "blue").code == 0
    assert cli("compare", *others).code == 0
    (traffic,) = status(cli)["traffic"]
    assert (traffic["calls"], double.calls()) == (12, 12)
    assert traffic["bytes"] == sum(call.size for call in double.requests)


def test_how_a_run_that_failed_ended(cli, library, double, photos):
    album.fill(photos, 2, first=60)
    assert cli("index", "--max-calls", "1").code == 6
    told = status(cli)["last_run"]
    assert (told["code"], told["summary"]["indexed"]) == (6, 1)
    assert "with 6: the budget" in dict(pairs(cli))["last run"]


def test_an_index_that_holds_nothing(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    (tmp_path / "photos").mkdir()
    cli("index", tmp_path / "photos")
    told = cli.json("status")
    assert told.code == 0
    assert told.lines[0]["photos"] == 0
    assert cli("status").code == 0
    assert cli("status", "--skipped").code == 0


def test_it_needs_no_credential_and_makes_no_call(cli, library, double, monkeypatch):
    before = double.calls()
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)
    assert cli("status", "--offline").code == 0
    assert double.calls() == before


def test_names_that_could_not_be_looked_at_are_listed(cli, library, double, photos, tmp_path):
    for number in range(5):
        (photos / f"link{number}.jpg").symlink_to("nowhere")
    result = cli("index", "--follow-links", photos)
    assert result.code == 3
    assert "skipped 5 of 6 photos and 5 unreadable names in" in result.err
    assert cli("index", album_beside(tmp_path)).code == 0
    assert status(cli)["skipped"] == {"broken-link": 5}
    assert ("skipped", "5 broken-link") in pairs(cli)
    listed = cli("status", "--skipped").out.decode()
    assert [name for name in map(str, sorted(photos.glob("link*"))) if name in listed] == [
        f"{photos}/link{number}.jpg" for number in range(5)
    ]
    rows = cli.json("status", "--skipped").lines
    assert {row["reason"] for row in rows} == {"broken-link"}
    for link in photos.glob("link*"):
        link.unlink()
    assert cli("index", photos).code == 0
    assert status(cli)["skipped"] == {}


def album_beside(tmp_path):
    """Another folder."""
    album.fill(tmp_path / "other", 1, first=20)
    return tmp_path / "other"


def test_photos_that_went_away_while_they_were_read_are_listed(cli, library, photos, monkeypatch):
    from cvsearch.model import Skip
    from cvsearch.photos import read

    album.fill(photos, 1, first=30)
    gone = Skip("vanished", "it is not there any more", lasting=False)
    with monkeypatch.context() as patch:
        replace_everywhere(patch, read.read_photo, lambda file: gone)
        assert cli("index", photos).code == 3
    assert status(cli)["skipped"] == {"vanished": 1}
    assert cli("index", photos).code == 0
    assert status(cli)["skipped"] == {}
