"""The walk: which files it yields, in which order, and what it counts as passed over."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvsearch.errors import CvsearchError
from cvsearch.model import PhotoFile, ScanStats, Unread, WalkOptions
from cvsearch.photos.walk import find_photos, photo_kind, stat_photo


def grow(root: Path, *names: str) -> str:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return str(root)


def walk(
    root: str, start: str | None = None, stats: ScanStats | None = None, **options: object
) -> list[PhotoFile | Unread]:
    asked = WalkOptions(**options)  # type: ignore[arg-type]
    return list(find_photos(root, start or root, asked, stats if stats is not None else ScanStats()))


def names(root: str, found: list[PhotoFile | Unread]) -> list[str]:
    assert all(isinstance(file, PhotoFile) for file in found), found
    return [os.path.relpath(file.path, root) for file in found]


def test_photos_are_known_by_their_endings() -> None:
    assert photo_kind("/a/B.JPeG") == photo_kind("x.mpo") == photo_kind(".jpg") == "photo"
    assert photo_kind("a.HEIC") == "heif"
    assert photo_kind("a.cr3") == photo_kind("a.DNG") == "raw"
    assert photo_kind("jpg") is photo_kind("a.txt") is photo_kind("a.jpg/b") is photo_kind("a.jpg.") is None


def test_yields_photos_with_size_and_time_and_counts_the_rest(tmp_path: Path) -> None:
    root = grow(tmp_path, "a.jpg", "b.txt", "c", "d/e.PNG", "d/f.nef")
    (tmp_path / "empty.gif").touch()
    os.utime(tmp_path / "a.jpg", ns=(1, 1234567890123456789))
    stats = ScanStats()
    found = walk(root, stats=stats)
    assert found[0] == PhotoFile(f"{root}/a.jpg", 1, 1234567890123456789)
    assert names(root, found) == ["a.jpg", "d/e.PNG", "d/f.nef", "empty.gif"]
    assert dict(stats) == {"other files": 2, "hidden": 0, "excluded": 0, "system folders and previews": 0}


def test_order_is_that_of_the_paths_bytes(tmp_path: Path) -> None:
    root = grow(tmp_path, "a/z.jpg", "a.jpg", "a-b/x.jpg", "a-b.jpg", "a0.jpg", "é.jpg", "Z.jpg")
    found = [os.fsencode(file.path) for file in walk(root)]
    assert len(found) == 7
    assert found == sorted(found)


def test_names_are_bytes(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/new\nline \xff"
    os.mkdir(folder)
    with open(folder + b"/\xfe\n.jpg", "wb"):
        pass
    (found,) = walk(str(tmp_path))
    assert os.fsencode(found.path) == folder + b"/\xfe\n.jpg"
    assert stat_photo(found.path) == found
    assert walk(str(tmp_path), exclude=("*.jpg",)) == []
    assert walk(str(tmp_path), exclude=("new*/",)) == []


def test_spelling_of_the_folder_is_kept(tmp_path: Path) -> None:
    grow(tmp_path, "real/a/b.jpg")
    (tmp_path / "link").symlink_to("real")
    linked = f"{tmp_path}/link"
    assert [file.path for file in walk(linked)] == [f"{linked}/a/b.jpg"]
    assert [file.path for file in walk(linked + "/")] == [f"{linked}/a/b.jpg"]
    assert [file.path for file in walk(linked, f"{linked}/a/")] == [f"{linked}/a/b.jpg"]


def test_hidden_names_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    root = grow(tmp_path, ".a.jpg", ".b/c.jpg", "d.jpg", ".cvsearch/e.jpg", ".DS_Store", "f/.cvsearch/e.jpg")
    stats = ScanStats()
    assert names(root, walk(root, stats=stats)) == ["d.jpg"]
    assert (stats.hidden, stats.other) == (2, 1)
    assert names(root, walk(root, hidden=True)) == [".a.jpg", ".b/c.jpg", "d.jpg"]


def test_furniture_is_never_walked(tmp_path: Path) -> None:
    library = "My.photoslibrary"
    root = grow(
        tmp_path,
        *(
            f"{name}/a.jpg"
            for name in ("@eaDir", "#recycle", "#snapshot", "node_modules", ".git", "C.lrdata", "x/@eaDir")
        ),
        *("System Volume Information/a.jpg", "._a.jpg", "SYNOFILE_THUMB_M.jpg", "fine.jpg"),
        *(f"{library}/originals/0/a.jpg", f"{library}/resources/a.jpg", f"{library}/a.jpg"),
    )
    stats = ScanStats()
    assert names(root, walk(root, stats=stats, hidden=True)) == [
        "My.photoslibrary/originals/0/a.jpg",
        "fine.jpg",
    ]
    assert (stats.system_folders, stats.hidden) == (12, 0)


def test_globs_exclude_as_gitignore_does(tmp_path: Path) -> None:
    root = grow(
        tmp_path, "2019/a.jpg", "x/2019/b.jpg", "raw/c.jpg", "x/raw/d.jpg", "raw.jpg", "e.png", "k.png"
    )
    stats = ScanStats()
    found = walk(root, stats=stats, exclude=("/2019/**", "raw/", "*.png", "!k.png"))
    assert names(root, found) == ["k.png", "raw.jpg", "x/2019/b.jpg"]
    assert stats.excluded == 4


@pytest.mark.parametrize("glob", ["!", "a\\", "[[:alpha:]]x"])
def test_a_broken_glob_is_a_usage_error(tmp_path: Path, glob: str) -> None:
    with pytest.raises(CvsearchError, match="--exclude"):
        walk(str(tmp_path), exclude=(glob,))


def test_ignore_files_at_any_depth(tmp_path: Path) -> None:
    root = grow(tmp_path, "a.png", "x/a.png", "x/keep.png", "x/y/b.jpg", "x/y/z/b.jpg", "out/k.jpg", "b.jpg")
    (tmp_path / ".cvsearchignore").write_bytes(b"\xef\xbb\xbf*.png\r\n# all\r\nout/\r\n")
    (tmp_path / "x" / ".cvsearchignore").write_text("!keep.png\n/y/*\n!/y/z/\n")
    (tmp_path / "out" / ".cvsearchignore").write_text("!k.jpg\n")
    stats = ScanStats()
    assert names(root, walk(root, stats=stats)) == ["b.jpg", "x/keep.png", "x/y/z/b.jpg"]
    assert (stats.excluded, stats.hidden, stats.other) == (4, 0, 0)
    # Globs come before the files.
    assert names(root, walk(root, exclude=("!a.png", "z/"))) == ["a.png", "b.jpg", "x/a.png", "x/keep.png"]


def test_rules_above_hold_in_a_part(tmp_path: Path) -> None:
    root = grow(
        tmp_path, "a/b/c.jpg", "a/b/d.png", "a/b/e.gif", "a/n/f.jpg", ".h/g.jpg", "p.photoslibrary/q/r.jpg"
    )
    (tmp_path / ".cvsearchignore").write_text("*.png\n/a/n/\n")
    (tmp_path / "a" / ".cvsearchignore").write_text("*.gif\n")
    assert names(root, walk(root, f"{root}/a/b")) == ["a/b/c.jpg"]
    for gone in ("a/n", ".h", "p.photoslibrary/q"):
        stats = ScanStats()
        assert walk(root, f"{root}/{gone}", stats) == []
        assert sum(count for _, count in stats) == 1
    assert names(root, walk(root, f"{root}/.h", hidden=True)) == [".h/g.jpg"]
    with pytest.raises(ValueError, match="not beneath"):
        walk(f"{root}/a", f"{root}/ab")


def test_an_ignore_file_that_cannot_be_understood_closes_its_folder(tmp_path: Path) -> None:
    root = grow(tmp_path, "a/private.jpg", "b.jpg")
    (tmp_path / "a" / ".cvsearchignore").write_text("trailing\\\n")
    found = walk(root)
    assert found[0].path == f"{root}/a/.cvsearchignore"
    assert isinstance(found[0], Unread) and found[0].reason == "unreadable-ignore-file"
    assert names(root, found[1:]) == ["b.jpg"]


def test_links_are_passed_over_unless_asked_for(tmp_path: Path) -> None:
    root = grow(tmp_path, "a/b.jpg", "c.jpg")
    (tmp_path / "a" / "up").symlink_to("..")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "d").symlink_to("a")
    (tmp_path / "e.jpg").symlink_to("c.jpg")
    (tmp_path / "gone.jpg").symlink_to("nowhere")
    (tmp_path / "gone").symlink_to("nowhere")
    stats = ScanStats()
    assert names(root, walk(root, stats=stats)) == ["a/b.jpg", "c.jpg"]
    assert stats.other == 6
    found = walk(root, follow_links=True)
    assert [os.path.relpath(file.path, root) for file in found] == [
        "a/b.jpg",
        "c.jpg",
        "d/b.jpg",
        "e.jpg",
        "gone.jpg",
    ]
    assert isinstance(found[-1], Unread) and found[-1].reason == "broken-link"


def test_only_regular_files_are_photos(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "c.jpg"))
        stats = ScanStats()
        assert walk(str(tmp_path), stats=stats) == []
    assert stats.other == 2
    assert isinstance(stat_photo(str(tmp_path / "a.jpg")), Unread)


def test_not_recursive(tmp_path: Path) -> None:
    root = grow(tmp_path, "a.jpg", "b/c.jpg", "b/d/e.jpg")
    assert names(root, walk(root, recursive=False)) == ["a.jpg"]
    assert names(root, walk(root, f"{root}/b", recursive=False)) == ["b/c.jpg"]


def test_the_index_and_other_roots_are_not_entered(tmp_path: Path) -> None:
    root = grow(tmp_path, "a.jpg", "idx/b.jpg", "other/c.jpg")
    (tmp_path / "alias").symlink_to("idx")
    found = find_photos(root, root, WalkOptions(), ScanStats(), f"{root}/alias", {f"{root}/other"})
    assert names(root, list(found)) == ["a.jpg"]


def test_folders_that_cannot_be_read_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = grow(tmp_path, "a.jpg", "b/c.jpg", "d/e.jpg", "f.jpg")
    scandir = os.scandir

    def refuse(path: object) -> object:
        if path == f"{root}/b":
            raise PermissionError(13, "Permission denied")
        return scandir(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", refuse)
    found = find_photos(root, root, WalkOptions(), ScanStats())
    first = next(found)
    shutil.rmtree(tmp_path / "d")
    (tmp_path / "f.jpg").unlink()
    assert first.path == f"{root}/a.jpg"
    assert [(file.path, file.reason) for file in found if isinstance(file, Unread)] == [
        (f"{root}/b", "unreadable-folder"),
        (f"{root}/d", "vanished"),
        (f"{root}/f.jpg", "vanished"),
    ]
    (missing,) = walk(f"{root}/nowhere")
    assert isinstance(missing, Unread) and missing.reason == "vanished"
    assert isinstance(stat_photo("/nul\0byte.jpg"), Unread)


def test_deep_folders_need_no_deep_stack(tmp_path: Path) -> None:
    folders = [f"{tmp_path}" + "/d" * depth for depth in range(1, 1200)]
    for folder in folders:
        os.mkdir(folder)
    photo = f"{folders[-1]}/a.jpg"
    Path(photo).touch()
    try:
        assert [file.path for file in walk(str(tmp_path))] == [photo]
    finally:  # pytest's own clearing away would recurse
        os.unlink(photo)
        for folder in reversed(folders):
            os.rmdir(folder)


_NAMES = st.sampled_from(["a", "b", "c.jpg", "d.jpg", ".e"])
_GLOBS = (
    "a b/ /a * */ !*/ !a !b/ *.jpg !c.jpg a/** **/b !/a/b /* a/* [cd].jpg ?.jpg a/**/c.jpg !.e ** !**/b/ "
    "\\!c.jpg"
)
_PATTERNS = st.lists(st.sampled_from(_GLOBS.split()) | st.sampled_from(["# x", "", "d.jpg  "]), max_size=5)


@settings(max_examples=40, deadline=None)
@given(
    paths=st.lists(st.lists(_NAMES, min_size=1, max_size=3), min_size=1, max_size=8),
    top=_PATTERNS,
    nested=_PATTERNS,
)
@pytest.mark.skipif(shutil.which("git") is None, reason="git says what is right")
def test_ignore_files_mean_what_they_mean_to_git(
    tmp_path_factory: pytest.TempPathFactory, paths: list[list[str]], top: list[str], nested: list[str]
) -> None:
    root = tmp_path_factory.mktemp("tree")
    (root / "a").mkdir()
    for parts in paths:
        path = root.joinpath(*(part.replace(".jpg", "") for part in parts[:-1]), parts[-1] + ".jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (".cvsearchignore", ".gitignore"):
        (root / name).write_text("\n".join(top))
        (root / "a" / name).write_text("\n".join(nested))
    git = ["git", "-c", "init.templateDir=", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "-o", "-z", "--exclude-per-directory=.gitignore"], check=True, capture_output=True
    )
    expected = {name for name in listed.stdout.decode().split("\0") if name.endswith(".jpg")}
    assert set(names(str(root), walk(str(root), hidden=True))) == expected
    part = walk(str(root), f"{root}/a", hidden=True)
    assert set(names(str(root), part)) == {name for name in expected if name.startswith("a/")}
