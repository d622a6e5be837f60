"""The local model's texts: how they are read, what they come to, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvsearch.errors import CvsearchError
from cvsearch.providers.local.layout import BLOCKS, COLOURS
from cvsearch.providers.local.phrasebook import COLOUR_WORDS, Phrasebook, base_forms, split_words
from cvsearch.providers.local.text import TextEncoder, read_text

BOOK = Phrasebook()
ENCODER = TextEncoder()


def likeness(a: str, b: str) -> float:
    return float(ENCODER.encode(a) @ ENCODER.encode(b))


def colour_parts(text: str) -> np.ndarray:
    return ENCODER.encode(text)[BLOCKS["bound"]].reshape(-1, len(COLOURS))


def test_texts_load_neither_the_network_nor_pillow():
    code = (
        "import sys\nfrom cvsearch.providers.local.embedder import LocalEmbedder\n"
        "LocalEmbedder().embed_text('a red car')\n"
        "print([name for name in ('PIL', 'onnxruntime', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A photo, of Bob's café!", ["a", "photo", "of", "bob", "cafe"]),
        ("black-and-white t-shirt", ["black-and-white", "t-shirt"]),
        ("  ", []),
        ("Straße 12", ["straße", "12"]),
    ],
)
def test_words_are_split(text, words):
    assert split_words(text) == words


@pytest.mark.parametrize(
    ("form", "base"),
    [
        ("cats", "cat"),
        ("boxes", "box"),
        ("puppies", "puppy"),
        ("wolves", "wolf"),
        ("running", "run"),
        ("driving", "drive"),
        ("jumped", "jump"),
        ("swimmer", "swim"),
        ("fire trucks", "fire truck"),
        ("skate", "skates"),
    ],
)
def test_forms_lead_to_their_base(form, base):
    assert base in list(base_forms(form))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("cat", "cats"),
        ("a dog", "dogs"),
        ("a photo of a dog", "dog"),
        ("motorbike", "motorcycle"),
        ("bike", "bicycle"),
        ("kitten", "cat"),
        ("aeroplane", "plane"),
        ("swimmers", "swimming"),
        ("DOG", "dog"),
    ],
)
def test_forms_and_synonyms_are_alike(a, b):
    assert likeness(a, b) > 0.8


@pytest.mark.parametrize(("a", "b"), [("cat", "truck"), ("pizza", "mountain"), ("red", "blue")])
def test_different_things_are_not_alike(a, b):
    assert likeness(a, b) < 0.35


def test_multi_word_phrases_are_read_whole():
    assert list(read_text("a cup of coffee on a table", BOOK).content) == ["cup", "coffee", "table"]
    assert len(read_text("a cup of coffee on a table", BOOK).known) == 2
    assert len(read_text("a police car", BOOK).known) == 1


def test_colours_are_bound_to_what_they_stand_before():
    both = read_text("a red car and a blue boat", BOOK)
    assert both.colours == [(COLOURS.index("red"), 0), (COLOURS.index("blue"), 1)]
    parts = colour_parts("a red car and a blue bird")
    car, bird = colour_parts("a red car"), colour_parts("a blue bird")
    red, blue = COLOURS.index("red"), COLOURS.index("blue")
    assert parts[:, red].argmax() == car[:, red].argmax()
    assert parts[:, blue].argmax() == bird[:, blue].argmax()
    assert car[:, red].argmax() != bird[:, blue].argmax()


@pytest.mark.parametrize("word", sorted(COLOUR_WORDS))
def test_a_colour_alone_is_a_query(word):
    vector = ENCODER.encode(word)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert COLOURS[int(vector[BLOCKS["colours"]].argmax())] == COLOUR_WORDS[word]


def test_a_colour_inside_a_phrase_is_not_a_colour():
    assert read_text("a glass of orange juice", BOOK).colours == []
    assert read_text("golden retriever", BOOK).colours == []
    assert read_text("black and white photo", BOOK).colours == []


def test_orange_alone_is_also_a_fruit():
    assert read_text("an orange", BOOK).known
    assert not read_text("an orange car", BOOK).content.get("orange")


@pytest.mark.parametrize(
    "text", ["", "   ", "\n", "!?", "the of", "xyzzy", "日本語", "qwrtz plkjh", "12 345"]
)
def test_what_says_nothing_is_refused(text):
    with pytest.raises(CvsearchError) as raised:
        ENCODER.encode(text)
    assert raised.value.code == 2
    assert raised.value.hint


def test_unknown_words_beside_known_ones_do_little():
    assert likeness("xyzzy cat", "cat") > 0.9


def test_a_long_text_is_cut_not_refused():
    assert np.isfinite(ENCODER.encode("a dog on the beach " * 500)).all()


def test_texts_are_the_same_every_time():
    texts = ["a red car", "snowy mountains", "people at a party"]
    first = [ENCODER.encode(text) for text in texts]
    other = TextEncoder()
    assert all(np.array_equal(other.encode(text), vector) for text, vector in zip(texts, first, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60))
def test_any_text_gives_a_unit_vector_or_an_error(text):
    try:
        vector = ENCODER.encode(text)
    except CvsearchError:
        return
    assert vector.shape == (1024,)
    assert vector.dtype == np.float32
    assert np.isfinite(vector).all()
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
