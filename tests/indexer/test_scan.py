"""What a walk finds, against what the index knows, before anything is read."""

from __future__ import annotations

import os

import pytest

from cvsearch.errors import CvsearchError
from cvsearch.indexer import scan as module
from cvsearch.indexer.changes import Rules
from cvsearch.indexer.scan import Scanner, choose_targets
from cvsearch.model import PhotoFile, Skip, Space, Unread, WalkOptions
from cvsearch.store.local.library import open_writer

RULES = Rules(checksum=False, retry_skipped=False, extras="")


@pytest.fixture
def store(tmp_path):
    with open_writer(str(tmp_path / "index"), create=True) as opened:
        opened.begin()
        opened.catalogue.add_space(Space("azure", "2023-04-15", "jpeg-1024", 8))
        yield opened


@pytest.fixture
def tree(tmp_path):
    """Folders that are there: ``a``, ``a/inner`` and ``b``."""
    for name in ("a/inner", "b"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    return str(tmp_path / "tree")


def name_files(store, *paths):
    """Files the index knows; without a content, so that they are read again."""
    for path in paths:
        store.files.name(PhotoFile(path, 1, 1), None, Skip("permission", "shut", lasting=False))


def fill(monkeypatch, store, scan, find, rules=RULES):
    """Fills a scan by a walk that finds what `find` says; no file that is named is there."""
    monkeypatch.setattr(module, "find_photos", find)
    monkeypatch.setattr(module, "stat_photos", lambda paths, _: [Unread(path, "vanished") for path in paths])
    list(Scanner(store, 1, rules).fill(scan))


@pytest.fixture
def survey_of(monkeypatch):
    """Makes a scan whose walk of each folder finds what `found` says."""

    def survey(store, paths, found, *, listed=None, options=None, rules=RULES):
        def find(root, start, *_):
            return iter(
                [PhotoFile(one, 1, 1) if isinstance(one, str) else one for one in found.get(start, ())]
            )

        scan = choose_targets(store, paths, listed, options)
        fill(monkeypatch, store, scan, find, rules)
        return scan

    return survey


def starts_of(scan):
    return [(target.root.path, target.start) for target in scan.targets]


@pytest.mark.parametrize("listed", [None, []])
def test_a_path_that_is_nowhere(store, tree, listed):
    with pytest.raises(CvsearchError, match="no such file or folder"):
        choose_targets(store, [f"{tree}/nowhere"], listed, None)
    assert store.roots.all == []


def test_no_folders_yet(store):
    with pytest.raises(CvsearchError, match="no folders yet"):
        choose_targets(store, [], None, None)


def test_an_empty_list_is_not_every_root(store, tree):
    store.roots.add("folder", tree, WalkOptions())
    scan = choose_targets(store, [], [], None)
    assert (scan.targets, scan.named) == ([], [])


def test_a_folder_becomes_a_root_once(store, tree):
    for _ in range(2):
        assert starts_of(choose_targets(store, [tree, tree], None, None)) == [(tree, tree)]
    assert len(store.roots.all) == 1


def test_a_folder_within_a_root_is_walked_as_part_of_it(store, tree):
    choose_targets(store, [tree], None, None)
    assert starts_of(choose_targets(store, [f"{tree}/a"], None, None)) == [(tree, f"{tree}/a")]
    assert len(store.roots.all) == 1


def test_options_make_a_folder_a_root_of_its_own(store, tree):
    choose_targets(store, [tree], None, None)
    scan = choose_targets(store, [f"{tree}/a"], None, WalkOptions(hidden=True))
    assert starts_of(scan) == [(f"{tree}/a", f"{tree}/a")]
    assert scan.targets[0].root.options.hidden
    assert starts_of(choose_targets(store, [tree], None, None)) == [(tree, tree), (f"{tree}/a", f"{tree}/a")]
    assert starts_of(choose_targets(store, [], None, None)) == [(tree, tree), (f"{tree}/a", f"{tree}/a")]


def test_listed_folders_are_walked_and_listed_files_named(store, tree):
    scan = choose_targets(store, [], [f"{tree}/x.jpg", f"{tree}/b"], None)
    assert (starts_of(scan), scan.named) == ([(f"{tree}/b", f"{tree}/b")], [f"{tree}/x.jpg"])


def test_photos_named_singly_are_looked_at_again(store, tree):
    name_files(store, "/elsewhere/x.jpg", f"{tree}/y.jpg")
    scan = choose_targets(store, [], None, None)
    assert sorted(scan.named) == ["/elsewhere/x.jpg", f"{tree}/y.jpg"]


def test_what_is_new_is_to_do_and_what_is_not_found_is_gone(store, tree, survey_of):
    choose_targets(store, [tree], None, None)
    name_files(store, f"{tree}/old.jpg", f"{tree}/gone.jpg")
    scan = survey_of(store, [tree], {tree: [f"{tree}/new.jpg", f"{tree}/old.jpg"]})
    assert [file.path for file in scan.todo] == [f"{tree}/new.jpg", f"{tree}/old.jpg"]
    (losses,) = scan.losses.values()
    assert (losses.root, losses.known) == (tree, 2)
    assert [(file.path, file.vanished) for file in losses.gone] == [(f"{tree}/gone.jpg", True)]


def test_a_file_found_twice_is_counted_once(store, tree, survey_of):
    choose_targets(store, [tree], None, None)
    name_files(store, f"{tree}/a/1.jpg")
    found = {tree: [f"{tree}/a/1.jpg"], f"{tree}/a": [f"{tree}/a/1.jpg"]}
    assert survey_of(store, [tree, f"{tree}/a"], found).found == 1


def test_a_file_that_is_there_but_not_found_was_excluded(store, tree, survey_of):
    choose_targets(store, [tree], None, None)
    open(f"{tree}/there.jpg", "w").close()
    name_files(store, f"{tree}/there.jpg", f"{tree}/gone.jpg")
    scan = survey_of(store, [tree], {})
    assert scan.missing == []
    (losses,) = scan.losses.values()
    assert {file.path: file.vanished for file in losses.gone} == {
        f"{tree}/there.jpg": False,
        f"{tree}/gone.jpg": True,
    }


def test_an_empty_root_is_missing_and_an_empty_folder_in_it_is_not(store, tree, survey_of):
    choose_targets(store, [tree], None, None)
    name_files(store, f"{tree}/a/1.jpg")
    assert survey_of(store, [tree], {}).missing == [tree]
    scan = survey_of(store, [f"{tree}/a"], {})
    assert scan.missing == []
    assert [file.path for losses in scan.losses.values() for file in losses.gone] == [f"{tree}/a/1.jpg"]


def test_a_root_that_never_had_photos_is_not_missing(store, tree, survey_of):
    scan = survey_of(store, [tree], {})
    assert (scan.missing, scan.found) == ([], 0)


@pytest.mark.parametrize(
    ("shut", "reason"),
    [
        ("a", "unreadable-folder"),
        ("a/.cvsearchignore", "unreadable-ignore-file"),
        ("a/1.jpg", "unreadable-file"),
    ],
)
def test_what_could_not_be_looked_at_is_not_gone(store, tree, shut, reason, survey_of):
    choose_targets(store, [tree], None, None)
    name_files(store, f"{tree}/a/1.jpg", f"{tree}/b/1.jpg")
    scan = survey_of(store, [tree], {tree: [Unread(f"{tree}/{shut}", reason)]})
    assert [file.path for losses in scan.losses.values() for file in losses.gone] == [f"{tree}/b/1.jpg"]
    assert [fault.reason for fault in scan.unread] == [reason]


def test_a_root_that_cannot_be_opened_is_missing(store, tree, survey_of):
    choose_targets(store, [tree], None, None)
    name_files(store, f"{tree}/1.jpg")
    scan = survey_of(store, [tree], {tree: [Unread(tree, "unreadable-folder")]})
    assert (scan.missing, scan.losses) == ([tree], {})


def test_a_named_photo_that_is_gone(store, tree, survey_of):
    name_files(store, f"{tree}/1.jpg", "/no/such/folder/2.jpg")
    scan = survey_of(store, [], {}, listed=[f"{tree}/1.jpg", "/no/such/folder/2.jpg", f"{tree}/3.jpg"])
    gone = [file.path for losses in scan.losses.values() for file in losses.gone]
    assert gone == [f"{tree}/1.jpg"]
    assert scan.missing == ["/no/such/folder/2.jpg"]
    assert [fault.path for fault in scan.unread] == [f"{tree}/3.jpg"]


def test_a_walk_leaves_other_roots_alone(store, tree, monkeypatch):
    seen = []

    def find(root, start, options, stats, index, others):
        seen.append((root, sorted(os.path.relpath(path, tree) for path in others)))
        return iter(())

    scan = choose_targets(store, [tree, f"{tree}/a"], None, WalkOptions(hidden=True))
    fill(monkeypatch, store, scan, find)
    assert seen == [(tree, ["a"]), (f"{tree}/a", ["."])]
