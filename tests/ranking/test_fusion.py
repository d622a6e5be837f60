"""Queries of several terms, against plain numpy."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cvsearch.ranking.fusion import combine, standardise

seeds = st.integers(0, 2**32 - 1)


def draw(seed, terms, rows):
    dice = np.random.default_rng(seed)
    centre, spread = dice.uniform(-0.5, 0.5, (terms, 1)), dice.uniform(0.01, 0.3, (terms, 1))
    return (centre + spread * dice.normal(size=(terms, rows))).astype(np.float32)


def everyone(scores):
    return np.arange(scores.shape[-1])


@given(
    seeds,
    st.lists(st.floats(-4, 4).filter(lambda w: abs(w) > 0.01), min_size=1, max_size=5),
    st.integers(3, 50),
)
def test_the_weighted_sum_of_standard_scores(seed, weights, rows):
    scores = draw(seed, len(weights), rows)
    live = np.sort(np.random.default_rng(seed).permutation(rows)[: max(2, rows - 2)])
    wide = scores.astype(np.float64)
    mean = wide[:, live].mean(axis=1, keepdims=True)
    deviation = wide[:, live].std(axis=1, keepdims=True)
    assume((deviation > 1e-4).all())
    column = np.array(weights)[:, None]
    expected = (column * (wide - mean) / deviation).sum(axis=0) / np.sqrt((column**2).sum())
    assert np.allclose(combine(list(scores), weights, live), expected, rtol=1e-4, atol=1e-4)


@given(seeds, st.floats(0.1, 30), st.floats(-1, 1))
def test_the_scale_of_a_kind_does_not_matter(seed, factor, shift):
    scores = draw(seed, 2, 30)
    stretched = [scores[0], (scores[1] * factor + shift).astype(np.float32)]
    before = combine(list(scores), [1, 1], everyone(scores))
    assert np.allclose(before, combine(stretched, [1, 1], everyone(scores)), atol=2e-2)


@given(seeds)
def test_a_picture_term_does_not_drown_a_text_term(seed):
    dice = np.random.default_rng(seed)
    text = 0.2 + 0.02 * dice.normal(size=200)
    picture = 0.5 + 0.15 * dice.normal(size=200)
    mixed = combine([text.astype(np.float32), picture.astype(np.float32)], [1, 1], np.arange(200))
    with_text, with_picture = np.corrcoef(mixed, text)[0, 1], np.corrcoef(mixed, picture)[0, 1]
    assert abs(with_text - with_picture) < 1e-3
    plain = np.corrcoef(text + picture, text)[0, 1]
    assert with_text > plain + 0.2


@given(seeds)
def test_away_is_the_mirror_of_towards(seed):
    scores = draw(seed, 1, 20)
    towards = combine([scores[0]], [2.0], everyone(scores))
    away = combine([scores[0]], [-3.0], everyone(scores))
    assert np.allclose(towards, -away, rtol=1e-6, atol=1e-7)


@given(seeds)
def test_forgotten_rows_have_no_say(seed):
    scores = draw(seed, 2, 20)
    live = np.arange(5, 20)
    spoilt = scores.copy()
    spoilt[:, :5] = 1.0
    assert np.array_equal(
        combine(list(scores), [1, -1], live)[live], combine(list(spoilt), [1, -1], live)[live]
    )


@pytest.mark.parametrize("live", [[], [3], [0, 1, 2, 3]])
def test_scores_that_do_not_differ_say_nothing(live):
    same = np.full(4, 0.25, np.float32)
    assert standardise(same, np.array(live, np.int64)).tolist() == [0, 0, 0, 0]
    other = np.array([0.1, 0.2, 0.3, 0.4], np.float32)
    mixed = combine([same, other], [1, 1], np.arange(4))
    assert np.all(np.diff(mixed) > 0)
