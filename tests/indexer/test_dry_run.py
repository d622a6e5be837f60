"""`cvsearch index --dry-run`: the exact plan, with nothing sent and nothing changed."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path

import album
import pytest
from replacing import replace_everywhere

from cvsearch.photos import read
from cvsearch.store.local.library import open_library

INDEX = Path(".local/share/cvsearch")


def plan_of(result) -> str:
    (line,) = [line for line in result.err.splitlines() if line.startswith("plan: ")]
    return line


def read_names(monkeypatch) -> list[str]:
    """The names of files that are read from now on."""
    names: list[str] = []
    reader = read.read_photo
    replace_everywhere(
        monkeypatch, reader, lambda file: names.append(os.path.basename(file.path)) or reader(file)
    )
    return names


def change_everything(folder):
    """One photo new, one changed, one moved, one copied, one touched, one gone, one unsupported."""
    album.write(folder / "new.jpg", album.jpeg(50))
    album.write(folder / "000.jpg", album.jpeg(51))
    (folder / "001.jpg").rename(folder / "moved.jpg")
    shutil.copy(folder / "002.jpg", folder / "copy.jpg")
    album.touch(folder / "003.jpg")
    (folder / "004.jpg").unlink()
    album.write(folder / "text.jpg", b"this is no picture\n")


def test_a_path_that_is_nowhere(cli, double):
    assert cli("index", "--dry-run", "nowhere").code == 2


@pytest.mark.parametrize("missing", [["CVSEARCH_KEY"], ["CVSEARCH_KEY", "CVSEARCH_ENDPOINT"]])
def test_it_needs_no_credential(cli, double, photos, monkeypatch, missing):
    for name in missing:
        monkeypatch.delenv(name)
    result = cli("index", "--dry-run", "--provider", "azure", "--offline", photos)
    assert result.code == 0
    assert plan_of(result).startswith("plan: 6 new, 0 changed")
    assert double.calls() == 0


def test_it_sends_nothing_and_a_following_query_finds_nothing(cli, double, photos):
    result = cli("index", "--dry-run", photos)
    assert result.code == 0
    assert "nothing was sent" in result.err
    assert double.calls() == 0
    assert cli("query", "red").code == 7
    assert json.loads(cli("status", "--json").out)["roots"] == []


def test_the_upper_bound_comes_before_anything_is_read(cli, double, photos, monkeypatch):
    said: list[str] = []
    reader = read.read_photo

    def read_photo(file):
        said.append(sys.stderr.buffer.getvalue().decode())
        return reader(file)

    replace_everywhere(monkeypatch, reader, read_photo)
    cli("index", "--dry-run", photos)
    assert "to do: at most 6 photos" in said[0]
    assert re.search(r"calls: at most 6, about \$0.00 \(an estimate at \$0.10 per 1,000; .*2026", said[0])
    assert "on S1" in said[0] and "on F0" in said[0]


def test_the_plan_is_exact(cli, double, photos):
    cli("index", photos)
    change_everything(photos)
    foreseen = cli.json("index", "--dry-run", photos)
    assert plan_of(foreseen) == (
        "plan: 1 new, 1 changed, 2 moved or copied, 3 unchanged, 2 gone, 1 unsupported"
    )
    assert "calls: 2, ≈ " in foreseen.err
    assert double.calls() == 6
    happened = cli.json("index", photos)
    assert double.calls() == 8
    assert foreseen.code == happened.code == 3

    def essence(result):
        return sorted(
            (line["event"], line["path"], line["sha256"], line["reason"]) for line in result.lines[:-1]
        )

    assert essence(foreseen) == essence(happened)
    assert foreseen.counts() == happened.counts()


def test_the_events_say_that_it_was_dry(cli, double, photos):
    lines = cli.json("index", "--dry-run", photos).lines
    assert all(line["dry_run"] is True for line in lines)
    assert [line["event"] for line in lines] == ["indexed"] * 6 + ["summary"]
    assert lines[-1]["found"] == lines[-1]["calls"] == 6


def test_nothing_changes(cli, double, photos):
    cli("index", "--exclude", "*.png", photos)
    before = json.loads(cli("status", "--json").out)
    change_everything(photos)
    cli("index", "--dry-run", "--hidden", photos)
    album.fill(photos.with_name("others"), 1, first=60)
    cli("index", "--dry-run", photos.with_name("others"))
    after = json.loads(cli("status", "--json").out)
    for name in ("roots", "photos", "spaces", "traffic", "last_run"):
        assert after.get(name) == before.get(name), name


def test_the_hashes_are_kept_for_the_run_that_follows(cli, double, photos, monkeypatch):
    cli("index", photos)
    (photos / "000.jpg").rename(photos / "moved.jpg")
    shutil.copy(photos / "001.jpg", photos / "copy.jpg")
    album.touch(photos / "002.jpg")
    names = read_names(monkeypatch)
    cli("index", "--dry-run", photos)
    assert sorted(names) == ["002.jpg", "copy.jpg", "moved.jpg"]
    names.clear()
    result = cli.json("index", photos)
    assert names == []
    assert result.counts() == {"found": 7, "reused": 2, "unchanged": 5, "forgotten": 1}


def test_a_second_dry_run_does_not_hash_again(cli, double, photos, monkeypatch):
    monkeypatch.setattr("cvsearch.indexer.dry_run.SAMPLE", 0)
    cli("index", "--dry-run", photos)
    names = read_names(monkeypatch)
    assert plan_of(cli("index", "--dry-run", photos)).startswith("plan: 6 new")
    assert names == []


def test_a_hash_of_a_file_that_changed_since_is_not_used(cli, double, photos):
    cli("index", photos)
    (photos / "000.jpg").rename(photos / "moved.jpg")
    cli("index", "--dry-run", photos)
    album.write(photos / "moved.jpg", album.jpeg(70))
    assert cli.json("index", photos).counts() == {
        "found": 6,
        "indexed": 1,
        "unchanged": 5,
        "forgotten": 1,
        "calls": 1,
    }


def test_photos_that_vanish_in_numbers_are_foreseen_to_stay(cli, double, tmp_path):
    folder = tmp_path / "photos"
    vanishing = album.fill_with_one(folder, 120, picture=0)
    album.fill(folder, 1, first=500)
    cli("index", folder)
    for path in vanishing:
        os.unlink(path)
    result = cli("index", "--dry-run", folder)
    assert result.code == 3
    assert " 0 gone," in plan_of(result) and "vanished: 120 photos" in result.err
    meant = cli("index", "--dry-run", "--forget-missing", folder)
    assert meant.code == 0
    assert " 120 gone," in plan_of(meant)


def test_moved_photos_are_foreseen_to_be_moved(cli, double, tmp_path):
    folder = tmp_path / "photos"
    paths = album.fill_with_one(folder, 120, picture=0)
    cli("index", folder)
    (folder / "below").mkdir()
    for path in paths:
        os.rename(path, folder / "below" / os.path.basename(path))
    result = cli("index", "--dry-run", folder)
    assert result.code == 0
    assert plan_of(result).startswith("plan: 0 new, 0 changed, 120 moved or copied, 0 unchanged, 120 gone")


@pytest.mark.parametrize("away", ["missing", "empty"])
def test_a_missing_root_is_told(cli, double, photos, away):
    cli("index", photos)
    shutil.rmtree(photos)
    if away == "empty":
        photos.mkdir()
    assert cli("index", "--dry-run").code == 3
    assert " 6 gone," in plan_of(cli("index", "--dry-run", "--forget-missing"))
    with open_library(str(INDEX.absolute())) as store:
        assert store.files.count() == 6


def test_a_moved_damaged_photo_is_no_new_photo(cli, double, photos):
    album.write(photos / "damaged.jpg", album.jpeg(40)[:300])
    cli("index", photos)
    (photos / "damaged.jpg").rename(photos / "moved.jpg")
    result = cli("index", "--dry-run", photos)
    assert plan_of(result) == "plan: 0 new, 0 changed, 0 moved or copied, 6 unchanged, 1 gone, 1 unsupported"
