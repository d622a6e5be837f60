"""Filters, cut-offs, folding, shares and checks of `query`, end to end."""

from __future__ import annotations

import csv
import io
import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
import truth
from azure_double import AzureDouble
from PIL import Image
from running import COMMAND, Cli, run_unread

COLOURS = ("red", "green", "blue", "yellow")


def save(path: Path, colour: str, **exif: str | tuple[float, float]) -> str:
    """A picture of one colour with a little texture, and EXIF: taken, camera, place."""
    noise = np.random.default_rng(len(path.name) + sum(path.name.encode())).integers(0, 30, (40, 60, 3))
    plain = np.asarray(Image.new("RGB", (60, 40), colour), np.int16)
    picture = Image.fromarray(np.clip(plain * 0.8 + noise, 0, 255).astype(np.uint8))
    tags = Image.Exif()
    if "camera" in exif:
        tags[271], tags[272] = "Maker", exif["camera"]
    if "taken" in exif:
        tags.get_ifd(0x8769)[36867] = exif["taken"]
    if isinstance(place := exif.get("place"), tuple):
        gps = tags.get_ifd(0x8825)
        gps[1], gps[2] = "N", (place[0], 0.0, 0.0)
        gps[3], gps[4] = "E", (place[1], 0.0, 0.0)
    data = io.BytesIO()
    picture.save(data, "JPEG", exif=tags)
    path.write_bytes(data.getvalue())
    return str(path)


@pytest.fixture
def library(cli: Cli, double: AzureDouble, home: Path) -> Path:
    folder = home / "library"
    folder.mkdir()
    for number, colour in enumerate(COLOURS):
        save(
            folder / f"{colour}.jpg",
            colour,
            camera="X100" if number % 2 else "D850",
            taken=f"202{number}:06:15 12:00:00",
            place=(48.0 + number, 2.0),
        )
    save(folder / "plain.jpg", "gray")
    assert cli("index", folder).code == 0
    return folder


def names(result_lines: list[dict[str, object]]) -> list[str]:
    return [Path(str(line["path"])).stem for line in result_lines]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--after", "2022"], {"blue", "yellow"}),
        (["--before", "2021-01-01"], {"red"}),
        (["--camera", "x100"], {"green", "yellow"}),
        (["--near", "48,2,120"], {"red", "green"}),
        (["--camera", "x100", "--after", "2022"], {"yellow"}),
    ],
)
def test_filters(cli: Cli, library: Path, options: list[str], found: set[str]) -> None:
    result = cli.json("query", "red", *options)
    assert set(names(result.lines)) == found
    assert "1 photo could not be judged" in result.err


def test_a_filter_that_lets_nothing_through_finds_nothing(cli: Cli, library: Path) -> None:
    assert cli("query", "red", "--after", "2099").code == 1


def test_a_content_with_two_dates_is_found_by_the_right_one(cli: Cli, library: Path) -> None:
    save(library / "red.jpg", "red", camera="D850", taken="2020:06:15 12:00:00", place=(48.0, 2.0))
    copy = library / "other.jpg"
    picture = Image.open(library / "red.jpg")
    tags = picture.getexif()
    tags.get_ifd(0x8769)[36867] = "2030:01:01 00:00:00"
    data = io.BytesIO()
    picture.save(data, "JPEG", exif=tags, quality="keep")
    copy.write_bytes(data.getvalue())
    assert cli("index", library).code == 0
    assert names(cli.json("query", "red", "--after", "2029").lines) == ["other"]


def test_strong_is_what_the_statistic_says(cli: Cli, library: Path) -> None:
    from cvsearch.ranking.outliers import strong_threshold

    paths = sorted(str(path) for path in library.iterdir())
    scores = truth.cosines(paths, truth.text("red"))
    expected = {
        Path(path).stem
        for path, score in zip(paths, scores, strict=True)
        if score >= strong_threshold(scores)
    }
    result = cli.json("query", "red", "--strong", "-n", "all")
    assert set(names(result.lines)) == expected
    assert names(result.lines)[0] == "red"


def test_strong_says_what_it_came_to_beside_a_least_score(cli: Cli, library: Path) -> None:
    def filters(*options: str) -> dict[str, object]:
        document = json.loads(cli("query", "red", "--strong", *options, "--format", "json").out)
        return dict(document["filters"])

    assert filters("--min-score", "0.99")["strong"] == filters()["strong"] != 0.99


def test_strong_cannot_tell_in_a_library_of_two(cli: Cli, double: AzureDouble, home: Path) -> None:
    for colour in ("red", "blue"):
        save(home / f"{colour}.jpg", colour)
    assert cli("index", home).code == 0
    result = cli("query", "red", "--strong")
    assert (result.code, result.out) == (1, b"")
    assert "--strong cannot tell in so small or so uniform a library" in result.err


def test_strong_and_distances_exclude_each_other(cli: Cli, library: Path) -> None:
    assert cli("query", "red", "--strong", "--metric", "euclidean").code == 2


def test_collapse_folds_copies_and_bursts(cli: Cli, library: Path) -> None:
    for number in range(3):
        save(library / f"burst{number}.jpg", "purple", camera="Z9", taken=f"2025:01:01 10:00:0{number % 2}")
    assert cli("index", library).code == 0
    lines = cli.json("query", "purple", "--collapse", "-n", "3").lines
    assert lines[0].get("alike") == 2
    assert sum(name.startswith("burst") for name in names(lines)) == 1


def test_explain_gives_shares_that_add_up(cli: Cli, library: Path) -> None:
    for line in cli.json("query", "red", "--not", "2:blue", "--explain").lines:
        parts = line["terms"]
        assert [part["value"] for part in parts] == ["red", "blue"]
        assert sum(abs(part["share"]) for part in parts) == pytest.approx(1, abs=1e-5)
        total = parts[0]["standard"] - 2 * parts[1]["standard"]
        assert line["score"] == pytest.approx(total / 5**0.5, abs=1e-4)
        assert 0 < parts[0]["percentile"] <= 100


def paths_of(form: str, out: bytes) -> list[str]:
    text = out.decode()
    if form in ("paths", "paths0"):
        return text.replace("\0", "\n").splitlines()
    if form == "jsonl":
        return [json.loads(line)["path"] for line in text.splitlines()]
    if form == "json":
        return [match["path"] for match in json.loads(text)["matches"]]
    separator = "," if form == "csv" else "\t"
    return [row["path"] for row in csv.DictReader(io.StringIO(text), delimiter=separator)]


@pytest.mark.parametrize(
    "narrowed", [(), ("--camera", "X100"), ("--after", "2021-07", "--near", "50,2,20"), ("--camera", "none")]
)
def test_filters_cut_offs_and_formats_combine(
    cli: Cli, double: AzureDouble, library: Path, narrowed: tuple[str, ...]
) -> None:
    """Every format tells the same matches in the same order, with the same exit code, without a call."""
    assert cli("query", "red").code == 0
    calls = double.calls()
    cut_offs = ((), ("--strong",), ("--min-score", "0.2"), ("--strong", "--min-score", "0.9"))
    for cut_off, folded, explained in itertools.product(
        cut_offs, ((), ("--collapse",)), ((), ("--explain",))
    ):
        asked = ("query", "red", *narrowed, *cut_off, *folded, *explained, "--offline")
        results = {
            form: cli(*asked, *(("-0",) if form == "paths0" else ("--format", form)))
            for form in ("jsonl", "json", "csv", "tsv", "paths", "paths0")
        }
        expected = paths_of("jsonl", results["jsonl"].out)
        for form, result in results.items():
            assert paths_of(form, result.out) == expected, (asked, form)
            assert result.code == (0 if expected else 1), (asked, form)
    assert double.calls() == calls


@pytest.mark.parametrize(("form", "separator"), [("csv", ","), ("tsv", "\t")])
def test_separated_rows_hold_what_json_does(cli: Cli, library: Path, form: str, separator: str) -> None:
    save(library / "crimson.jpg", "red", camera="D850", taken="2020:06:15 12:00:01")
    assert cli("index", library).code == 0
    asked = ("query", "red", "--not", "2:blue", "--explain", "--collapse")
    text = cli(*asked, "--format", form).out.decode()
    rows = list(csv.DictReader(io.StringIO(text), delimiter=separator))
    lines = cli.json(*asked).lines
    empty = cli(*asked, "--min-score", "99", "--format", form).out.decode()
    assert empty.splitlines() == text.splitlines()[:1]
    assert len(rows) == len(lines) > 0
    assert any(line.get("alike") for line in lines)
    for row, line in zip(rows, lines, strict=True):
        assert int(row["alike"]) == line.get("alike", 0)
        for number, term in enumerate(line["terms"], start=1):
            for name in ("score", "standard", "share", "rank", "percentile"):
                assert float(row[f"{name}_{number}"]) == pytest.approx(term[name], abs=1e-6)


def test_a_check_counts_imported_photos_that_are_on_this_disk(cli: Cli, library: Path, home: Path) -> None:
    assert cli("export", home / "all.npz").code == 0
    here = ("--index", home / "other")
    assert cli("import", home / "all.npz", *here).code == 0
    check = ("query", "red", "--min-score", "0.999", "--expect", "none", *here)
    assert cli(*check).code == 0
    (library / "blue.jpg").unlink()
    assert cli(*check).code == 0
    save(library / "green.jpg", "red")
    assert cli(*check).code == 3


def test_an_empty_path_is_no_folder(cli: Cli, library: Path) -> None:
    for argv in (
        ["forget", ""],
        ["index", ""],
        ["query", "red", "--under", ""],
        ["classify", "", "--label", "x"],
    ):
        result = cli(*argv)
        assert (result.code, result.out) == (2, b"")
        assert "a path is empty" in result.err
    assert cli("query", "red").code == 0


def test_a_verdict_needs_nobody_to_talk_to(cli: Cli, library: Path) -> None:
    assert cli("query", "red").code == 0
    for options, code in (
        (("--min-score", "0.999"), 0),
        (("--min-score", "0.1"), 1),
        (("--min-score", "0.1", "--under", "/nowhere"), 2),
    ):
        asked = ["query", "red", "--offline", "--expect", "none", *options]
        with open("/dev/full", "wb") as full:
            done = subprocess.run([*COMMAND, *asked], stderr=full, stdout=subprocess.DEVNULL, check=False)
        assert done.returncode == code


def test_plain_paths_have_no_room_for_an_explanation(cli: Cli, library: Path) -> None:
    assert "--explain shows nothing among plain paths" in cli("query", "red", "--explain", "-l").err


def test_explain_of_one_term(cli: Cli, library: Path) -> None:
    first = cli.json("query", "red", "--explain").lines[0]
    assert first["terms"][0]["rank"] == 1
    assert first["terms"][0]["score"] == first["score"]


@pytest.mark.parametrize(
    ("expect", "least", "code"),
    [("some", "0.2", 0), ("some", "0.99", 1), ("none", "0.99", 0), ("none", "0.2", 1)],
)
def test_expect(cli: Cli, library: Path, expect: str, least: str, code: int) -> None:
    assert cli("query", "red", "--min-score", least, "--expect", expect).code == code


def test_expect_none_is_not_sure_when_photos_were_skipped(cli: Cli, library: Path) -> None:
    (library / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    assert cli("index", library).code == 3
    assert cli("query", "red", "--min-score", "0.99", "--expect", "none").code == 3
    assert cli("query", "red", "--min-score", "0.2", "--expect", "none").code == 1


def test_expect_none_is_not_sure_of_files_that_are_not_indexed(cli: Cli, library: Path, home: Path) -> None:
    listed = home / "list"
    listed.write_text(f"{library}/red.jpg\n{home}/stranger.jpg\n")
    arguments = ("query", "red", "--min-score", "0.99", "--expect", "none", "--files-from", listed)
    assert cli(*arguments).code == 3


def test_expect_none_is_not_sure_of_photos_a_filter_cannot_judge(cli: Cli, library: Path) -> None:
    assert cli("query", "red", "--min-score", "0.99", "--after", "2000", "--expect", "none").code == 3


def test_expect_needs_a_cut_off(cli: Cli, library: Path) -> None:
    result = cli("query", "red", "--expect", "none")
    assert result.code == 2
    assert "--strong" in result.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--min-score", "0.2", "--expect", "none"], 1),
        (["--min-score", "0.2", "--expect", "some"], 0),
        (["--min-score", "0.99", "--expect", "none", "--html", "-"], 0),
        (["--min-score", "0.99", "--expect", "some", "--format", "json"], 1),
        ([], 0),
    ],
)
def test_a_check_keeps_its_verdict_when_nobody_reads(
    cli: Cli, library: Path, options: list[str], code: int
) -> None:
    assert run_unread("query", "red", *options).code == code


def test_a_check_that_nobody_reads_says_what_it_did_not_look_at(cli: Cli, library: Path) -> None:
    save(library / "late.jpg", "orange")
    asked = ("query", "red", "--min-score", "0.99", "--expect", "none", "--format", "json")
    result = run_unread(*asked)
    assert result.code == 3
    assert "not looked at: 1 in scope" in result.err


@pytest.mark.parametrize(
    "options",
    [["--min-score", "0.01", "--camera", "Cannon"], ["--strong", "--after", "2030"]],
)
def test_expect_is_not_sure_when_no_photo_passes_the_filters(
    cli: Cli, library: Path, options: list[str]
) -> None:
    (library / "plain.jpg").unlink()  # of which no filter knows anything
    assert cli("index", library).code == 0
    for expect in ("none", "some"):
        result = cli("query", "red", *options, "--expect", expect)
        assert (result.code, result.out) == (3, b"")
        assert "no photo passes the filters: the check is not sure" in result.err


def test_no_time_at_all_is_wrong_usage(cli: Cli, library: Path) -> None:
    result = cli("query", "red", "--after", "2024", "--before", "2024", "--strong", "--expect", "none")
    assert (result.code, result.out) == (2, b"")
    assert "hint: --after takes the earlier date" in result.err


@pytest.mark.parametrize("narrowed", ["all", "under", "photo"])
def test_expect_none_is_not_sure_of_an_indexed_photo_that_is_gone(
    cli: Cli, library: Path, narrowed: str
) -> None:
    (library / "red.jpg").unlink()
    where = {"all": [], "under": ["--under", library], "photo": ["--under", library / "red.jpg"]}[narrowed]
    result = cli("query", "red", "--min-score", "0.99", "--expect", "none", *where)
    assert result.code == 3
    assert "not looked at: 1 in scope" in result.err


def test_expect_none_counts_each_photo_once(cli: Cli, library: Path, home: Path) -> None:
    """However often a photo lies in scope: it must not make up for one that is gone."""
    inner = library / "inner"
    inner.mkdir()
    lone = save(home / "lone.jpg", "pink")
    save(inner / "pink.jpg", "pink")
    assert cli("index", library).code == 0
    assert cli("index", inner, lone).code == 0
    everywhere = [part for place in (home, library, inner, lone) for part in ("--under", place)]
    asked = ("query", "red", "--min-score", "0.99", "--expect", "none", *everywhere)
    assert cli(*asked).code == 0
    (library / "red.jpg").unlink()
    result = cli(*asked)
    assert result.code == 3
    assert "not looked at: 1 in scope" in result.err


def test_expect_none_is_not_sure_of_an_empty_mount_point(cli: Cli, library: Path, home: Path) -> None:
    other = home / "other"
    other.mkdir()
    save(other / "pink.jpg", "pink")
    assert cli("index", other).code == 0
    asked = ("query", "red", "--min-score", "0.99", "--expect", "none")
    assert cli(*asked).code == 0
    other.rename(home / "away")
    other.mkdir()
    result = cli(*asked)
    assert result.code == 3
    assert "not looked at: 1 in scope" in result.err


@pytest.mark.parametrize("change", ["new", "changed", "gone"])
def test_expect_none_is_not_sure_of_a_disk_that_has_changed(cli: Cli, library: Path, change: str) -> None:
    arguments = ("query", "red", "--min-score", "0.99", "--expect", "none")
    assert cli(*arguments).code == 0
    if change == "new":
        save(library / "late.jpg", "orange")
    elif change == "changed":
        save(library / "blue.jpg", "purple", camera="another name")
    else:
        library.rename(library.with_name("elsewhere"))
    result = cli(*arguments)
    assert result.code == 3
    assert "not looked at" in result.err


def test_strong_is_not_sure_of_a_library_too_small(cli: Cli, double: AzureDouble, home: Path) -> None:
    folder = home / "one"
    folder.mkdir()
    save(folder / "red.jpg", "red")
    assert cli("index", folder).code == 0
    result = cli("query", "red", "--strong", "--expect", "none")
    assert result.code == 3
    assert "--min-score" in result.err
    assert cli("query", "red", "--strong", "--format", "json").code == 1
