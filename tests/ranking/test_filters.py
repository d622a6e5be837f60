"""Filters on date, camera and place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.errors import CvsearchError
from cvsearch.ranking.filters import distance_km, make_filters

LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


@pytest.mark.parametrize(
    ("after", "before", "taken", "verdict"),
    [
        ("2024-05", "2024-06", "2024-05-01T00:00:00", True),
        ("2024-05", "2024-06", "2024-05-31T23:59:59+02:00", True),
        ("2024-05", "2024-06", "2024-06-01T00:00:00", False),
        ("2024-05", None, "2024-04-30T23:59:59", False),
        ("2024-05-01T12:30", None, "2024-05-01T12:30:00", True),
        (None, "2024", "2023-12-31T23:59:59", True),
        (None, "2024", None, None),
    ],
)
def test_dates(after: str | None, before: str | None, taken: str | None, verdict: bool | None) -> None:
    assert make_filters(after=after, before=before).judge({"taken": taken}) is verdict


@pytest.mark.parametrize(("camera", "verdict"), [("Canon EOS 5D", True), ("NIKON D70", False), (None, None)])
def test_cameras(camera: str | None, verdict: bool | None) -> None:
    assert make_filters(camera="eos").judge({"camera": camera}) is verdict


def test_places() -> None:
    paris, london = (48.8566, 2.3522), (51.5074, -0.1278)
    assert distance_km(*paris, *london) == pytest.approx(343.6, abs=1)
    known = {"latitude": london[0], "longitude": london[1]}
    assert make_filters(near=(*paris, 350)).judge(known) is True
    assert make_filters(near=(*paris, 300)).judge(known) is False
    assert make_filters(near=(*paris, 300)).judge({"latitude": 1.0, "longitude": None}) is None


def test_what_is_known_to_be_wrong_needs_no_more_facts() -> None:
    known = {"taken": "2020-01-01T00:00:00", "camera": None}
    assert make_filters(camera="x", after="2024").judge(known) is False
    assert make_filters(after="2024", camera="x").judge(known) is False


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_distance_is_symmetric_and_bounded(a: float, b: float, c: float, d: float) -> None:
    assert distance_km(a, b, c, d) == pytest.approx(distance_km(c, d, a, b), abs=1e-6)
    assert 0 <= distance_km(a, b, c, d) <= 20016


@pytest.mark.parametrize("text", ["yesterday", "2024-13", "2024-02-30", "24", "2024-5", ""])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(CvsearchError, match="--after takes a date"):
        make_filters(after=text)


@pytest.mark.parametrize(
    ("after", "before", "refused"),
    [
        ("2024", "2023", True),
        ("2024", "2024", True),
        ("2024", "2024-01", True),
        ("2024-01-01T00:00", "2024-01-01", True),
        ("2024", "2024-02", False),
        ("2024-05-01", "2024-05-01T00:00:01", False),
    ],
)
def test_no_time_is_refused(after: str, before: str, refused: bool) -> None:
    if refused:
        with pytest.raises(CvsearchError, match="nothing is both after"):
            make_filters(after=after, before=before)
    else:
        assert make_filters(after=after, before=before).given == {"after": after, "before": before}


@pytest.mark.parametrize("text", ["1,2", "91,0,1", "0,181,1", "0,0,0", "a,b,c", "0,0,nan", "1,2,3,4"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(CvsearchError, match="--near takes"):
        make_filters(near=text)
