"""What must not cost what was paid for: readers that hold the lock, a full disk, files that were lost."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from running import wait_until

from cvsearch.cli.app import main
from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Metadata, PhotoFile, Prepared, Space, WalkOptions
from cvsearch.store.local import transactions as room
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.embedding_cache import EmbeddingCache
from cvsearch.store.local.library import open_library, open_writer
from cvsearch.store.local.prune import Pruning
from cvsearch.store.local.vectors import VectorFile, split_vectors

SPACE = Space("azure", "2023-04-15", "jpeg-1024", 8)
FEW, MUCH = 1_000_000, 10**12

Usage = namedtuple("Usage", "total used free")


def vector(number):
    return np.random.default_rng(number).normal(size=8).astype(np.float32)


def add(store, number):
    """One paid photo, not yet committed."""
    photo = Prepared(b"", 60, 40, b"p%d" % number, bytes(32), Metadata("JPEG", 60, 40))
    store.begin()
    store.add_indexed(1, PhotoFile(f"/photos/{number}.jpg", 1, 1), b"%d" % number, photo, embedded(number))


def embedded(number):
    return Embedded(vector(number), None)


@pytest.fixture
def folder(tmp_path):
    return str(tmp_path / "index")


@pytest.fixture
def store(folder):
    """An index being written, with one space and two photos."""
    with open_writer(folder, create=True) as opened:
        opened.begin()
        opened.catalogue.add_space(SPACE)
        opened.roots.add("folder", "/photos", WalkOptions())
        add(opened, 0)
        add(opened, 1)
        opened.commit()
        yield opened


def check_whole(folder, photos):
    with open_library(folder) as reader:
        assert list(find_faults(reader)) == []
        assert reader.files.count() == reader.catalogue.count_vectors(1) == photos


# --- Readers ---------------------------------------------------------------------------------------


def test_a_commit_waits_for_a_reader(store, folder):
    store.catalogue.connection.execute("PRAGMA busy_timeout = 1")
    add(store, 2)
    reader = sqlite3.connect(os.path.join(folder, "catalogue.sqlite"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM file").fetchone()
    waits = []

    def let_go(seconds):
        waits.append(seconds)
        if len(waits) == 5:
            reader.execute("COMMIT")

    store.on_wait = let_go
    store.commit()
    reader.close()
    assert len(waits) == 5
    check_whole(folder, 3)


def test_a_reader_that_never_lets_go_loses_nothing_either(store, folder, monkeypatch):
    store.catalogue.connection.execute("PRAGMA busy_timeout = 1")
    monkeypatch.setattr("cvsearch.store.local.transactions.PATIENCE_SECONDS", 0.0)
    add(store, 2)
    reader = sqlite3.connect(os.path.join(folder, "catalogue.sqlite"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM file").fetchone()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        store.commit()
    reader.close()
    store.commit()
    check_whole(folder, 3)


def test_a_lock_that_is_held_is_told(home, monkeypatch, capsys):
    def locked(*_, **__):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr("cvsearch.store.local.library.has_index", locked)
    assert main(["status", "--index", "x"]) == 2
    told = capsys.readouterr().err
    assert "does not let go" in told
    assert "disk full" not in told


# --- A full disk -----------------------------------------------------------------------------------


def full_once(monkeypatch, times):
    """Writing fails so many times, as on a full disk."""
    write, left = os.pwrite, [times]

    def pwrite(*args):
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(*args)

    monkeypatch.setattr(os, "pwrite", pwrite)


def free(monkeypatch, size):
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(size, 0, size))


def test_what_was_paid_for_is_kept_when_the_disk_is_full(store, folder, monkeypatch):
    assert store.make_room(10, 8)
    add(store, 2)
    full_once(monkeypatch, 1)
    with pytest.raises(room.DiskFullError, match="disk is full"):
        store.commit()
    assert not os.path.exists(os.path.join(folder, "reserve"))
    check_whole(folder, 3)


def test_a_disk_that_stays_full_keeps_what_was_committed(store, folder, monkeypatch):
    store.make_room(10, 8)
    add(store, 2)
    with monkeypatch.context() as patch:
        full_once(patch, 1000)
        for _ in range(2):
            with pytest.raises(room.DiskFullError):
                store.commit()
    store.rollback()
    check_whole(folder, 2)


def test_a_commit_that_leaves_little_room_ends_the_run(store, folder, monkeypatch):
    add(store, 2)
    free(monkeypatch, FEW)
    with pytest.raises(room.DiskFullError):
        store.commit()
    check_whole(folder, 3)
    store.begin()
    store.commit()


def test_room_is_looked_for_before_anything_is_paid(store, monkeypatch):
    free(monkeypatch, FEW)
    with pytest.raises(room.DiskFullError):
        store.make_room(1, 8)
    free(monkeypatch, room.LOW_BYTES + FEW)
    assert store.make_room(100, 1024)
    assert not store.make_room(1_000_000, 1024)


def test_the_reserve_goes_with_the_writer(folder):
    with open_writer(folder, create=True) as store:
        store.make_room(1, 8)
        assert os.path.getsize(os.path.join(folder, "reserve")) == room.RESERVE_BYTES
    assert not os.path.exists(os.path.join(folder, "reserve"))


def test_a_run_that_finds_no_room_sends_nothing(cli, double, photos, home, monkeypatch):
    free(monkeypatch, FEW)
    result = cli("index", photos, "--index", home / "index")
    assert result.code == 2
    assert "the disk is full" in result.err
    assert double.calls("vectorizeImage") == 0


def test_a_run_that_may_not_fit_is_told(cli, double, photos, home, monkeypatch):
    free(monkeypatch, room.LOW_BYTES + 1)
    result = cli("index", photos, "--index", home / "index")
    assert result.code == 0
    assert "room" in result.err


# --- Lost files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["1-0.vectors.f32", "1-0.norms.f32"])
@pytest.mark.parametrize("size", [4, None])
def test_a_short_vector_file_is_never_appended_to(store, folder, name, size):
    path = os.path.join(folder, name)
    os.unlink(path) if size is None else os.truncate(path, size)
    add(store, 2)
    with pytest.raises(CvsearchError, match="shorter than its catalogue says"):
        store.commit()
    assert not os.path.exists(path) if size is None else os.path.getsize(path) == size


def test_a_writer_looks_at_the_vector_files_first(folder, store):
    store.close()
    os.truncate(os.path.join(folder, "1-0.vectors.f32"), 40)
    from cvsearch.store.local.transactions import Store

    with pytest.raises(CvsearchError, match="shorter"):
        Store(folder, write=True).check_vectors()


def test_a_run_on_a_short_vector_file_sends_nothing(cli, library, photos, tmp_path, double):
    (file,) = (tmp_path / "index").glob("*.vectors.f32")
    os.truncate(file, 4096)
    before = double.calls("vectorizeImage")
    album_photo = photos / "new.jpg"
    album_photo.write_bytes(Path(library[0]).read_bytes() + b"more")
    result = cli("index")
    assert result.code == 2
    assert "shorter" in result.err
    assert double.calls("vectorizeImage") == before


@pytest.mark.parametrize("opened", [open_library, open_writer])
def test_an_empty_catalogue_beside_vectors_is_refused(folder, opened):
    os.mkdir(folder)
    Path(folder, "catalogue.sqlite").touch()
    Path(folder, "1-0.vectors.f32").write_bytes(b"paid")
    with pytest.raises(CvsearchError, match="is empty") as caught, opened(folder):
        pass
    assert "restore" in caught.value.hint
    assert Path(folder, "1-0.vectors.f32").read_bytes() == b"paid"
    assert Path(folder, "catalogue.sqlite").stat().st_size == 0


# --- Pruning ---------------------------------------------------------------------------------------


def test_a_catalogue_that_cannot_be_made_smaller_is_no_failure(store, folder, monkeypatch):
    store.begin()
    store.files.forget([1])
    store.commit()

    class NoVacuum:
        def __init__(self, connection):
            self._connection = connection

        def __getattr__(self, name):
            return getattr(self._connection, name)

        def execute(self, statement, *values):
            if statement == "VACUUM":
                assert not os.path.exists(os.path.join(folder, "1-0.vectors.f32"))
                raise sqlite3.OperationalError("database or disk is full")
            return self._connection.execute(statement, *values)

    monkeypatch.setattr(store.catalogue, "connection", NoVacuum(store.catalogue.connection))
    assert "disk is full" in Pruning(store).run()
    check_whole(folder, 1)


def test_files_of_dead_generations_go(store, folder):
    for name in ("1-7.vectors.f32", "1-7.norms.f32", "9-0.vectors.f32"):
        Path(folder, name).write_bytes(b"left")
    Path(folder, "mine.vectors.f32").touch()
    Pruning(store).run()
    left = sorted(name for name in os.listdir(folder) if name.endswith(".f32"))
    assert left == ["1-0.norms.f32", "1-0.vectors.f32", "mine.vectors.f32"]


# --- What was asked --------------------------------------------------------------------------------


def test_what_was_asked_is_the_users_alone(tmp_path):
    before = os.umask(0o022)
    try:
        cache = EmbeddingCache([str(tmp_path / "cache")])
        cache.add(SPACE, "text", b"secret", vector(1))
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(tmp_path / "cache").st_mode) == 0o700
    assert stat.S_IMODE(os.stat(tmp_path / "cache" / "queries.sqlite").st_mode) == 0o600
    assert np.array_equal(cache.find(SPACE, "text", b"secret"), vector(1))


class Ended(Exception):
    """Something that ends a run."""


def kept_in(folder):
    """How many answers another process finds."""
    cache = EmbeddingCache([str(folder)])
    return sum(cache.find(SPACE, "text", str(number).encode()) is not None for number in range(200))


def test_what_was_asked_is_written_together_and_never_lost(tmp_path):
    cache = EmbeddingCache([str(tmp_path)])
    with pytest.raises(Ended), cache.batching():
        for number in range(100):
            cache.add(SPACE, "text", str(number).encode(), vector(number))
            assert np.array_equal(cache.find(SPACE, "text", str(number).encode()), vector(number))
        assert kept_in(tmp_path) == 64
        raise Ended
    assert kept_in(tmp_path) == 100
    cache.add(SPACE, "text", b"100", vector(1))
    assert kept_in(tmp_path) == 101


def test_what_was_asked_waits_a_second_at_most(tmp_path, monkeypatch):
    monkeypatch.setattr("cvsearch.store.local.embedding_cache.MOST_SECONDS", 0.1)
    cache = EmbeddingCache([str(tmp_path)])
    with cache.batching():
        for number in range(2):
            cache.add(SPACE, "text", str(number).encode(), vector(number))
            assert kept_in(tmp_path) == number
            wait_until(lambda number=number: kept_in(tmp_path) == number + 1)


def test_two_may_batch_in_one_cache(tmp_path):
    first, second = EmbeddingCache([str(tmp_path)]), EmbeddingCache([str(tmp_path)])
    with first.batching(), second.batching():
        for number in range(100):
            (first if number % 2 else second).add(SPACE, "text", str(number).encode(), vector(number))
    assert kept_in(tmp_path) == 100


def test_a_new_vector_file_may_have_no_rows(tmp_path):
    VectorFile(str(tmp_path), 1, 0, 8).write(0, *split_vectors(np.stack([vector(1)])))
