"""The formats: every name survives every one of them."""

import base64
import csv
import io
import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import AWKWARD, NOW, make_report, make_view
from snapshot import check

from cvsearch.model import Group, IndexedPhoto, Member
from cvsearch.output.formats import FORMATS, json_line
from cvsearch.output.rows import duplicate_rows, query_rows

names = st.binary(min_size=1, max_size=40).map(lambda raw: os.fsdecode(b"/" + raw.replace(b"\0", b"-")))
paths = st.lists(names, max_size=5)


def render(name, report, **view) -> bytes:
    return b"".join(FORMATS[name](query_rows(report, NOW), make_view(**view)))


@pytest.mark.parametrize("name", ["paths", "jsonl", "json", "csv", "tsv"])
def test_snapshots(name):
    valid = tuple(path for path in AWKWARD if path.isprintable() or "\n" in path)
    check(f"matches.{name}", render(name, make_report(valid)))


def test_the_line_of_the_contract():
    report = make_report(["/abs/a.jpg"], scores=[0.3133700001])
    sha = "01" * 32
    assert render("jsonl", report) == (
        b'{"rank":1,"score":0.31337,"path":"/abs/a.jpg","sha256":"' + sha.encode() + b'",'
        b'"provider":"azure","model":"2023-04-15"}\n'
    )


@given(paths)
def test_paths0_holds_raw_bytes(found):
    assert render("paths0", make_report(found)) == b"".join(os.fsencode(path) + b"\0" for path in found)


@given(paths)
def test_json_gives_back_every_path(found):
    output = render("jsonl", make_report(found))
    assert output.isascii()
    assert not any((byte < 32 and byte != 10) or byte == 127 for byte in output)
    rows = [json.loads(line) for line in output.splitlines()]
    assert [row["path"].encode("utf-8", "surrogateescape") for row in rows] == [*map(os.fsencode, found)]
    for row in rows:
        raw = row["path"].encode("utf-8", "surrogateescape")
        assert ("path_base64" in row) == (raw.decode("utf-8", "replace") != row["path"])
        assert base64.b64decode(row.get("path_base64", base64.b64encode(raw))) == raw


@given(paths, st.sampled_from([("csv", ","), ("tsv", "\t")]))
def test_separated_rows_give_back_every_path(found, form):
    name, separator = form
    text = render(name, make_report(found)).decode("utf-8", "surrogateescape")
    rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    assert [row["path"] for row in rows] == found
    assert all(row["score"] == f"{0.313371 - 0.013 * number:.6f}" for number, row in enumerate(rows))


def test_the_header_has_the_names_of_jsonl():
    report = make_report(["/a.jpg"])
    header = render("csv", report).splitlines()[0].decode().split(",")
    assert header == [*json.loads(render("jsonl", report)), "same", "also", "alike"]
    assert render("tsv", report).splitlines()[0].decode().split("\t") == header


@given(paths)
def test_the_document_is_one(found):
    document = json.loads(render("json", make_report(found)))
    assert document["version"] == "1.2.3"
    assert document["time"] == "2026-11-05T12:00:00Z"
    assert document["index"]["age_seconds"] == 7200
    assert document["not_searched"] == {"skipped": 2}
    assert len(document["matches"]) == len(found)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "paths0"])
@given(found=paths)
def test_no_control_character_reaches_a_terminal(name, found):
    output = render(name, make_report(found), terminal=True, width=80).decode()
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", output)


def test_numbers_have_six_decimals_and_no_negative_zero():
    assert json_line({"a": [-1e-9, {"b": 1 / 3}], "c": 7}) == b'{"a":[0.0,{"b":0.333333}],"c":7}\n'
    assert b",-0.0" not in render("csv", make_report(["/a"], scores=[-1e-9]))


def test_numbers_that_json_lacks_are_refused():
    with pytest.raises(ValueError, match="JSON"):
        json_line({"score": float("nan")})


def make_group(also=()) -> Group:
    photo = IndexedPhoto("/a.jpg", 7, 1, also, 1, 1, b"\x01" * 32)
    return Group("bytes", (Member(photo, keep=True),))


def test_any_result_takes_any_format():
    group = make_group(also=("/a.nef", "/a.cr2"))
    shown = {name: b"".join(render(duplicate_rows([group]), make_view())) for name, render in FORMATS.items()}
    sha = "01" * 32
    assert shown["paths"] == b"/a.jpg\n"
    assert shown["csv"].decode() == (
        f"group,kind,keep,path,sha256,linked,distance,score,also\n1,bytes,true,/a.jpg,{sha},false,,,a.nef/a.cr2\n"
    )
    assert json.loads(shown["json"])["rows"] == [json.loads(shown["jsonl"])]
    assert json.loads(shown["jsonl"])["keep"] is True


def test_rows_are_written_as_they_come():
    def rows():
        yield make_group()
        raise AssertionError("nobody asked for more")

    for name in ("paths", "paths0", "jsonl"):
        assert b"/a.jpg" in next(FORMATS[name](duplicate_rows(rows()), make_view()))
    for name in ("json", "csv", "tsv"):
        chunks = FORMATS[name](duplicate_rows(rows()), make_view())
        assert b"/a.jpg" not in next(chunks)
        assert b"/a.jpg" in next(chunks)
