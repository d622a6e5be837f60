"""`forget`, `move` and `prune`: names and space on disk, and what they cost."""

import os
import shutil

import album
import pytest
import truth
from azure_double import MODELS
from terminal import run_on_terminal
from truth import check_ranking, cosines, ranked


@pytest.fixture
def check(cli, double):
    """Checks that a text finds exactly these photos, rightly ranked."""

    def check(paths):
        result = cli.json("query", "red", "-n", "all")
        check_ranking(result.lines, ranked(paths, cosines(paths, truth.text("red"))))

    return check


# --- forget ----------------------------------------------------------------------------------------


def test_forgetting_what_is_not_there_changes_nothing(cli, library, check):
    result = cli("forget", library[0], "/nowhere.jpg")
    assert (result.code, result.out) == (2, b"")
    assert "not in the index: /nowhere.jpg" in result.err
    check(library)


def test_forget_files(cli, library, check, count):
    count()
    result = cli("forget", library[0], library[4])
    assert (result.code, result.out) == (0, b"")
    assert result.err == "forgot 2 photos; what was paid for stays until cvsearch prune\n"
    check([*library[1:4], library[5]])
    assert cli("show", library[0]).code == 7
    assert cli("index").code == 0
    assert count() == 0
    check(library)


def test_forget_one(cli, library):
    assert cli("forget", library[0]).err.startswith("forgot 1 photo;")


def test_forget_a_file_that_no_longer_exists(cli, library, check):
    os.unlink(library[2])
    assert cli("forget", library[2]).code == 0
    check([path for path in library if path != library[2]])


def test_forget_a_folder_and_not_its_neighbour(cli, library, photos, check):
    inside = album.fill(photos / "trip", 2, first=20)
    beside = album.fill(photos / "trip 2", 2, first=30)
    assert cli("index").code == 0
    check([*library, *inside, *beside])
    assert cli("forget", photos / "trip").code == 0
    check([*library, *beside])


def test_forget_a_root(cli, library, photos, tmp_path, check):
    other = album.fill(tmp_path / "other", 2, first=20)
    assert cli("index", tmp_path / "other").code == 0
    assert cli("forget", f"{photos}/").code == 0
    check(other)
    told = cli.json("status").lines[0]
    assert [root["path"] for root in told["roots"]] == [str(tmp_path / "other")]
    assert cli("index").code == 0
    check(other)


def test_a_root_whose_name_begins_like_another(cli, library, photos, tmp_path, check):
    other = album.fill(tmp_path / "photos 2", 2, first=20)
    assert cli("index", tmp_path / "photos 2").code == 0
    under = cli("query", "red", "-l", "--under", photos).out.decode().splitlines()
    assert sorted(under) == library
    assert cli("move", photos, tmp_path / "renamed").err == "moved 6 photos\n"
    assert cli("forget", tmp_path / "renamed").err.startswith("forgot 6 photos")
    check(other)
    assert [root["path"] for root in cli.json("status").lines[0]["roots"]] == [str(tmp_path / "photos 2")]


def test_forget_what_a_list_names(cli, library, check):
    listed = "\0".join(library[:2]).encode()
    assert cli("forget", "--files0-from", "-", stdin=listed).code == 0
    check(library[2:])


def test_forget_nothing(cli, library, check):
    assert cli("forget", "--files-from", "-").code == 2
    check(library)


def test_one_of_two_copies(cli, library, photos, check, count):
    copy = str(shutil.copy(library[0], photos / "copy.jpg"))
    assert cli("index").code == 0
    assert cli("forget", library[0]).code == 0
    assert cli("prune", "--yes").code == 0
    check([*library[1:], copy])
    count()
    assert cli("index").code == 0
    assert count() == 0


# --- move ------------------------------------------------------------------------------------------


def test_moving_what_is_not_there(cli, library, check):
    result = cli("move", "/nowhere", "/elsewhere")
    assert result.code == 2
    assert "not in the index: /nowhere" in result.err
    check(library)


def moved(paths, old, new):
    return [str(new) + path.removeprefix(str(old)) for path in paths]


def test_move_a_root_reads_nothing_and_calls_nothing(cli, library, photos, tmp_path, count):
    count()
    result = cli("move", photos, tmp_path / "renamed")
    assert (result.code, result.err) == (0, "moved 6 photos\n")
    found = cli("query", "red", "-0").out.split(b"\0")[:-1]
    assert sorted(found) == [os.fsencode(path) for path in moved(library, photos, tmp_path / "renamed")]
    os.rename(photos, tmp_path / "renamed")
    again = cli.json("index")
    assert (again.code, again.counts()) == (0, {"found": 6, "unchanged": 6})
    assert count() == 0


def test_move_a_folder_within_a_root(cli, library, photos, check, count):
    inside = album.fill(photos / "trip", 2, first=20)
    assert cli("index").code == 0
    os.rename(photos / "trip", photos / "Crete")
    assert cli("move", photos / "trip", photos / "Crete").code == 0
    check([*library, *moved(inside, photos / "trip", photos / "Crete")])
    count()
    assert cli.json("index").counts() == {"found": 8, "unchanged": 8}
    assert count() == 0


def test_move_out_of_every_root(cli, library, photos, tmp_path, check):
    inside = album.fill(photos / "trip", 2, first=20)
    assert cli("index").code == 0
    os.rename(photos / "trip", tmp_path / "Crete")
    assert cli("move", photos / "trip", tmp_path / "Crete").code == 0
    check([*library, *moved(inside, photos / "trip", tmp_path / "Crete")])


def test_move_one_photo(cli, library, photos, check):
    os.rename(library[0], photos / "new name.jpg")
    assert cli("move", library[0], photos / "new name.jpg").code == 0
    check([*library[1:], str(photos / "new name.jpg")])


def test_move_keeps_the_options_of_a_root(cli, double, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    assert cli("index", photos, "--exclude", "003*").code == 0
    before = cli.json("status").lines[0]["roots"][0]["options"]
    assert cli("move", photos, tmp_path / "renamed").code == 0
    (root,) = cli.json("status").lines[0]["roots"]
    assert (root["path"], root["options"]) == (str(tmp_path / "renamed"), before)


def test_move_onto_another_root_is_refused(cli, library, photos, tmp_path, check):
    other = album.fill(tmp_path / "other", 2, first=20)
    assert cli("index", tmp_path / "other").code == 0
    result = cli("move", photos, tmp_path / "other")
    assert result.code == 2
    assert f"already has a root there: {tmp_path / 'other'}" in result.err
    check([*library, *other])


def test_move_onto_what_is_indexed_leaves_no_path_twice(cli, library, photos, tmp_path, check, count):
    shutil.copytree(photos, tmp_path / "outer" / "new")
    assert cli("index", tmp_path / "outer").code == 0
    shutil.rmtree(photos)
    assert cli("move", photos, tmp_path / "outer" / "new").code == 0
    check(moved(library, photos, tmp_path / "outer" / "new"))
    count()
    assert cli.json("index").counts() == {"found": 6, "unchanged": 6}
    assert count() == 0


def test_a_moved_root_leaves_the_deeper_ones_their_files(cli, library, photos, tmp_path, check):
    inner = tmp_path / "new" / "inner"
    album.fill(photos / "inner", 2, first=20)
    shutil.copytree(photos / "inner", inner)
    assert cli("index", photos, inner).code == 0
    os.rename(photos, tmp_path / "old")
    for path in (tmp_path / "old").glob("*.jpg"):
        os.rename(path, tmp_path / "new" / path.name)
    assert cli("move", photos, tmp_path / "new").code == 0
    within = sorted(str(path) for path in inner.iterdir())
    check([*moved(library, photos, tmp_path / "new"), *within])
    assert cli.json("index").counts() == {"found": 8, "unchanged": 8}


# --- prune -----------------------------------------------------------------------------------------


def size_of(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder))


def test_nothing_to_prune(cli, library, check):
    assert cli("prune", "--dry-run").err == "would reclaim 0 contents, 0 vectors, 0 bytes\n"
    assert cli("prune").code == 0
    check(library)


def test_a_dry_run_prunes_nothing(cli, library, tmp_path, count):
    assert cli("forget", *library[:2]).code == 0
    before = size_of(tmp_path / "index")
    assert cli("prune", "--dry-run").err == "would reclaim 2 contents, 2 vectors, 8.2 kB\n"
    assert size_of(tmp_path / "index") == before
    count()
    assert cli("index").code == 0
    assert count() == 0


def test_prune_reclaims_and_queries_stay_right(cli, library, tmp_path, check, count):
    check(library)
    assert cli("forget", library[0], library[3]).code == 0
    before = size_of(tmp_path / "index")
    result = cli("prune")
    assert (result.code, result.out) == (0, b"")
    assert result.err == "reclaimed 2 contents, 2 vectors, 8.2 kB\n"
    assert before - size_of(tmp_path / "index") >= 2 * 1025 * 4
    check([*library[1:3], *library[4:]])
    assert cli("doctor").code == 0
    assert cli.json("query", "-i", library[4], "--offline").lines[0]["path"] == library[4]
    count()
    assert cli("index").code == 0  # those that were forgotten are there: they are paid for again
    assert count() == 2
    check(library)


def test_gone_and_back_costs_nothing_but_after_a_prune_a_call(cli, library, home, count):
    count()
    for prunes, calls in ((False, 0), (True, 1)):
        away = shutil.move(library[2], home / "away.jpg")
        assert cli("index").code == 0
        if prunes:
            assert cli("prune", "--yes").code == 0
        shutil.move(away, library[2])
        assert cli("index").code == 0
        assert count() == calls


def test_pixels_that_a_living_photo_shares_stay(cli, library, photos, count, check):
    """Two contents with one vector: the first goes, the vector stays with the second."""
    with open(library[0], "rb") as file:
        data = file.read()
    note = b"another note"
    twin = data[:2] + b"\xff\xfe" + (len(note) + 2).to_bytes(2, "big") + note + data[2:]
    path = album.write(photos / "twin.jpg", twin)
    count()
    assert cli("index").code == 0
    assert count() == 0
    os.unlink(library[0])
    assert cli("index").code == 0
    result = cli("prune")
    assert result.err.startswith("reclaimed 1 content, 0 vectors")
    check([*library[1:], path])
    album.write(library[0], data)
    assert cli("index").code == 0
    assert count() == 0
    check([*library, path])


def test_prune_of_everything(cli, library, photos, count, check):
    assert cli("forget", photos).code == 0
    assert cli("prune").code == 0
    assert cli("query", "red").code in (1, 7)
    count()
    assert cli("index", photos).code == 0
    assert count() == 6
    check(library)


def test_prune_of_two_spaces(cli, library, monkeypatch, check):
    monkeypatch.setenv("CVSEARCH_MODEL_VERSION", MODELS[1])
    assert cli("index", "--provider", "azure").code == 0
    monkeypatch.delenv("CVSEARCH_MODEL_VERSION")
    assert cli("forget", *library[:2]).code == 0
    assert cli("prune").err.startswith("reclaimed 2 contents, 4 vectors")
    check(library[2:])
    assert [space["vectors"] for space in cli.json("status").lines[0]["spaces"]] == [4, 4]


def test_a_receipt_stays_with_its_photo(cli, library):
    before = [cli.json("show", path).lines[0]["spaces"] for path in library]
    assert cli("forget", library[0]).code == 0
    assert cli("prune").code == 0
    assert [cli.json("show", path).lines[0]["spaces"] for path in library[1:]] == before[1:]


@pytest.mark.parametrize(("typed", "code", "left"), [(b"n\n", 2, 6), (b"\n", 2, 6), (b"y\n", 0, 5)])
def test_on_a_terminal_it_asks(cli, library, typed, code, left):
    assert cli("forget", library[0]).code == 0
    result = run_on_terminal("prune", out=False, stdin=typed)
    assert (result.code, result.out) == (code, b"")
    assert "must be paid for again. [y/N] " in result.err
    assert cli.json("status").lines[0]["spaces"][0]["vectors"] == left


def test_yes_answers(cli, library):
    assert cli("forget", library[0]).code == 0
    result = run_on_terminal("prune", "--yes", out=False, stdin=b"")
    assert (result.code, "[y/N]" in result.err) == (0, False)
