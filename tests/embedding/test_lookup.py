"""What a query costs: new texts and pictures one call, those asked before or indexed none."""

import ctypes
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys

import album
import pytest
import running
import truth
from pictures import make_exif
from truth import check_ranking, cosines, ranked


@pytest.fixture
def asked(double):
    """How many calls were made since the last look."""
    seen = double.calls()

    def count():
        nonlocal seen
        before, seen = seen, double.calls()
        return seen - before

    return count


@pytest.fixture
def sample(tmp_path):
    """A picture that is not indexed."""
    return album.write(tmp_path / "elsewhere" / "sample.jpg", album.jpeg(77))


@pytest.fixture
def cost(library, asked):
    """`asked`, when the photos are indexed."""
    asked()
    return asked


def test_a_new_text_offline(cli, cost):
    result = cli("query", "red", "--offline")
    assert (result.code, result.out, cost()) == (4, b"", 0)
    assert "error: --offline forbids" in result.err
    assert "hint: " in result.err


def test_a_new_picture_offline(cli, cost, sample):
    result = cli("query", "-i", sample, "--offline")
    assert (result.code, result.out, cost()) == (4, b"", 0)


@pytest.mark.parametrize("argv", [("red",), ("-i", "sample.jpg"), ("--not-image", "2:sample.jpg")])
def test_no_budget_for_a_call(cli, cost, sample, argv):
    os.chdir(os.path.dirname(sample))
    result = cli("query", *argv, "--max-calls", "0")
    assert (result.code, result.out, cost()) == (6, b"", 0)
    assert cli("query", *argv, "--max-calls", "1").code == 0
    assert cost() == 1
    assert cli("query", *argv, "--max-calls", "0").code == 0


def test_a_budget_that_ends_between_two_terms_keeps_the_first(cli, cost):
    result = cli("query", "red", "--also", "blue", "--max-calls", "1")
    assert (result.code, cost()) == (6, 1)
    assert cli("query", "red", "--offline").code == 0
    assert cli("query", "blue", "--offline").code == 4


@pytest.mark.parametrize("stdin", [False, True])
def test_a_repeated_text_makes_no_call(cli, cost, stdin):
    first = cli.json("query", "red", "car")
    assert cost() == 1
    argv, typed = (["-"], b"red car\n") if stdin else (["red car"], b"")
    again = cli.json("query", *argv, "--offline", stdin=typed)
    assert (again.code, again.lines, cost()) == (0, first.lines, 0)


def test_a_text_asked_before_needs_no_settings(cli, cost, monkeypatch):
    first = cli.json("query", "red")
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)
    assert cli.json("query", "red").lines == first.lines
    assert cli("query", "blue").code == 4


def test_terms_are_asked_once_each(cli, cost):
    cli("query", "red", "--also", "blue", "--not", "3:red")
    assert cost() == 2
    cli("query", "blue")
    assert cost() == 0


def test_a_new_picture_costs_one_call_once(cli, cost, library, sample):
    first = cli.json("query", "-i", sample)
    assert cost() == 1
    check_ranking(first.lines, ranked(library, cosines(library, truth.picture(sample))))
    again = cli.json("query", "-i", sample, "--offline")
    assert (again.lines, cost()) == (first.lines, 0)
    with open(sample, "rb") as file:
        piped = cli.json("query", "-i", "-", "--offline", stdin=file.read())
    assert (piped.lines, cost()) == (first.lines, 0)


def test_an_indexed_photo_as_sample_makes_no_call(cli, cost, library, home):
    expected = ranked(library, cosines(library, truth.picture(library[3])))
    copy = shutil.copy(library[3], home / "another name.png")
    with open(library[3], "rb") as file:
        data = file.read()
    for source, stdin in ((library[3], b""), (copy, b""), ("-", data)):
        result = cli.json("query", "-i", source, "--offline", stdin=stdin)
        check_ranking(result.lines, expected)
        assert result.lines[0]["score"] == 1
    assert cost() == 0


def test_an_indexed_photo_with_other_metadata_as_sample_makes_no_call(cli, cost, library, home):
    from PIL import Image

    with Image.open(library[3]) as image:
        # The same compressed pixels, with a note before them.
        exif = make_exif({270: "a note"}).tobytes()
        assert image.info.get("exif") is None
    with open(library[3], "rb") as file:
        data = file.read()
    marked = data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]
    path = album.write(home / "marked.jpg", marked)
    result = cli.json("query", "-i", path, "--offline")
    assert (result.code, result.lines[0]["path"], cost()) == (0, library[3], 0)


def test_a_forgotten_photo_as_sample_makes_no_call(cli, cost, library):
    assert cli("forget", library[0]).code == 0
    result = cli.json("query", "-i", library[0], "--offline")
    assert (result.code, len(result.lines), cost()) == (0, 5, 0)


def test_a_picture_is_sent_without_its_metadata(cli, cost, double, home):
    from PIL import Image

    exif = make_exif({274: 6}, {0x8825: {1: "N", 2: (1.0, 2.0, 3.0)}})
    Image.effect_noise((60, 40), 90).convert("RGB").save(home / "gps.jpg", exif=exif)
    assert cli("query", "-i", home / "gps.jpg").code == 0
    body = double.bodies[double.requests[-1].number]
    assert b"Exif" not in body
    assert double.violations == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "this picture cannot be searched with"), (b"hello", "this picture cannot be searched with")],
)
def test_what_is_no_picture(cli, cost, home, data, reason):
    path = album.write(home / "odd.jpg", data)
    for source, stdin in ((path, b""), ("-", data)):
        result = cli("query", "-i", source, stdin=stdin)
        assert (result.code, result.out, cost()) == (2, b"", 0)
        assert reason in result.err


def test_a_text_the_service_refuses(cli, cost):
    result = cli("query", "-", stdin=b"word " * 80)
    assert (result.code, result.out) == (2, b"")
    assert "80 words" in result.err
    assert "at most 70" in result.err
    assert cost() == 0


def test_an_empty_text_on_standard_input(cli, cost):
    for typed in (b"", b" \n\t\n"):
        result = cli("query", "-", stdin=typed)
        assert (result.code, cost()) == (2, 0)
        assert "the text is empty" in result.err


@pytest.mark.parametrize(
    ("fault", "code", "message"),
    [
        ("401-key", 4, "key"),
        ("403-keys-off", 4, "key"),
        ("403-quota", 5, "quota"),
        ("404", 2, ""),
        ("410", 2, ""),
    ],
)
def test_what_the_service_refuses(cli, library, double, fault, code, message):
    double.misbehave(fault)
    result = cli("query", "red")
    assert (result.code, result.out) == (code, b"")
    assert result.err.startswith("error: ")
    assert "\nhint: " in result.err
    assert message in result.err.lower()
    assert double.requests[-1].request_id in result.err
    assert cli("query", "red").code == 0


def test_a_service_that_is_not_there(cli, library, double, hurry):
    double.down()
    result = cli("query", "red")
    assert (result.code, result.out) == (5, b"")
    assert "hint: " in result.err


@pytest.mark.parametrize(
    "fault", ["429", "429-text", "500", "503-html", "reset", "close", "nan", "short-vector"]
)
def test_a_passing_fault_is_overcome(cli, library, double, hurry, fault):
    double.misbehave(fault)
    result = cli.json("query", "red")
    assert (result.code, result.err) == (0, "")
    check_ranking(result.lines, ranked(library, cosines(library, truth.text("red"))))


# --- Indexes that cannot be written ----------------------------------------------------------------


def obey_modes():
    """As root: give up the right to write where modes forbid it (prctl's PR_CAPBSET_DROP, and then exec)."""
    if os.geteuid() == 0:
        for capability in (1, 2):
            ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)


@pytest.fixture
def read_only(library, tmp_path):
    """The index, which nobody may write; gives what runs a command that respects it."""
    index = tmp_path / "index"
    probe = [sys.executable, "-c", "import os, sys; sys.exit(os.access(sys.argv[1], os.W_OK))", str(index)]

    def lock():
        for path in index.iterdir():
            path.chmod(0o444)
        index.chmod(0o555)
        if subprocess.run(probe, preexec_fn=obey_modes, check=False).returncode != 0:
            index.chmod(0o755)
            pytest.skip("this user may write everywhere")

    def run(*argv):
        return running.run(*argv, preexec_fn=obey_modes)

    run.lock = lock
    yield run
    index.chmod(0o755)


def fingerprint(folder):
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
    }


def test_a_read_only_index_is_searched_and_stays_as_it_is(read_only, library, tmp_path, cost):
    read_only.lock()
    before = fingerprint(tmp_path / "index")
    first = read_only("query", "red", "--json")
    assert (first.code, first.err, cost()) == (0, "", 1)
    check_ranking(first.lines, ranked(library, cosines(library, truth.text("red"))))
    again = read_only("query", "red", "--json", "--offline")
    assert (again.code, again.lines, cost()) == (0, first.lines, 0)
    for argv in (["status"], ["show", library[0]], ["doctor", "--offline"], ["query", "-i", library[1]]):
        assert read_only(*argv).code == (4 if argv[0] == "doctor" else 0)
    assert fingerprint(tmp_path / "index") == before


def test_what_was_asked_before_it_was_read_only_is_still_known(read_only, cli, cost):
    assert cli("query", "red").code == 0
    read_only.lock()
    assert cost() == 1
    assert read_only("query", "red", "--offline").code == 0


def test_writing_to_a_read_only_index_is_a_clear_error(read_only, library):
    read_only.lock()
    for argv in (["index"], ["forget", library[0]], ["prune"], ["move", library[0], "/x"]):
        result = read_only(*argv)
        assert result.code == 2, argv
        assert result.err.startswith("error: ")
        assert "Traceback" not in result.err
        assert "mistake in cvsearch" not in result.err


DIE_WRITING = """
import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")
connection.execute("BEGIN IMMEDIATE")
for table in sys.argv[2:]:
    connection.execute(f"DELETE FROM {table}")
connection.execute("CREATE TABLE junk (data BLOB)")
for _ in range(300):
    connection.execute("INSERT INTO junk VALUES (randomblob(3000))")
os._exit(9)
"""


def die_writing(path, *tables):
    """Leaves a hot journal: a writer is gone that had changed pages of the database itself."""
    before = os.path.getsize(path)
    assert subprocess.run([sys.executable, "-c", DIE_WRITING, path, *tables], check=False).returncode == 9
    assert os.path.getsize(f"{path}-journal") > 512
    assert os.path.getsize(path) > before


@pytest.mark.parametrize("writable", [True, False])
def test_a_hot_journal_of_a_killed_writer(read_only, cli, library, tmp_path, writable):
    expected = cli.json("query", "red").lines
    die_writing(str(tmp_path / "index" / "catalogue.sqlite"), "file", "embedding")
    if not writable:
        read_only.lock()
    left = sorted(os.listdir(tmp_path / "index"))
    tmp = tmp_path / "tmp"
    tmp.mkdir()
    os.environ["TMPDIR"] = str(tmp)
    try:
        result = read_only("query", "red", "--json", "--offline")
    finally:
        del os.environ["TMPDIR"]
    assert (result.code, result.err) == (0, "")
    assert result.lines == expected
    assert os.listdir(tmp) == []
    if not writable:
        assert sorted(os.listdir(tmp_path / "index")) == left


def test_a_hot_journal_beside_the_cached_queries(cli, cost, tmp_path):
    expected = cli.json("query", "red").lines
    die_writing(str(tmp_path / "index" / "queries.sqlite"), "query")
    cost()
    result = cli.json("query", "red", "--offline")
    assert (result.code, result.lines, cost()) == (0, expected, 0)


def test_a_broken_cache_costs_a_call_and_no_more(cli, cost, tmp_path):
    expected = cli.json("query", "red").lines
    (tmp_path / "index" / "queries.sqlite").write_bytes(b"this is no database" * 100)
    cost()
    result = cli.json("query", "red")
    assert (result.code, result.err, result.lines, cost()) == (0, "", expected, 1)


def test_an_index_made_by_a_newer_cvsearch(cli, library, tmp_path):
    path = tmp_path / "index" / "catalogue.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 999")
    connection.close()
    result = cli("query", "red")
    assert result.code == 2
    assert "newer cvsearch" in result.err
    assert "upgrade" in result.err


def test_no_database_in_its_place(cli, library, tmp_path):
    (tmp_path / "index" / "catalogue.sqlite").write_bytes(b"not a database at all, but long enough" * 40)
    for argv in (["query", "red"], ["status"], ["show", library[0]], ["prune"]):
        result = cli(*argv)
        assert result.code == 2
        assert "catalogue.sqlite" in result.err
        assert "hint: restore" in result.err


def test_the_cache_is_private(cli, cost, tmp_path):
    assert cli("query", "red").code == 0
    assert stat.S_IMODE(os.stat(tmp_path / "index").st_mode) == 0o700


def test_queries_while_another_process_writes(cli, cost, library, tmp_path):
    """Readers take no lock and see what is committed."""
    expected = cli.json("query", "red").lines
    connection = sqlite3.connect(tmp_path / "index" / "catalogue.sqlite", isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM file")
    try:
        assert cli.json("query", "red").lines == expected
        assert cli("query", "blue").code == 0
    finally:
        connection.close()
    assert json.loads(cli.json("status").out)["photos"] == 6
