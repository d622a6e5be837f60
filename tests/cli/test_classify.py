"""Classification from end to end: scores, labels, "none of these", what it costs and how it ends."""

import base64
import csv
import io
import json
import os
import re
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import album
import numpy as np
import pytest
import snapshot
import truth
from hypothesis import given
from hypothesis import strategies as st
from running import run_unread, start, wait_until
from terminal import run_on_terminal

from cvsearch.cli.options import Expect, judge
from cvsearch.errors import ExitCode
from cvsearch.ranking.zero_shot import EVERYDAY, choose_labels, least_score, mean_direction

LABELS = ("red", "a green car", "blue", "a dog")


def ask(labels=LABELS):
    return [part for label in labels for part in ("--label", label)]


def check(rows, images, labels=LABELS, templates=("{}",)):
    """Rows of jsonl against plain numpy."""
    expected = []
    for image in images:
        picture = truth.picture(image)
        scores = []
        for label in labels:
            units = [truth.text(template.replace("{}", label)) for template in templates]
            mean = np.mean([unit / np.linalg.norm(unit) for unit in units], axis=0)
            scores.append((label, truth.cosine(picture, mean)))
        expected += [(image, *pair) for pair in sorted(scores, key=lambda pair: -pair[1])]
    assert [(row["image"], row["label"]) for row in rows] == [row[:2] for row in expected]
    assert [row["rank"] for row in rows] == list(range(1, len(labels) + 1)) * len(images)
    assert np.allclose([row["score"] for row in rows], [row[2] for row in expected], atol=truth.NEAR)


def test_scores_are_plain_cosines_best_label_first(cli, double, photos):
    paths = sorted(str(path) for path in photos.iterdir())
    result = cli("classify", photos, *ask())
    assert (result.code, result.err) == (0, "")
    check(result.lines, paths)
    assert double.calls() == 4 + 6


def test_templates_are_averaged(cli, double, photos):
    templates = ("a photo of {}", "{}", "{} and {} in red")
    argv = [part for template in templates for part in ("--template", template)]
    image = str(photos / "000.jpg")
    check(cli("classify", image, *ask(), *argv).lines, [image], templates=templates)


def test_asking_again_costs_nothing_also_offline_and_without_a_key(cli, double, photos, home, monkeypatch):
    first = cli("classify", photos, *ask())
    before = double.calls()
    assert cli("classify", photos, *ask()).lines == first.lines
    assert cli("classify", photos, *ask(), "--offline").lines == first.lines
    assert double.calls() == before
    assert not (home / ".local" / "share" / "cvsearch").exists()
    other = cli("classify", photos, "--label", "new", "--offline")
    assert (other.code, other.out) == (4, b"")


def test_indexed_photos_cost_no_call_and_none_is_added(cli, library, double, tmp_path):
    before = double.calls()
    stranger = album.write(tmp_path / "stranger.jpg", album.jpeg(77))
    result = cli("classify", *library, stranger, *ask())
    check(result.lines, [*library, stranger])
    assert double.calls() == before + len(LABELS) + 1
    assert json.loads(cli("status", "--json").out)["photos"] == 6


def test_an_indexed_photo_is_not_even_read(cli, library, monkeypatch):
    def refuse(file):
        raise AssertionError(file)

    monkeypatch.setattr("cvsearch.photos.read.read_photo", refuse)
    check(cli("classify", *library, *ask()).lines, library)


def test_the_same_bytes_are_sent_once_and_every_name_is_a_row(cli, double, tmp_path):
    paths = [album.write(tmp_path / f"{number}.jpg", album.jpeg(1)) for number in range(9)]
    check(cli("classify", *paths, *ask()).lines, paths)
    assert double.calls() == len(LABELS) + 1


def test_thousands_stream_in_order(cli, double, tmp_path, monkeypatch):
    monkeypatch.setattr("cvsearch.embedding.images.WINDOW", 8)
    paths = album.fill(tmp_path / "many", 60)
    paths.insert(30, album.write(tmp_path / "many" / "029b.jpg", b"broken"))
    result = cli("classify", tmp_path / "many", *ask())
    assert result.code == 3
    check(result.lines, [path for path in paths if "029b" not in path])


def test_bad_pictures_are_skipped_with_a_reason(cli, double, photos):
    broken = album.write(photos / "zz.jpg", b"\xff\xd8\xff no picture")
    result = cli("classify", broken, photos / "000.jpg", *ask())
    assert result.code == 3
    assert result.err.startswith(f"skipped {broken}: damaged (")
    check(result.lines, [str(photos / "000.jpg")])


def test_only_among_listed_files(cli, double, photos):
    paths = sorted(str(path) for path in photos.iterdir())
    listed = "\n".join([paths[3], paths[1]]).encode()
    check(cli("classify", "--files-from", "-", *ask(), stdin=listed).lines, [paths[3], paths[1]])
    check(cli("classify", photos, "--files-from", "-", *ask(), stdin=listed).lines, [paths[1], paths[3]])


def test_listed_files_that_are_not_met_are_skips(cli, double, photos):
    here, hidden = str(photos / "003.jpg"), album.write(photos / ".hidden.jpg", album.jpeg(1))
    gone, linked = str(photos / "missing.jpg"), str(photos / "link.jpg")
    os.symlink(here, linked)
    listed = "\n".join([gone, here, str(photos) + "-elsewhere.jpg", hidden, linked]).encode()
    argv = ["classify", photos, "--files-from", "-", *ask(), "--min-score", "0.9", "--expect", "none"]
    result = cli(*argv, stdin=listed)
    assert result.code == 3
    assert {row["image"] for row in result.lines} == {here}
    lines = [line for line in result.err.splitlines() if line.startswith("skipped ")]
    assert lines[0] == f"skipped {gone}: vanished (it is not there any more)"
    assert [line.partition(" (")[0] for line in lines[1:]] == [
        f"skipped {path}: passed-over" for path in (hidden, linked)
    ]
    outside = cli("classify", photos, "--files-from", "-", *ask(), stdin=f"{here}\n{photos}x.jpg".encode())
    assert (outside.code, outside.err) == (0, "")


@pytest.fixture
def raw(tmp_path):
    """A RAW beside a JPEG, and one alone."""
    names = ("a.NEF", "a.jpg", "b.nef")
    return [album.write(tmp_path / "raw" / name, album.jpeg(n)) for n, name in enumerate(names)]


@pytest.mark.parametrize("form", ["folder", "names", "list", "folder-and-list"])
def test_a_raw_and_its_jpeg_are_one_picture(cli, double, raw, tmp_path, form):
    listed = "\n".join(raw).encode()
    named = raw if form == "names" else [tmp_path / "raw"] if form.startswith("folder") else []
    argv = ["classify", *named, "--label", "red", *(["--files-from", "-"] if "list" in form else [])]
    result = cli(*argv, stdin=listed)
    assert (result.code, result.err, double.calls()) == (0, "", 3)
    assert [(row["image"], row.get("also")) for row in result.lines] == [(raw[1], [raw[0]]), (raw[2], None)]
    written = cli(*argv, "--format", "csv", stdin=listed).out.decode()
    assert [(row["image"], row["also"]) for row in csv.DictReader(io.StringIO(written))] == [
        (raw[1], "a.NEF"),
        (raw[2], ""),
    ]


def test_a_listed_raw_stands_for_its_picture(cli, double, raw, tmp_path):
    rows = cli(
        "classify", tmp_path / "raw", "--files-from", "-", "--label", "red", stdin=raw[0].encode()
    ).lines
    assert [(row["image"], row["also"]) for row in rows] == [(raw[1], [raw[0]])]


def test_what_was_passed_over_is_said(cli, double, photos, tmp_path):
    album.write(photos / "passport.upload", album.jpeg(1))
    album.write(photos / ".hidden.jpg", album.jpeg(2))
    line = "passed over: other files 1, hidden 1\n"
    assert cli("classify", photos, "--label", "red").err == ""
    assert cli("classify", photos, "--label", "red", "-v").err.endswith(line)
    assert cli("classify", photos, "--label", "red", "--expect", "none").err == line
    assert cli("classify", photos, "--label", "red", "--expect", "none", "-q").err == ""
    os.makedirs(tmp_path / "links")
    os.symlink(photos / "000.jpg", tmp_path / "links" / "000.jpg")
    nothing = cli("classify", tmp_path / "links", "--label", "red")
    assert (nothing.code, nothing.err) == (1, "no photo was found\npassed over: other files 1\n")
    assert "passed over: other files 1, hidden 1" in run_on_terminal("classify", photos, "--label", "red").err


def test_labels_in_the_making_are_told_of(cli, double, photos, monkeypatch):
    monkeypatch.setattr("cvsearch.output.progress._FIRST_LINES", (0.5, 300))
    double.latency = 0.1
    result = cli(
        "classify", photos / "000.jpg", *ask(), "--template", "{}", "--template", "a {}", "--or-none"
    )
    told = r"preparing labels: \d of 56 texts, .*calls?\n"
    assert (result.code, bool(re.fullmatch(told, result.err))) == (0, True), result.err


def test_labels_in_the_making_show_a_live_line(cli, double, photos):
    double.latency = 0.1
    shown = run_on_terminal("classify", photos / "000.jpg", *ask(), environ={"TERM": "xterm"})
    assert re.search(r"preparing labels .*\d/4", shown.err)
    piped = run_on_terminal("classify", photos / "000.jpg", *ask(["x", "y"]), out=False)
    assert re.search(r"preparing labels .*\d/2", piped.err)
    assert "looking" not in piped.err
    again = run_on_terminal("classify", photos / "000.jpg", *ask(), environ={"TERM": "xterm"})
    assert "preparing" not in again.err


def test_bytes_on_standard_input(cli, double):
    picture = album.jpeg(5)
    rows = cli("classify", "-", "--label", "red", stdin=picture).lines
    assert [(row["image"], row["label"]) for row in rows] == [("-", "red")]
    assert rows[0]["score"] == pytest.approx(
        truth.cosine(truth.picture(picture), truth.text("red")), abs=2e-6
    )
    empty = cli("classify", "-", "--label", "red")
    assert (empty.code, empty.out) == (3, b"")


@pytest.fixture
def web():
    """A loopback server with one picture at /a.jpg."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/a.jpg" else 404)
            self.end_headers()
            self.wfile.write(album.jpeg(5))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address(cli, double, web):
    result = cli("classify", f"{web}/a.jpg", f"{web}/no.jpg", "--label", "red")
    assert result.code == 3
    assert [row["image"] for row in result.lines] == [f"{web}/a.jpg"]
    assert f"skipped {web}/no.jpg: unreachable (the picture cannot be fetched" in result.err
    before = double.calls()
    forbidden = cli("classify", f"{web}/a.jpg", "--label", "blue", "--offline")
    assert (forbidden.code, forbidden.out, double.calls()) == (4, b"", before)


def test_labels_from_a_file_and_standard_input(cli, double, photos, home):
    text = "\ufeff# what it may be\r\nred\r\n\r\n  a green   car \nred\n"
    image = str(photos / "000.jpg")
    (home / "labels.txt").write_text(text, "utf-8")
    for result in (
        cli("classify", image, "--labels", "labels.txt"),
        cli("classify", image, "--labels", "-", stdin=text.encode()),
    ):
        check(result.lines, [image], labels=("red", "a green car"))
    check(
        cli("classify", image, "--labels", "labels.txt", "--label", "#1").lines,
        [image],
        ("#1", "red", "a green car"),
    )


def test_top_and_min_score(cli, double, photos):
    image = str(photos / "000.jpg")
    rows = cli("classify", image, *ask()).lines
    assert cli("classify", image, *ask(), "--top", "2").lines == rows[:2]
    assert cli("classify", image, *ask(), "--min-score", f"{rows[1]['score']:.6f}").lines == rows[:2]
    none = cli("classify", image, *ask(), "--min-score", "0.9")
    assert none.code == 0
    assert none.lines == [{"image": image, "label": None, "rank": 1, "score": rows[0]["score"]}]


def test_or_none_keeps_what_stands_out_among_everyday_labels(cli, double, photos):
    paths = sorted(str(path) for path in photos.iterdir())
    rows = cli("classify", photos, *ask(), "--or-none").lines
    cohort = [truth.text(label) for label in EVERYDAY]
    for path in paths:
        picture = truth.picture(path)
        scores = np.array([truth.cosine(picture, vector) for vector in cohort])
        bar = scores.mean() + 2 * scores.std()
        fitting = {label for label in LABELS if truth.cosine(picture, truth.text(label)) > bar}
        assert {row["label"] for row in rows if row["image"] == path} == (fitting or {None})


EXPECTED = [
    ("none", "0.9", False, 0),
    ("none", "-1", False, 1),
    ("none", "0.9", True, 3),
    ("none", "-1", True, 1),
    ("some", "-1", False, 0),
    ("some", "0.9", False, 1),
    ("some", "-1", True, 3),
    ("some", "0.9", True, 3),
]


@pytest.mark.parametrize(("expect", "least", "broken", "code"), EXPECTED)
def test_expect(cli, double, photos, expect, least, broken, code):
    if broken:
        album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    result = cli("classify", photos, *ask(), "--min-score", least, "--expect", expect)
    assert result.code == code
    assert len(result.lines) == (6 if least == "0.9" else 24)


@pytest.mark.parametrize(("expect", "least", "broken", "code"), EXPECTED)
def test_a_check_keeps_its_verdict_when_nobody_reads(cli, double, photos, expect, least, broken, code):
    if broken:
        album.write(photos / "broken.jpg", b"\xff\xd8\xff no picture")
    asked = ("classify", photos, *ask(), "--min-score", least)
    assert run_unread(*asked, "--expect", expect).code == code
    assert run_unread(*asked).code == 0


def test_expect_alone_takes_or_none_and_never_passes_blind(cli, double, photos, tmp_path):
    alone = cli("classify", photos, *ask(), "--expect", "some")
    assert alone.lines == cli("classify", photos, *ask(), "--or-none").lines
    (tmp_path / "empty").mkdir()
    for expect in ("some", "none"):
        nothing = cli("classify", tmp_path / "empty", *ask(), "--expect", expect)
        assert (nothing.code, nothing.out, nothing.err) == (3, b"", "no photo was found\n")
    assert cli("classify", tmp_path / "empty", *ask()).code == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["000.jpg"], "no label was given"),
        (["--label", "x"], "no picture was named"),
        (["nowhere.jpg", "--label", "x"], "there is no such file or folder"),
        (["000.jpg", "--label", " "], "a label is empty"),
        (["000.jpg", "--label", "x", "--template", "a photo"], "no place for the label"),
        (["000.jpg", "--label", "x", "--top", "0"], "--top"),
        (["000.jpg", "--label", "x", "--min-score", "nan"], "--min-score takes a number"),
        (["000.jpg", "--labels", "nowhere.txt"], "nowhere.txt"),
        (["000.jpg", "--labels", "000.jpg"], "not UTF-8 text"),
        (["-", "--labels", "-"], "standard input can be used once"),
        (["-", "-", "--label", "x"], "standard input can be used once"),
        (["-", "--files-from", "-", "--label", "x"], "standard input can be used once"),
        (["000.jpg", "--label", "x", "--json", "--format", "csv"], "several formats"),
        (["000.jpg", "--label", "x", "--html", "000.jpg"], "this file is not an HTML page"),
    ],
)
def test_wrong_usage(cli, double, photos, argv, message):
    os.chdir(photos)
    result = cli("classify", *argv)
    assert (result.code, result.out, double.calls()) == (2, b"", 0)
    assert message in result.err


def test_half_a_configuration(cli, photos, monkeypatch):
    monkeypatch.setenv("CVSEARCH_ENDPOINT", "https://example.cognitiveservices.azure.com")
    assert cli("classify", photos, "--label", "x").code == 4


def test_the_budget_is_kept_and_what_was_paid_for_too(cli, double, photos):
    result = cli("classify", photos, "--label", "red", "--max-calls", "4")
    assert (result.code, double.calls()) == (6, 4)
    assert cli("classify", photos, "--label", "red").code == 0
    assert double.calls() == 7


AWKWARD = [b"latin-\xe9.jpg", b'"quoted", comma.jpg', b"two\nlines.jpg", "日本.jpg".encode(), b"\x1b[31m.jpg"]


def test_every_name_comes_back(cli, double, tmp_path):
    paths = sorted(os.path.join(os.fsencode(tmp_path / "odd"), name) for name in AWKWARD)
    for number, path in enumerate(paths):
        album.write(os.fsdecode(path), album.jpeg(number))
    result = cli("classify", tmp_path / "odd", "--label", 'a "red", car')
    assert result.out.isascii()
    assert [os.fsencode(row["image"]) for row in result.lines] == paths
    encoded = [row["image_base64"] for row in result.lines if "image_base64" in row]
    assert [base64.b64decode(entry) for entry in encoded] == [path for path in paths if b"\xe9.jpg" in path]
    written = cli("classify", tmp_path / "odd", "--label", 'a "red", car', "--format", "csv").out
    rows = list(csv.reader(io.StringIO(written.decode("utf-8", "surrogateescape"), newline="")))
    assert rows[0] == ["image", "label", "rank", "score", "also"]
    assert [os.fsencode(row[0]) for row in rows[1:]] == paths
    assert {row[1] for row in rows[1:]} == {'a "red", car'}
    assert [float(row[3]) for row in rows[1:]] == [row["score"] for row in result.lines]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_tables(cli, double, photos, columns, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    os.chdir(photos.parent)
    argv = ("classify", "photos/000.jpg", "photos/001.jpg", *ask(), "--or-none", "--min-score", "0.2")
    shown = run_on_terminal(*argv, err=False, columns=columns)
    assert (shown.code, shown.err) == (0, "")
    snapshot.check("classify.txt", shown.out)
    best = run_on_terminal(*argv, "--top", "1", err=False, columns=columns)
    snapshot.check("classify-best.txt", best.out)


def test_a_lone_score_has_no_bar(cli, double, photos):
    os.chdir(photos.parent)
    shown = cli("classify", "photos/000.jpg", "--label", "blue", "--format", "table").out.decode()
    assert shown == "photos/000.jpg\n 0.2649  blue\n"
    argv = ("classify", "photos/000.jpg", "photos/001.jpg", *ask(("blue", "red")), "--format", "table")
    some = cli(*argv, "--min-score", "0.225").out.decode()
    assert some == "photos/000.jpg\n 0.2649            blue\n\nphotos/001.jpg\n 0.2862            blue\n"
    none = cli(*argv, "--min-score", "0.9").out.decode()
    assert " 0.2649            none of these\n" in none


def test_colour_is_only_added(cli, double, photos):
    os.chdir(photos.parent)
    argv = ("classify", "photos", *ask(), "--format", "table", "--color")
    plain = cli(*argv, "never").out
    coloured = cli(*argv, "always").out
    assert b"\x1b[1;32m" in coloured
    assert re.sub(rb"\x1b\[[0-9;]*m", b"", coloured).splitlines() == plain.splitlines()


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=8), st.floats(-1, 1), st.integers(1, 9))
def test_chosen_labels_are_the_best_that_fit(scores, least, top):
    labels = [str(number) for number in range(len(scores))]
    chosen = choose_labels(labels, np.array(scores), top, least, None)
    shown = np.round(scores, 6)
    fitting = sorted((-score, number) for number, score in enumerate(shown) if score >= least)[:top]
    expected = tuple((str(number), -score) for score, number in fitting)
    assert chosen == (expected or ((None, shown.max()),))


def test_least_score_and_mean_direction():
    assert least_score(np.array([0.1, 0.3])) == pytest.approx(0.2 + 2 * 0.1)
    mean = mean_direction([np.array([100, 0], np.float32), np.array([0, 1], np.float32)])
    assert np.allclose(mean, [0.5**0.5, 0.5**0.5])


def test_judge():
    assert judge(Expect.NONE, found=False, complete=True) is ExitCode.DONE
    assert judge(Expect.NONE, found=False, complete=False) is ExitCode.INCOMPLETE


def test_ctrl_c_keeps_what_was_paid_for(cli, double, photos, monkeypatch):
    monkeypatch.setenv("CVSEARCH_JOBS", "2")
    double.latency = 0.2
    with start("classify", photos, "--label", "red") as running:
        wait_until(lambda: double.calls() >= 3)
        running.kill(signal.SIGINT)
        result = running.finish()
    assert result.code == 130
    assert "what was paid for is kept" in result.err
    assert cli("classify", photos, "--label", "red").code == 0
    assert double.calls() == 7


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_the_labels_that_were_paid_for(cli, double, photos, number):
    double.latency = 0.2
    labels = ask([f"label {n}" for n in range(40)])
    with start("classify", photos / "000.jpg", *labels) as running:
        wait_until(lambda: double.calls() >= 6)
        running.kill(number)
        result = running.finish()
    assert result.code == 128 + number
    assert "what was paid for is kept" in result.err
    double.latency = 0
    assert cli("classify", photos / "000.jpg", *labels).code == 0
    assert double.calls() <= 41 + 1  # the reply that was on its way is lost


def test_a_cache_that_cannot_be_written_does_not_matter(cli, double, home, photos, tmp_path):
    (home / ".cache").write_bytes(b"in the way")
    copy = album.write(tmp_path / "copy.jpg", (photos / "000.jpg").read_bytes())
    check(cli("classify", photos / "000.jpg", copy, *ask()).lines, [str(photos / "000.jpg"), copy])
    assert double.calls() == len(LABELS) + 1
