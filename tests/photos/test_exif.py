"""Metadata: what is understood of EXIF, and that nothing in it does harm."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import draw, encode, make_exif, prepare
from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from cvsearch.model import Metadata
from cvsearch.photos.exif import make_metadata, read_orientation

BERLIN: dict[int, Any] = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (52.0, 31.0, 12.0),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (13.0, 24.0, 18.0),
}


def understand(tags: dict[Any, Any], ifds: dict[Any, Any] | None = None) -> Metadata:
    return make_metadata(make_exif(tags, ifds), "JPEG", (3, 2), 1)


def test_a_picture_without_exif() -> None:
    assert make_metadata(None, "PNG", (3, 2), 1) == Metadata("PNG", 3, 2)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_everything_at_once(file_format: str) -> None:
    exif = make_exif(
        {Base.Make: "NIKON CORPORATION", Base.Model: "NIKON D90", Base.Orientation: 1},
        {
            IFD.Exif: {
                Base.DateTimeOriginal: "2020:02:29 23:59:58",
                Base.OffsetTimeOriginal: "+05:30",
                Base.LensModel: "AF-S 50mm\0\0 f/1.8",
            },
            IFD.GPSInfo: BERLIN | {GPS.GPSLongitudeRef: "W"},
        },
    )
    assert prepare(encode(draw(), file_format, exif=exif.tobytes())).metadata == Metadata(
        format=file_format,
        width=60,
        height=40,
        taken="2020-02-29T23:59:58+05:30",
        camera="NIKON D90",
        lens="AF-S 50mm f/1.8",
        latitude=52.52,
        longitude=-13.405,
    )


@pytest.mark.parametrize(
    ("make", "model", "expected"),
    [
        ("Canon", "Canon EOS 5D", "Canon EOS 5D"),
        ("Apple", "iPhone 15", "Apple iPhone 15"),
        ("Apple\0junk", None, "Apple junk"),
        (None, "X100\n", "X100"),
        (" ", "\x1b[31m", "[31m"),
        (None, None, None),
    ],
)
def test_camera(make: str | None, model: str | None, expected: str | None) -> None:
    tags = {Base.Make: make, Base.Model: model}
    assert understand({tag: text for tag, text in tags.items() if text is not None}).camera == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020:01:02 03:04:05", "2020-01-02T03:04:05"),
        ("2020-01-02T03:04:05.678", "2020-01-02T03:04:05"),
        ("0000:00:00 00:00:00", None),
        ("2020:02:30 00:00:00", None),
        ("    :  :     :  :  ", None),
        ("٢٠٢٠:01:02 03:04:05", None),
        (b"2020:01:02 03:04:05\0", "2020-01-02T03:04:05"),
        (7, None),
    ],
)
def test_dates(text: object, expected: str | None) -> None:
    assert understand({Base.DateTime: text}).taken == expected


def test_the_first_good_date_counts() -> None:
    exif = {Base.DateTimeOriginal: "nonsense", Base.DateTimeDigitized: "2001:01:01 00:00:00"}
    assert understand({Base.DateTime: "2002:01:01 00:00:00"}, {IFD.Exif: exif}).taken == "2001-01-01T00:00:00"
    exif = {Base.DateTimeOriginal: "2001:01:01 00:00:00", Base.OffsetTimeOriginal: "+99:00"}
    assert understand({}, {IFD.Exif: exif}).taken == "2001-01-01T00:00:00"


@pytest.mark.parametrize(
    "bad",
    [
        {GPS.GPSLatitude: (91.0, 0.0, 0.0)},
        {GPS.GPSLatitude: (float("nan"), 0.0, 0.0)},
        {GPS.GPSLongitude: (-13.0, 0.0, 0.0)},
        {GPS.GPSLongitude: (1.0, 2.0, 3.0, 4.0)},
        {GPS.GPSLongitude: ()},
        {GPS.GPSLongitude: "13"},
        {GPS.GPSLongitude: ("x",)},
        {GPS.GPSLongitudeRef: ""},
        {GPS.GPSLongitudeRef: "Q"},
    ],
)
def test_bad_places_are_none(bad: dict[int, object]) -> None:
    found = understand({}, {IFD.GPSInfo: BERLIN | bad})
    assert (found.latitude, found.longitude) == (None, None)


def test_signs_and_zero_denominators() -> None:
    south = understand({}, {IFD.GPSInfo: BERLIN | {GPS.GPSLatitudeRef: b"s", GPS.GPSLatitude: (33.5,)}})
    assert (south.latitude, south.longitude) == (-33.5, 13.405)
    exif = make_exif({}, {IFD.GPSInfo: BERLIN}).tobytes()
    assert (12).to_bytes(4, "big") + (1).to_bytes(4, "big") in exif
    broken = exif.replace((12).to_bytes(4, "big") + (1).to_bytes(4, "big"), bytes(8))
    assert prepare(encode(draw(), "JPEG", exif=broken)).metadata.latitude is None


def test_text_is_bounded() -> None:
    assert understand({Base.Model: "x" * 5000}).camera == "x" * 100


@pytest.mark.parametrize("value", [0, 9, -1, "6", (6,), 6.0])
def test_strange_orientations_are_upright(value: object) -> None:
    assert read_orientation(make_exif({Base.Orientation: value})) == 1


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_hostile_exif_does_no_harm(data: st.DataObject) -> None:
    good = make_exif(
        {Base.Make: "A", Base.Orientation: 6},
        {IFD.Exif: {Base.DateTimeOriginal: "2020:01:02 03:04:05"}, IFD.GPSInfo: BERLIN},
    ).tobytes()
    hostile = bytearray(good)
    for _ in range(data.draw(st.integers(1, 12))):
        hostile[data.draw(st.integers(6, len(good) - 1))] = data.draw(st.integers(0, 255))
    prepared = prepare(encode(draw(), "JPEG", exif=bytes(hostile)))
    assert sorted((prepared.width, prepared.height)) == [40, 60]


@given(
    st.dictionaries(st.integers(0, 0xFFFF), st.text() | st.binary() | st.integers() | st.none(), max_size=5)
)
def test_any_values_do_no_harm(tags: dict[int, Any]) -> None:
    class Hostile(Image.Exif):
        def get_ifd(self, tag: int) -> dict[int, Any]:
            return tags

    exif = Hostile()
    exif.update(tags)
    assert make_metadata(exif, "JPEG", (1, 1), 1).width == 1
