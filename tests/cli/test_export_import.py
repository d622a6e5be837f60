"""`export` and `import`: what was paid for goes from one index to another and nothing else does."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import album
import numpy as np
import pytest
import truth
from filelock import FileLock
from running import start

from cvsearch.errors import NoIndexError
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.library import open_library
from cvsearch.store.local.records import COLUMNS, EMPTY, make_photo
from cvsearch.store.local.snapshot import Scope, open_snapshot
from cvsearch.store.local.transactions import Store
from cvsearch.store.local.vectors import find_rounding, restore_vectors, split_vectors


@pytest.fixture
def exported(cli, library, tmp_path):
    """The library in a file."""
    path = tmp_path / "all.npz"
    result = cli("export", path)
    assert (result.code, result.out) == (0, b""), result.err
    assert result.err.startswith(f"exported 6 photos to {path} (")
    return path


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Moves to another index, which is not there yet."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def ask(cli, *more):
    return cli("query", "red", "-n", "all", "--json", *more)


def tree(folder):
    """Every file of a folder with its bytes."""
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def rewrite(path, target, changes):
    """Copies an archive; `changes` has members by name: an array, bytes, or None for none."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = changes.get(name.removesuffix(".npy"), old.read(name))
            if isinstance(data, np.ndarray):
                file = io.BytesIO()
                np.save(file, data, allow_pickle=True)
                data = file.getvalue()
            if data is not None:
                new.writestr(name, data)
    return target


# --- there and back -------------------------------------------------------------------------------


def test_what_is_imported_answers_as_before(cli, exported, elsewhere, double):
    before = ask(cli, "--index", exported.parent / "index")
    calls = double.calls()
    result = cli("import", exported)
    assert (result.code, result.out) == (0, b"")
    assert result.err == "imported 6 photos, 6 vectors new here\n"
    assert double.calls() == calls
    again = ask(cli)
    assert (again.code, again.lines) == (0, before.lines)
    for name in ("1-0.vectors.f32", "1-0.norms.f32"):
        assert (elsewhere / name).read_bytes() == (exported.parent / "index" / name).read_bytes()
    assert b"damaged" not in cli("doctor").out


def test_distances_are_the_same(cli, exported, elsewhere):
    before = ask(cli, "--metric", "euclidean", "--index", exported.parent / "index").lines
    assert cli("import", exported).code == 0
    assert ask(cli, "--metric", "euclidean").lines == before


def test_facts_and_receipts_come_with_it(cli, library, exported, elsewhere):
    before = [cli.json("show", path, "--index", exported.parent / "index").lines[0] for path in library]
    assert cli("import", exported).code == 0
    for path, known in zip(library, before, strict=True):
        (here,) = cli.json("show", path).lines
        assert here.pop("fault")["reason"] == "imported"
        assert known.pop("fault") is None
        assert here == known


def test_nothing_is_paid_again(cli, library, photos, exported, elsewhere, double):
    assert cli("import", exported).code == 0
    calls = double.calls()
    assert cli.json("index", photos).counts() == {"found": 6, "unchanged": 6}
    album.touch(library[0])
    assert cli.json("index").counts() == {"found": 6, "unchanged": 6}
    assert double.calls() == calls
    assert cli.json("show", library[1]).lines[0]["fault"] is None


def test_again_changes_nothing(cli, exported, elsewhere):
    assert cli("import", exported).code == 0
    before = tree(elsewhere)
    result = cli("import", exported)
    assert (result.code, result.err) == (0, "imported 6 photos, 0 vectors new here\n")
    assert tree(elsewhere) == before


def test_what_was_imported_can_be_exported(cli, exported, elsewhere, tmp_path):
    assert cli("import", exported).code == 0
    assert cli("export", tmp_path / "again.npz").code == 0
    with np.load(exported) as one, np.load(tmp_path / "again.npz") as other:
        for name in one:
            assert np.array_equal(one[name], other[name], equal_nan=one[name].dtype.kind == "f"), name


def test_any_name(cli, double, tmp_path, elsewhere):
    folder = os.fsencode(tmp_path / "photos")
    names = (b"two\nlines.jpg", b"latin-\xe9.jpg", b" space .jpg", "日本.jpg".encode(), b"esc \x1b[31m.jpg")
    paths = [album.write(os.path.join(folder, name), album.jpeg(number)) for number, name in enumerate(names)]
    assert cli("index", tmp_path / "photos", "--index", tmp_path / "index").code == 0
    before = cli("query", "-0", "red", "--index", tmp_path / "index").out
    assert cli("export", tmp_path / "all.npz", "--index", tmp_path / "index").code == 0
    assert cli("import", tmp_path / "all.npz").code == 0
    assert cli("query", "-0", "red").out == before
    assert len(paths) == before.count(b"\0")


def test_one_of_two_names_and_copies(cli, library, photos, elsewhere, tmp_path, double):
    shutil.copy(library[0], photos / "copy.jpg")
    index = ("--index", tmp_path / "index")
    assert cli("index", *index).code == 0
    assert cli("export", tmp_path / "all.npz", *index).err.startswith("exported 7 photos")
    assert cli("import", tmp_path / "all.npz").err == "imported 7 photos, 6 vectors new here\n"
    assert ask(cli).lines == ask(cli, *index).lines


def test_a_raw_stays_beside_its_photo(cli, library, photos, elsewhere, tmp_path):
    (photos / "000.nef").write_bytes(b"raw")
    index = ("--index", tmp_path / "index")
    cli("index", *index)
    assert cli("export", tmp_path / "all.npz", *index).code == 0
    assert cli("import", tmp_path / "all.npz", "--map", f"{photos}=/new").code == 0
    (found,) = [line for line in ask(cli).lines if line["path"] == "/new/000.jpg"]
    assert found["also"] == ["/new/000.nef"]


# --- merging --------------------------------------------------------------------------------------


def test_merges_by_content(cli, library, exported, elsewhere, tmp_path, double):
    other = album.fill(tmp_path / "other", 2, first=20)
    shutil.copy(library[3], tmp_path / "other" / "same.jpg")
    assert cli("index", tmp_path / "other").code == 0
    assert cli("import", exported).err == "imported 6 photos, 5 vectors new here\n"
    paths = [*library, *other, str(tmp_path / "other" / "same.jpg")]
    truth.check_ranking(ask(cli).lines, truth.ranked(paths, truth.cosines(paths, truth.text("red"))))


def test_what_was_seen_here_counts_more(cli, library, photos, exported, elsewhere):
    shutil.copy(library[1], library[0])
    assert cli("index", photos).code == 0
    result = cli("import", exported)
    assert result.err == "imported 6 photos, 1 vector new here\n"
    (first,) = [line for line in ask(cli).lines if line["path"] == library[0]]
    (second,) = [line for line in ask(cli).lines if line["path"] == library[1]]
    assert first["sha256"] == second["sha256"]


def test_cut_short_it_goes_on(cli, library, exported, elsewhere, monkeypatch):
    monkeypatch.setattr("cvsearch.store.local.archive.MOST_ROWS", 2)
    commit, calls = Store.commit, []

    def fail(store):
        calls.append(store)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        commit(store)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "commit", fail)
        assert cli("import", exported).code == 2
    assert len(ask(cli).lines) == 2
    assert cli("import", exported).err == "imported 6 photos, 4 vectors new here\n"
    assert ask(cli).lines == ask(cli, "--index", exported.parent / "index").lines


# --- killed ---------------------------------------------------------------------------------------

MANY = 12_000


def write_many(path):
    """A file with so many photos that an import commits dozens of times."""
    units, norms = split_vectors(np.random.default_rng(11).standard_normal((MANY, 8)).astype(np.float32))
    kinds = {"bytes": "S1", "hex": "S1", "text": "U1", "int": "<i8", "float": "<f8"}
    columns = {column.name: np.full(MANY, EMPTY[column.kind], kinds[column.kind]) for column in COLUMNS}
    columns["path"] = np.array([b"/photos/%03d/%05d.jpg" % (number // 100, number) for number in range(MANY)])
    columns["sha256"] = columns["pixels"] = np.array([b"%064x" % number for number in range(MANY)])
    space = {"provider": "azure", "model": "m", "preparation": "jpeg-1024", "dimension": 8}
    header = np.array(json.dumps({"format": "cvsearch export", "version": 1, "space": space}))
    rounding = find_rounding(units, norms)
    np.savez(path, header=header, vector=units * norms[:, None], norm=norms, rounding=rounding, **columns)
    return path


def count_kept(index):
    """The vectors of an index as a reader sees it, also while another process writes."""
    try:
        with open_library(str(index)) as store:
            return sum(store.catalogue.rows(number) for number, _ in store.catalogue.spaces())
    except NoIndexError:
        return 0


def contents(index):
    """All that an index holds: every row of its catalogue, and its vectors."""
    with open_library(str(index)) as store:
        assert list(find_faults(store)) == []
        rows = list(store.catalogue.connection.iterdump())
        units, norms = store.vectors(1)
        return rows, units.tobytes(), norms.tobytes()


def finish_import(cli, path, index, tmp_path):
    """The same command imports the rest; nothing tells the index from one that was imported at once."""
    with open_library(str(index)) as store:
        assert list(find_faults(store)) == []
    kept = count_kept(index)
    assert 0 < kept < MANY
    result = cli("import", path, "--index", index)
    assert (result.code, result.err) == (0, f"imported {MANY:,} photos, {MANY - kept:,} vectors new here\n")
    assert cli("import", path, "--index", tmp_path / "at once").code == 0
    assert contents(index) == contents(tmp_path / "at once")


def test_kills_in_a_row_lose_nothing_that_was_committed(cli, tmp_path):
    path, index = write_many(tmp_path / "many.npz"), tmp_path / "killed"
    for goal in (1, 2_000, 4_000):
        with start("import", path, "--index", index) as running:
            running.wait_until(lambda goal=goal: count_kept(index) >= goal)
            running.kill(signal.SIGKILL)
            assert running.finish().code == -signal.SIGKILL
        assert count_kept(index) >= goal
    finish_import(cli, path, index, tmp_path)


def test_a_kill_between_the_vectors_and_their_names(cli, tmp_path):
    path, index = write_many(tmp_path / "many.npz"), tmp_path / "killed"
    with start("import", path, "--index", index) as running:
        running.wait_until(lambda: count_kept(index))
        with closing(sqlite3.connect(index / "catalogue.sqlite", isolation_level=None)) as reader:
            reader.execute("BEGIN")  # nothing can be committed while it reads
            (named,) = reader.execute("SELECT count(*) FROM vector").fetchone()
            running.wait_until(lambda: (index / "1-0.norms.f32").stat().st_size > named * 4)
            running.kill(signal.SIGKILL)
            assert running.finish().code == -signal.SIGKILL
    assert count_kept(index) == named
    finish_import(cli, path, index, tmp_path)


def test_while_another_writes(cli, exported, elsewhere):
    elsewhere.mkdir()
    with FileLock(elsewhere / "lock"):
        assert cli("import", exported).code == 8
    assert cli("import", exported, "--wait-lock", "1s").code == 0


def test_another_space_must_be_named(cli, photos, exported, elsewhere, monkeypatch):
    assert cli("index", photos, "--provider", "local").code == 0
    before = tree(elsewhere)
    result = cli("import", exported)
    assert result.code == 2
    assert "cannot be compared" in result.err
    assert "--provider azure" in result.err
    assert tree(elsewhere) == before
    assert cli("import", exported, "--provider", "local").code == 2
    assert cli("import", exported, "--provider", "azure").code == 0
    spaces = cli.json("status").lines[0]["spaces"]
    assert [(space["provider"], space["photos"]) for space in spaces] == [("local", 6), ("azure", 6)]


# --- the photos are elsewhere ---------------------------------------------------------------------


def test_no_run_misses_what_is_not_here(cli, library, photos, exported, elsewhere, tmp_path):
    assert cli("import", exported).code == 0
    before = ask(cli).lines
    photos.rename(tmp_path / "gone")
    assert cli("index").code == 2  # there is no folder yet to look at
    mine = album.fill(tmp_path / "mine", 2, first=30)
    assert cli("index", tmp_path / "mine").code == 0
    result = cli.json("index")
    assert (result.code, result.counts()) == (0, {"found": 2, "unchanged": 2})
    found = [line["path"] for line in ask(cli).lines]
    assert sorted(found) == sorted([*library, *mine])
    assert [path for path in found if path in library] == [line["path"] for line in before]
    assert cli("forget", photos).err.startswith("forgot 6 photos")


def test_a_folder_that_is_walked_is_what_is_there(cli, library, photos, exported, elsewhere):
    os.unlink(library[0])
    assert cli("import", exported).code == 0
    assert cli.json("index", photos).counts() == {"found": 5, "unchanged": 5, "forgotten": 1}
    assert cli("index").code == 0


def test_photos_that_should_be_here_are_told_of(cli, library, photos, exported, elsewhere):
    assert cli("index", photos).code == 0
    os.unlink(library[0])
    assert cli("index").code == 0
    result = cli("import", exported)
    assert result.code == 0
    assert "1 photo of them should be in folders" in result.err


def test_another_mount_point(cli, library, photos, exported, elsewhere, tmp_path, double):
    photos.rename(tmp_path / "mounted")
    assert cli("import", exported, "--map", f"{photos}/={tmp_path}/mounted").code == 0
    paths = [path.replace(str(photos), str(tmp_path / "mounted")) for path in library]
    assert sorted(line["path"] for line in ask(cli).lines) == paths
    calls = double.calls("vectorizeImage")
    assert cli.json("index", tmp_path / "mounted").counts() == {"found": 6, "unchanged": 6}
    assert double.calls("vectorizeImage") == calls


@pytest.mark.parametrize("pairs", [["/a"], ["=/b"], ["/a="], ["/a=/b", "/a/=/c"]])
def test_no_pair(cli, exported, elsewhere, pairs):
    result = cli("import", exported, *(part for pair in pairs for part in ("--map", pair)))
    assert result.code == 2
    assert "--map" in result.err.splitlines()[0]
    assert not elsewhere.exists()


@pytest.mark.parametrize("tail", ["x", "/000", "/in"])
def test_a_folder_that_is_not_in_the_file(cli, photos, exported, elsewhere, tail):
    result = cli("import", exported, "--map", f"{photos}=/new", "--map", f"{photos}{tail}=/other")
    assert (result.code, result.out) == (2, b"")
    assert result.err == (
        f"error: --map: no photo of the file lies beneath {photos}{tail}\n"
        f"hint: it has photos beneath {photos}: --map {photos}=NEW\n"
    )
    assert not elsewhere.exists()


def test_folders_without_one_around_them(cli, exported, elsewhere, tmp_path, monkeypatch):
    monkeypatch.setattr("cvsearch.store.local.archive.MOST_ROWS", 2)
    folders = [b"/b", b"/b/c", b"/a", b"/b", b"/d", b"/d"]
    paths = np.array([folder + b"/%d.jpg" % number for number, folder in enumerate(folders)])
    path = rewrite(exported, tmp_path / "spread.npz", {"path": paths})
    assert "photos beneath /b: --map /b=NEW" in cli("import", path, "--map", "/nothing=/x").err
    assert cli("import", path, "--map", "/d=/e", "--map", "/a=/f").code == 0


@pytest.mark.parametrize("order", [1, -1])
def test_the_deepest_folder_counts(cli, library, photos, exported, elsewhere, order):
    pairs = [f"{photos.parent}=/all", f"{photos}=/deep", f"{library[0]}=/one.jpg"][::order]
    assert cli("import", exported, *(part for pair in pairs for part in ("--map", pair))).code == 0
    found = sorted(line["path"] for line in ask(cli).lines)
    assert found == [*(f"/deep/00{number}.jpg" for number in range(1, 6)), "/one.jpg"]


def test_a_single_photo_that_is_named_is_one_of_ours(cli, library, exported, elsewhere):
    assert cli("import", exported).code == 0
    assert cli.json("index", library[2]).counts() == {"found": 1, "unchanged": 1}
    assert cli.json("index").counts() == {"found": 1, "unchanged": 1}


# --- what is in a file ----------------------------------------------------------------------------


def test_numpy_reads_it(cli, library, exported):
    with np.load(exported, allow_pickle=False) as arrays:
        paths = [os.fsdecode(path) for path in arrays["path"]]
        assert sorted(paths) == library
        received = np.array([truth.picture(path) for path in paths])
        assert arrays["vector"].dtype == np.float32
        np.testing.assert_allclose(arrays["vector"], received, rtol=1e-6)
        np.testing.assert_allclose(arrays["norm"], np.linalg.norm(received, axis=1), rtol=1e-6)
        header = json.loads(str(arrays["header"]))
    assert header["space"]["provider"] == "azure"
    assert header["version"] == 1


def test_json_lines(cli, library, exported, tmp_path):
    printed = cli("export", "-")
    assert (printed.code, printed.err) == (0, "")
    assert cli("export", tmp_path / "all.jsonl").code == 0
    assert (tmp_path / "all.jsonl").read_bytes() == printed.out
    with np.load(exported) as arrays:
        for number, line in enumerate(printed.lines):
            assert line["path"].encode() == arrays["path"][number]
            assert line["sha256"].encode() == arrays["sha256"][number]
            assert line["provider"] == "azure"
            assert line["host"]
            assert np.array_equal(np.array(line["vector"], np.float32), arrays["vector"][number])


@pytest.mark.parametrize("name", ["all.npz", "all.JSONL", ".npz"])
def test_only_an_export_is_overwritten(cli, library, tmp_path, name):
    path = Path(album.write(tmp_path / "out" / name, album.jpeg(1)))
    result = cli("export", path)
    assert (result.code, result.out) == (2, b"")
    assert result.err == (
        f"error: this file is not an export and would be overwritten: {path}\n"
        "hint: name another file, or remove this one first\n"
    )
    assert path.read_bytes() == album.jpeg(1)
    path.write_bytes(b"")
    for _ in range(2):
        assert cli("export", path).code == 0
    assert path.stat().st_size > 1000


def test_json_of_a_name_that_is_no_text(cli, double, tmp_path, elsewhere):
    album.write(os.path.join(os.fsencode(tmp_path), b"in", b"caf\xe9.jpg"), album.jpeg(1))
    assert cli("index", tmp_path / "in").code == 0
    (line,) = cli("export", "-").lines
    assert line["path"].endswith("caf\udce9.jpg")
    assert line["path_base64"]


def test_what_was_asked_is_not_exported(cli, library, tmp_path):
    assert ask(cli).code == 0
    assert cli("export", tmp_path / "all.npz").code == 0
    asked = truth.text("red").astype(np.float32)
    with np.load(tmp_path / "all.npz") as arrays:
        assert len(arrays["vector"]) == 6
        assert not any(np.allclose(vector, asked) for vector in arrays["vector"])


def test_under(cli, library, photos, tmp_path):
    inside = album.fill(photos / "in", 2, first=40)
    assert cli("index").code == 0
    lines = cli("export", "-", "--under", photos / "in", "--under", photos / "in").lines
    assert sorted(line["path"] for line in lines) == inside


def test_a_list(cli, library):
    listed = "\n".join([library[4], library[2], library[4]]).encode()
    result = cli("export", "-", "--files-from", "-", stdin=listed)
    assert (result.code, sorted(line["path"] for line in result.lines)) == (0, [library[2], library[4]])


def test_a_list_with_what_is_not_here(cli, library):
    result = cli("export", "-", "--files-from", "-", stdin=f"{library[2]}\n/nowhere.jpg".encode())
    assert (result.code, [line["path"] for line in result.lines]) == (3, [library[2]])
    assert "no vector here: /nowhere.jpg" in result.err


def test_what_was_skipped_is_told(cli, library, photos):
    album.write(photos / "broken.jpg", b"no picture")
    assert cli("index").code == 3
    result = cli("export", "-")
    assert (result.code, len(result.lines)) == (0, 6)
    assert "1 photo without a vector" in result.err


def test_a_folder_that_is_nowhere(cli, library, photos, tmp_path):
    for others in ((), ("--under", photos)):
        result = cli("export", tmp_path / "some.npz", "--under", "/nowhere", *others)
        assert result.code == 2
        assert result.err.startswith("error: no such file or folder: /nowhere\nhint: check the name;")
        assert not (tmp_path / "some.npz").exists()


def test_a_folder_where_nothing_is_indexed(cli, library, photos, tmp_path):
    (tmp_path / "not yet").mkdir()
    told = f"nothing is indexed there: {tmp_path}/not yet (cvsearch index '{tmp_path}/not yet')\n"
    result = cli("export", tmp_path / "some.npz", "--under", tmp_path / "not yet")
    assert (result.code, result.err) == (1, told + "nothing to export\n")
    assert not (tmp_path / "some.npz").exists()
    result = cli("export", tmp_path / "some.npz", "--under", tmp_path / "not yet", "--under", photos)
    assert (result.code, result.err.startswith(told + "exported 6 photos")) == (0, True)


def test_a_folder_that_is_gone_but_indexed(cli, library, photos, tmp_path):
    photos.rename(tmp_path / "gone")
    result = cli("export", "-", "--under", photos)
    assert (result.code, len(result.lines), result.err) == (0, 6, "")


def test_a_list_of_nothing(cli, library, tmp_path):
    result = cli("export", tmp_path / "none.npz", "--files-from", "-", stdin=b"")
    assert (result.code, result.err) == (1, "nothing to export\n")
    assert not (tmp_path / "none.npz").exists()


def test_no_index(cli, elsewhere, tmp_path):
    assert cli("export", tmp_path / "all.npz").code == 7


@pytest.mark.parametrize("name", ["all.zip", "all", "photos", "nowhere/all.npz"])
def test_no_file_to_write(cli, library, tmp_path, name):
    assert cli("export", tmp_path / name).code == 2


def test_the_same_index_gives_the_same_file(cli, library, exported):
    before = exported.read_bytes()
    assert cli("export", exported).code == 0
    assert exported.read_bytes() == before


# --- files that cannot be imported ----------------------------------------------------------------


def broken(exported, tmp_path):
    """Files that are not what they should be, by what is wrong."""
    whole = exported.read_bytes()
    with np.load(exported) as arrays:
        known = {name: arrays[name] for name in arrays}
    header = json.loads(str(known["header"]))

    def changed(name, index, value):
        array = known[name].copy()
        array[index] = value
        return {name: array}

    def headed(**fields):
        return {"header": np.array(json.dumps({**header, **fields}))}

    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    yield "no zip", b"something else"
    yield "empty", b""
    yield "truncated", whole[: len(whole) // 2]
    yield "the end is missing", whole[:-40]
    yield "a bit is wrong", bytes(flipped)
    yield "not a number", changed("vector", (2, 5), np.nan)
    yield "infinite", changed("vector", (2, 5), np.inf)
    yield "zero", changed("vector", 3, 0)
    yield "other norms", changed("norm", 3, 1)
    yield "no rounding", changed("rounding", (0, 0), 100)
    yield "other dimension", {"vector": known["vector"][:, :-1]}
    yield "other numbers", {"vector": known["vector"].astype(np.float64)}
    yield "column order", {"vector": np.asfortranarray(known["vector"])}
    yield "too few", {"path": known["path"][:-1]}
    yield "no column", {"pixels": None}
    yield "no header", {"header": None}
    yield "objects", {"path": np.array([*known["path"]], object)}
    yield "text for numbers", {"bytes": known["bytes"].astype("S")}
    yield "relative", changed("path", 0, b"photos/a.jpg")
    yield "upwards", changed("path", 0, b"/photos/../a.jpg")
    yield "no hash", changed("sha256", 0, b"x" * 64)
    yield "no pixels", changed("pixels", 0, b"")
    yield "a size below zero", changed("bytes", 0, -1)
    yield "no width", changed("width", 0, 0)
    yield "control characters", {"camera": np.array(["a\x1b[31m"] * 6)}
    yield "no date", {"taken": np.array(["yesterday"] * 6)}
    yield "no place", {"latitude": np.full(6, 91.0), "longitude": np.zeros(6)}
    yield "newer", headed(version=2)
    yield "of others", headed(format="something")
    yield "no space", headed(space={})
    yield "a strange provider", headed(space={**header["space"], "provider": "other"})
    yield "a strange model", headed(space={**header["space"], "model": "a b\n"})
    yield "a wrong dimension", headed(space={**header["space"], "dimension": 1.5})
    yield "a list", {"header": np.array("[]")}


def test_what_cannot_be_is_refused_before_anything_changes(cli, exported, elsewhere, tmp_path):
    assert cli("import", exported).code == 0
    before = tree(elsewhere)
    for number, (name, data) in enumerate(broken(exported, tmp_path)):
        path = tmp_path / f"{number}.npz"
        if isinstance(data, bytes):
            path.write_bytes(data)
        else:
            rewrite(exported, path, data)
        result = cli("import", path)
        assert (result.code, result.out) == (2, b""), name
        assert result.err.startswith(f"error: this cannot be imported: {path}: "), name
        assert "hint: " in result.err, name
        assert tree(elsewhere) == before, name
        assert cli("import", path, "--index", tmp_path / "new").code == 2, name
        assert not (tmp_path / "new").exists(), name


def test_data_that_goes_on(cli, exported, elsewhere, tmp_path):
    with zipfile.ZipFile(exported) as archive:
        data = archive.read("norm.npy")
    path = rewrite(exported, tmp_path / "long.npz", {"norm": data + b"1234"})
    assert "longer than it says" in cli("import", path).err


def test_nothing_is_unpickled(cli, exported, elsewhere, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    trap = np.empty(6, object)
    trap[:] = [Trap() for _ in range(6)]
    path = rewrite(exported, tmp_path / "trap.npz", {"path": trap})
    assert cli("import", path).code == 2
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [("all.jsonl", "cvsearch export FILE.npz"), ("a.jpg", "cvsearch index"), ("-", "in a file first")],
)
def test_other_files(cli, home, elsewhere, name, hint):
    (home / name).write_bytes(b"{}")
    result = cli("import", name)
    assert (result.code, result.out) == (2, b"")
    error, told = result.err.splitlines()
    assert error == f"error: only .npz files can be imported, not {name}"
    assert hint in told
    assert not elsewhere.exists()


@pytest.mark.parametrize("name", ["nowhere.npz", "nowhere/all.npz", "nowhere.jsonl"])
def test_no_such_file(cli, home, elsewhere, name):
    result = cli("import", name)
    assert result.code == 2
    error, told = result.err.splitlines()
    assert error == f"error: no such file: {home}/{name}"
    assert told.startswith("hint: check the name")
    assert not elsewhere.exists()


def test_a_name_without_its_ending(cli, exported, elsewhere):
    result = cli("import", exported.with_suffix(""))
    assert (result.code, f"hint: is it {exported}?" in result.err) == (2, True)


def test_a_folder_is_no_file(cli, library, photos, elsewhere, tmp_path):
    result = cli("import", f"{photos}/")
    assert result.code == 2
    assert result.err == (
        f"error: this is a folder, not an exported file: {photos}\n"
        f"hint: to index its photos: cvsearch index {photos}/\n"
    )
    assert not elsewhere.exists()


def test_an_index_is_no_file(cli, library, elsewhere, tmp_path):
    result = cli("import", tmp_path / "index")
    assert (result.code, result.err.startswith("error: this is an index, not an exported file")) == (2, True)
    assert f"cvsearch export FILE.npz --index {tmp_path}/index" in result.err


def test_other_dimensions_of_a_space_that_is_here(cli, exported, elsewhere, tmp_path):
    assert cli("import", exported).code == 0
    with np.load(exported) as arrays:
        header = json.loads(str(arrays["header"]))
        short = arrays["vector"][:, :8].copy()
        units, norms = split_vectors(short)
    header["space"]["dimension"] = 8
    changes = {"header": np.array(json.dumps(header)), "vector": short, "norm": norms}
    changes["rounding"] = np.zeros(units.shape, np.int8)
    result = cli("import", rewrite(exported, tmp_path / "short.npz", changes))
    assert result.code == 2
    assert "have 8 numbers" in result.err


# --- the parts ------------------------------------------------------------------------------------


def test_unit_vectors_come_back_bit_for_bit():
    dice = np.random.default_rng(7)
    given = (dice.standard_normal((500, 64)) * dice.uniform(1e-3, 1e3, (500, 1))).astype(np.float32)
    given[:, 3] = 0
    units, norms = split_vectors(given)
    rounding = find_rounding(units, norms)
    assert rounding.any()
    again, lengths = restore_vectors(units * norms[:, None], norms, rounding)
    assert np.array_equal(again.view(np.int32), units.view(np.int32))
    assert np.array_equal(lengths, norms)


def test_the_least_that_is_known():
    fields = {column.name: EMPTY[column.kind] for column in COLUMNS}
    known = {"path": b"/a.jpg", "sha256": b"0" * 64, "pixels": b"f" * 64}
    entry = make_photo({**fields, **known})
    assert (entry.path, entry.metadata, entry.receipt, entry.phash) == ("/a.jpg", None, None, None)


@pytest.mark.parametrize("names", [b"a.nef/..", b"/", b"a\0b"])
def test_companions_have_names(names):
    fields = {column.name: EMPTY[column.kind] for column in COLUMNS}
    known = {"path": b"/a.jpg", "sha256": b"0" * 64, "pixels": b"f" * 64, "also": names}
    with pytest.raises(ValueError, match="companion"):
        make_photo({**fields, **known})


def test_a_reading_goes_on_while_a_run_writes(cli, library, photos, tmp_path):
    with open_library(str(tmp_path / "index")) as store, open_snapshot(store, 1, Scope()) as snapshot:
        album.fill(photos / "new", 3, first=50)
        assert cli("index").code == 0
        os.unlink(library[0])
        assert cli("index").code == 0
        assert cli("prune", "--yes").code == 0
        paths = [os.fsdecode(path) for portion in snapshot.read_paths() for path in portion]
        vectors = np.concatenate([units for units, _ in snapshot.read_vectors()])
    assert sorted(paths) == library
    received = np.array([truth.picture(album.write(path, album.jpeg(int(path[-7:-4])))) for path in paths])
    np.testing.assert_allclose(vectors, received / np.linalg.norm(received, axis=1)[:, None], atol=1e-6)
