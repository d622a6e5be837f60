"""Exclusion: gitignore patterns one by one; `test_find` compares whole trees with git."""

from __future__ import annotations

from pathlib import Path

import pytest

from cvsearch.errors import CvsearchError
from cvsearch.photos.ignore import is_system_folder, make_glob_rules, read_ignore_file


@pytest.mark.parametrize(
    ("globs", "path", "folder", "expected"),
    [
        (["*.png"], "a/b.png", False, True),
        (["*.png"], "a/b.PNG", False, None),
        (["raw/"], "a/raw", True, True),
        (["raw/"], "a/raw", False, None),
        (["/2019/**"], "2019/a", False, True),
        (["/2019/**"], "2019", True, None),
        (["/2019/**"], "x/2019/a", False, None),
        (["*", "!*/"], "a", True, False),
        (["a b", "!a b"], "a b", False, False),
        (["# a", "", "  "], "# a", False, None),
        (["\\#a"], "#a", False, True),
        (["x"], "new\nline/x", False, True),
        (["new\nline"], "new\nline", True, True),
        (["*\udcff*"], "a\udcffb.jpg", False, True),
        (["[a-c].jpg"], "b.jpg", False, True),
    ],
)
def test_globs(globs: list[str], path: str, folder: bool, expected: bool | None) -> None:
    assert make_glob_rules("/root", globs).verdict(f"/root/{path}", folder=folder) is expected


@pytest.mark.parametrize("glob", ["!", "a\\", "[[:digit:]]", "[a--z]"])
def test_what_is_no_pattern_is_said(glob: str, tmp_path: Path) -> None:
    with pytest.raises(CvsearchError, match="--exclude") as caught:
        make_glob_rules("/root", [glob])
    assert caught.value.hint
    (tmp_path / ".cvsearchignore").write_text(glob)
    with pytest.raises(ValueError, match=r"pattern|understood"):
        read_ignore_file(str(tmp_path), None)


def test_inner_files_come_before_outer_ones(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".cvsearchignore").write_bytes(b"*.jpg\n")
    (tmp_path / "a" / ".cvsearchignore").write_bytes(b"!k.jpg\n!\xff.jpg")
    rules = read_ignore_file(f"{tmp_path}/a", read_ignore_file(str(tmp_path), None))
    assert rules is not None
    assert rules.verdict(f"{tmp_path}/a/k.jpg", folder=False) is False
    assert rules.verdict(f"{tmp_path}/a/\udcff.jpg", folder=False) is False
    assert rules.verdict(f"{tmp_path}/a/b.jpg", folder=False) is True


def test_only_a_file_is_an_ignore_file(tmp_path: Path) -> None:
    assert read_ignore_file(str(tmp_path), None) is None
    (tmp_path / ".cvsearchignore").mkdir()
    assert read_ignore_file(str(tmp_path), None) is None


def test_furniture() -> None:
    assert is_system_folder("/a", "@eaDir", True) and is_system_folder("/a", "._x.jpg", False)
    assert is_system_folder("/a/B.photoslibrary", "database", True)
    assert not is_system_folder("/a/B.photoslibrary/", "originals", True)
    assert not is_system_folder("/a", "originals.jpg", False)
