"""Which pictures are alike: pure functions on arrays, in memory that grows with the number of pictures.

Pictures come in the order in which they would be kept.  The first one leads; every later one that is
alike to it and has no leader yet follows it; the next one without a leader leads, and so on (leader
clustering: Hartigan, "Clustering Algorithms", 1975, chapter 3).  So each follower is alike to its
leader itself: likeness does not run along chains, as it would in connected components.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Pairs = tuple[Ints, Ints]

MOST_BITS = 40
"""The distance of two hashes of 256 bits up to which pictures can be the same."""
LEAST_COSINE = 0.75
"""The same picture confirmed: its vectors are no further apart than this, in any space."""
SCENE_COSINE = 0.97
"""The cosine from which two pictures show the same scene, unless the user says otherwise."""
BURST_SECONDS = 2.0
"""Photos of one camera taken no further apart than this are one burst."""

_EDGE = 0.02
_SURE_WORDS = 2
_BLOCK = 128
_PORTION = 4096
_LEADING = 128
_SAMPLE = 4096
_SLACK = 1e-5
_BETWEEN_CAMERAS = 1e11


def find_leaders(
    count: int,
    near: Callable[[int, int], Pairs],
    confirm: Callable[[int, Ints], NDArray[np.bool_]],
    most: int | None = None,
) -> Ints:
    """The leader of each of `count` pictures, itself for leaders and for those alone: int64, (count,).

    ``near(start, stop)`` gives the pairs (i, j) that may be alike, sorted by i, for all i from start to
    stop and all j > i; ``confirm(i, js)`` says which of them are.  With `most` only the first so many
    leaders need to be right: the work ends when they are known.
    """
    leader = np.arange(count)
    free = np.ones(count, bool)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        if not free[start:stop].any():
            continue
        firsts, seconds = near(start, stop)
        for first in np.unique(firsts).tolist():
            if not free[first]:
                continue
            low, high = np.searchsorted(firsts, (first, first + 1))
            others = seconds[low:high]
            others = others[free[others]]
            followers = others[confirm(first, others)]
            leader[followers] = first
            free[followers] = False
        if most is not None and np.count_nonzero(free[:stop]) >= most:
            break
    return leader


def lead_pictures(hashes: NDArray[np.uint8], sizes: Ints, units: NDArray[np.float32], rows: Ints) -> Ints:
    """Leaders by perceptual hash: the same picture at another size or quality.

    `hashes` is n × 32 bytes, `sizes` n × 2 (width, height), `rows` (n,) the rows of the unit vectors
    `units`, which are picked a few at a time.  Alike are hashes within `MOST_BITS`, of pictures of one
    shape whose vectors confirm it (`LEAST_COSINE`).  A hash of zeros is that of a picture of one colour
    and like no other.
    """
    words = np.ascontiguousarray(hashes).view(np.uint64).T.copy()

    def confirm(first: int, others: Ints) -> NDArray[np.bool_]:
        alike = same_shape(sizes[first], sizes[others])
        alike[alike] = _cosines(units, rows, first, others[alike]) >= LEAST_COSINE
        return alike

    return find_leaders(len(hashes), lambda start, stop: _near_hashes(words, start, stop), confirm)


def lead_scenes(
    units: NDArray[np.float32],
    rows: Ints,
    least: float,
    moments: NDArray[np.float64] | None = None,
    most: int | None = None,
) -> Ints:
    """Leaders by cosine: pictures that show the same scene.  Arguments as for `lead_pictures`.

    Pictures whose `moments` (n,: seconds, NaN where not known) are at most `BURST_SECONDS` apart are alike
    whatever they show; `most` as for `find_leaders`.

    Most pairs are ruled out by a bound that takes an eighth of the work: with a vector's leading part a
    along a few axes and the length r of the rest, Cauchy and Schwarz give ``cos ≤ a·b + r·s``.
    """
    leading = _leading_parts(units, rows)
    when = np.full(len(rows), np.nan) if moments is None else moments
    in_time = np.argsort(when)
    sorted_when = when[in_time]

    def near(start: int, stop: int) -> Pairs:
        close = leading[start:stop] @ leading[start:].T >= least - _SLACK
        lows = np.searchsorted(sorted_when, when[start:stop] - BURST_SECONDS)
        highs = np.searchsorted(sorted_when, when[start:stop] + BURST_SECONDS, "right")
        for first in np.flatnonzero(~np.isnan(when[start:stop])).tolist():
            others = in_time[lows[first] : highs[first]]
            close[first, others[others >= start] - start] = True
        return _later(close, start)

    def confirm(first: int, others: Ints) -> NDArray[np.bool_]:
        alike = np.round(_cosines(units, rows, first, others), 6) >= least
        return np.asarray(alike | (np.abs(when[others] - when[first]) <= BURST_SECONDS))

    return find_leaders(len(rows), near, confirm, most)


def collapse(
    rows: Sequence[int],
    bursts: Sequence[tuple[str, float] | None],
    units: NDArray[np.float32],
    top: int | None,
) -> list[tuple[int, list[int]]]:
    """Groups of positions in `rows` (best first): each leader with those that fold into it.

    A photo folds into the best one before it that shows the same scene (cosine of at least
    `SCENE_COSINE`) or was taken in the same burst (`bursts`: camera and second).  `units` (n × d) are unit
    vectors; `top` None: all groups.  Folding is to the leader itself, not along chains.
    """
    cameras: dict[str, int] = {}
    # Seconds, so far apart for two cameras that they never meet; NaN where there is no burst.
    moments = np.array(
        [
            np.nan if one is None else cameras.setdefault(one[0], len(cameras)) * _BETWEEN_CAMERAS + one[1]
            for one in bursts
        ]
    )
    leaders = lead_scenes(units, np.asarray(rows, np.int64), SCENE_COSINE, moments, top)
    groups: dict[int, list[int]] = {leader: [] for leader in np.unique(leaders)[:top].tolist()}
    for position, leader in enumerate(leaders.tolist()):
        if leader != position and leader in groups:
            groups[leader].append(position)
    return list(groups.items())


def hash_distances(one: NDArray[np.uint8], others: NDArray[np.uint8]) -> Ints:
    """The number of bits in which a hash (32 bytes) differs from each of others (n × 32): int64, (n,)."""
    distances: Ints = np.bitwise_count(one ^ others).sum(axis=1, dtype=np.int64)
    return distances


def same_shape(one: Ints, others: Ints) -> NDArray[np.bool_]:
    """Whether pictures (n × 2: width, height) have one's proportions, to 2 % or a pixel of rounding."""
    wide, high = np.log(np.maximum(others, 1)).T - np.log(np.maximum(one, 1))[:, None]
    least = np.minimum(others.min(axis=1), one.min()).clip(1)
    change = np.abs(wide - high)
    return np.asarray(change <= np.maximum(_EDGE, 1 / least))


def _near_hashes(words: NDArray[np.uint64], start: int, stop: int) -> Pairs:
    """Half of the bits rule most pairs out; of those that are left all are counted."""
    known = words[:, start:].max(axis=0) > 0
    total = np.zeros((stop - start, len(known)), np.uint8)
    for word in words[:_SURE_WORDS]:
        total += np.bitwise_count(word[start:stop, None] ^ word[None, start:])
    firsts, seconds = _later((total <= MOST_BITS) & known & known[: stop - start, None], start)
    bits = np.zeros(len(firsts), np.int64)
    for word in words:
        bits += np.bitwise_count(word[firsts] ^ word[seconds])
    near = bits <= MOST_BITS
    return firsts[near], seconds[near]


def _later(close: NDArray[np.bool_], start: int) -> Pairs:
    """The pairs that a block marks, without those that are met the other way round."""
    firsts, seconds = np.divmod(np.flatnonzero(close), close.shape[1])  # far faster than np.nonzero
    later = seconds > firsts
    return firsts[later] + start, seconds[later] + start


def _cosines(units: NDArray[np.float32], rows: Ints, first: int, others: Ints) -> NDArray[np.float32]:
    found = np.empty(len(others), np.float32)
    for start in range(0, len(others), _PORTION):
        part = slice(start, start + _PORTION)
        found[part] = units[rows[others[part]]] @ units[rows[first]]
    return found


def _leading_parts(units: NDArray[np.float32], rows: Ints) -> NDArray[np.float32]:
    """Each vector along the sample's main axes, and the length of the rest: n × (axes + 1).

    Few vectors are taken whole: to find their axes would take longer than it saves.
    """
    if len(rows) <= _SAMPLE:
        return np.pad(units[rows], ((0, 0), (0, 1)))
    sample = np.asarray(units[rows[:: max(1, len(rows) // _SAMPLE)]], np.float64)
    axes = np.linalg.eigh(sample.T @ sample)[1][:, -_LEADING:].astype(np.float32)
    parts = np.empty((len(rows), axes.shape[1] + 1), np.float32)
    for start in range(0, len(rows), _PORTION):
        part = slice(start, start + _PORTION)
        leading = units[rows[part]] @ axes
        parts[part, :-1] = leading
        parts[part, -1] = np.sqrt(np.maximum(1 - (leading.astype(np.float64) ** 2).sum(axis=1), 0))
    return parts
