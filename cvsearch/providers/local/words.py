"""English in small: words, the ones that carry nothing, colour names, and base forms."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_IDLE = """
    a an the of in on at with and or to for by from is are was were be been being am it its this that these
    those his her their my our your me us them him she he they we you i some any few several many much lot
    lots one two three four five six seven eight nine ten there here where who which what has have had having
    wearing holding using doing showing containing featuring depicting standing against over under into onto
    near next beside behind front inside outside around through between along across off up down out as like
    very really quite only just also not no without other another each every while during photo photos
    photograph photographs picture pictures image images pic pics snapshot shot shots view kind type sort bit
    piece pair find show search please get give looking thing things stuff
"""
STOP_WORDS = frozenset(_IDLE.split())
"""Words that say nothing about what is in a picture."""

COLOUR_WORDS = {
    word: colour
    for colour, words in {
        "black": "black ebony",
        "white": "white ivory cream",
        "gray": "gray grey silver silvery",
        "red": "red crimson scarlet maroon burgundy reddish ruby",
        "orange": "orange amber",
        "yellow": "yellow golden gold yellowish",
        "green": "green olive emerald lime greenish teal",
        "blue": "blue navy turquoise cyan azure bluish indigo",
        "purple": "purple violet lilac lavender mauve",
        "pink": "pink magenta fuchsia",
        "brown": "brown beige tan khaki chestnut bronze",
    }.items()
    for word in words.split()
}

ALSO_THINGS = frozenset(("orange", "gold", "lime", "cream", "navy", "chestnut"))
"""Colour words that name a thing when they stand alone."""

_IRREGULAR_FORMS = """
    men man women woman children child people person mice mouse geese goose feet foot teeth tooth wolves wolf
    leaves leaf knives knife wives wife shelves shelf loaves loaf halves half calves calf scarves scarf
    oxen ox swam swim ran run ate eat rode ride drove drive flew fly slept sleep sat sit stood stand
    wrote write
"""
_PAIRS = _IRREGULAR_FORMS.split()
_IRREGULAR = dict(zip(_PAIRS[::2], _PAIRS[1::2], strict=True))


def split_words(text: str) -> list[str]:
    """Lower-case words without accents; apostrophes and hyphens stay inside a word."""
    plain = unicodedata.normalize("NFKD", text).lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    plain = "".join(char for char in plain if unicodedata.category(char) != "Mn")
    return [word.removesuffix("'s") for word in re.findall(r"\w+(?:['&/-]\w+)*", plain)]


def base_forms(phrase: str) -> Iterator[str]:
    """The phrase, and what it may be a plural or verb form of (or be a form of), likeliest first."""
    yield phrase
    head, space, word = phrase.rpartition(" ")
    for form in _plural_forms(word):
        yield head + space + form
    for form in _verb_forms(word):
        yield head + space + form


def _plural_forms(word: str) -> Iterator[str]:
    """What the word may be a plural of."""
    if word in _IRREGULAR:
        yield _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:
        yield word[:-3] + "y"
    if word.endswith("es") and len(word) > 3:
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss") and len(word) > 2:
        yield word[:-1]


def _verb_forms(word: str) -> Iterator[str]:
    """Other forms of the word's stem, the one in -ing first; then its own plural and -ing."""
    for ending in ("ing", "ed", "er"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            yield from (stem + "ing", stem, stem + "e")
            if stem[-1] == stem[-2]:
                yield stem[:-1]
    if len(word) > 2:
        yield from (word + "s", word + "ing")
