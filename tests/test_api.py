"""The Python API: the same answers as the command line, in arrays and values."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import album
import numpy as np
import pytest
import shell_examples as examples
import truth
from azure_double import MODELS
from filelock import FileLock
from PIL import Image

import cvsearch
from cvsearch.errors import BudgetError, CredentialsError, LockedError, NoIndexError
from cvsearch.model import IndexedPhoto

PAGE = examples.PROJECT / "docs" / "python.md"


@pytest.fixture
def index(library):
    """The library, open."""
    with cvsearch.open_index() as index:
        yield index


def test_a_text(cli, index, library, double):
    found = index.search("red", top=None)
    rows = [{"path": match.path, "rank": match.rank, "score": match.score} for match in found]
    truth.check_ranking(rows, truth.ranked(library, truth.cosines(library, truth.text("red"))))
    calls = double.calls()
    said = cli("query", "red", "-n", "all", "--json").lines
    assert [line["score"] for line in said] == [match.score for match in found]
    assert double.calls() == calls


def test_a_text_counts_its_spaces_once(index, double):
    index.search("red car")
    calls = double.calls()
    index.search(" red \n car ")
    index.embed_text("red  car")
    assert double.calls() == calls


def test_pictures(index, library, double):
    calls = double.calls()
    for image in (library[2], Path(library[2]), Path(library[2]).read_bytes()):
        (best,) = index.search(image=image, top=1)
        assert (best.path, best.same, best.score) == (library[2], "bytes", 1.0)
    assert double.calls() == calls


def test_a_relative_picture(index, library, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with cvsearch.open_index() as here:
        assert here.search(image="photos/001.jpg", top=1)[0].path == library[1]


def test_several_terms_are_those_of_the_command_line(cli, index, library):
    found = index.search("red", image=[library[0], library[1]], without="blue", without_image=library[3])
    said = cli("query", "red", "-i", library[0], "-i", library[1], "--not", "blue", "--not-image", library[3])
    assert [match.path for match in found] == said.out.decode().splitlines()


def test_limits(index, photos, library):
    assert len(index.search("red", top=2)) == 2
    assert index.search("red", min_score=2) == []
    assert index.search("red", under="/") == index.search("red", under=photos)
    assert index.search("red", under=Path(library[0]).parent.parent / "index") == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "nothing to look for"),
        ({"text": " "}, "nothing to look for"),
        ({"text": ["red", ""]}, "nothing to look for"),
        ({"text": "red", "without": ""}, "nothing to look for"),
        ({"text": "red", "top": 0}, "top is a number from 1"),
        ({"text": "red", "min_score": float("nan")}, "min_score is not a number"),
        ({"text": "red", "after": "May"}, "takes a date"),
        ({"text": "red", "near": (91, 0, 1)}, "takes LAT,LON,KM"),
        ({"text": "red", "near": (1, 2)}, "takes LAT,LON,KM"),
        ({"text": "red", "near": "here"}, "takes LAT,LON,KM"),
        ({"text": "red", "top": 1.5}, "top is a number from 1"),
        ({"text": "red", "after": 2024.5}, "takes a date"),
        ({"text": "red", "after": datetime(2024, 5, 1, tzinfo=UTC)}, "no time zone"),
        ({"text": "red", "after": "2024", "before": "2023"}, "nothing is both after"),
        ({"text": "red", "camera": 5}, "--camera is empty"),
        ({"text": "red", "under": "/nowhere"}, "no such file or folder"),
    ],
)
def test_what_makes_no_sense_is_refused(index, given, message, double):
    calls = double.calls()
    with pytest.raises(cvsearch.CvsearchError, match=message):
        index.search(**given)
    assert double.calls() == calls


def test_filters_are_those_of_the_command_line(cli, double, tmp_path):
    for number, colour in enumerate(("red", "green", "blue", "white", "black", "yellow")):
        picture, tags = Image.new("RGB", (60, 40), colour), Image.Exif()
        tags[271], tags[272] = "Maker", "X100" if number % 2 else "D850"
        tags.get_ifd(0x8769)[36867] = f"202{number}:06:15 12:00:00"
        gps = tags.get_ifd(0x8825)
        gps.update({1: "N", 2: (48.0 + number, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)})
        picture.save(tmp_path / f"{number}.jpg", exif=tags)
    with cvsearch.open_index(tmp_path / "index", create=True) as index:
        index.add(tmp_path)
        asked = ("query", "red", "--index", tmp_path / "index")
        for options, limits in (
            (("--after", "2021", "--before", "2023-01-01"), {"after": "2021", "before": date(2023, 1, 1)}),
            (("--after", "2021-06-15T12:00"), {"after": datetime(2021, 6, 15, 12)}),
            (("--camera", "x100", "--near", "49,2,50"), {"camera": "x100", "near": (49, 2, 50)}),
            (("--strong", "--collapse"), {"strong": True, "collapse": True}),
        ):
            found = [match.path for match in index.search("red", **limits)]
            assert found == cli(*asked, *options).out.decode().splitlines()
            assert 0 < len(found) < 6


def test_a_closed_index_answers_no_more(library):
    with cvsearch.open_index() as index:
        assert len(index.search("red")) == 6
    with pytest.raises(cvsearch.CvsearchError, match="this index was closed"):
        index.search("red")


def test_several_texts(cli, index):
    found = [match.path for match in index.search(["red", "blue"])]
    assert found == cli("query", "red", "--also", "blue").out.decode().splitlines()


def test_all_that_a_query_can_ask(index):
    term = cvsearch.Term("text", "red")
    report = index.answer(cvsearch.QueryRequest([term], metric="euclidean", top=1, count=True))
    assert (report.metric, report.searched, len(report.matches)) == ("euclidean", 6, 1)


def test_arrays(index, library):
    paths, vectors = index.vectors()
    assert sorted(paths) == library
    assert (vectors.dtype, vectors.shape) == (np.float32, (6, index.space.dimension))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    found = {match.path: match.score for match in index.search("red", top=None)}
    scores = vectors @ index.embed_text("red")
    np.testing.assert_allclose(scores, [found[path] for path in paths], atol=1e-6)
    vectors[:] = 0  # it is the caller's own
    assert index.vectors()[1].any()


def test_copies_have_rows_of_their_own(index, photos, library):
    album.write(photos / "copy.jpg", Path(library[0]).read_bytes())
    index.add(photos)
    paths, vectors = index.vectors()
    assert len(paths) == 7
    one, other = (vectors[paths.index(path)] for path in (library[0], str(photos / "copy.jpg")))
    assert np.array_equal(one, other)


def test_a_picture_as_an_array(index, library):
    paths, vectors = index.vectors()
    vector = index.embed_image(library[4])
    assert (vector.dtype, vector.shape) == (np.float32, (index.space.dimension,))
    np.testing.assert_allclose(vector, vectors[paths.index(library[4])], atol=1e-6)


def test_photos(index, library):
    paths, _ = index.vectors()
    photos = index.photos()
    assert [photo.path for photo in photos] == paths
    assert photos[0].size == os.path.getsize(paths[0])
    assert (photos[0].metadata.width, photos[0].metadata.height) == (48, 36)


def test_add(double, tmp_path):
    paths = album.fill(tmp_path / "photos", 3)
    album.write(tmp_path / "photos" / "broken.jpg", b"no picture")
    heard = []
    with cvsearch.open_index(tmp_path / "index", create=True) as index:
        with pytest.raises(NoIndexError):
            index.search("red")
        summary = index.add(tmp_path / "photos", on_event=heard.append)
        assert (summary.indexed, summary.skipped, summary.calls) == (3, 1, 3)
        assert sorted(event.path for event in heard if event.kind == "indexed") == paths
        assert index.space.model == MODELS[0]
        assert len(index.search("red")) == 3
        assert index.add([Path(path) for path in paths]).unchanged == 3


def test_add_while_another_writes(index, photos, tmp_path):
    with FileLock(tmp_path / "index" / "lock"), pytest.raises(LockedError):
        index.add(photos)


def test_add_what_is_not_there(double, tmp_path):
    with (
        cvsearch.open_index(tmp_path / "index", create=True) as index,
        pytest.raises(cvsearch.CvsearchError, match="no such file"),
    ):
        index.add("/nowhere")
    assert not (tmp_path / "index").exists()


def test_what_others_add_is_seen(cli, index, tmp_path):
    assert len(index.search("red")) == 6
    album.fill(tmp_path / "more", 2, first=20)
    assert cli("index", tmp_path / "more").code == 0
    assert len(index.search("red")) == 8
    assert len(index.vectors()[0]) == 8


def test_no_index(home, tmp_path):
    with pytest.raises(NoIndexError, match="there is no index"):
        cvsearch.open_index(tmp_path / "nowhere")


def test_offline(library, double):
    calls = double.calls()
    with cvsearch.open_index(offline=True) as index:
        assert len(index.search(image=library[0])) == 6
        with pytest.raises(CredentialsError):
            index.search("never asked")
    assert double.calls() == calls


def test_a_budget(library):
    with cvsearch.open_index(max_calls=0) as index, pytest.raises(BudgetError):
        index.search("never asked")


def test_the_provider_that_is_named(library):
    with cvsearch.open_index(provider="local") as index, pytest.raises(NoIndexError):
        index.search("red")
    with pytest.raises(cvsearch.CvsearchError):
        cvsearch.open_index(provider="other")


def test_calls_are_counted(cli, library):
    def count():
        return sum(host["calls"] for host in cli.json("status").lines[0]["traffic"])

    before = count()
    with cvsearch.open_index() as index:
        index.search("never asked")
    assert count() == before + 1


def test_a_closed_index_lets_go(library):
    threads = threading.active_count()
    for _ in range(3):
        with cvsearch.open_index() as index:
            index.search("red")
    assert threading.active_count() <= threads + 1
    index.close()


def test_a_picture_that_cannot_be_used_does_not_end_the_index(library, tmp_path):
    with cvsearch.open_index() as index:
        with pytest.raises(cvsearch.CvsearchError, match="no-such"):
            index.search(image=tmp_path / "no-such.jpg")
        assert len(index.search("never asked")) == 6
        assert len(index.search(image=library[0])) == 6


def test_where_no_cache_can_be_written_nothing_is_paid_for_twice(library, double, tmp_path, monkeypatch):
    sample = album.write(tmp_path / "sample.jpg", album.jpeg(77))
    (tmp_path / "index" / "queries.sqlite").unlink(missing_ok=True)
    (tmp_path / "index" / "queries.sqlite").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/nowhere")
    before = double.calls()
    with cvsearch.open_index() as index:
        for _ in range(3):
            index.search(["never asked", "never asked"])
            index.search(image=sample)
    assert double.calls() == before + 2


def test_a_sample_that_was_asked_is_known_by_its_bytes(library, double, tmp_path):
    """Also when another version of a decoder prepares it to other pixels."""
    sample = album.write(tmp_path / "sample.jpg", album.jpeg(77))
    with cvsearch.open_index() as index:
        first = index.search(image=sample)
        with sqlite3.connect(tmp_path / "index" / "queries.sqlite") as cache:
            assert cache.execute("DELETE FROM query WHERE kind = 'pixels'").rowcount == 1
        cache.close()
    calls = double.calls()
    with cvsearch.open_index(offline=True) as index:
        assert index.search(image=sample) == first
    assert double.calls() == calls


def test_of_several_samples_the_first_that_is_refused_is_told(library, double, tmp_path):
    samples = [album.write(tmp_path / f"n{number}.jpg", album.jpeg(70 + number)) for number in (7, 8, 9)]
    double.misbehave("400-format")
    calls = double.calls()
    with cvsearch.open_index() as index, pytest.raises(cvsearch.CvsearchError, match="n7"):
        index.search(image=samples)
    assert double.calls() == calls + 1


def test_what_the_package_offers():
    offered = {"Index", "open_index", "CvsearchError", "QueryRequest", "Term"}
    assert {*offered, "Photo"} <= set(dir(cvsearch))
    assert cvsearch.Photo is IndexedPhoto
    for name in offered:
        assert getattr(cvsearch, name).__name__ == name
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        cvsearch.nothing_of_the_kind  # noqa: B018


def test_the_package_itself_is_light():
    code = "import sys, cvsearch; sys.exit(' '.join({'numpy', 'httpx', 'PIL'} & set(sys.modules)) or 0)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_page_is_true():
    """Its blocks make one script; what each prints is shown beneath it."""
    blocks = re.findall(
        r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.M
    )
    assert len(blocks) == PAGE.read_text("utf-8").count("```python")
    script = "print('\\0')\n".join(code for code, _ in blocks)
    with examples.open_folder() as folder:
        environ = {"HOME": str(folder / ".home"), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        (folder / "script.py").write_text(script, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", "script.py"],
            cwd=folder,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr.decode()) == (0, "")
        shown = done.stdout.decode().replace(str(folder), examples.HOME).split("\0\n")
    for (code, printed), output in zip(blocks, shown, strict=True):
        assert examples.is_alike(output, printed), f"{code}\n{output}"
