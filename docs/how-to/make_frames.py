"""Makes the frames of two gate cameras out of photos that show something else.

``python make_frames.py PHOTOS FRAMES``, for the page on surveillance frames.  Each frame carries in its
EXIF what a camera would write: when it was taken, by which camera, and where.  The last one is from a
camera that had lost its clock and carries nothing.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image, ImageEnhance
from PIL.ExifTags import GPS, IFD, Base

SIZE = (320, 240)
DUSK = datetime(2026, 11, 20, 18)
PLACES = {"Gate 1": (51.4779, -0.0015), "Gate 2": (51.4826, -0.0077)}
QUIET = {"Gate 1": "bricks.jpg", "Gate 2": "grass.jpg"}
SEEN = (
    ("Gate 1", "2026-11-20T21:58:40", "photographer.jpg"),
    ("Gate 2", "2026-11-20T22:14:30", "photographer.jpg"),
    ("Gate 2", "2026-11-20T22:14:31", "photographer.jpg"),
    ("Gate 2", "2026-11-20T22:14:32", "photographer.jpg"),
    ("Gate 2", "2026-11-20T23:05:12", "cat.jpg"),
    ("Gate 2", "2026-11-21T06:31:07", "photographer.jpg"),
)


def make_exif(camera: str, taken: datetime) -> Image.Exif:
    """When, by which camera and where."""
    exif = Image.Exif()
    exif[Base.Model] = camera
    exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = taken.strftime("%Y:%m:%d %H:%M:%S")
    latitude, longitude = PLACES[camera]
    exif.get_ifd(IFD.GPSInfo).update(
        {
            GPS.GPSLatitudeRef: "N" if latitude >= 0 else "S",
            GPS.GPSLatitude: (abs(latitude), 0.0, 0.0),
            GPS.GPSLongitudeRef: "E" if longitude >= 0 else "W",
            GPS.GPSLongitude: (abs(longitude), 0.0, 0.0),
        }
    )
    return exif


def write_frame(photo: Path, file: Path, number: int, exif: Image.Exif | None = None) -> None:
    """Writes one frame; no two have the same light and the same cut."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(photo) as image:
        left, upper = 2 + number % 5 * 10, 2 + number % 3 * 10
        cut = image.convert("RGB").crop((left, upper, image.width - 4, image.height - 4)).resize(SIZE)
    light = ImageEnhance.Brightness(cut).enhance(0.9 + number % 7 / 50)
    light.save(file, quality=85, **({} if exif is None else {"exif": exif}))


def main() -> None:
    """Writes a frame every two hours for each gate, and what came by."""
    photos, frames = map(Path, sys.argv[1:])
    plan = [(gate, DUSK + timedelta(hours=hour), QUIET[gate]) for hour in range(0, 14, 2) for gate in QUIET]
    plan += [(gate, datetime.fromisoformat(time), photo) for gate, time, photo in SEEN]
    for number, (gate, taken, photo) in enumerate(plan):
        name = f"{taken:%Y%m%d-%H%M%S}.jpg"
        folder = frames / gate.lower().replace(" ", "-")
        write_frame(photos / photo, folder / name, number, make_exif(gate, taken))
    write_frame(photos / "photographer.jpg", frames / "gate-2" / "no-clock.jpg", len(plan))


if __name__ == "__main__":
    main()
