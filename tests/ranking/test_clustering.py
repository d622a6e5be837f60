"""Which pictures are alike: against plain loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cvsearch.ranking import clustering as duplicates
from cvsearch.ranking.clustering import (
    LEAST_COSINE,
    MOST_BITS,
    find_leaders,
    hash_distances,
    lead_pictures,
    lead_scenes,
    same_shape,
)


def follow(count, alike):
    """Leaders by the definition: the first without a leader leads all later ones that are alike to it."""
    leader = list(range(count))
    for first in range(count):
        if leader[first] == first:
            for other in range(first + 1, count):
                if leader[other] == other and alike(first, other):
                    leader[other] = first
    return leader


def draw_library(seed, count):
    """Hashes, sizes and unit vectors of pictures, many of them alike in one way or another."""
    dice = np.random.default_rng(seed)
    hashes = np.empty((count, 32), np.uint8)
    units = np.empty((count, 16), np.float32)
    for number in range(count):
        source = dice.integers(0, number) if number and dice.random() < 0.7 else None
        bits = np.unpackbits(hashes[source]) if source is not None else dice.integers(0, 2, 256, np.uint8)
        flips = dice.choice(256, dice.integers(0, 70), replace=False) if source is not None else []
        bits[flips] ^= 1
        hashes[number] = 0 if dice.random() < 0.05 else np.packbits(bits)
        vector = dice.standard_normal(16)
        if source is not None:
            vector = units[source] + vector * dice.choice([0.0, 0.02, 0.1, 0.3])
        units[number] = vector / np.linalg.norm(vector)
    sizes = dice.choice(np.array([(4000, 3000), (2000, 1500), (1500, 2000), (3000, 2000), (667, 500)]), count)
    return hashes, sizes, units, dice.permutation(count)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(1, 60), st.sampled_from([1, 7, 128]))
def test_pictures_equal_a_loop_over_all_pairs(seed, count, block):
    hashes, sizes, units, rows = draw_library(seed, count)

    def alike(one, other):
        bits = sum((int(a) ^ int(b)).bit_count() for a, b in zip(hashes[one], hashes[other], strict=True))
        shapes = abs(np.log(sizes[one][0] / sizes[one][1] / (sizes[other][0] / sizes[other][1]))) <= 0.02
        cosine = float(units[rows[one]] @ units[rows[other]])
        return (
            bits <= MOST_BITS
            and hashes[one].any()
            and hashes[other].any()
            and shapes
            and cosine >= LEAST_COSINE
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", block)
        found = lead_pictures(hashes, sizes, units, rows)
    assert found.tolist() == follow(count, alike)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 2**32),
    st.integers(1, 60),
    st.sampled_from([0.3, 0.9, 0.97, 0.999, 1.0]),
    st.sampled_from([10, 4096]),
    st.booleans(),
)
def test_scenes_equal_a_loop_over_all_pairs(seed, count, least, sample, timed):
    _, _, units, rows = draw_library(seed, count)
    dice = np.random.default_rng(seed)
    when = np.where(dice.random(count) < 0.5, dice.integers(0, 3 * count, count), np.nan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_BLOCK", 7)
        patch.setattr(duplicates, "_LEADING", 4)
        patch.setattr(duplicates, "_SAMPLE", sample)
        found = lead_scenes(units, rows, least, when if timed else None)
        begun = lead_scenes(units, rows, least, when if timed else None, most=3)
    cosines = np.round(units[rows] @ units[rows].T, 6)

    def alike(one, other):
        return cosines[one, other] >= np.float32(least) or (timed and abs(when[one] - when[other]) <= 2)

    assert found.tolist() == follow(count, alike)
    leaders = np.unique(found)[:3]
    assert np.unique(begun)[:3].tolist() == leaders.tolist()
    for leader in leaders.tolist():
        assert np.array_equal(begun == leader, found == leader)


def test_likeness_does_not_run_along_chains():
    near = np.abs(np.arange(6)[:, None] - np.arange(6)) <= 1

    def pairs(start, stop):
        firsts, seconds = np.nonzero(np.triu(near, 1)[start:stop])
        return firsts + start, seconds

    found = find_leaders(6, pairs, lambda first, others: np.ones(len(others), bool))
    assert found.tolist() == [0, 0, 2, 2, 4, 4]


def test_nothing_is_like_a_picture_of_one_colour():
    units = np.ones((3, 1), np.float32)
    sizes = np.full((3, 2), 100)
    assert lead_pictures(np.zeros((3, 32), np.uint8), sizes, units, np.arange(3)).tolist() == [0, 1, 2]


def test_opposite_hashes_are_as_far_apart_as_can_be():
    hashes = np.array([[0b10101010] * 32, [0b01010101] * 32], np.uint8)
    assert hash_distances(hashes[0], hashes).tolist() == [0, 256]
    units = np.ones((2, 1), np.float32)
    assert lead_pictures(hashes, np.full((2, 2), 100), units, np.arange(2)).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((4000, 3000), (2000, 1500), True),
        ((4000, 3000), (3000, 4000), False),
        ((4000, 3000), (4000, 3070), False),
        ((4000, 3000), (3800, 2850), True),
        ((101, 75), (50, 37), True),
        ((48, 36), (5, 4), True),
        ((3000, 2000), (4000, 3000), False),
        ((100, 100), (0, 0), True),
    ],
)
def test_shapes(one, other, same):
    with np.errstate(divide="raise", invalid="raise"):
        assert same_shape(np.array(one), np.array([other])).tolist() == [same]


def test_memory_does_not_grow_with_the_square():
    import tracemalloc

    peaks = []
    for count in (2000, 8000):
        dice = np.random.default_rng(1)
        hashes = dice.integers(0, 256, (count, 32), np.uint8)
        vectors = dice.standard_normal((count, 64))
        units = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        tracemalloc.start()
        lead_pictures(hashes, np.full((count, 2), 100), units, np.arange(count))
        lead_scenes(units, np.arange(count), 0.97)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 6 * peaks[0]
