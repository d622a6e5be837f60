"""What a query writes: every form must give every name back, on a pipe and on a terminal."""

import base64
import csv
import io
import json
import os
import re
import subprocess
import sys

import album
import pytest
from terminal import run_on_terminal

AWKWARD = (
    b"plain.jpg",
    b"two\nlines.jpg",
    b'"quoted", with a comma.jpg',
    b"tab\there.jpg",
    b"carriage\rreturn.jpg",
    b"-rf.jpg",
    b" space at both ends .jpg",
    b"red \x1b[31m and title \x1b]0;x\x07.jpg",
    b"latin-\xe9t\xe9.jpg",
    b"half \xe2\x82 of a euro.jpg",
    "日本 東京.jpg".encode(),
    "right to left \u202e gpj.jpg".encode(),
    b"back\\slash \\n.jpg",
    b"delete \x7f and c1 \xc2\x9b.jpg",
)


@pytest.fixture
def awkward(cli, double, tmp_path, monkeypatch):
    """Photos with names that are hard to write, indexed; gives their paths as bytes, best for `red` first."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    folder = os.fsencode(tmp_path / "photos")
    for number, name in enumerate(AWKWARD):
        album.write(os.fsdecode(os.path.join(folder, name)), album.jpeg(number))
    assert cli("index", tmp_path / "photos").code == 0
    paths = cli("query", "red", "-0", "-n", "all").out.split(b"\0")[:-1]
    assert sorted(paths) == sorted(os.path.join(folder, name) for name in AWKWARD)
    return paths


def test_print0_is_the_one_form_for_every_name(cli, awkward):
    for argv in (["-0"], ["--print0"]):
        result = cli("query", "red", "-n", "all", *argv)
        assert (result.code, result.err) == (0, "")
        assert result.out == b"".join(path + b"\0" for path in awkward)


@pytest.mark.parametrize("argv", [[], ["-l"], ["--paths"], ["--format", "paths"]])
def test_paths_are_raw_bytes_one_a_line(cli, awkward, argv):
    result = cli("query", "red", "-n", "all", *argv)
    assert (result.code, result.err) == (0, "")
    assert result.out == b"".join(path + b"\n" for path in awkward)


def bytes_of(row):
    """The path of a JSON row as bytes, by both of its forms."""
    path = os.fsencode(row["path"])
    if any("\udc80" <= character <= "\udcff" for character in row["path"]):
        assert base64.b64decode(row["path_base64"]) == path
    else:
        assert "path_base64" not in row
    return path


@pytest.mark.parametrize("argv", [["--json"], ["--format", "jsonl"]])
def test_jsonl(cli, awkward, argv):
    result = cli("query", "red", "-n", "all", *argv)
    assert (result.code, result.err) == (0, "")
    assert result.out.isascii()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", result.out)
    assert result.out.count(b"\n") == len(awkward)
    assert [bytes_of(row) for row in result.lines] == awkward
    for row in result.lines:
        assert list(row)[:6] == ["rank", "score", "path", "sha256", "provider", "model"]
        assert (row["provider"], row["model"]) == ("azure", "2023-04-15")
        assert re.fullmatch("[0-9a-f]{64}", row["sha256"])
        assert row["score"] == round(row["score"], 6)


def test_json_is_one_document(cli, awkward):
    result = cli("query", "red", "-n", "all", "--format", "json")
    assert (result.code, result.err) == (0, "")
    assert result.out.isascii()
    document = json.loads(result.out)
    assert [bytes_of(row) for row in document["matches"]] == awkward
    empty = json.loads(cli("query", "red", "--format", "json", "--min-score", "9").out)
    assert (empty["matches"], empty["searched"]) == ([], len(awkward))


@pytest.mark.parametrize(("form", "dialect"), [("csv", "excel"), ("tsv", "excel-tab")])
def test_csv_and_tsv(cli, awkward, form, dialect):
    result = cli("query", "red", "-n", "all", "--format", form)
    assert (result.code, result.err) == (0, "")
    text = io.StringIO(result.out.decode("utf-8", "surrogateescape"), newline="")
    rows = list(csv.DictReader(text, dialect=dialect, strict=True))
    assert [os.fsencode(row["path"]) for row in rows] == awkward
    told = cli.json("query", "red", "-n", "all").lines
    for row, other in zip(rows, told, strict=True):
        assert re.fullmatch(r"-?\d+\.\d{6}", row["score"])
        assert float(row["score"]) == other["score"]
        for name in ("rank", "sha256", "provider", "model"):
            assert row[name] == str(other[name])
    header = cli("query", "red", "--format", form, "--min-score", "9")
    assert header.out.count(b"\n") == 1


def check_harmless(screen, allowed=b"\n\r"):
    """No byte of it can move a cursor, ring a bell or turn text around."""
    text = screen.decode()
    for character in text:
        assert character.isprintable() or character.encode() in allowed, ascii(character)


@pytest.mark.parametrize("argv", [[], ["-l"], ["--json"], ["--format", "csv"], ["--format", "json"]])
def test_a_terminal_meets_no_control_character(awkward, argv):
    result = run_on_terminal("query", "red", "-n", "all", "--color", "never", *argv)
    assert result.code == 0
    check_harmless(result.out)
    check_harmless(result.err.encode())
    assert b"x1b" in result.out or b"u001b" in result.out
    assert rb"two\nlines.jpg" in result.out


def test_names_in_errors_are_escaped(cli, awkward, tmp_path):
    bad = tmp_path / "evil\x1b[2J\nname.jpg"
    result = cli("query", "-i", bad)
    assert result.code == 2
    assert r"evil\x1b[2J\nname.jpg" in result.err
    assert result.err.count("\n") == 2
    told = cli.json("query", "-i", bad)
    assert told.err.isascii()
    assert json.loads(told.err)["error"]["message"].count("\x1b[2J\n") == 1


def test_on_a_terminal_a_table_with_what_was_searched(library):
    result = run_on_terminal("query", "red", "-n", "2", "--color", "never")
    assert result.code == 0
    lines = result.out.decode().splitlines()
    assert "rank" in lines[0]
    assert "score" in lines[0]
    assert re.search(r"\b0\.\d{4}\b", result.out.decode())
    assert "000.jpg" in result.out.decode()
    assert re.fullmatch(r"searched 6 photos, indexed (just now|\d+ min ago)\r?\n", result.err)


def test_only_stderr_is_a_terminal(library):
    result = run_on_terminal("query", "red", "-0", out=False)
    assert result.out.count(b"\0") == 6
    assert result.err.startswith("searched 6 photos")
    assert run_on_terminal("query", "red", "-0", "-q", out=False).err == ""


def test_only_stdout_is_a_terminal(library):
    result = run_on_terminal("query", "red", err=False)
    assert b"rank" in result.out
    assert result.err == ""


@pytest.mark.parametrize(
    ("argv", "environ", "coloured"),
    [
        ([], {}, True),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"TERM": "dumb"}, False),
        ([], {"CVSEARCH_COLOR": "never"}, False),
        (["--color", "never"], {}, False),
        (["--color", "always"], {"NO_COLOR": "1", "TERM": "dumb"}, True),
    ],
)
def test_colour_on_a_terminal(library, argv, environ, coloured):
    result = run_on_terminal("query", "red", *argv, environ=environ)
    assert result.code == 0
    assert (b"\x1b[" in result.out) is coloured


def test_colour_in_a_pipe_only_when_it_is_asked_for(cli, library):
    assert b"\x1b" not in cli("query", "red", "--format", "table").out
    assert b"\x1b[" in cli("query", "red", "--format", "table", "--color", "always").out


@pytest.mark.parametrize("argv", [["-l"], ["--json"], ["--format", "csv"], ["--format", "table"]])
def test_a_reader_that_has_seen_enough_is_no_error(library, argv):
    assert_quiet_when_closed("query", "red", *argv)


@pytest.mark.parametrize(
    "command", [["show", "000.jpg"], ["status"], ["doctor"], ["config"], ["--help"], ["--version"]]
)
def test_so_it_is_for_other_commands(library, tmp_path, command):
    os.chdir(tmp_path / "photos")
    assert_quiet_when_closed(*command)


def assert_quiet_when_closed(*argv):
    """Runs the command with a stdout that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with subprocess.Popen(
        [sys.executable, "-m", "cvsearch", *argv], stdout=writer, stderr=subprocess.PIPE
    ) as process:
        os.close(writer)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, b"")


def test_head_of_many(library, cli, tmp_path):
    """More than a pipe holds, of which one line is read."""
    album.fill(tmp_path / "photos" / ("x" * 200), 1)
    for number in range(600):
        os.link(library[0], tmp_path / "photos" / ("x" * 200) / f"{number:03}-copy.jpg")
    assert cli("index").code == 0
    command = [sys.executable, "-m", "cvsearch", "query", "red", "-n", "all", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["rank"] == 1
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
