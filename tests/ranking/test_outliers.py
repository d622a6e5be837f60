"""The relative cut-off."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cvsearch.ranking.outliers import strong_threshold

SCORES = arrays(np.float32, st.integers(2, 60), elements=st.integers(-1000, 1000).map(lambda v: v / 1000))


def noise(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.2, 0.01, count).astype(np.float32)


def test_three_matches_stand_out_of_noise() -> None:
    scores = np.concatenate([noise(500), np.array([0.35, 0.33, 0.34], np.float32)])
    assert np.flatnonzero(scores >= strong_threshold(scores)).tolist() == [500, 501, 502]


def test_in_pure_noise_mostly_nothing_is_strong() -> None:
    found = [bool((noise(1000, seed) >= strong_threshold(noise(1000, seed))).any()) for seed in range(60)]
    assert 0.2 < np.mean(found) < 0.6


def test_chance_explains_one_but_not_several() -> None:
    """One ordinary photo of 500 may reach 2.9 deviations; that six do is no chance."""
    alone = np.concatenate([noise(500).clip(None, 0.2), np.full(1, 0.229, np.float32)])
    several = np.concatenate([noise(500).clip(None, 0.2), np.full(6, 0.229, np.float32)])
    assert alone.max() < strong_threshold(alone) < 0.25
    assert int((several >= strong_threshold(several)).sum()) == 6


def test_many_matches_do_not_hide_one_another() -> None:
    scores = np.concatenate([noise(100), np.full(80, 0.35, np.float32)])
    assert int((scores >= strong_threshold(scores)).sum()) == 80


@pytest.mark.parametrize("scores", [[], [0.9], [0.1, 0.9], [0.1, 0.1, 0.1, 0.9], [0.3] * 9])
def test_nothing_stands_out_where_nothing_can(scores: list[float]) -> None:
    assert strong_threshold(np.array(scores, np.float32)) == float("inf")


@given(SCORES, st.floats(0.125, 8), st.floats(-2, 2))
def test_scale_and_shift_change_nothing(scores: np.ndarray, scale: float, shift: float) -> None:
    wide = scores.astype(np.float64)
    before, after = strong_threshold(wide), strong_threshold(wide * scale + shift)
    if np.ptp(wide) > 1e-3:
        assert after == pytest.approx(before * scale + shift, rel=1e-6, abs=1e-6)


@given(SCORES)
def test_it_lies_between_median_and_infinity(scores: np.ndarray) -> None:
    assert strong_threshold(scores) > np.median(scores)
