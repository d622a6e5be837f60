"""What the pages link to is there, and their pictures are small, described and used."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import shell_examples as examples

DOCS = examples.PROJECT / "docs"
IMAGES = DOCS / "images"
OUTSIDE = {
    "docs/README.md": {"terraform/README.md"},
    "docs/providers.md": {"terraform/README.md"},
    "docs/troubleshooting.md": {"terraform/README.md"},
}
"""What lies beside the guide and is linked to from it; all else stands in the guide itself."""
MOST_BYTES = {".png": 120_000, ".svg": 60_000}


class Pictures(HTMLParser):
    """The pictures of a page that are written as HTML: their sources, and their alternative texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        named = dict(attributes)
        if tag in ("img", "source"):
            self.sources.append(named.get("src") or named["srcset"] or "")
        if tag == "img":
            self.texts.append(named.get("alt") or "")


def read_page(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def find_pictures(page: Path) -> tuple[list[str], list[str]]:
    """The pictures a page shows, and their alternative texts."""
    text = read_page(page)
    pictures = Pictures(text)
    written = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", text)
    return pictures.sources + [source for _, source in written], pictures.texts + [alt for alt, _ in written]


def find_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.*)$", read_page(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def find_links(page: Path) -> Iterator[tuple[Path, str]]:
    """The files that a page links to, and the anchors in them."""
    for target in re.findall(r"(?<!!)\[[^]]*\]\(([^)\s]+)\)", read_page(page)):
        if not target.startswith("https://"):
            name, _, anchor = target.partition("#")
            yield (page.parent / name).resolve() if name else page, anchor


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    for other, anchor in find_links(page):
        assert other.exists(), other
        assert not anchor or anchor in find_anchors(other), f"{other}#{anchor}"


def test_links_are_found() -> None:
    assert sum(1 for page in examples.PAGES for _ in find_links(page)) > 100


def test_the_guide_stands_alone() -> None:
    found: dict[str, set[str]] = {}
    for page in examples.PAGES:
        for other, _ in find_links(page):
            if page.is_relative_to(DOCS) and not other.is_relative_to(DOCS):
                name = page.relative_to(examples.PROJECT).as_posix()
                found.setdefault(name, set()).add(other.relative_to(examples.PROJECT).as_posix())
    assert found == OUTSIDE


def test_the_reference_has_the_global_options() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    assert {"--version", "--install-completion", "--show-completion"} <= set(re.findall(r"--[a-z-]+", text))


@pytest.mark.parametrize("page", examples.PAGES, ids=examples.name_page)
def test_pictures_are_there_and_described(page: Path) -> None:
    sources, texts = find_pictures(page)
    for source in sources:
        assert (page.parent / source).is_file(), source
    assert all(len(text.split()) > 3 for text in texts), texts


def test_pictures_are_used_and_small_and_ask_nothing_of_the_network() -> None:
    used = {(page.parent / source).resolve() for page in examples.PAGES for source in find_pictures(page)[0]}
    drawn = [file for file in IMAGES.iterdir() if file.suffix in MOST_BYTES]
    assert {file.resolve() for file in drawn} <= used
    for file in drawn:
        assert file.stat().st_size < MOST_BYTES[file.suffix], file
        if file.suffix == ".svg":
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"""url\(["']?http|href=|@import|<script""", text)
