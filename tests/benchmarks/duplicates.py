"""How well copies are found: `python tests/benchmarks/duplicates.py FOLDER [AT_MOST]`.

FOLDER holds JPEGs and perhaps `judgments.json` with ``near_duplicates`` (pairs of names).  Each picture
is copied into a temporary folder: at half its size, at quality 50, and with 5 % of each side cut off.
All are prepared and embedded with the built-in model as `index` does it.  Printed: for each kind of
change the share of copies found with their original by `duplicates --kind picture`, how many bits of the
hash it changed at most, and how many copies have colours that let a query take their original's vector;
of the pairs of originals those that are taken for the same picture and are not listed, how near the
nearest pair comes that is not listed, within how many bits one pair in a thousand lies, and how many
pairs `--kind scene` takes for alike, listed and not.  Ends with 1 when less than 95 % of the smaller or
recompressed are found, or more than 10 pairs are false.
"""

from __future__ import annotations

import io
import itertools
import json
import os
import sys
import tempfile
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageOps

from cvsearch.model import Embedded, Prepared
from cvsearch.photos.phash import color_distance
from cvsearch.photos.preprocess import prepare_photo
from cvsearch.providers.local import SPACE
from cvsearch.providers.local.embedder import LocalEmbedder
from cvsearch.ranking.clustering import SCENE_COSINE, hash_distances, lead_pictures
from cvsearch.search.same_picture import MOST_COLOR_DISTANCE

CHANGES = ("half size", "quality 50", "crop 5 %")
LEAST_RECALL, MOST_FALSE = 0.95, 10

Look = tuple[bytes, tuple[int, int], np.ndarray]


def make_copies(path: str) -> Iterator[bytes]:
    """The picture at half size, at quality 50 and cropped, as JPEGs."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    width, height = picture.size
    half = picture.resize((max(1, width // 2), max(1, height // 2)), Image.Resampling.LANCZOS)
    box = (round(width * 0.025), round(height * 0.025), round(width * 0.975), round(height * 0.975))
    for image, quality in ((half, 90), (picture, 50), (picture.crop(box), 90)):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        yield file.getvalue()


def look_at(path: str, embedder: LocalEmbedder) -> Look:
    """What the index would keep of a picture: hash, size, unit vector."""
    with open(path, "rb") as file:
        photo = prepare_photo(file.read(), path, SPACE.preparation)
    assert isinstance(photo, Prepared), photo
    embedded = embedder.embed_photo(photo)
    assert isinstance(embedded, Embedded), embedded
    vector = embedded.vector / np.linalg.norm(embedded.vector)
    return photo.phash, (photo.metadata.width, photo.metadata.height), vector


def sent(data: bytes) -> bytes:
    """A picture as Azure would get it, whose colours a query compares."""
    photo = prepare_photo(data, "a picture", "jpeg-1024")
    assert isinstance(photo, Prepared), photo
    return photo.data


def are_same(one: Look, other: Look) -> bool:
    """Whether two pictures would be a group."""
    hashes = np.array([np.frombuffer(look[0], np.uint8) for look in (one, other)])
    sizes, units = np.array([one[1], other[1]]), np.array([one[2], other[2]], np.float32)
    return lead_pictures(hashes, sizes, units, np.arange(2)).tolist() == [0, 0]


def count_bits(one: Look, other: Look) -> int:
    """In how many bits the hashes of two pictures differ."""
    first, second = (np.frombuffer(look[0], np.uint8) for look in (one, other))
    return int(hash_distances(first, second[None])[0])


def main(folder: str, at_most: int | None = None) -> int:
    names = sorted(name for name in os.listdir(folder) if name.lower().endswith((".jpg", ".jpeg")))[:at_most]
    listed = set()
    if os.path.exists(judgments := os.path.join(folder, "judgments.json")):
        with open(judgments, encoding="utf-8") as file:
            listed = {frozenset(pair) for pair in json.load(file).get("near_duplicates", ())}
    originals: list[Look] = []
    found = dict.fromkeys(CHANGES, 0)
    bits = dict.fromkeys(CHANGES, 0)
    confirmed = dict.fromkeys(CHANGES, 0)
    with LocalEmbedder() as embedder, tempfile.TemporaryDirectory() as copies:
        for name in names:
            path = os.path.join(folder, name)
            originals.append(look_at(path, embedder))
            with open(path, "rb") as file:
                original = sent(file.read())
            for change, data in zip(CHANGES, make_copies(path), strict=True):
                copy = os.path.join(copies, "copy.jpg")
                with open(copy, "wb") as file:
                    file.write(data)
                changed = look_at(copy, embedder)
                found[change] += are_same(originals[-1], changed)
                bits[change] = max(bits[change], count_bits(originals[-1], changed))
                confirmed[change] += color_distance(original, sent(data)) <= MOST_COLOR_DISTANCE
    pairs = list(itertools.combinations(range(len(names)), 2))
    is_listed = np.array([frozenset((names[a], names[b])) in listed for a, b in pairs])
    is_same = np.array([are_same(originals[a], originals[b]) for a, b in pairs])
    apart = np.array([count_bits(originals[a], originals[b]) for a, b in pairs])
    is_scene = np.array([originals[a][2] @ originals[b][2] >= SCENE_COSINE for a, b in pairs])
    false = int((is_same & ~is_listed).sum())
    for change in CHANGES:
        share = found[change] / len(names)
        most = f"at most {bits[change]} bits, colours confirm {confirmed[change]}"
        print(f"{change:10}  found {found[change]:4} of {len(names)}  {share:6.1%}  {most}")
    print(f"pairs of originals  {len(pairs):,}: {is_same.sum()} the same picture, {false} of them not listed")
    print(f"nearest pair that is not listed  {apart[~is_listed].min()} bits")
    print(f"one pair in a thousand  {np.quantile(apart, 0.001, method='inverted_cdf')} bits or fewer")
    print(
        f"cosine of {SCENE_COSINE} or more  {(is_scene & is_listed).sum()} of {is_listed.sum()} listed pairs,"
        f" {(is_scene & ~is_listed).sum()} of {(~is_listed).sum():,} others"
    )
    recall = min(found[change] for change in CHANGES[:2]) / len(names)
    return int(recall < LEAST_RECALL or false > MOST_FALSE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None))
