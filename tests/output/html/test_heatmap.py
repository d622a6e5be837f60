"""The heatmap page: everything inside, hostile names harmless, readable without a network."""

import base64
import hashlib
import os
import re
from html.parser import HTMLParser

import album
import pytest
import truth
from browser import needs_browser, open_browser
from terminal import run_on_terminal

from cvsearch.output.html.heatmap import Heatmap, render_heatmap
from cvsearch.output.html.page import make_page, picture

HOSTILE = (
    b"<script>alert(1)</script>.jpg".replace(b"/", b"-"),
    b'"><img src=x onerror=alert(1)>.jpg',
    b"' onmouseover='alert(1).jpg",
    b"&lt;b&gt;.jpg",
    b"\x1b[31m \xff.jpg",
    "right \u202e to left.jpg".encode(),
)


class Page(HTMLParser):
    """Elements with their attributes, the rows of the table, and what would be fetched."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.fetched, self.rows, self.cell = [], [], [], None
        self.feed(page.decode("ascii"))

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            assert not name.startswith("on")
            if name in ("src", "href"):
                self.fetched.append(value)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self.cell = tag

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.cell = None

    def handle_data(self, data):
        if self.cell:
            self.rows[-1][-1] += data


@pytest.fixture
def hostile(tmp_path):
    folder = os.fsencode(tmp_path / "hostile")
    return [
        album.write(os.fsdecode(os.path.join(folder, name)), album.jpeg(number))
        for number, name in enumerate(HOSTILE)
    ]


def check_page(page):
    parsed = Page(page)
    assert "script" not in parsed.tags
    assert "b" not in parsed.tags
    assert all(value.startswith("data:") for value in parsed.fetched)
    assert not re.search(rb"https?://|@import|url\(", page)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", page)
    return parsed


def test_compare_writes_a_page_with_thumbnails(cli, double, hostile, home):
    result = cli("compare", *hostile, "--html", "page.html")
    assert (result.code, result.err) == (0, "wrote page.html\n")
    parsed = check_page((home / "page.html").read_bytes())
    assert parsed.tags.count("img") == 2 * len(hostile)
    scores = [[float(cell) for cell in row[1:]] for row in parsed.rows[1:]]
    assert scores[2][4] == pytest.approx(
        truth.cosine(truth.picture(hostile[2]), truth.picture(hostile[4])), abs=6e-5
    )
    assert [row[number] for number, row in enumerate(scores)] == [1] * len(hostile)
    assert parsed.rows[5][0].endswith("\\x1b[31m \\xff.jpg")
    first = base64.b64decode(parsed.fetched[1].partition(",")[2])
    assert first.startswith(b"\xff\xd8\xff")


def test_an_indexed_photo_has_a_thumbnail_too(cli, library, double, home):
    before = double.calls()
    assert cli("compare", *library, "--html", home / "page.html").code == 0
    assert check_page((home / "page.html").read_bytes()).tags.count("img") == 12
    assert double.calls() == before


def test_classify_writes_a_page_too(cli, double, hostile, home):
    labels = ("--label", "<b>red</b>", "--label", "blue")
    rows = cli("classify", os.path.dirname(hostile[0]), *labels, "--or-none", "--html", "page.html").lines
    parsed = check_page((home / "page.html").read_bytes())
    assert parsed.rows[0][1:3] == ["<b>red</b>", "blue"]
    shown = {row[0]: row[1:] for row in parsed.rows[1:]}
    assert len(shown) == len(hostile)
    cells = [cell for row in shown.values() for cell in row if cell != "–"]
    assert sorted(cells) == sorted(f"{row['score']:.4f}" for row in rows)


@pytest.mark.parametrize("command", [("compare",), ("classify", "--label", "red", "--or-none")])
def test_a_page_to_stdout_stands_alone(cli, double, hostile, home, command):
    assert cli(*command, *hostile, "--html", "page.html").code == 0
    result = cli(*command, *hostile, "--html", "-")
    assert (result.code, result.err) == (0, "")
    whole = check_page(result.out)
    assert whole.rows == check_page((home / "page.html").read_bytes()).rows
    both = cli(*command, *hostile, "--html", "-", "--json")
    assert both.code == 2
    assert "several formats were named: jsonl, html" in both.err
    shown = run_on_terminal(*command, *hostile, "--html", "-")
    assert shown.code == 2
    assert "a page says nothing to a terminal" in shown.err


def test_shades():
    heatmap = Heatmap("t", (), ["a", "b"], ["x", "y", "z"], [[0.1, 0.2, 0.3], [0.9, None, 0.8]], per_row=True)
    page = render_heatmap(heatmap, [None, None]).decode()
    assert re.findall(r'class="([^"]*)" style="--p:(\d+)"', page) == [
        *[("", "0"), ("", "50"), ("on best", "100")],
        *[("on best", "100"), ("", "0")],
    ]
    shared = render_heatmap(Heatmap("t", (), ["a"], ["x", "y"], [[0.5, 0.5]]), [None]).decode()
    assert re.findall(r"--p:(\d+)", shared) == ["100", "100"]


def shades_of(page):
    return re.findall(r'class="([^"]*)" style="--p:(\d+)"', page.decode())


def test_a_lone_score_is_shaded_by_all_and_never_the_best():
    scores = [[0.1, None], [0.3, 0.5], [None, 0.4], [-0.3, None]]
    heatmap = Heatmap("t", (), list("abcd"), ["x", "y"], scores, per_row=True)
    page = render_heatmap(heatmap, [None] * 4)
    assert shades_of(page) == [("", "50"), ("", "0"), ("on best", "100"), ("on", "88"), ("", "0")]
    assert b"a row with one score is shaded by all scores" in page


def test_lone_scores_share_one_scale():
    heatmap = Heatmap("t", (), ["a", "b"], ["x"], [[-0.0349], [0.2]], per_row=True)
    page = render_heatmap(heatmap, [None, None])
    assert shades_of(page) == [("", "0"), ("on", "100")]
    assert b"-0.0349 <span" in page
    assert b"of the row" not in page
    alone = render_heatmap(Heatmap("t", (), ["a"], ["x"], [[-0.0349]], per_row=True), [None])
    assert shades_of(alone) == [("", "0")]
    assert b'class="scale"' not in alone


def test_one_label(cli, double, photos, home):
    for more in (["--label", "blue"], ["--label", "blue", "--label", "red", "--top", "1"]):
        assert cli("classify", photos, *more, "--html", "page.html").code == 0
        page = (home / "page.html").read_bytes()
        assert sorted(part for _, part in shades_of(page))[0] == "0"
        assert len({part for _, part in shades_of(page)}) > 2
        assert b"best" not in b"".join(re.findall(rb'<td class="([^"]*)"', page))
        assert b"compare within a row" not in page


def test_none_of_these_is_not_shaded(cli, double, photos, home):
    argv = ("classify", photos, "--label", "blue", "--label", "red", "--min-score", "0.27")
    lines = cli(*argv, "--html", "page.html").lines
    page = (home / "page.html").read_bytes()
    none = [f"{line['score']:.4f}" for line in lines if line["label"] is None]
    assert none
    assert re.findall(rb'<td class="" style="--p:0" title="[^"]* / none of these">([^<]*)<', page) == [
        score.encode() for score in none
    ]


def test_long_names_are_cut_and_whole_in_the_title():
    name = "/photos/" + "long-" * 48 + ".jpg"
    label = "a label " * 40
    page = render_heatmap(Heatmap("t", (), [name], [label], [[0.5]]), [None]).decode()
    heads = re.findall(r'<th scope="(?:col|row)" title="([^"]*)">([^<]*)</th>', page)
    assert [title for title, _ in heads] == [label, name]
    assert all(len(shown) <= 80 and "&#8230;" in shown for _, shown in heads), heads
    assert heads[1][1].endswith("ong-.jpg")
    same = render_heatmap(Heatmap("t", (), [name] * 2, [name] * 2, [[1, 0], [0, 1]], same=True), [None] * 2)
    assert b">2 \xc2\xb7 long-" in same.replace(b"&#183;", b"\xc2\xb7")


def test_the_frame_of_a_page_escapes_what_is_text():
    page = make_page(
        "a <title> & more", picture(b"\xff\xd8", '"'), footer="<x>", script="var a = 1 < 2"
    ).decode()
    assert "<title>a &lt;title&gt; &amp; more</title>" in page
    assert "<footer>&lt;x&gt;</footer>" in page
    assert 'alt="&quot;"' in page
    digest = base64.b64encode(hashlib.sha256(b"var a = 1 < 2").digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "script-src" not in make_page("t", "").decode()


@needs_browser
def test_a_browser_shows_it_without_a_complaint(cli, double, hostile, home, tmp_path):
    assert cli("compare", *hostile, "--html", "page.html").code == 0
    with open_browser(tmp_path / "profile") as browser:
        browser.open(home / "page.html")
        assert browser.run("document.images.length") == 2 * len(hostile)
        assert browser.run("[...document.images].every(image => image.naturalWidth)")
        assert not [address for address in browser.asked if not address.startswith(("data:", "file:"))]
        assert browser.complaints == []
