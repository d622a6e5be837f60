"""`duplicates`: what is found, what is kept, what could be lost, and how a check ends."""

from __future__ import annotations

import hashlib
import os
import shutil

import album
import copies
import pytest
from running import run_unread
from terminal import run_on_terminal


@pytest.fixture
def shelf(cli, double, tmp_path, monkeypatch):
    """The pictures of `copies.fill`, indexed through the double; gives their paths by name."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    paths = copies.fill(tmp_path / "shelf")
    assert cli("index", tmp_path / "shelf").code == 0
    return paths


def groups_of(result):
    """Each group's kind, the photo to keep and the others."""
    groups = {}
    for line in result.lines:
        _, kept, others = groups.setdefault(line["group"], (line["kind"], [], []))
        (kept if line["keep"] else others).append(line["path"])
    assert all(len(kept) == 1 for _, kept, _ in groups.values())
    assert list(groups) == list(range(1, len(groups) + 1))
    return [(kind, kept[0], set(others)) for kind, kept, others in groups.values()]


def losable(result):
    assert result.out.endswith(b"\0") or not result.out
    return {os.fsdecode(path) for path in result.out.split(b"\0") if path}


def test_bytes_and_pictures_by_default(cli, double, shelf):
    before = double.calls()
    result = cli("duplicates")
    assert (result.code, result.err, double.calls()) == (0, "", before)
    assert groups_of(result) == [
        ("bytes", shelf["coffee.png"], {shelf["same/coffee.png"]}),
        ("picture", shelf["astronaut.png"], {shelf["half.jpg"], shelf["worse.jpg"]}),
        ("picture", shelf["chelsea.png"], {shelf["small.jpg"]}),
    ]


def test_a_line_has_what_the_contract_names(cli, shelf):
    first, second = cli("duplicates", "--kind", "bytes").lines
    with open(shelf["coffee.png"], "rb") as file:
        sha256 = hashlib.sha256(file.read()).hexdigest()
    common = {"group": 1, "kind": "bytes", "sha256": sha256}
    assert first == {**common, "keep": True, "path": shelf["coffee.png"]}
    assert second == {**common, "keep": False, "path": shelf["same/coffee.png"]}
    assert list(first) == ["group", "kind", "keep", "path", "sha256"]
    other = next(line for line in cli("duplicates").lines if line["path"] == shelf["half.jpg"])
    assert 0 <= other["distance"] <= 40
    assert 0.75 <= other["score"] <= 1


def test_a_picture_group_holds_the_same_bytes_too(cli, shelf, tmp_path):
    twin = shutil.copy(shelf["astronaut.png"], str(tmp_path / "shelf" / "z.png"))
    assert cli("index", tmp_path / "shelf").code == 0
    found = groups_of(cli("duplicates"))
    assert ("bytes", shelf["astronaut.png"], {twin}) in found
    assert ("picture", shelf["astronaut.png"], {twin, shelf["half.jpg"], shelf["worse.jpg"]}) in found
    alone = groups_of(cli("duplicates", "--kind", "picture"))
    assert ("picture", shelf["coffee.png"], {shelf["same/coffee.png"]}) in alone


def test_scenes(cli, shelf):
    everything = groups_of(cli("duplicates", "--kind", "scene", "--threshold", "0.05"))
    assert [(kind, len(others)) for kind, _, others in everything] == [("scene", len(shelf) - 1)]
    strict = groups_of(cli("duplicates", "--kind", "scene", "--threshold", "1"))
    assert strict == [("scene", shelf["coffee.png"], {shelf["same/coffee.png"]})]
    lines = cli("duplicates", "--kind", "scene", "--threshold", "0.9").lines
    assert all(line["score"] >= 0.9 for line in lines if not line["keep"])


def test_keep(cli, shelf, tmp_path):
    oldest = shelf["half.jpg"]
    os.utime(oldest, (1, 1))
    assert cli("index", tmp_path / "shelf").code == 0
    kept = {kept for _, kept, _ in groups_of(cli("duplicates", "--keep", "oldest"))}
    assert oldest in kept
    kept = {kept for _, kept, _ in groups_of(cli("duplicates", "--keep", tmp_path / "shelf" / "same"))}
    assert kept == {shelf["same/coffee.png"], shelf["astronaut.png"], shelf["chelsea.png"]}


def test_only_groups_with_a_photo_there(cli, shelf, tmp_path):
    found = groups_of(cli("duplicates", tmp_path / "shelf" / "same"))
    assert found == [("bytes", shelf["coffee.png"], {shelf["same/coffee.png"]})]
    assert groups_of(cli("duplicates", shelf["small.jpg"])) == [
        ("picture", shelf["chelsea.png"], {shelf["small.jpg"]})
    ]
    rocket = cli("duplicates", shelf["rocket.jpg"])
    assert (rocket.code, rocket.out, rocket.err) == (1, b"", "no duplicates found\n")


def test_only_among_listed_files(cli, shelf):
    listed = "\0".join([shelf["half.jpg"], shelf["worse.jpg"], shelf["coffee.png"]]).encode()
    found = groups_of(cli("duplicates", "--files0-from", "-", stdin=listed))
    assert found == [("picture", shelf["worse.jpg"], {shelf["half.jpg"]})]


def test_what_could_be_lost(cli, shelf):
    result = cli("duplicates", "-0")
    assert (result.code, result.err) == (0, "")
    assert losable(result) == {shelf["same/coffee.png"]}
    everything = losable(cli("duplicates", "-0", "--kind", "bytes", "--kind", "picture"))
    assert everything == {shelf[name] for name in ("same/coffee.png", "half.jpg", "worse.jpg", "small.jpg")}
    lines = cli("duplicates", "--paths", "--kind", "picture").out.splitlines()
    assert {os.fsdecode(line) for line in lines} == everything


def test_what_any_group_keeps_is_never_lost(cli, shelf, tmp_path):
    twin = shutil.copy(shelf["half.jpg"], str(tmp_path / "shelf" / "half-again.jpg"))
    assert cli("index", tmp_path / "shelf").code == 0
    both = ("--kind", "bytes", "--kind", "picture", "--kind", "scene")
    kept = {line["path"] for line in cli("duplicates", *both).lines if line["keep"]}
    lost = losable(cli("duplicates", "-0", *both))
    assert not lost & kept
    assert len({twin, shelf["half.jpg"]} & lost) == 1


def test_hard_links_are_one_file(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    one, _ = album.fill(tmp_path / "photos", 2)
    os.link(one, tmp_path / "photos" / "linked.jpg")
    assert cli("index", tmp_path / "photos").code == 0
    for argv in ((), ("-0",), ("--paths", "--kind", "picture")):
        assert cli("duplicates", *argv).code == 1
    copy = shutil.copy(one, str(tmp_path / "photos" / "z.jpg"))
    assert cli("index", tmp_path / "photos").code == 0
    lines = cli("duplicates").lines
    assert [(os.path.basename(line["path"]), line.get("linked")) for line in lines] == [
        ("000.jpg", None),
        ("linked.jpg", True),
        ("z.jpg", None),
    ]
    assert losable(cli("duplicates", "-0")) == {copy}


def test_files_are_read_again(cli, shelf, tmp_path):
    changed = shutil.copy(shelf["coffee.png"], tmp_path / "shelf" / "same" / "changed.png")
    gone = shutil.copy(shelf["coffee.png"], tmp_path / "shelf" / "same" / "gone.png")
    assert cli("index", tmp_path / "shelf").code == 0
    status = os.stat(changed)
    with open(changed, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    os.utime(changed, ns=(status.st_atime_ns, status.st_mtime_ns))
    os.unlink(gone)
    result = cli("duplicates", "-0")
    assert (result.code, losable(result)) == (0, {shelf["same/coffee.png"]})
    assert f"left out {changed}: it has changed since it was indexed" in result.err
    assert f"left out {gone}: it is not there any more" in result.err


def test_nothing_is_lost_for_a_photo_that_is_gone(cli, shelf):
    os.unlink(shelf["coffee.png"])
    result = cli("duplicates", "-0")
    assert (result.code, result.out) == (1, b"")
    assert f"left out {shelf['same/coffee.png']}: the photo to keep for it is not what it was" in result.err


def test_a_raw_beside_its_jpeg_is_no_duplicate(cli, double, tmp_path, monkeypatch):
    """Even when both have rows of their own, as they were named one after the other."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    raw = album.write(tmp_path / "a.nef", album.jpeg(1))
    assert cli("index", raw).code == 0
    jpeg = album.write(tmp_path / "a.jpg", album.jpeg(1))
    assert cli("index", jpeg).code == 0
    assert cli("duplicates").code == 1
    copy = album.write(tmp_path / "copy" / "b.jpg", album.jpeg(1))
    assert cli("index", copy).code == 0
    assert losable(cli("duplicates", "-0")) <= {jpeg, copy}
    assert losable(cli("duplicates", "-0", "--keep", tmp_path / "copy")) == {jpeg}


def test_names_that_are_not_utf8(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    one = album.write(tmp_path / "photos" / "a\nb\udce9.jpg", album.jpeg(1))
    two = album.write(tmp_path / "photos" / "z\udcff.jpg", album.jpeg(1))
    assert cli("index", tmp_path / "photos").code == 0
    result = cli("duplicates")
    assert [line["path"] for line in result.lines] == [one, two]
    assert all("path_base64" in line for line in result.lines)
    assert cli("duplicates", "-0").out == os.fsencode(two) + b"\0"
    assert cli("duplicates", "-l").out == os.fsencode(two) + b"\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--threshold", "0.9"], "--threshold is for scenes"),
        (["--kind", "scene", "--threshold", "1.5"], "takes a cosine"),
        (["--kind", "scene", "--threshold", "nan"], "takes a cosine"),
        (["--keep", "smallest"], "--keep takes largest, oldest or a folder"),
        (["-l", "-0"], "several formats"),
        (["--format", "table", "--json"], "several formats"),
        (["/nowhere"], "no such file or folder: /nowhere"),
        (["--kind", "twin"], "twin"),
    ],
)
def test_wrong_usage(cli, shelf, argv, message):
    result = cli("duplicates", *argv)
    assert (result.code, result.out) == (2, b"")
    assert message in result.err
    assert "hint" in result.err


def test_no_index(cli, double):
    assert cli("duplicates").code == 7


def test_a_check_that_hopes_for_none(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    photos = tmp_path / "photos"
    album.fill(photos, 3)
    assert cli("index", photos).code == 0
    check = ("duplicates", "--expect", "none")
    assert cli(*check).code == 0
    assert cli(*check, photos / "000.jpg").code == 0
    copy = shutil.copy(photos / "000.jpg", photos / "copy.jpg")
    unsure = cli(*check)
    assert (unsure.code, unsure.out) == (3, b"")
    assert "not looked at: 1 in scope" in unsure.err
    assert cli(*check, photos / "001.jpg").code == 3
    assert cli("index", photos).code == 0
    assert cli(*check, photos / "001.jpg").code == 0
    found = cli(*check)
    assert (found.code, len(found.lines)) == (1, 2)
    os.unlink(copy)
    album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index", photos).code == 3
    assert cli(*check).code == 3
    os.rename(photos, tmp_path / "away")
    assert cli(*check).code == 3


def test_a_check_of_a_folder_is_about_the_whole_library(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    inbox, archive = tmp_path / "inbox", tmp_path / "archive"
    album.fill(inbox, 1)
    album.fill(archive, 3)
    os.unlink(archive / "000.jpg")
    assert cli("index", inbox, archive).code == 0
    check = ("duplicates", "--expect", "none", inbox)
    assert cli(*check).code == 0
    listed = tmp_path / "list"
    listed.write_text(f"{inbox}/000.jpg\n{archive}/001.jpg\n")
    shutil.copy(inbox / "000.jpg", archive / "copy.jpg")
    unsure = cli(*check)
    assert (unsure.code, unsure.out) == (3, b"")
    assert "not looked at: 1 in scope" in unsure.err
    assert cli(*check, "--files-from", listed).code == 0


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--expect", "none"], 1),
        (["--expect", "none", "-0"], 1),
        (["--expect", "some", "-l"], 0),
        (["--expect", "none", "--format", "table"], 1),
        ([], 0),
    ],
)
def test_a_check_keeps_its_verdict_when_nobody_reads(cli, shelf, options, code):
    assert run_unread("duplicates", *options).code == code


def test_nothing_to_compare_is_no_answer(cli, double, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    album.write(tmp_path / "photos" / "broken.jpg", b"\xff\xd8\xff no picture")
    assert cli("index", tmp_path / "photos").code == 3
    result = cli("duplicates")
    assert (result.code, result.out) == (7, b"")
    assert "nothing is indexed yet" in result.err
    photo = album.write(tmp_path / "one" / "a.jpg", album.jpeg(1))
    assert cli("index", "--provider", "local", photo).code == 0
    for command in (["duplicates"], ["query", "red"], ["export", tmp_path / "all.npz"]):
        result = cli(*command, "--provider", "azure")
        assert (result.code, result.out) == (7, b"")
        assert "nothing is indexed yet by the provider azure" in result.err
        assert "hint: index a folder: cvsearch index --provider azure PATH" in result.err


@pytest.mark.parametrize("kind", ["folder", "list"])
def test_a_check_of_nothing_does_not_pass(cli, shelf, tmp_path, kind):
    empty = tmp_path / "empty"
    empty.mkdir()
    argv = [empty] if kind == "folder" else ["--files-from", "-"]
    result = cli("duplicates", "--expect", "none", *argv)
    assert (result.code, result.out) == (3, b"")


def test_a_check_that_hopes_for_some(cli, shelf):
    assert cli("duplicates", "--expect", "some").code == 0
    assert cli("duplicates", "--expect", "some", shelf["rocket.jpg"]).code == 1


def test_a_table_on_a_terminal(cli, shelf, tmp_path):
    result = run_on_terminal("duplicates", environ={"NO_COLOR": "1"}, columns=200)
    assert result.code == 0
    text = result.out.decode()
    assert text.splitlines()[0].split() == ["group", "kind", "keep", "size", "photo"]
    assert text.count("keep") == 4
    assert "bits apart" in text
    assert "3 groups; 4 photos more than needed" in result.err
