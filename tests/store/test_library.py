"""The index on disk: vectors, catalogue, roots, lock, pruning, migrations, health."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
from pathlib import Path

import numpy as np
import pytest

from cvsearch.errors import CvsearchError, LockedError, NoIndexError
from cvsearch.model import Embedded, Metadata, PhotoFile, Prepared, Receipt, Skip, Space, WalkOptions
from cvsearch.paths import contains, join, relative_to
from cvsearch.store.local import schema
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library, open_lock, open_writer
from cvsearch.store.local.prune import Pruning
from cvsearch.store.local.vectors import VectorFile, split_vectors

SPACE = Space("azure", "2023-04-15", "jpeg-1024", 8)
OLD_OPTIONS = '{"exclude": [], "hidden": false, "follow_links": false, "recursive": true}'
META = Metadata("JPEG", 60, 40)


def sha(number: int) -> bytes:
    return hashlib.sha256(b"%d" % number).digest()


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=8).astype(np.float32) * 90


def add(store, space: int, path: str, number: int) -> None:
    """One indexed photo; everything about it follows from its number."""
    photo = Prepared(b"", 60, 40, sha(1000 + number), bytes(32), META)
    receipt = Receipt("host", "2026-11-05T12:00:00Z", f"id-{number}", 10, sha(number))
    store.begin()
    store.add_indexed(
        space, PhotoFile(path, 10, number), sha(number), photo, Embedded(vector(number), receipt)
    )


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "base" / "index")


@pytest.fixture
def store(folder):
    """An index being written, with one space (number 1) and one root beside it."""
    with open_writer(folder, create=True) as opened:
        opened.begin()
        assert opened.catalogue.add_space(SPACE) == 1
        opened.roots.add("folder", beside(folder), WalkOptions())
        opened.commit()
        yield opened


def beside(folder: str, *names: str) -> str:
    return os.path.join(os.path.dirname(folder), "photos", *names)


def faults(folder: str) -> list[str]:
    with open_library(folder) as reader:
        return list(find_faults(reader))


# --- Opening -------------------------------------------------------------------------------------


def test_there_is_no_index(tmp_path):
    with pytest.raises(NoIndexError), open_library(str(tmp_path)):
        pass
    with pytest.raises(NoIndexError), open_writer(str(tmp_path)):
        pass
    assert os.listdir(tmp_path) == []


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    with pytest.raises(CvsearchError, match="not empty"), open_writer(str(tmp_path), create=True):
        pass
    assert os.listdir(tmp_path) == ["a.jpg"]


def test_an_index_its_first_writer_has_just_begun_is_no_index_yet(tmp_path):
    (tmp_path / "catalogue.sqlite").touch()
    with pytest.raises(NoIndexError), open_library(str(tmp_path)):
        pass


@pytest.mark.parametrize("damage", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_catalogue_is_told(tmp_path, damage):
    (tmp_path / "catalogue.sqlite").write_bytes(damage)
    with pytest.raises(CvsearchError, match="is damaged"), open_library(str(tmp_path)):
        pass
    with pytest.raises(CvsearchError, match="is damaged"), open_writer(str(tmp_path)):
        pass


def test_an_index_of_a_newer_version_is_refused(store, folder):
    store.catalogue.connection.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    with pytest.raises(CvsearchError, match="newer cvsearch") as caught, open_library(folder):
        pass
    assert "upgrade" in caught.value.hint


def test_the_folder_is_the_users_alone(store, folder):
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700


def test_what_was_not_committed_never_was(folder):
    with open_writer(folder, create=True) as store:
        store.begin()
        store.catalogue.add_space(SPACE)
    with open_library(folder) as reader:
        assert reader.catalogue.spaces() == []


def test_a_reader_cannot_write(store, folder):
    with open_library(folder) as reader, pytest.raises(sqlite3.OperationalError):
        reader.catalogue.connection.execute("DELETE FROM root")


# --- Migrations ----------------------------------------------------------------------------------


def test_migrations_run_once_and_in_order(store, folder, monkeypatch):
    add(store, 1, beside(folder, "a.jpg"), 1)
    store.commit()
    steps = ("ALTER TABLE run ADD COLUMN first TEXT;", "ALTER TABLE run ADD COLUMN second TEXT;")
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, *steps))
    schema.migrate(store.catalogue.connection)
    schema.migrate(store.catalogue.connection)
    names = [row[1] for row in store.catalogue.connection.execute("PRAGMA table_info(run)")]
    assert names[-2:] == ["first", "second"]
    assert schema.check_version(store.catalogue.connection) == len(schema.MIGRATIONS)
    assert store.files.count() == 1


def test_an_index_of_the_first_version_is_brought_up_to_date(tmp_path):
    with sqlite3.connect(tmp_path / "catalogue.sqlite") as connection:
        connection.executescript(schema.MIGRATIONS[0])
        connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO root VALUES (1, 'folder', 'photos', 1, ?)", (OLD_OPTIONS,))
    with open_library(str(tmp_path)) as reader:
        assert [root.path for root in reader.roots.all] == [str(tmp_path.parent / "photos")]
    with open_writer(str(tmp_path)) as store:
        assert schema.check_version(store.catalogue.connection) == len(schema.MIGRATIONS)
        ((root, before),) = store.roots.moved()
        assert (root.path, before) == (str(tmp_path.parent / "photos"), None)


def test_a_migration_that_fails_changes_nothing(store, monkeypatch):
    before = len(schema.MIGRATIONS)
    bad = "ALTER TABLE run ADD COLUMN more TEXT; ALTER TABLE no_such_table ADD COLUMN x TEXT;"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, bad))
    connection = store.catalogue.connection
    with pytest.raises(sqlite3.OperationalError):
        schema.migrate(connection)
    connection.execute("ROLLBACK")
    assert schema.check_version(connection) == before
    assert "more" not in [row[1] for row in connection.execute("PRAGMA table_info(run)")]


# --- Vectors -------------------------------------------------------------------------------------


def test_vectors_are_kept_as_units_with_their_norms(tmp_path):
    file = VectorFile(str(tmp_path), 1, 0, 8)
    given = [vector(number) for number in range(5)]
    file.write(0, *split_vectors(np.stack(given[:3])))
    file.write(3, *split_vectors(np.stack(given[3:])))
    units, norms = file.read(5)
    assert units.dtype == norms.dtype == np.float32
    assert np.allclose(np.linalg.norm(units, axis=1), 1, atol=1e-6)
    assert np.allclose(units * norms[:, None], given, rtol=1e-5)
    assert not units.flags.writeable


def test_rows_beyond_the_last_named_one_are_overwritten(tmp_path):
    file = VectorFile(str(tmp_path), 1, 0, 8)
    file.write(0, *split_vectors(np.stack([vector(1), vector(2), vector(3)])))
    file.write(1, *split_vectors(np.stack([vector(9)])))
    units, norms = file.read(2)
    assert np.allclose(units[1] * norms[1], vector(9), rtol=1e-5)


def test_no_rows_need_no_file(tmp_path):
    file = VectorFile(str(tmp_path), 1, 0, 8)
    units, norms = file.read(0)
    assert (units.shape, norms.shape) == ((0, 8), (0,))


def test_a_file_that_is_too_short_is_told(tmp_path):
    file = VectorFile(str(tmp_path), 1, 0, 8)
    file.write(0, *split_vectors(np.stack([vector(1)])))
    with pytest.raises(CvsearchError, match="shorter"):
        file.read(2)


def test_removing_twice_is_no_error(tmp_path):
    file = VectorFile(str(tmp_path), 1, 0, 8)
    file.write(0, *split_vectors(np.stack([vector(1)])))
    file.remove()
    file.remove()
    assert os.listdir(tmp_path) == []


# --- Photos and names ----------------------------------------------------------------------------


def test_an_indexed_photo_is_found_by_name_content_and_pixels(store, folder):
    add(store, 1, beside(folder, "a.jpg"), 7)
    store.commit()
    known = store.files.find(beside(folder, "a.jpg"), 1)
    assert (known.sha256, known.row, known.skip) == (sha(7), 0, None)
    assert known.is_same(PhotoFile("x", 10, 7)) and not known.is_same(PhotoFile("x", 10, 8))
    assert store.catalogue.row_of_content(1, sha(7)) == 0
    assert store.catalogue.row_of_pixels(1, sha(1007)) == 0
    assert store.catalogue.row_of_content(1, sha(8)) is None
    assert store.catalogue.row_of_content(2, sha(7)) is None
    assert store.files.find(beside(folder, "b.jpg"), 1) is None


def test_a_commit_makes_rows_in_order(store, folder):
    for number in range(5):
        add(store, 1, beside(folder, f"{number}.jpg"), number)
        if number % 2:
            store.commit()
    assert store.pending == 1
    store.commit()
    units, norms = store.vectors(1)
    for number in range(5):
        row = store.files.row_of(beside(folder, f"{number}.jpg"), 1)
        assert np.allclose(units[row] * norms[row], vector(number), rtol=1e-5)
    assert faults(folder) == []


def test_a_rollback_takes_vectors_and_names_back(store, folder):
    add(store, 1, beside(folder, "a.jpg"), 1)
    store.commit()
    add(store, 1, beside(folder, "b.jpg"), 2)
    store.rollback()
    assert store.pending == 0
    add(store, 1, beside(folder, "c.jpg"), 3)
    store.commit()
    units, norms = store.vectors(1)
    assert np.allclose(units[1] * norms[1], vector(3), rtol=1e-5)
    assert faults(folder) == []


@pytest.mark.parametrize("step", ["add_vector", "add_embedding"])
def test_an_interruption_between_two_steps_leaves_an_index_that_is_whole(store, folder, monkeypatch, step):
    add(store, 1, beside(folder, "a.jpg"), 1)
    with monkeypatch.context() as patch:
        patch.setattr(store.catalogue, step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            add(store, 1, beside(folder, "b.jpg"), 2)
    store.commit()
    units, norms = store.vectors(1)
    assert np.allclose(units[0] * norms[0], vector(1), rtol=1e-5)
    assert store.files.find(beside(folder, "b.jpg"), 1) is None
    assert faults(folder) == []


def interrupt(*_):
    raise KeyboardInterrupt


def test_contents_of_the_same_pixels_share_a_row(store, folder):
    add(store, 1, beside(folder, "a.jpg"), 1)
    photo = Prepared(b"", 60, 40, sha(1001), bytes(32), META)
    store.add_same_pixels(1, PhotoFile(beside(folder, "b.jpg"), 11, 2), sha(2), photo, 0)
    store.add_name(PhotoFile(beside(folder, "c.jpg"), 11, 3), sha(2))
    store.commit()
    assert store.catalogue.rows(1) == 1
    assert store.files.live_rows(1).tolist() == [0]
    found = {os.path.basename(path) for _, path, _ in store.files_of_rows(1, [0])}
    assert found == {"a.jpg", "b.jpg", "c.jpg"}
    assert store.files.count_searched(1) == 3


def test_a_lasting_skip_belongs_to_the_content_and_a_passing_one_to_the_file(store, folder):
    store.begin()
    lasting, passing = Skip("damaged", "broken", True), Skip("permission", "shut", False)
    store.add_skipped(1, PhotoFile(beside(folder, "a.jpg"), 1, 1), sha(1), lasting, "heif")
    store.add_skipped(1, PhotoFile(beside(folder, "b.jpg"), 1, 1), None, passing, "heif")
    store.commit()
    assert store.catalogue.skip_of_content(1, sha(1), "heif") == lasting
    assert store.catalogue.skip_of_content(1, sha(1), "heif,raw") is None
    assert store.files.find(beside(folder, "a.jpg"), 1).skip == lasting
    assert store.files.find(beside(folder, "b.jpg"), 1).skip is None
    assert [reason for _, reason, _ in store.not_searched(1)] == ["damaged", "permission"]


def test_a_skip_is_over_when_a_vector_comes(store, folder):
    store.begin()
    skip = Skip("invalid-image", "refused", True)
    store.add_skipped(1, PhotoFile(beside(folder, "a.jpg"), 1, 1), sha(1), skip, "")
    add(store, 1, beside(folder, "a.jpg"), 1)
    store.commit()
    assert store.catalogue.skip_of_content(1, sha(1), "") is None
    assert store.not_searched(1) == []


def test_paths_beneath_are_not_paths_beside(store, folder):
    for number, name in enumerate(
        ("a/1.jpg", "a.jpg", "a b/1.jpg", "a/b/2.jpg", "ab/1.jpg", "a\udce9/1.jpg")
    ):
        add(store, 1, beside(folder, name), number)
    store.commit()
    below = [path for _, path, _ in store.files.beneath(beside(folder, "a"))]
    assert below == [beside(folder, "a/1.jpg"), beside(folder, "a/b/2.jpg")]
    assert store.files.count(beside(folder, "a")) == 2
    assert store.files.count() == 6
    assert store.files.live_rows(1, [beside(folder, "a"), beside(folder, "ab")]).tolist() == [0, 3, 4]


def test_forgetting_keeps_the_vector(store, folder):
    add(store, 1, beside(folder, "a.jpg"), 1)
    store.commit()
    store.begin()
    store.files.forget([store.files.find(beside(folder, "a.jpg"), 1).id])
    store.commit()
    assert store.files.count() == 0
    assert store.catalogue.row_of_content(1, sha(1)) == 0


def test_readings_hold_for_the_very_file(store, folder):
    file = PhotoFile(beside(folder, "caf\udce9.jpg"), 10, 5)
    store.begin()
    store.catalogue.add_reading(file, sha(1))
    store.commit()
    assert store.catalogue.find_reading(file) == sha(1)
    assert store.catalogue.find_reading(PhotoFile(file.path, 11, 5)) is None
    assert store.catalogue.find_reading(PhotoFile(file.path, 10, 6)) is None
    store.catalogue.clear_readings()
    assert store.catalogue.find_reading(file) is None


# --- Roots ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "path", "within"),
    [
        ("/a", "/a", True),
        ("/a", "/a/b", True),
        ("/a", "/ab", False),
        ("/", "/a", True),
        ("/a/b", "/a", False),
    ],
)
def test_contains(folder, path, within):
    assert contains(folder, path) is within
    if within:
        assert join(folder, relative_to(folder, path)) == path


def test_the_deepest_folder_owns(store, folder):
    inner = store.roots.add("folder", beside(folder, "a", "b"), WalkOptions(hidden=True))
    assert store.roots.owner(beside(folder, "a", "b", "x.jpg")) == inner
    assert store.roots.owner(beside(folder, "a", "x.jpg")).path == beside(folder)
    assert store.roots.owner("/elsewhere/x.jpg") is None


def test_a_new_root_takes_over_what_lies_beneath_it(store, folder):
    add(store, 1, beside(folder, "a", "1.jpg"), 1)
    add(store, 1, beside(folder, "2.jpg"), 2)
    inner = store.roots.add("folder", beside(folder, "a"), WalkOptions())
    store.commit()
    assert store.files.count_of_root(inner.id) == 1
    assert store.files.find(beside(folder, "a", "1.jpg"), 1).row == 0
    assert store.files.count() == 2


def test_a_new_root_around_leaves_the_inner_one_its_files(store, folder):
    add(store, 1, beside(folder, "1.jpg"), 1)
    outer = store.roots.add("folder", os.path.dirname(folder), WalkOptions())
    assert store.files.count_of_root(outer.id) == 0
    assert store.files.find(beside(folder, "1.jpg"), 1).row == 0


def test_photos_named_singly_need_no_root_of_their_own(store, folder):
    add(store, 1, "/elsewhere/a.jpg", 1)
    add(store, 1, "/otherwise/b.jpg", 2)
    add(store, 1, os.path.join(os.path.dirname(folder), "c.jpg"), 3)
    store.commit()
    assert [(root.kind, root.path) for root in store.roots.all[1:]] == [
        ("files", "/"),
        ("files", os.path.dirname(folder)),
    ]
    assert store.files.find("/elsewhere/a.jpg", 1).row == 0
    root = store.roots.add("folder", "/elsewhere", WalkOptions())
    assert store.files.count_of_root(root.id) == 1


def test_roots_beside_and_beneath_move_with_the_index(store, folder, tmp_path):
    store.roots.add("folder", os.path.join(folder, "beneath"), WalkOptions())
    store.roots.add("folder", os.path.dirname(folder), WalkOptions())
    store.roots.add("folder", "/far/away", WalkOptions())
    add(store, 1, beside(folder, "caf\udce9.jpg"), 1)
    store.commit()
    moved = tmp_path / "moved"
    shutil.copytree(tmp_path / "base", moved)
    with open_library(str(moved / "index")) as reader:
        paths = [root.path for root in reader.roots.all]
        assert paths == [f"{moved}/photos", f"{moved}/index/beneath", str(moved), "/far/away"]
        assert reader.files.find(f"{moved}/photos/caf\udce9.jpg", 1).row == 0


def test_options_last(store, folder):
    root = store.roots.folders()[0]
    options = WalkOptions(exclude=("*.png", "!x"), hidden=True, follow_links=True, recursive=False)
    store.roots.set_options(root, options)
    with open_library(folder) as reader:
        assert reader.roots.folders()[0].options == options


# --- The lock ------------------------------------------------------------------------------------


def test_a_second_writer_is_refused(store, folder):
    with pytest.raises(LockedError, match=f"pid {os.getpid()}"), open_writer(folder):
        pass


def test_a_reader_needs_no_lock(store, folder):
    add(store, 1, beside(folder, "a.jpg"), 1)
    with open_library(folder) as reader:
        assert reader.files.count() == 0
        store.commit()
        assert reader.files.count() == 1


def test_the_lock_is_let_go(tmp_path):
    for _ in range(2):
        with open_lock(str(tmp_path)):
            assert (tmp_path / "writer.json").exists()
    assert not (tmp_path / "writer.json").exists()


def test_a_holder_that_has_not_said_who_it_is(tmp_path):
    with open_lock(str(tmp_path)):
        (tmp_path / "writer.json").write_text("{")
        with pytest.raises(LockedError, match="just begun"), open_lock(str(tmp_path)):
            pass


# --- Pruning -------------------------------------------------------------------------------------


def fill(store, folder, count: int) -> None:
    for number in range(count):
        add(store, 1, beside(folder, f"{number}.jpg"), number)
    store.commit()


def forget(store, folder, numbers) -> None:
    store.begin()
    store.files.forget([store.files.find(beside(folder, f"{number}.jpg"), 1).id for number in numbers])
    store.commit()


def test_nothing_to_prune(store, folder):
    fill(store, folder, 3)
    found = Pruning(store).found
    assert (found.contents, found.vectors, found.bytes) == (0, 0, 0)
    Pruning(store).run()
    assert faults(folder) == []
    assert store.catalogue.generation(1) == 0


def test_pruning_keeps_what_lives(store, folder):
    fill(store, folder, 10)
    forget(store, folder, (0, 3, 4, 9))
    found = Pruning(store).found
    assert (found.contents, found.vectors, found.bytes) == (4, 4, 4 * 9 * 4)
    Pruning(store).run()
    assert faults(folder) == []
    assert store.catalogue.rows(1) == store.catalogue.count_vectors(1) == 6
    units, norms = store.vectors(1)
    for number in (1, 2, 5, 6, 7, 8):
        row = store.files.row_of(beside(folder, f"{number}.jpg"), 1)
        assert np.allclose(units[row] * norms[row], vector(number), rtol=1e-5)
    assert store.catalogue.row_of_content(1, sha(0)) is None
    assert not Path(folder, "1-0.vectors.f32").exists()
    assert Pruning(store).found.vectors == 0


def test_pruning_everything(store, folder):
    fill(store, folder, 3)
    forget(store, folder, range(3))
    Pruning(store).run()
    assert faults(folder) == []
    add(store, 1, beside(folder, "new.jpg"), 42)
    store.commit()
    assert faults(folder) == []
    assert np.allclose(store.vectors(1)[0][0] * store.vectors(1)[1][0], vector(42), rtol=1e-5)


def test_a_reader_keeps_what_it_has_mapped(store, folder):
    fill(store, folder, 4)
    with open_library(folder) as reader:
        units, _ = reader.vectors(1)
        before = units.copy()
        forget(store, folder, (0,))
        Pruning(store).run()
        assert np.array_equal(units, before)
        assert len(reader.vectors(1)[0]) == 3


# --- Breaker --------------------------------------------------------------------------------------


def test_a_lost_vector_file_is_told(store, folder):
    fill(store, folder, 2)
    os.unlink(os.path.join(folder, "1-0.vectors.f32"))
    (fault,) = faults(folder)
    assert "lost a file" in fault


def test_a_short_vector_file_is_told(store, folder):
    fill(store, folder, 2)
    os.truncate(os.path.join(folder, "1-0.vectors.f32"), 40)
    (fault,) = faults(folder)
    assert "shorter" in fault


@pytest.mark.parametrize("bad", [b"\0" * 32, b"\xff" * 32])
def test_a_spoilt_vector_is_told(store, folder, bad):
    fill(store, folder, 2)
    with open(os.path.join(folder, "1-0.vectors.f32"), "r+b") as file:
        file.seek(32)
        file.write(bad)
    (fault,) = faults(folder)
    assert fault.startswith("1 vectors of azure/2023-04-15/jpeg-1024")


def test_a_name_without_a_vector_is_told(store, folder):
    fill(store, folder, 2)
    store.begin()
    store.catalogue.connection.execute("DELETE FROM vector WHERE row = 0")
    store.commit()
    assert any("point at no vector" in fault for fault in faults(folder))


def test_a_name_without_a_content_is_told(store, folder):
    fill(store, folder, 1)
    store.begin()
    store.catalogue.connection.execute("DELETE FROM content")
    store.commit()
    assert any("points at what is not there" in fault for fault in faults(folder))
