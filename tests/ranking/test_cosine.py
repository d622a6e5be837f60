"""Scores and order, against plain numpy."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.ranking.cosine import cosine_scores, distances, leading_rows, make_unit

seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 40), st.integers(1, 32))


def draw(seed, rows, width):
    """Vectors as received, and one to compare them with; lengths differ by far."""
    dice = np.random.default_rng(seed)
    vectors = dice.normal(size=(rows, width)) * 10.0 ** dice.uniform(-2, 3, (rows, 1))
    return vectors, (dice.normal(size=width) * 10.0 ** dice.uniform(-2, 3)).astype(np.float32)


def as_stored(vectors):
    norms = np.linalg.norm(vectors, axis=1)
    return (vectors / norms[:, None]).astype(np.float32), norms.astype(np.float32)


@given(seeds, shapes)
def test_a_unit_has_length_one_and_the_same_direction(seed, shape):
    _, vector = draw(seed, *shape)
    unit = make_unit(vector)
    assert unit.dtype == np.float32
    assert abs(np.linalg.norm(unit.astype(np.float64)) - 1) < 1e-6
    assert np.allclose(unit * np.linalg.norm(vector), vector, rtol=1e-5, atol=1e-6 * np.linalg.norm(vector))


@given(seeds, shapes)
def test_cosines_are_true_cosines(seed, shape):
    vectors, vector = draw(seed, *shape)
    units, _ = as_stored(vectors)
    wide = vector.astype(np.float64)
    expected = vectors @ wide / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(wide))
    assert np.allclose(cosine_scores(units, vector), expected, rtol=0, atol=1e-6)


@given(seeds, shapes)
def test_distances_are_those_between_the_vectors_as_received(seed, shape):
    vectors, vector = draw(seed, *shape)
    units, norms = as_stored(vectors)
    expected = np.linalg.norm(vectors - vector.astype(np.float64), axis=1)
    scale = np.linalg.norm(vectors, axis=1) + np.linalg.norm(vector)
    found = distances(units, norms, vector)
    # Near zero the law of cosines loses half of its digits.
    assert np.all(
        np.abs(found - expected) <= np.maximum(1e-5 * scale, 1e-3 * scale * (expected < scale / 100))
    )


def test_a_vector_is_no_distance_from_itself():
    vectors, _ = draw(7, 5, 16)
    units, norms = as_stored(vectors)
    itself = units[2] * norms[2]
    found = distances(units, norms, itself)
    assert found.argmin() == 2
    assert found[2] <= 1e-3 * norms[2]
    assert not np.isnan(found).any()


scores_with_ties = st.lists(
    st.one_of(
        st.sampled_from([0.25, 0.2500004, 0.2500006, -0.5, 0.0, -0.0]), st.floats(-1, 1), st.just(-np.inf)
    ),
    min_size=1,
    max_size=60,
)


def brute_order(scores):
    rounded = np.round(np.array(scores, np.float32).astype(np.float64), 6)
    return [
        row
        for row in sorted(range(len(scores)), key=lambda row: (-rounded[row], row))
        if scores[row] > -np.inf
    ]


@given(scores_with_ties, st.integers(1, 80))
def test_the_leading_rows_are_the_first_of_a_plain_sort(scores, count):
    array = np.array(scores, np.float32)
    order = brute_order(array)
    found = leading_rows(array, count).tolist()
    assert found[:count] == order[:count]
    assert len(set(found)) == len(found)


@given(scores_with_ties, st.integers(1, 80))
def test_who_ties_with_the_last_is_there_too(scores, count):
    array = np.array(scores, np.float32)
    order = brute_order(array)
    found = set(leading_rows(array, count).tolist())
    rounded = np.round(array.astype(np.float64), 6)
    last = rounded[order[: min(count, len(order))][-1]] if order else np.inf
    assert {row for row in order if rounded[row] == last} <= found


def test_rows_left_out_stay_out():
    scores = np.full(5, -np.inf, np.float32)
    assert leading_rows(scores, 3).tolist() == []
    assert leading_rows(scores, 9).tolist() == []
    scores[3] = 0.1
    assert leading_rows(scores, 3).tolist() == [3]
    assert leading_rows(np.empty(0, np.float32), 3).tolist() == []
