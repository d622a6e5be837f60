"""Folding near-twins and bursts."""

from __future__ import annotations

import numpy as np

from cvsearch.ranking.clustering import collapse as fold

ANGLES = np.deg2rad([0, 5, 90, 180, 10])
UNITS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1).astype(np.float32)
NO_BURSTS: list[tuple[str, float] | None] = [None] * 5


def test_twins_fold_into_the_best() -> None:
    assert fold([0, 1, 2, 3, 4], NO_BURSTS, UNITS, None) == [(0, [1, 4]), (2, []), (3, [])]


def test_not_along_chains() -> None:
    wide = np.deg2rad([0, 12, 24])
    units = np.stack([np.cos(wide), np.sin(wide)], axis=1).astype(np.float32)
    assert fold([0, 1, 2], [None] * 3, units, None) == [(0, [1]), (2, [])]


def test_a_burst_folds_whatever_it_shows() -> None:
    bursts = [("Nikon", 100.0), ("Canon", 100.0), ("Nikon", 101.5), ("Nikon", 103.0), None]
    assert fold([0, 2, 3, 2, 3], bursts, UNITS, None) == [(0, [2]), (1, [3]), (4, [])]


def test_top_counts_groups() -> None:
    assert fold([3, 0, 1, 2, 4], NO_BURSTS, UNITS, 2) == [(0, []), (1, [2, 4])]


def test_two_files_of_one_row_are_one() -> None:
    assert fold([2, 2], [None, None], UNITS, None) == [(0, [1])]
