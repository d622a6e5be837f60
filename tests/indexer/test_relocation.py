"""A copied or moved index: its roots are where their photos are, never what happens to lie around it."""

from __future__ import annotations

import os
import shutil
import sqlite3

import album
import pytest


@pytest.fixture
def pictures(cli, double, home):
    """A folder of four photos, indexed into the ``.cvsearch`` within it; beside it a private photo."""
    folder = home / "Pictures"
    album.fill(folder, 4)
    album.fill(home / "private", 1, first=50)
    assert cli("index", folder, "--index", folder / ".cvsearch").code == 0
    return folder


@pytest.fixture
def backup(pictures, home, count):
    """A copy of the index alone, at a place whose surroundings nobody named."""
    shutil.copytree(pictures / ".cvsearch", home / "idx-backup")
    count()
    return home / "idx-backup"


def paths(cli, index):
    return sorted(row["path"] for row in cli.json("query", "red", "-n", "all", "--index", index).lines)


@pytest.mark.parametrize("options", [(), ("--checksum",), ("--dry-run",)])
def test_a_copied_index_walks_and_sends_nothing_that_nobody_named(
    cli, backup, home, pictures, count, options
):
    for _ in range(2):
        result = cli.json("index", "--index", backup, *options)
        assert (result.code, result.counts()) == (3, {})
        assert result.summary["missing"] == [str(home)]
        assert f"cvsearch move {home} {pictures}" in result.err
    assert count() == 0
    assert len(paths(cli, backup)) == 4


def test_its_root_can_be_said(cli, backup, home, pictures, count):
    assert cli("move", home, pictures, "--index", backup).err == "moved 4 photos\n"
    result = cli.json("index", "--index", backup)
    assert (result.code, result.counts()) == (0, {"found": 4, "unchanged": 4})
    assert paths(cli, backup) == sorted(str(path) for path in pictures.glob("*.jpg"))
    assert count() == 0


@pytest.mark.parametrize("named", ["Pictures", "private", "private/050.jpg"])
def test_a_path_beneath_it_is_refused(cli, backup, home, named, count):
    result = cli("index", home / named, "--index", backup)
    assert result.code == 2
    assert "copied or moved" in result.err
    assert "cvsearch move" in result.err
    assert cli("index", "--index", backup).code == 3
    assert count() == 0


def test_a_part_of_it_cannot_be_moved(cli, backup, home, pictures):
    name = min(path.name for path in pictures.glob("*.jpg"))
    assert cli("move", home / name, pictures / name, "--index", backup).code == 2
    assert cli("index", "--index", backup).code == 3


def test_it_can_be_meant_to_be_gone(cli, backup, home, count):
    assert cli.json("index", "--index", backup, "--forget-missing").counts() == {"forgotten": 4}
    assert cli("index", "--index", backup).code == 2
    assert count() == 0


def test_a_folder_that_is_named_is_meant(cli, backup, home, count):
    assert cli("index", home, "--index", backup).code == 0
    assert count() == 1
    assert cli("index", "--index", backup).code == 0


def test_another_size_is_another_photo(cli, backup, home, pictures, count):
    shutil.copy(home / "private" / "050.jpg", home / min(path.name for path in pictures.glob("*.jpg")))
    assert cli("index", "--index", backup).code == 3
    assert count() == 0


def test_a_tree_mounted_elsewhere_goes_on(cli, pictures, home, count):
    count()
    os.rename(pictures, home / "mounted")
    for _ in range(2):
        result = cli.json("index", "--index", home / "mounted" / ".cvsearch")
        assert (result.code, result.counts()) == (0, {"found": 4, "unchanged": 4})
    assert count() == 0
    for photo in (home / "mounted").glob("*.jpg"):
        photo.unlink()
    album.fill(home / "mounted", 1, first=20)
    assert cli.json("index", "--index", home / "mounted" / ".cvsearch").counts() == {
        "calls": 1,
        "found": 1,
        "forgotten": 4,
        "indexed": 1,
    }


def test_a_root_without_photos_is_not_trusted_elsewhere(cli, double, home, count):
    (home / "Pictures").mkdir()
    assert cli("index", home / "Pictures", "--index", home / "Pictures" / ".cvsearch").code == 0
    album.fill(home / "private", 1)
    shutil.copytree(home / "Pictures" / ".cvsearch", home / "idx")
    assert cli("index", "--index", home / "idx").code == 3
    assert count() == 0


def test_photos_named_singly_are_not_forgotten(cli, double, home, count):
    photos = album.fill(home / "Pictures", 2)
    assert cli("index", *photos, "--index", home / "Pictures" / ".cvsearch").code == 0
    shutil.copytree(home / "Pictures" / ".cvsearch", home / "idx")
    count()
    result = cli("index", "--index", home / "idx")
    assert (result.code, count()) == (3, 0)
    assert f"cvsearch move {home} {home / 'Pictures'}" in result.err
    assert len(paths(cli, home / "idx")) == 2


def test_an_index_of_an_older_cvsearch(cli, pictures, home, count):
    """It does not know where it was: its photos tell, and if they do not, it names no place."""
    with sqlite3.connect(pictures / ".cvsearch" / "catalogue.sqlite") as connection:
        connection.execute("UPDATE root SET base = NULL")  # as its migration leaves it
    shutil.copytree(pictures / ".cvsearch", home / "idx")
    count()
    assert len(paths(cli, home / "idx")) == 4
    assert cli("index", "--index", pictures / ".cvsearch").code == 0
    result = cli("index", "--index", home / "idx")
    assert (result.code, count()) == (3, 0)
    assert f"cvsearch move {home} NEW" in result.err
