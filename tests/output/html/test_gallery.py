"""The gallery page: everything inside, hostile names harmless, keys tried in a real browser."""

import base64
import io
import os
import re
import shutil
import signal
import stat
import subprocess
import sysconfig
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote_to_bytes

import album
import pytest
from browser import needs_browser, open_browser
from PIL import Image
from replacing import replace_everywhere
from reports import AWKWARD, make_report, make_view
from terminal import run_on_terminal

from cvsearch.model import Skip, Term, TermShare, Thumbnail
from cvsearch.output.html.gallery import MOST, describe_terms, render_gallery
from cvsearch.photos import preprocess

HOSTILE = (
    b"<script>alert(1)<!--.jpg",
    b'"><img src=x onerror=alert(1)>.jpg',
    b"' onmouseover='alert(1).jpg",
    b"&lt;b&gt;#?%41.jpg",
    b"\x1b[31m \xff\n.jpg",
    "right \u202e to left.jpg".encode(),
)
SMALL = Thumbnail(album.jpeg(1), 48, 36, b"\x01" * 32)
GONE = Skip("vanished", "it is not there any more", lasting=False)


class Page(HTMLParser):
    """The page's elements with their attributes, and the cards' texts by class."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.links, self.images, self.texts = [], [], [], [], []
        self.feed(page.decode("ascii"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        assert not any(name.startswith("on") for name in attributes)
        self.tags.append(tag)
        self.attributes.append(attributes)
        if tag == "a":
            self.links.append(attributes["href"])
        if tag == "img":
            self.images.append(attributes)
        self.texts.append([attributes.get("class", tag), ""])

    def handle_data(self, data):
        if self.texts:
            self.texts[-1][1] += data

    def texts_of(self, name):
        return [text.strip("\n") for kind, text in self.texts if kind == name]


def check_page(page):
    parsed = Page(page)
    assert parsed.tags.count("script") == 1
    assert "b" not in parsed.tags or b"<b>no picture</b>" in page
    assert all(image["src"].startswith("data:image/jpeg;base64,") and image["alt"] for image in parsed.images)
    assert all(link.startswith("file:///") for link in parsed.links)
    assert not re.search(rb"https?://|@import|url\(", page)
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", page)
    return parsed


def paths_of(parsed):
    return [os.fsdecode(unquote_to_bytes(link.removeprefix("file://"))) for link in parsed.links]


def draw(report, pictures=None, samples=None):
    pictures = {match.path: SMALL for match in report.matches} | (pictures or {})
    return render_gallery(report, pictures, samples or {}, make_view())


@pytest.fixture
def hostile(cli, double, tmp_path, monkeypatch):
    """Photos with evil names, indexed."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    folder = os.fsencode(tmp_path / "hostile")
    paths = [
        album.write(os.fsdecode(os.path.join(folder, name)), album.jpeg(number, 640, 480))
        for number, name in enumerate(HOSTILE)
    ]
    assert cli("index", tmp_path / "hostile").code == 0
    return paths


# --- The page ---------------------------------------------------------------------------------------


def test_a_query_writes_a_page_besides(cli, hostile, home):
    plain = cli("query", "red", "-n", "all")
    result = cli("query", "red", "-n", "all", "--html", "page.html")
    assert (result.code, result.out, result.err) == (0, plain.out, "wrote page.html\n")
    parsed = check_page((home / "page.html").read_bytes())
    ranked = [line["path"] for line in cli.json("query", "red", "-n", "all").lines]
    assert paths_of(parsed) == ranked
    assert sorted(ranked) == sorted(hostile)
    for image in parsed.images:
        data = base64.b64decode(image["src"].partition(",")[2])
        with Image.open(io.BytesIO(data)) as small:
            assert small.size == (320, 240) == (int(image["width"]), int(image["height"]))
            assert not small.getexif()


def test_what_is_said_of_each_match(cli, hostile, home):
    lines = cli.json("query", "red", "--html", home / "page.html").lines
    parsed = check_page((home / "page.html").read_bytes())
    assert parsed.texts_of("rank") == [str(line["rank"]) for line in lines]
    page = (home / "page.html").read_text()
    for line in lines:
        assert f">{line['score']:.4f}</span>" in page
    names = parsed.texts_of("name")
    assert "\\x1b[31m \\xff\\n.jpg" in names
    assert "<script>alert(1)<!--.jpg" in names
    labels = [one["aria-label"] for one in parsed.attributes if one.get("class") == "photo"]
    assert labels == [
        f"{line['rank']}: {name}, score {line['score']:.4f}" for line, name in zip(lines, names, strict=True)
    ]


def test_what_is_said_of_the_query():
    report = make_report(AWKWARD[:2])
    report = replace(report, filters={**report.filters, "strong": 0.28125, "collapse": True})
    page = draw(report)
    head = Page(page).texts_of("p")
    assert Page(page).texts_of("title") == ["snow on a roof, not 0.5 × car"]
    assert head == [
        "2 photos, best first · searched 80,412 photos, indexed 2026-11-05 10:00 UTC",
        "limits: top 10, under /home/anna, strong 0.28125, collapse",
        "not searched: skipped 2",
        "in /home/anna/Pictures/2019",
    ]
    (footer,) = Page(page).texts_of("footer")
    assert footer == "cvsearch 1.2.3 · azure/2023-04-15/jpeg-1024 · 2026-11-05 12:00 UTC"


def test_a_limit_that_nothing_can_pass_is_told():
    report = make_report([])
    page = Page(draw(replace(report, filters={**report.filters, "strong": None})))
    assert page.texts_of("p")[1] == "limits: top 10, under /home/anna, strong (nothing can stand out)"


def test_a_sample_that_looks_like_an_address(cli, library, home):
    (home / "x:").mkdir()
    shutil.copy(library[0], home / "x:" / "[y.jpg")
    result = cli("query", "-i", "x://[y.jpg", "-n1", "--html", "page.html")
    assert (result.code, result.err) == (0, "wrote page.html\n")
    assert Page((home / "page.html").read_bytes()).texts_of("title") == ["like [y.jpg"]


def test_marks():
    report = make_report(AWKWARD[:4])
    first, second, third, fourth = report.matches
    report = replace(
        report,
        matches=(
            replace(first, same="picture", also=(f"{first.path[:-4]}.nef",), alike=6),
            second,
            replace(third, shares=(TermShare(report.terms[0], 0.31, 2.0, 0.6, 3, 99.5),)),
            fourth,
        ),
    )
    pictures = {fourth.path: GONE, third.path: Skip("damaged", "<b>it is</b>", lasting=True)}
    parsed = Page(draw(report, pictures))
    assert parsed.texts_of("li") == [
        *("same picture", "+ IMG_0413.nef", "+6 alike", "changed since it was indexed"),
        "snow on a roof: 0.3100, share 60 %, alone 3, percentile 99.5",
    ]
    assert parsed.texts_of("none") == ["", ""]
    assert parsed.tags.count("img") == 2
    labels = [one["aria-label"] for one in parsed.attributes if one.get("class") == "photo"]
    assert labels[2].endswith(", no picture, damaged: <b>it is</b>")
    assert labels[3].endswith(", no picture, vanished: it is not there any more")
    assert len(parsed.links) == 3


def test_distances_and_nothing():
    page = draw(make_report(AWKWARD[:1], "euclidean"))
    assert "1 photo, nearest first" in Page(page).texts_of("p")[0]
    assert b", distance 0.3134" in page
    nothing = draw(make_report([]))
    assert "nothing found" in Page(nothing).texts_of("p")[0]
    assert b"<main>" not in nothing


def test_a_page_has_its_limit():
    paths = [f"/photos/{number:05}.jpg" for number in range(MOST + 1)]
    page = draw(make_report(paths), dict.fromkeys(paths, GONE))
    assert page.count(b'class="card"') == MOST
    assert "the first 1,000 are on this page" in Page(page).texts_of("p")


@pytest.mark.parametrize(
    ("term", "said"),
    [
        (Term("image", "../a/b.jpg"), "like b.jpg"),
        (Term("image", "-", -2.0), "not 2 × a picture"),
        (Term("image", "https://me:word@host.org:1/x/y.jpg?token=1#z"), "like https://host.org/x/y.jpg"),
        (Term("image", "HTTPS://me:word@Host.org/y.jpg?token=1"), "like https://host.org/y.jpg"),
        (Term("image", "http://me:word@[y.jpg?token=1"), "a picture"),
        (Term("image", "x://[y.jpg"), "like [y.jpg"),
        (Term("image", "ftp://a/b?c.jpg"), "like b?c.jpg"),
        (Term("image", "/a/ lead.jpg"), "like  lead.jpg"),
    ],
)
def test_pictures_that_were_asked_with(term, said):
    assert describe_terms([term]) == said


def test_a_sample_is_shown(cli, hostile, home):
    assert cli("query", "red", "-i", hostile[0], "--not-image", hostile[1], "--html", "page.html").code == 0
    parsed = check_page((home / "page.html").read_bytes())
    assert [one["class"] for one in parsed.attributes if one.get("class", "").startswith("sample")] == [
        "sample",
        "sample away",
    ]
    assert len(parsed.images) == len(hostile) + 2
    assert "same bytes" in parsed.texts_of("li")


def test_photos_that_are_gone_or_broken(cli, library, home):
    Path(library[0]).unlink()
    Path(library[1]).write_bytes(b"\xff\xd8\xff no picture")
    shutil.copy(library[3], library[2])
    result = cli("query", "red", "--html", "page.html")
    assert (result.code, len(result.out.splitlines())) == (0, 6)
    page = (home / "page.html").read_bytes()
    parsed = check_page(page)
    assert len(parsed.images) == 4
    assert library[0] not in paths_of(parsed)
    assert library[1] in paths_of(parsed)
    assert b"vanished: it is not there any more" in page
    assert b"damaged: it cannot be decoded" in page
    assert parsed.texts_of("li") == ["changed since it was indexed"]


def test_very_wide_photos(cli, double, home, tmp_path):
    path = album.write(tmp_path / "wide" / "a.jpg", album.jpeg(1, 6000, 66))
    index = tmp_path / "wide index"
    assert cli("index", tmp_path / "wide", "--index", index).code == 0
    assert cli("query", "red", "--index", index, "--html", "page.html").code == 0
    (image,) = check_page((home / "page.html").read_bytes()).images
    assert (image["width"], image["height"]) == ("320", "4"), path


# --- Where it is written ----------------------------------------------------------------------------


def test_an_existing_file_is_replaced_at_once(cli, library, home):
    page = home / "real" / "page.html"
    album.write(page, b"\n <!DOCTYPE HTML>old")
    page.chmod(0o640)
    os.link(page, home / "old.html")
    (home / "link.html").symlink_to(page)
    assert cli("query", "red", "--html", "link.html").code == 0
    assert (home / "link.html").is_symlink()
    check_page(page.read_bytes())
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
    assert (home / "old.html").read_bytes() == b"\n <!DOCTYPE HTML>old"
    assert os.listdir(home / "real") == ["page.html"]


@pytest.mark.parametrize(
    ("target", "message"),
    [("folder", "this is a folder, not a file"), ("no/page.html", "there is no such folder")],
)
def test_a_place_where_no_page_can_be(cli, library, double, home, target, message):
    (home / "folder").mkdir()
    before = double.calls()
    result = cli("query", "never asked before", "--html", target)
    assert (result.code, result.out, double.calls()) == (2, b"", before)
    assert result.err.startswith(f"error: {message}: ")


@pytest.mark.parametrize("data", [album.jpeg(1), b"<html>", b"%PDF-1.7 <!doctype html>", b" " * 999])
def test_a_file_that_is_no_page_is_not_overwritten(cli, library, double, home, data):
    before = double.calls()
    kept = Path(album.write(home / "kept.jpg", data))
    (home / "link.html").symlink_to(kept)
    for target in ("kept.jpg", "link.html"):
        result = cli("query", "never asked before", "--html", target)
        assert (result.code, result.out, double.calls()) == (2, b"", before)
        assert result.err == (
            f"error: this file is not an HTML page and would be overwritten: {home / target}\n"
            "hint: name another file, or remove this one first\n"
        )
    assert kept.read_bytes() == data


def test_an_empty_file_becomes_a_page(cli, library, home):
    (home / "page.html").touch()
    assert cli("query", "red", "--html", "page.html").code == 0
    check_page((home / "page.html").read_bytes())


def test_a_pipe_is_written_to_as_it_is(cli, library, home):
    os.mkfifo(home / "pipe")
    with subprocess.Popen(["cat", home / "pipe"], stdout=subprocess.PIPE) as reader:
        assert cli("query", "red", "--html", "pipe").code == 0
        check_page(reader.communicate()[0])


def test_a_full_disk_leaves_the_old_page(cli, library, home, monkeypatch):
    album.write(home / "page.html", b"<!doctype html>old")

    def fail(source, _):
        raise OSError(28, "No space left on device", source)

    monkeypatch.setattr("os.replace", fail)
    result = cli("query", "red", "--html", "page.html")
    assert (result.code, result.err.splitlines()[0]) == (
        2,
        f"error: No space left on device: {home / 'page.html'}",
    )
    assert os.listdir(home) == ["page.html"]
    assert (home / "page.html").read_bytes() == b"<!doctype html>old"


def test_whoever_interrupts_does_not_wait_for_the_rest(cli, library, home, monkeypatch):
    made = []

    def make(path, *_):
        made.append(path)
        if len(made) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        return GONE

    replace_everywhere(monkeypatch, preprocess.make_thumbnail, make)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    result = cli("query", "red", "--html", "page.html")
    assert (result.code, result.out) == (130, b"")
    assert len(made) <= 4
    assert os.listdir(home) == []


def test_nothing_found_is_a_page_too(cli, library, home):
    result = cli("query", "red", "--min-score", "0.99", "--html", "page.html")
    assert (result.code, result.err) == (1, "wrote page.html\nnothing found\n")
    assert b"nothing found" in (home / "page.html").read_bytes()


def test_the_page_on_stdout(cli, library, home):
    result = cli("query", "red", "--html", "-")
    assert (result.code, result.err) == (0, "")
    assert len(check_page(result.out).links) == 6
    both = cli("query", "red", "--html", "-", "--json")
    assert (both.code, both.out) == (2, b"")
    assert "several formats were named" in both.err
    shown = run_on_terminal("query", "red", "--html", "-")
    assert (shown.code, shown.out) == (2, b"")
    assert "a page says nothing to a terminal" in shown.err


def test_a_device_is_written_to_as_it_is(cli, library):
    assert cli("query", "red", "--html", "/dev/null").code == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_closed_pipe_does_not_cost_the_page(library, home):
    command = 'cvsearch query red -n all --html page.html | head -c 0; echo "${PIPESTATUS[0]}"'
    scripts = sysconfig.get_path("scripts")
    shell = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{scripts}:{os.environ['PATH']}"},
        capture_output=True,
        check=True,
    )
    assert shell.stdout == b"0\n"
    check_page((home / "page.html").read_bytes())


# --- In a browser -----------------------------------------------------------------------------------


@pytest.fixture
def page(cli, hostile, home):
    """A page with photos that have evil names, one of them gone."""
    Path(hostile[2]).unlink()
    assert cli("query", "red", "-i", hostile[0], "--explain", "--html", "page.html").code == 0
    return home / "page.html"


@needs_browser
def test_a_browser_shows_it_without_a_complaint(page, tmp_path):
    with open_browser(tmp_path / "profile") as browser:
        for width, dark in ((1200, False), (1200, True), (360, False)):
            browser.resize(width, 800, dark=dark)
            browser.open(page)
            assert browser.run("document.querySelectorAll('img').length") == len(HOSTILE)
            assert browser.run("Array.from(document.images).every(image => image.naturalWidth > 0)")
            assert browser.run("document.documentElement.scrollWidth <= innerWidth"), "it scrolls sideways"
            back = browser.run("getComputedStyle(document.body).backgroundColor")
            assert back == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
        assert len(browser.screenshot()) > 5000
        assert {address for address in browser.asked if not address.startswith("data:")} == {page.as_uri()}
        assert browser.complaints == []


@needs_browser
def test_blanks_of_names_are_shown(home, tmp_path):
    names = ["/p q/  r/ lead.jpg", "/p q/  r/two  blanks.jpg", "/p q/ s/trail .jpg"]
    report = replace(make_report(names), terms=(Term("image", "/a/ lead.jpg"),))
    (home / "page.html").write_bytes(draw(report))
    with open_browser(tmp_path / "profile") as browser:
        browser.open(home / "page.html")

        def shown(selector):
            return browser.run(f"Array.from(document.querySelectorAll('{selector}'), one => one.innerText)")

        assert shown("h1") == ["like  lead.jpg"]
        assert shown(".name") == [" lead.jpg", "two  blanks.jpg", "trail .jpg"]
        assert shown(".folder") == ["  r", "  r", " s"]


@needs_browser
def test_keys(page, tmp_path):
    with open_browser(tmp_path / "profile") as browser:
        browser.resize(800, 600)
        browser.open(page)

        def at(*keys):
            for key in keys:
                browser.press(key)
            return browser.run(
                "Array.from(document.querySelectorAll('.photo')).indexOf(document.activeElement)"
            )

        tops = browser.run("Array.from(document.querySelectorAll('.photo'), photo => photo.offsetTop)")
        columns = tops.count(tops[0])
        assert columns == 3
        assert at() == -1
        assert at("j") == 0
        assert at("ArrowRight", "j") == 2
        assert at("k") == 1
        assert at("ArrowDown") == 1 + columns
        assert at("ArrowUp", "ArrowUp") == 1
        assert at("End") == len(HOSTILE) - 1
        assert at("ArrowRight") == len(HOSTILE) - 1
        assert at("Home", "ArrowLeft") == 0
        assert browser.run("document.activeElement.matches(':focus-visible')")
        assert at("Escape") == -1
        assert browser.run("document.getElementById('help').open") is False
        browser.press("?")
        assert browser.run("document.getElementById('help').open") is True
        assert at("j") == -1, "the keys belong to the dialog"
        browser.press("Escape")
        assert browser.run("document.getElementById('help').open") is False
        assert browser.complaints == []


@needs_browser
def test_enter_opens_the_photo(page, hostile, tmp_path):
    with open_browser(tmp_path / "profile") as browser:
        browser.resize(800, 600)
        browser.open(page)
        browser.press("j")
        wanted = browser.run("document.activeElement.href")
        browser.press("Enter")
        for _ in range(500):
            if browser.run("location.href") == wanted and browser.run("document.images.length") == 1:
                break
        opened = os.fsdecode(unquote_to_bytes(browser.run("location.href").removeprefix("file://")))
        assert opened in hostile
        assert browser.run("document.images[0].naturalWidth") == 640


@needs_browser
def test_what_is_smuggled_in_does_not_run(page, tmp_path):
    """The policy lets the page's own script run and no other."""
    text = page.read_text()
    page.write_text(text.replace("</main>", "<script>document.title = 'evil'</script></main>"))
    with open_browser(tmp_path / "profile") as browser:
        browser.open(page)
        assert browser.run("document.title") != "evil"
        assert any("Content Security Policy" in complaint for complaint in browser.complaints)
