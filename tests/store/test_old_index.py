"""An index that an older cvsearch made: it is read, searched, exported and gone on with at no cost.

``index-9b3d391.zip`` holds three photos and, beside them, the index that the code of that commit made of
them, first with the service's double, then with the built-in model; ``red`` was asked.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from cvsearch.model import METADATA
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library

OLD = Path(__file__).parent / "index-9b3d391.zip"
NAMES = ("clock.jpg", "horse.jpg", "travel.jpg")
RED = {"horse.jpg": 0.193189, "travel.jpg": 0.182626, "clock.jpg": 0.175631}
"""The scores that the code of that commit gave."""
SEEN_NS = 10**18
"""The photos' modification time, as the index knows it."""


@pytest.fixture
def old(cli, double, tmp_path, monkeypatch):
    """The index and its photos, in a place of their own; gives the paths of the photos."""
    shutil.unpack_archive(OLD, tmp_path)
    paths = [str(tmp_path / "photos" / name) for name in NAMES]
    for path in paths:
        os.utime(path, ns=(SEEN_NS, SEEN_NS))
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    return paths


def drop_column(folder, name):
    """Makes an index as it was before a field of the metadata was known."""
    with sqlite3.connect(folder / "catalogue.sqlite") as connection:
        connection.execute(f"ALTER TABLE content DROP COLUMN {name}")
    connection.close()


def columns(folder):
    with open_library(str(folder)) as store:
        rows = store.catalogue.connection.execute("SELECT name FROM pragma_table_info('content')")
        return [name for (name,) in rows]


def test_it_is_whole(old, tmp_path):
    with open_library(str(tmp_path / "index")) as store:
        assert list(find_faults(store)) == []


def test_it_answers(cli, old, double):
    found = cli.json("query", "red", "--provider", "azure").lines
    assert {os.path.basename(match["path"]): match["score"] for match in found} == RED
    (travel,) = cli.json("query", "red", "--provider", "azure", "--camera", "acme", "--after", "2019").lines
    assert travel["path"] == old[2]
    assert double.calls() == 0
    assert len(cli.json("query", "a clock", "--provider", "local").lines) == 3


@pytest.mark.parametrize("provider", ["azure", "local"])
def test_a_run_finds_all_as_it_was(cli, old, double, provider):
    result = cli.json("index", "--provider", provider)
    assert (result.code, result.counts()) == (0, {"found": 3, "unchanged": 3})
    assert double.calls() == 0


def test_its_facts_are_told(cli, old):
    (known,) = cli.json("show", old[2]).lines
    assert (known["metadata"]["camera"], known["metadata"]["lens"]) == ("ACME One", "ACME 35mm f/2")
    sent = [space["sent"] for space in known["spaces"]]
    assert sent[0]["size"] > 0 and sent[1] is None
    status = cli.json("status").lines[0]
    assert (status["photos"], status["traffic"][0]["calls"]) == (3, 4)


def test_it_is_exported_and_imported(cli, old, tmp_path):
    assert cli("export", tmp_path / "all.npz", "--provider", "azure").code == 0
    imported = ("--index", tmp_path / "other")
    assert cli("import", tmp_path / "all.npz", *imported).err == "imported 3 photos, 3 vectors new here\n"
    for name in ("1-0.vectors.f32", "1-0.norms.f32"):
        assert (tmp_path / "other" / name).read_bytes() == (tmp_path / "index" / name).read_bytes()


def test_it_is_pruned(cli, old, tmp_path):
    assert cli("forget", old[0]).code == 0
    assert cli("prune", "--yes").code == 0
    with open_library(str(tmp_path / "index")) as store:
        assert list(find_faults(store)) == []
        assert [len(store.vectors(number)[0]) for number in (1, 2)] == [2, 2]


def test_a_field_that_an_index_does_not_have_is_not_known(cli, old, double, tmp_path):
    drop_column(tmp_path / "index", "camera")
    before = columns(tmp_path / "index")
    (known,) = cli.json("show", old[2]).lines
    assert (known["metadata"]["camera"], known["metadata"]["lens"]) == (None, "ACME 35mm f/2")
    asked = cli("query", "red", "--provider", "azure", "--camera", "acme")
    assert (asked.code, asked.out) == (1, b"")
    assert "3 photos could not be judged" in asked.err
    assert cli("export", tmp_path / "all.npz", "--provider", "azure").code == 0
    with np.load(tmp_path / "all.npz") as arrays:
        assert arrays["camera"].tolist() == [""] * 3
    assert columns(tmp_path / "index") == before == [name for name in before if name != "camera"]


def test_a_writer_adds_the_field(cli, old, double, tmp_path):
    drop_column(tmp_path / "index", "camera")
    assert cli.json("index", "--provider", "azure").counts() == {"found": 3, "unchanged": 3}
    assert {field.name for field in METADATA} <= set(columns(tmp_path / "index"))
    (known,) = cli.json("show", old[2]).lines
    assert known["metadata"]["camera"] is None
    assert double.calls() == 0


def test_a_file_without_the_field_is_imported(cli, old, tmp_path):
    assert cli("export", tmp_path / "all.npz", "--provider", "azure").code == 0
    with np.load(tmp_path / "all.npz") as arrays:
        np.savez(tmp_path / "old.npz", **{name: arrays[name] for name in arrays if name != "camera"})
    imported = ("--index", tmp_path / "other")
    assert cli("import", tmp_path / "old.npz", *imported).code == 0
    (known,) = cli.json("show", old[2], *imported).lines
    assert (known["metadata"]["camera"], known["metadata"]["taken"]) == (None, "2019-07-14T18:30:05")
