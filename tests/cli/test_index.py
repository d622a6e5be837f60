"""`cvsearch index` from argv to exit code: what is called for, reused, forgotten, skipped, remembered."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import album
import numpy as np
import pytest
from PIL import Image
from replacing import replace_everywhere
from running import run
from terminal import run_on_terminal

import cvsearch
from cvsearch.api import IndexRequest, Plan, Rules
from cvsearch.embedding import lookup
from cvsearch.output.progress import Progress
from cvsearch.signals import CancelToken
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library, open_lock

INDEX = Path(".local/share/cvsearch")
"""The user's own index, beneath the home folder, which is also the working folder."""


def known_paths(index=INDEX) -> set[str]:
    with open_library(str(index.absolute())) as store:
        return {os.path.basename(path) for _, path, _ in store.files.beneath("/")}


def count_vectors(index=INDEX) -> int:
    with open_library(str(index.absolute())) as store:
        assert list(find_faults(store)) == []
        return sum(len(store.vectors(number)[0]) for number, _ in store.catalogue.spaces())


def insert(path, *segments):
    """Puts segments into a JPEG, right after its start."""
    data = Path(path).read_bytes()
    body = b"".join(mark + (len(text) + 2).to_bytes(2, "big") + text for mark, text in segments)
    Path(path).write_bytes(data[:2] + body + data[2:])


# --- Errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "environ", "code", "said"),
    [
        (["nowhere"], {}, 2, "no such file or folder"),
        ([], {}, 7, "there is no index"),
        (["--exclude", "*.png"], {}, 2, "belong to a folder"),
        (["--wait-lock", "soon", "."], {}, 2, "no length of time: soon"),
        (["--wait-lock", "nan", "."], {}, 2, "no length of time: nan"),
        (["--wait-lock", "infm", "."], {}, 2, "no length of time: infm"),
        (["--wait-lock=-1s", "."], {}, 2, "no length of time: -1s"),
        (["--files-from", "a", "--files0-from", "b"], {}, 2, "exclude each other"),
        (["--files-from", "no-such-list"], {}, 2, "no-such-list"),
        (["--max-calls", "-1", "."], {}, 2, "-1"),
        (["."], {"CVSEARCH_KEY": None}, 4, "no key"),
        (["."], {"CVSEARCH_ENDPOINT": None}, 4, "no endpoint"),
        (["."], {"CVSEARCH_KEY": ""}, 4, "set but empty"),
        (["."], {"CVSEARCH_ENDPOINT": "http://example.com"}, 2, "https"),
    ],
)
def test_index_refuses(cli, double, monkeypatch, argv, environ, code, said):
    for name, value in environ.items():
        monkeypatch.delenv(name)
        if value is not None:
            monkeypatch.setenv(name, value)
    album.fill(".", 1)
    result = cli("index", *argv)
    assert result.code == code
    assert said in result.err
    assert result.err.splitlines()[-1].startswith("hint: ")
    assert double.calls() == 0


def test_half_a_configuration_makes_no_index(cli, double, photos, monkeypatch):
    monkeypatch.delenv("CVSEARCH_KEY")
    assert cli("index", photos).code == 4
    assert not INDEX.exists()


def test_error_as_json(cli, double):
    result = cli.json("index", "nowhere")
    error = json.loads(result.err.splitlines()[-1])["error"]
    assert (error["code"], result.code) == (2, 2)
    assert "nowhere" in error["message"]


def test_a_foreign_folder_is_refused(cli, double, photos):
    before = sorted(os.listdir(photos))
    result = cli("index", "--index", photos, photos)
    assert result.code == 2
    assert "not empty" in result.err
    assert sorted(os.listdir(photos)) == before


def test_another_database_is_refused(cli, double, photos):
    os.mkdir("idx")
    with sqlite3.connect("idx/catalogue.sqlite") as connection:
        connection.execute("CREATE TABLE mine (number)")
    connection.close()
    result = cli("index", "--index", "idx", photos)
    assert result.code == 2
    assert "no cvsearch index" in result.err


def test_the_second_writer_is_told_who_writes(cli, double, photos):
    assert cli("index", photos).code == 0
    with open_lock(str(INDEX)):
        result = cli("index", photos)
    assert result.code == 8
    assert f"pid {os.getpid()}" in result.err
    assert "host " in result.err and "since 20" in result.err
    assert "--wait-lock" in result.err


def test_wait_lock_waits(cli, double, photos):
    assert cli("index", photos).code == 0
    holder = (
        "import sys\nfrom cvsearch.store.local.library import open_lock\n"
        "with open_lock(sys.argv[1]):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-c", holder, str(INDEX)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        assert cli("index", "--wait-lock", "0.3s", photos).code == 8
        process.stdin.close()
        assert cli("index", "--wait-lock", "1m", photos).code == 0


def test_offline_ends_with_4_when_a_call_is_needed(cli, double, photos):
    result = cli("index", "--offline", photos)
    assert result.code == 4
    assert "--offline" in result.err
    assert double.calls() == 0


@pytest.mark.parametrize("flags", [["--offline"], ["--max-calls", "0"]])
def test_offline_is_enough_when_no_call_is_needed(cli, double, photos, flags):
    assert cli("index", photos).code == 0
    assert cli("index", *flags, photos).code == 0
    (photos / "000.jpg").rename(photos / "new.jpg")
    shutil.copy(photos / "001.jpg", photos / "copy.jpg")
    result = cli.json("index", *flags, photos)
    assert (result.code, result.counts()) == (0, {"found": 7, "reused": 2, "unchanged": 5, "forgotten": 1})


def test_no_credential_is_needed_when_no_call_is(cli, double, photos, monkeypatch):
    assert cli("index", photos).code == 0
    monkeypatch.delenv("CVSEARCH_KEY")
    monkeypatch.delenv("CVSEARCH_ENDPOINT")
    photos.rename(photos.with_name("elsewhere"))
    assert cli("index", photos.with_name("elsewhere")).code == 0


# --- One call for each picture -------------------------------------------------------------------


def test_one_call_for_each_distinct_picture(cli, double, tmp_path):
    album.copy_bundled(tmp_path / "photos")
    first = cli.json("index", tmp_path / "photos")
    assert (first.code, first.counts()) == (0, {"found": 6, "indexed": 6, "calls": 6})
    assert double.calls() == double.good == 6
    second = cli.json("index", tmp_path / "photos")
    assert (second.code, second.counts()) == (0, {"found": 6, "unchanged": 6})
    assert double.calls() == 6
    assert count_vectors() == 6


def rename(folder):
    (folder / "000.jpg").rename(folder / "moved.jpg")


def copy(folder):
    shutil.copy2(folder / "000.jpg", folder / "copy.jpg")


def move_the_tree(folder):
    (folder / "below").mkdir()
    for name in ("000.jpg", "001.jpg", "002.jpg"):
        (folder / name).rename(folder / "below" / name)


def swap(folder):
    (folder / "000.jpg").rename(folder / "other")
    (folder / "001.jpg").rename(folder / "000.jpg")
    (folder / "other").rename(folder / "001.jpg")


def touch(folder):
    album.touch(folder / "000.jpg")


def link(folder):
    os.link(folder / "000.jpg", folder / "hard.jpg")


def add_comment(folder):
    insert(folder / "000.jpg", (b"\xff\xfe", b"a comment"))


def add_exif(folder):
    exif = Image.Exif()
    exif[0x010F], exif[0x0132] = "ACME", "2021:05:06 07:08:09"
    insert(folder / "000.jpg", (b"\xff\xe1", exif.tobytes()))


def add_xmp(folder):
    insert(folder / "000.jpg", (b"\xff\xe1", b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta/>"))


@pytest.mark.parametrize(
    "change", [rename, copy, move_the_tree, swap, touch, link, add_comment, add_exif, add_xmp]
)
def test_no_call_for(cli, double, photos, change):
    assert cli("index", photos).code == 0
    change(photos)
    result = cli.json("index", photos)
    assert result.code == 0
    assert "calls" not in result.counts()
    assert result.counts().get("reused", 0) + result.counts()["unchanged"] == len(
        [name for _, _, names in os.walk(photos) for name in names]
    )
    assert double.calls() == 6
    assert known_paths() == {name for _, _, names in os.walk(photos) for name in names}


def test_swapped_contents_change_what_the_names_point_at(cli, double, photos):
    cli("index", photos)
    before = {line["path"]: line["sha256"] for line in cli.json("index", photos).lines[:-1]}
    swap(photos)
    after = {line["path"]: line["sha256"] for line in cli.json("index", photos).lines[:-1]}
    assert after[f"{photos}/000.jpg"] == before[f"{photos}/001.jpg"]
    assert after[f"{photos}/001.jpg"] == before[f"{photos}/000.jpg"]
    assert after[f"{photos}/002.jpg"] == before[f"{photos}/002.jpg"]


def test_a_removed_and_restored_photo_costs_nothing(cli, double, photos):
    cli("index", photos)
    data = (photos / "000.jpg").read_bytes()
    (photos / "000.jpg").unlink()
    gone = cli.json("index", photos)
    assert gone.counts() == {"found": 5, "unchanged": 5, "forgotten": 1}
    assert gone.events("forgotten")[0]["path"] == f"{photos}/000.jpg"
    assert known_paths() == {f"00{number}.jpg" for number in range(1, 6)}
    album.write(photos / "000.jpg", data)
    assert cli.json("index", photos).counts() == {"found": 6, "reused": 1, "unchanged": 5}
    assert double.calls() == 6


def test_an_edit_costs_one_call(cli, double, photos):
    cli("index", photos)
    album.write(photos / "000.jpg", album.jpeg(100))
    assert cli.json("index", photos).counts() == {"found": 6, "indexed": 1, "unchanged": 5, "calls": 1}


def edit_in_place(path):
    """Other bytes of the same number: another table to quantise with, which changes the pixels."""
    data = bytearray(Path(path).read_bytes())
    place = data.index(b"\xff\xdb") + 5
    data[place] = data[place] * 3
    Path(path).write_bytes(data)


def test_an_edit_of_unchanged_size_costs_one_call(cli, double, photos):
    cli("index", photos)
    before = (photos / "000.jpg").stat()
    edit_in_place(photos / "000.jpg")
    album.touch(photos / "000.jpg")
    assert (photos / "000.jpg").stat().st_size == before.st_size
    assert cli.json("index", photos).counts() == {"found": 6, "indexed": 1, "unchanged": 5, "calls": 1}


def test_checksum_sees_what_size_and_time_do_not(cli, double, photos):
    cli("index", photos)
    before = (photos / "000.jpg").stat()
    edit_in_place(photos / "000.jpg")
    os.utime(photos / "000.jpg", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cli.json("index", photos).counts() == {"found": 6, "unchanged": 6}
    found = cli.json("index", "--checksum", photos)
    assert found.counts() == {"found": 6, "indexed": 1, "unchanged": 5, "calls": 1}


def test_a_turned_photo_is_another_picture(cli, double, photos):
    cli("index", photos)
    exif = Image.Exif()
    exif[0x0112] = 6
    insert(photos / "000.jpg", (b"\xff\xe1", exif.tobytes()))
    assert cli.json("index", photos).counts()["calls"] == 1


def test_files_of_the_same_bytes_cost_one_call(cli, double, tmp_path):
    for number in range(5):
        album.write(tmp_path / "photos" / f"{number}.jpg", album.jpeg(0))
    assert cli.json("index", tmp_path / "photos").counts() == {
        "found": 5,
        "indexed": 1,
        "reused": 4,
        "calls": 1,
    }
    assert count_vectors() == 1
    assert len(known_paths()) == 5


def test_files_of_the_same_pixels_cost_one_call(cli, double, tmp_path):
    image = Image.open(io.BytesIO(album.jpeg(0)))
    (tmp_path / "photos").mkdir()
    for level in range(4):
        image.save(tmp_path / "photos" / f"{level}.png", compress_level=level)
    image.save(tmp_path / "photos" / "5.bmp")
    result = cli.json("index", tmp_path / "photos")
    assert result.counts() == {"found": 5, "indexed": 1, "reused": 4, "calls": 1}
    assert cli.json("index", tmp_path / "photos").counts() == {"found": 5, "unchanged": 5}


def test_the_stored_vectors_are_those_the_service_gave(cli, double, photos):
    from azure_double import picture_vector

    cli("index", photos)
    with open_library(str(INDEX.absolute())) as store:
        units, norms = store.vectors(1)
        for name in os.listdir(photos):
            row = store.files.row_of(str(photos / name), 1)
            wanted = np.array(picture_vector(Image.open(photos / name)), np.float32)
            assert np.allclose(units[row] * norms[row], wanted, atol=1e-3)


# --- Roots and their options ---------------------------------------------------------------------


def test_an_index_inside_the_tree_moves_with_it(cli, double, photos, tmp_path, monkeypatch):
    assert cli("index", "--index", photos / ".cvsearch", photos).code == 0
    (tmp_path / "mnt").mkdir()
    photos.rename(tmp_path / "mnt" / "pictures")
    monkeypatch.chdir(tmp_path / "mnt" / "pictures")
    result = cli.json("index")
    assert (result.code, result.counts()) == (0, {"found": 6, "unchanged": 6})
    assert {line["path"] for line in result.events("unchanged")} == {
        f"{tmp_path}/mnt/pictures/00{number}.jpg" for number in range(6)
    }


def test_an_index_beside_its_roots_moves_with_them(cli, double, tmp_path):
    album.fill(tmp_path / "disk" / "a", 2)
    album.fill(tmp_path / "disk" / "b", 2, first=2)
    index = tmp_path / "disk" / "index"
    assert cli("index", "--index", index, tmp_path / "disk" / "a", tmp_path / "disk" / "b").code == 0
    (tmp_path / "disk").rename(tmp_path / "other")
    result = cli.json("index", "--index", tmp_path / "other" / "index")
    assert (result.code, result.counts()) == (0, {"found": 4, "unchanged": 4})


def test_every_root_again(cli, double, tmp_path):
    for number, name in enumerate(("a", "b")):
        album.fill(tmp_path / name, 2, first=10 * number)
        assert cli("index", tmp_path / name).code == 0
    album.fill(tmp_path / "b", 1, first=50)
    result = cli.json("index")
    assert result.counts() == {"found": 5, "indexed": 1, "unchanged": 4, "calls": 1}


def test_a_run_forgets_only_beneath_what_it_walked(cli, double, tmp_path):
    for name in ("a", "b"):
        album.fill(tmp_path / "photos" / name, 2)
    cli("index", tmp_path / "photos")
    for name in ("a", "b"):
        (tmp_path / "photos" / name / "000.jpg").unlink()
    result = cli.json("index", tmp_path / "photos" / "a")
    assert [line["path"] for line in result.events("forgotten")] == [f"{tmp_path}/photos/a/000.jpg"]
    assert [root["path"] for root in json.loads(cli("status", "--json").out)["roots"]] == [
        f"{tmp_path}/photos"
    ]
    assert cli.json("index").counts() == {"found": 2, "unchanged": 2, "forgotten": 1}


def test_options_are_remembered_shown_and_replaced(cli, double, photos):
    album.write(photos / "raw" / "010.jpg", album.jpeg(10))
    first = cli.json("index", "--exclude", "raw/", photos)
    assert first.counts()["found"] == 6
    assert cli.json("index", photos).counts()["found"] == 6
    assert cli.json("index").counts()["found"] == 6
    (root,) = json.loads(cli("status", "--json").out)["roots"]
    assert root["options"]["exclude"] == ["raw/"]
    assert cli.json("index", "--exclude", "*.png", photos).counts()["found"] == 7
    (root,) = json.loads(cli("status", "--json").out)["roots"]
    assert root["options"]["exclude"] == ["*.png"]


def test_hidden_links_and_depth_are_options(cli, double, photos, tmp_path):
    album.write(photos / ".hidden.jpg", album.jpeg(20))
    album.write(photos / "below" / "021.jpg", album.jpeg(21))
    album.fill(tmp_path / "linked", 1, first=22)
    os.symlink(tmp_path / "linked", photos / "link")
    assert cli.json("index", photos).counts()["found"] == 7
    assert cli.json("index", "--hidden", photos).counts()["found"] == 8
    assert cli.json("index", "--follow-links", photos).counts()["found"] == 8
    assert cli.json("index", "--no-recursive", photos).counts()["found"] == 6
    assert cli.json("index", "--hidden", "--follow-links", photos).counts()["found"] == 9
    assert double.calls() == 9


def test_excluded_photos_are_forgotten_at_once_and_come_back_for_nothing(cli, double, photos):
    cli("index", photos)
    gone = cli.json("index", "--exclude", "00[0-3].jpg", photos)
    assert (gone.code, gone.counts()) == (0, {"found": 2, "unchanged": 2, "forgotten": 4})
    back = cli.json("index", "--exclude", "nothing", photos)
    assert (back.code, back.counts()) == (0, {"found": 6, "reused": 4, "unchanged": 2})
    assert double.calls() == 6


def test_a_root_may_be_excluded_whole(cli, double, photos):
    cli("index", photos)
    result = cli.json("index", "--exclude", "*.jpg", photos)
    assert (result.code, result.counts()) == (0, {"forgotten": 6})
    assert known_paths() == set()


def test_ignore_files_exclude(cli, double, photos):
    album.write(photos / ".cvsearchignore", b"00[0-1].jpg\n!001.jpg\n")
    result = cli("index", photos)
    assert "excluded 1" in result.err
    assert known_paths() == {f"00{number}.jpg" for number in range(1, 6)}


def test_nested_roots_keep_their_own_options(cli, double, photos):
    album.write(photos / "inner" / ".010.jpg", album.jpeg(10))
    album.write(photos / "inner" / "011.jpg", album.jpeg(11))
    assert cli.json("index", "--hidden", photos / "inner").counts()["found"] == 2
    assert cli.json("index", photos).counts()["found"] == 8
    assert cli.json("index").counts() == {"found": 8, "unchanged": 8}
    (photos / "inner" / "011.jpg").unlink()
    assert cli.json("index", photos).counts() == {"found": 7, "unchanged": 7, "forgotten": 1}
    assert double.calls() == 8


def test_a_root_inside_a_known_root_costs_nothing(cli, double, photos):
    album.fill(photos / "inner", 2, first=10)
    assert cli.json("index", photos).counts()["calls"] == 8
    result = cli.json("index", "--hidden", photos / "inner")
    assert result.counts() == {"found": 2, "unchanged": 2}
    assert cli.json("index").counts() == {"found": 8, "unchanged": 8}
    assert len(known_paths()) == 8


def test_the_index_is_never_walked(cli, double, photos):
    index = photos / "visible-index"
    assert cli("index", "--index", index, photos).code == 0
    album.fill(index, 2, first=90)
    assert cli.json("index", "--index", index, photos).counts() == {"found": 6, "unchanged": 6}


# --- Listed files --------------------------------------------------------------------------------


ODD = (b"line\nbreak.jpg", b"caf\xe9.jpg", b"-rf.jpg", b'quote".jpg', b"esc\x1b[31m.jpg")


def write_odd(folder):
    for number, name in enumerate(ODD):
        album.write(os.path.join(folder, os.fsdecode(name)), album.jpeg(number))
    return [os.path.join(os.fsencode(folder), name) for name in ODD]


def test_odd_names_listed_with_nul(cli, double, tmp_path):
    names = write_odd(tmp_path / "odd")
    result = cli.json("index", "--files0-from", "-", stdin=b"\0".join(names) + b"\0")
    assert (result.code, result.counts()) == (0, {"found": 5, "indexed": 5, "calls": 5})
    found = {
        base64.b64decode(line["path_base64"]) if "path_base64" in line else os.fsencode(line["path"])
        for line in result.lines[:-1]
    }
    assert found == set(names)
    (strange,) = [line for line in result.lines if "path_base64" in line]
    assert strange["path"].endswith("caf\udce9.jpg")
    assert cli.json("index").counts() == {"found": 5, "unchanged": 5}


def test_files_listed_by_line(cli, double, photos):
    album.write("list", f"{photos}/000.jpg\n{photos}/001.jpg\n".encode())
    assert cli.json("index", "--files-from", "list").counts() == {"found": 2, "indexed": 2, "calls": 2}
    assert known_paths() == {"000.jpg", "001.jpg"}


def test_an_empty_list_names_nothing(cli, double, photos):
    cli("index", photos)
    (photos / "000.jpg").unlink()
    result = cli.json("index", "--files-from", "-")
    assert (result.code, result.counts()) == (0, {})
    assert len(known_paths()) == 6


def test_a_listed_file_that_is_nowhere_is_a_skip(cli, double, photos):
    listed = f"{photos}/000.jpg\n{photos}/no.jpg\n".encode()
    result = cli.json("index", "--files-from", "-", stdin=listed)
    assert result.code == 3
    assert [(line["path"], line["reason"]) for line in result.events("skipped")] == [
        (f"{photos}/no.jpg", "vanished")
    ]


def test_a_named_photo_needs_no_known_ending(cli, double, photos):
    named = album.write(photos / "named", album.jpeg(30))
    assert cli.json("index", named).counts() == {"found": 1, "indexed": 1, "calls": 1}


def test_a_named_photo_that_is_gone_is_forgotten(cli, double, photos):
    cli("index", photos / "000.jpg")
    (photos / "000.jpg").unlink()
    result = cli.json("index")
    assert (result.code, result.counts()) == (0, {"forgotten": 1})


# --- Forgetting ----------------------------------------------------------------------------------


def remove(paths):
    for path in paths:
        os.unlink(path)


@pytest.mark.parametrize(
    ("had", "lost", "kept"),
    [(120, 99, False), (500, 100, False), (499, 100, True), (500, 101, True), (150, 149, True)],
)
def test_photos_that_vanish_in_numbers_stay(cli, double, tmp_path, had, lost, kept):
    folder = tmp_path / "photos"
    vanishing = album.fill_with_one(folder, lost, picture=0)
    album.fill_with_one(folder, had - lost, picture=1, first=lost)
    cli("index", folder)
    remove(vanishing)
    result = cli.json("index", folder)
    assert result.code == (3 if kept else 0)
    assert len(result.events("forgotten")) == (0 if kept else lost)
    assert ("--forget-missing" in result.err) == kept
    assert len(known_paths()) == (had if kept else had - lost)


def test_forget_missing_means_it(cli, double, tmp_path):
    folder = tmp_path / "photos"
    vanishing = album.fill_with_one(folder, 150, picture=0)
    album.fill(folder, 1, first=900)
    cli("index", folder)
    remove(vanishing)
    kept = cli.json("index", folder)
    assert kept.code == 3
    assert f"vanished: 150 photos of {folder}" in kept.err
    assert kept.summary["missing"] == [str(folder)]
    result = cli.json("index", "--forget-missing", folder)
    assert (result.code, result.counts()) == (0, {"found": 1, "unchanged": 1, "forgotten": 150})


def test_new_photos_do_not_hide_that_others_vanished(cli, double, tmp_path):
    folder = tmp_path / "photos"
    vanishing = album.fill_with_one(folder, 120, picture=0)
    cli("index", folder)
    remove(vanishing)
    album.fill_with_one(folder, 600, picture=1, first=200)
    result = cli.json("index", folder)
    assert (result.code, result.events("forgotten")) == (3, [])


def test_moved_photos_have_not_vanished(cli, double, tmp_path):
    folder = tmp_path / "photos"
    paths = album.fill_with_one(folder, 150, picture=0)
    cli("index", folder)
    (folder / "below").mkdir()
    for path in paths:
        os.rename(path, folder / "below" / os.path.basename(path))
    result = cli.json("index", folder)
    assert (result.code, result.counts()) == (0, {"found": 150, "reused": 150, "forgotten": 150})


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_root_that_is_not_there_keeps_its_photos(cli, double, photos, how):
    cli("index", photos)
    shutil.rmtree(photos)
    if how == "empty":
        photos.mkdir()
    result = cli.json("index")
    assert (result.code, result.counts()) == (3, {})
    assert result.summary["missing"] == [str(photos)]
    assert f"missing: {photos}" in result.err and "--forget-missing" in result.err
    assert len(known_paths()) == 6
    meant = cli.json("index", "--forget-missing")
    assert (meant.code, meant.counts()) == (0, {"forgotten": 6})
    assert known_paths() == set()


def test_a_known_folder_that_is_gone_may_be_named(cli, double, photos):
    album.fill(photos / "below", 2, first=10)
    cli("index", photos)
    shutil.rmtree(photos / "below")
    assert cli("index", photos / "below").code == 3
    assert len(known_paths()) == 8
    assert cli("index", "--forget-missing", photos / "below").code == 0
    assert len(known_paths()) == 6


def test_a_missing_root_does_not_take_a_nested_one_with_it(cli, double, photos):
    album.fill(photos / "inner", 2, first=10)
    cli("index", photos)
    cli("index", "--hidden", photos / "inner")
    remove(photos / f"00{number}.jpg" for number in range(6))
    assert cli("index", photos).code == 3
    assert cli("index", "--forget-missing", photos).code == 0
    assert known_paths() == {"010.jpg", "011.jpg"}


def test_an_unreadable_folder_keeps_its_photos(cli, double, photos, monkeypatch):
    album.fill(photos / "shut", 2, first=10)
    cli("index", photos)
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) == f"{photos}/shut":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = cli.json("index")
    assert result.code == 3
    assert [(line["path"], line["reason"]) for line in result.events("skipped")] == [
        (f"{photos}/shut", "unreadable-folder")
    ]
    assert result.events("forgotten") == []
    assert len(known_paths()) == 8


def test_a_broken_ignore_file_keeps_what_lies_beneath(cli, double, photos):
    album.fill(photos / "below", 2, first=10)
    cli("index", photos)
    album.write(photos / "below" / ".cvsearchignore", b"[[broken]\n")
    result = cli.json("index")
    assert result.code == 3
    assert [line["reason"] for line in result.events("skipped")] == ["unreadable-ignore-file"]
    assert len(known_paths()) == 8


def test_a_root_that_goes_away_while_it_is_read_is_left(cli, double, tmp_path, monkeypatch):
    from cvsearch.photos import read

    album.fill(tmp_path / "a", 40)
    album.fill(tmp_path / "b", 3, first=50)
    cli("index", tmp_path / "b")
    album.fill(tmp_path / "b", 1, first=60)
    tries = []

    def read_photo(file):
        tries.append(file.path)
        if len(tries) == 3:
            os.rename(tmp_path / "a", tmp_path / "away")
        return reader(file)

    reader = read.read_photo
    replace_everywhere(monkeypatch, reader, read_photo)
    result = cli.json("index", tmp_path / "a", tmp_path / "b")
    assert result.code == 3
    assert f"lost: {tmp_path}/a" in result.err
    assert [path for path in tries if path.startswith(f"{tmp_path}/b")] == [f"{tmp_path}/b/060.jpg"]
    assert len(tries) < 20
    (tmp_path / "away").rename(tmp_path / "a")
    assert cli("index").code == 0
    assert double.good == 44


# --- Skips ---------------------------------------------------------------------------------------


def make_heic() -> bytes:
    import pillow_heif

    file = io.BytesIO()
    image = Image.open(io.BytesIO(album.jpeg(0, 64, 64)))
    pillow_heif.from_pillow(image).save(file, format="HEIF")
    return file.getvalue()


def write_damaged(folder):
    return album.write(folder / "damaged.jpg", album.jpeg(40)[:300])


def test_bad_files_are_skipped_with_their_reason(cli, double, photos):
    write_damaged(photos)
    album.write(photos / "text.jpg", b"this is no picture\n")
    album.write(photos / "empty.jpg", b"")
    album.write(photos / "tiny.jpg", album.jpeg(41, 5, 5))
    result = cli.json("index", photos)
    assert result.code == 3
    assert {os.path.basename(line["path"]): line["reason"] for line in result.events("skipped")} == {
        "damaged.jpg": "damaged",
        "text.jpg": "unsupported-format",
        "empty.jpg": "empty-file",
        "tiny.jpg": "too-small",
    }
    assert result.counts() == {"found": 10, "indexed": 6, "skipped": 4, "calls": 6}
    assert "skipped 1: damaged" in result.err
    assert f"{photos}/text.jpg" in result.err


def count_reads(monkeypatch):
    """The names of files that are read from now on."""
    from cvsearch.photos import read

    names = []
    reader = read.read_photo

    def read_photo(file):
        names.append(os.path.basename(file.path))
        return reader(file)

    replace_everywhere(monkeypatch, reader, read_photo)
    return names


def test_a_lasting_skip_is_remembered_until_it_is_excluded(cli, double, photos, monkeypatch):
    write_damaged(photos)
    assert cli("index", photos).code == 3
    names = count_reads(monkeypatch)
    again = cli.json("index", photos)
    assert (again.code, again.counts()) == (3, {"found": 7, "unchanged": 6, "skipped": 1})
    assert names == []
    assert cli("index", "--retry-skipped", photos).code == 3
    assert names == ["damaged.jpg"]
    assert cli("index", "--exclude", "damaged.jpg", photos).code == 0
    assert cli("index").code == 0


def test_a_mended_file_is_no_skip_any_more(cli, double, photos):
    path = write_damaged(photos)
    assert cli("index", photos).code == 3
    album.write(path, album.jpeg(40))
    assert cli.json("index", photos).counts() == {"found": 7, "indexed": 1, "unchanged": 6, "calls": 1}
    assert cli("index").code == 0


def test_a_copied_bad_file_is_not_decoded_again(cli, double, photos, monkeypatch):
    path = write_damaged(photos)
    cli("index", photos)
    shutil.copy(path, photos / "copy.jpg")
    monkeypatch.setattr("cvsearch.photos.preprocess.prepare_photo", lambda *_: pytest.fail("decoded"))
    result = cli.json("index", photos)
    assert sorted(os.path.basename(line["path"]) for line in result.events("skipped")) == [
        "copy.jpg",
        "damaged.jpg",
    ]


def test_a_photo_the_service_refuses_is_not_sent_again(cli, double, photos):
    double.misbehave("400-format")
    first = cli.json("index", photos)
    assert first.counts() == {"found": 6, "indexed": 5, "skipped": 1, "calls": 6}
    assert cli("index", photos).code == 3
    assert double.calls() == 6
    assert cli("index", "--retry-skipped", photos).code == 0
    assert double.calls() == 7


def test_heic_with_its_extra(cli, double, tmp_path):
    album.write(tmp_path / "photos" / "a.heic", make_heic())
    assert cli.json("index", tmp_path / "photos").counts() == {"found": 1, "indexed": 1, "calls": 1}


def test_heic_without_its_extra_is_skipped_until_it_is_installed(cli, double, photos, monkeypatch):
    album.write(photos / "a.heic", make_heic())
    with monkeypatch.context() as patch:
        for module in ("read", "decode"):
            patch.setattr(f"cvsearch.photos.{module}.extras", frozenset)
        result = cli.json("index", photos)
        assert result.code == 3
        assert [line["reason"] for line in result.events("skipped")] == ["needs-heif"]
        assert "HEIC photos: 1 will be skipped" in result.err
        assert "pip install 'cvsearch[heif]'" in result.err
        assert cli.json("index", photos).counts() == {"found": 7, "unchanged": 6, "skipped": 1}
    result = cli.json("index", photos)
    assert (result.code, result.counts()) == (0, {"found": 7, "indexed": 1, "unchanged": 6, "calls": 1})


def test_a_file_that_cannot_be_read_is_tried_again(cli, double, photos, monkeypatch):
    from cvsearch.model import Skip
    from cvsearch.photos import read

    shut = Skip("permission", "you may not read it", lasting=False)
    reader = read.read_photo
    with monkeypatch.context() as patch:
        replace_everywhere(
            patch, reader, lambda file: shut if file.path.endswith("000.jpg") else reader(file)
        )
        result = cli.json("index", photos)
        assert (result.code, result.counts()["skipped"]) == (3, 1)
    assert cli.json("index").counts() == {"found": 6, "indexed": 1, "unchanged": 5, "calls": 1}


def test_the_vector_that_was_found_is_written_though_the_cache_goes(
    cli, double, photos, tmp_path, monkeypatch
):
    assert cli("index", photos).code == 0
    sample = album.write(tmp_path / "sample.jpg", album.jpeg(77))
    assert cli("query", "-i", sample).code == 0
    find, found = lookup.IndexLookup.find_asked, []

    def find_once(self, kind, key):
        found.append(find(self, kind, key))
        return found[0] if len(found) == 1 else None

    monkeypatch.setattr(lookup.IndexLookup, "find_asked", find_once)
    result = cli.json("index", os.path.dirname(album.write(tmp_path / "more" / "a.jpg", album.jpeg(77))))
    assert (result.code, double.calls()) == (0, 7)
    assert cli.json("status").lines[0]["spaces"][0]["photos"] == 7


def test_looking_at_known_photos_is_seen(cli, double, photos, monkeypatch):
    assert cli("index", photos).code == 0
    seen = []
    monkeypatch.setattr(Progress, "update", lambda self, done, total, *_: seen.append((done, total)))
    assert cli("index", photos).code == 0
    assert seen[:6] == [(number, None) for number in range(1, 7)]


def test_a_declined_run_removes_no_index_that_another_made_meanwhile(library, tmp_path, monkeypatch):
    monkeypatch.setattr("cvsearch.indexer.job.has_index", lambda _: False)
    more = os.path.dirname(album.write(tmp_path / "more" / "a.jpg", album.jpeg(77)))
    request = IndexRequest([more], Rules())
    with (
        cvsearch.open_index() as index,
        index.open_job(request, CancelToken()) as job,
        closing(index.run_job(job)) as events,
    ):
        assert any(isinstance(event, Plan) for event in events)
    assert job.declined
    with cvsearch.open_index() as index:
        assert len(index.photos()) == 6


def test_a_photo_that_was_asked_with_is_not_paid_for_again(cli, double, photos, tmp_path):
    assert cli("index", photos).code == 0
    album.write(photos / "new.jpg", album.jpeg(50))
    shutil.copy(photos / "new.jpg", tmp_path / "other.jpg")
    assert cli("query", "-i", tmp_path / "other.jpg").code == 0
    insert(photos / "new.jpg", (b"\xff\xfe", b"a comment"))
    shutil.copy(photos / "new.jpg", photos / "newer.jpg")
    assert double.calls() == 7
    result = cli.json("index", photos)
    assert (result.code, double.calls()) == (0, 7), result
    assert result.counts() == {"found": 8, "reused": 2, "unchanged": 6}
    assert count_vectors() == 7
    assert "embedded for a query" in cli("show", photos / "newer.jpg").out.decode()
    best = cli.json("query", "-i", tmp_path / "other.jpg").lines[:2]
    assert {os.path.basename(row["path"]) for row in best} == {"new.jpg", "newer.jpg"}
    assert best[0]["score"] > 0.999
    assert cli.json("index", photos).counts() == {"found": 8, "unchanged": 8}


def test_a_dry_run_knows_what_was_asked_with(cli, double, photos):
    assert cli("query", "-i", photos / "000.jpg").code in (0, 7)
    assert cli("index", photos, "--max-calls", "0").code == 6
    assert cli("query", "-i", photos / "000.jpg").code in (0, 7)
    calls = double.calls()
    plan = cli.json("index", "--dry-run", photos).counts()
    assert cli.json("index", photos).counts()["calls"] == plan["calls"]
    assert double.calls() == calls + plan["calls"]


# --- The question --------------------------------------------------------------------------------


@pytest.mark.parametrize(("answer", "code", "calls"), [(b"n\n", 2, 0), (b"\n", 2, 0), (b"y\n", 0, 6)])
def test_a_person_is_asked_before_the_first_photo_leaves(cli, double, photos, answer, code, calls):
    result = run_on_terminal("index", photos, stdin=answer)
    assert (result.code, double.calls()) == (code, calls)
    assert "to do: at most 6 photos" in result.err
    assert "Send at most 6 photos to 127.0.0.1" in result.err
    assert ("not confirmed" in result.err) == (code == 2)
    assert ("indexed " in result.err) == (code == 0)
    assert INDEX.exists() == (code == 0)


def test_a_person_is_asked_once(cli, double, photos):
    assert cli("index", photos).code == 0
    album.fill(photos, 2, first=10)
    result = run_on_terminal("index", photos, stdin=b"")
    assert (result.code, double.calls()) == (0, 8)
    assert "[y/N]" not in result.err


def test_a_person_is_asked_before_many_calls(cli, double, photos, monkeypatch):
    assert cli("index", photos).code == 0
    album.fill_with_one(photos, 1001, picture=70, first=1000)
    result = run_on_terminal("index", photos, stdin=b"n\n")
    assert (result.code, double.calls()) == (2, 6)
    assert "Send at most 1,001 photos" in result.err


def test_an_answer_of_no_is_no_run(cli, double, photos):
    assert cli("index", photos).code == 0
    (before,) = cli.json("status").lines
    album.fill_with_one(photos, 1001, picture=70, first=1000)
    result = run_on_terminal("index", photos, stdin=b"n\n")
    assert result.err.endswith("[y/N] error: not confirmed; nothing was done\nhint: answer y, or use --yes\n")
    (status,) = cli.json("status").lines
    assert status["last_run"] == before["last_run"]


def test_an_interrupt_at_the_question_is_no_run(double, photos):
    result = run_on_terminal("index", photos, stdin=b"\x03", interrupt=True)
    assert (result.code, double.calls()) == (130, 0)
    assert result.err.endswith("[y/N] error: interrupted\nhint: nothing was sent\n")
    assert not INDEX.exists()


def test_yes_answers(cli, double, photos):
    result = run_on_terminal("index", "--yes", photos, stdin=b"")
    assert (result.code, double.calls()) == (0, 6)
    assert "[y/N]" not in result.err


# --- What is said --------------------------------------------------------------------------------


def test_events_have_the_fields_of_the_contract(cli, double, photos):
    result = cli.json("index", photos)
    assert result.out.isascii()
    for line in result.lines[:-1]:
        assert set(line) == {"event", "path", "sha256", "reason"}
        assert len(line["sha256"]) == 64
    wanted = "event found indexed reused unchanged forgotten skipped calls seconds"
    assert set(wanted.split()) <= set(result.summary)


def test_without_json_stdout_is_empty(cli, double, photos):
    result = cli("index", photos)
    assert result.out == b""
    assert "indexed 6, reused 0, unchanged 0, forgotten 0, skipped 0 of 6 photos" in result.err
    assert "6 calls; 0 photos already paid for" in result.err


def test_quiet_says_nothing(cli, double, photos):
    result = cli("index", "-q", photos)
    assert (result.code, result.out, result.err) == (0, b"", "")


def test_what_was_passed_over_is_said(cli, double, photos):
    album.write(photos / "notes.txt", b"x")
    album.write(photos / ".hidden.jpg", b"x")
    album.write(photos / "@eaDir" / "x.jpg", b"x")
    result = cli("index", "--exclude", "005.jpg", photos)
    assert "passed over: other files 1, hidden 1, excluded 1, system folders and previews 1" in result.err, (
        result.err
    )


def test_the_run_and_its_traffic_are_noted(cli, double, photos):
    cli("index", photos)
    status = json.loads(cli("status", "--json").out)
    assert status["last_run"]["code"] == 0
    assert status["last_run"]["summary"]["indexed"] == 6
    (traffic,) = status["traffic"] if isinstance(status["traffic"], list) else [status["traffic"]]
    assert "127.0.0.1" in json.dumps(traffic)
    assert str(sum(call.size for call in double.requests)) in json.dumps(traffic)


def holds(folder, secret) -> list[str]:
    """The files that hold a text."""
    return [
        os.path.join(where, name)
        for where, _, names in os.walk(folder)
        for name in names
        if secret in Path(where, name).read_bytes()
    ]


@pytest.mark.parametrize("key_works", [True, False])
def test_the_key_appears_nowhere(home, double, photos, tmp_path, key_works, monkeypatch):
    key = "0123456789abcdef-secret-key" if key_works else "a-key-that-is-wrong"
    monkeypatch.setenv("CVSEARCH_KEY", key)
    for flags in (["--debug"], [], ["--debug", "--json"]):
        result = run("index", *flags, photos)
        assert result.code == (0 if key_works else 4)
        assert key not in result.err and key.encode() not in result.out
        if flags == ["--debug"]:
            assert "debug: POST http://127.0.0.1" in result.err
    assert holds(home, key.encode()) == holds(home, double.endpoint.encode()) == []
