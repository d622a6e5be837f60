"""The nouns that travel between the rooms: frozen, without behaviour beyond their own arithmetic.

Paths are absolute `str` with surrogate escapes (`os.fsdecode`); hashes are raw `bytes`; times are
ISO 8601 text.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from cvsearch.errors import ExitCode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]
else:
    Vector = object  # so that the name can be had without loading numpy


@dataclass(frozen=True, slots=True)
class Space:
    """What may be compared: vectors of one provider, model and preparation.

    `preparation` names the recipe that turns a photo into what is embedded, with its size
    (``jpeg-1024``); `dimension` is the vectors' length.
    """

    provider: str
    model: str
    preparation: str
    dimension: int

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}/{self.preparation}"


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A path with its size in bytes and modification time in nanoseconds.

    `also` are the files beside it that are the same photo: the RAW of a JPEG or HEIC.
    """

    path: str
    size: int
    mtime_ns: int
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unread:
    """A file or folder that could not be looked at, and why: a passing fault."""

    path: str
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class WalkOptions:
    """How a root is walked; remembered with the root."""

    exclude: tuple[str, ...] = ()
    hidden: bool = False
    follow_links: bool = False
    recursive: bool = True


@dataclass(frozen=True, slots=True)
class Skip:
    """Why a photo has no vector.

    `reason` is a stable slug for scripts, `detail` a sentence for people that names the way out.
    A `lasting` skip is a property of the content; the others are tried again by the next run.
    """

    reason: str
    detail: str
    lasting: bool


class Filter(StrEnum):
    """How a query may limit what is known of a photo; `cvsearch.ranking.filters` has the options of each."""

    DATES = "dates"
    CONTAINS = "contains"
    NEAR = "near"
    AT_LEAST = "at least"


def _field(*, filter: Filter | None = None, label: str | None = None) -> Any:
    """A field that need not be known, how a query may filter by it, and its name for people."""
    return field(default=None, metadata={"filter": filter, "label": label})


@dataclass(frozen=True, slots=True)
class Metadata:
    """What is known of a picture besides its pixels; `width` and `height` are upright.

    `taken` is ISO 8601 in the camera's own time; degrees are signed.  The fields make `METADATA`, from which
    the catalogue's columns, the export's arrays, the filters and `show` follow.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    taken: str | None = _field(filter=Filter.DATES, label="taken")
    camera: str | None = _field(filter=Filter.CONTAINS, label="camera")
    lens: str | None = _field(label="lens")
    latitude: float | None = _field(filter=Filter.NEAR)
    longitude: float | None = _field(filter=Filter.NEAR)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of `Metadata`: its name, its type in SQL (``TEXT``, ``INTEGER`` or ``REAL``), how a query may
    filter by it, and what people call it; None: not at all.
    """

    name: str
    type: str
    filter: Filter | None
    label: str | None


_SQL_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "REAL"}
METADATA = tuple(
    Field(
        one.name,
        _SQL_TYPES[str(one.type).partition(" ")[0]],
        one.metadata.get("filter"),
        one.metadata.get("label"),
    )
    for one in dataclasses.fields(Metadata)
)
"""The fields of `Metadata`, in their order."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo ready to be embedded, by its space's recipe.

    `data` is a JPEG file for the recipes ``jpeg-N`` and raw RGB bytes (height × width × 3) for
    ``rgb-N``; `width` and `height` are those of `data`.  `pixels` is the SHA-256 of the prepared
    pixels and their size; `phash` a 256-bit perceptual hash.
    """

    data: bytes
    width: int
    height: int
    pixels: bytes
    phash: bytes
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture looks like: its perceptual hash (32 bytes) and its size in pixels, upright."""

    phash: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """A picture as it was named, with its vector as received (float32), or why there is none.

    `also` as in `PhotoFile`; `look` is None when it was neither decoded nor indexed; `lender` is the SHA-256
    of the indexed picture whose vector serves, as it is the same; `thumbnail` a small JPEG file.
    """

    name: str
    vector: Vector | None = None
    skip: Skip | None = None
    also: tuple[str, ...] = ()
    sha256: bytes = b""
    look: Look | None = None
    lender: bytes | None = None
    thumbnail: bytes | None = None


Form = Literal["jpeg", "png", "rgb"]
"""What a thumbnail is: a JPEG or PNG file, or raw RGB bytes."""


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of a photo: a JPEG or PNG file, or RGB bytes (height × width × 3), as was asked.

    `sha256` is that of the photo's file as it is now.
    """

    data: bytes
    width: int
    height: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What left this machine for one vector: to whom, when (UTC), and which bytes."""

    host: str
    sent_at: str
    request_id: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class IndexedPhoto:
    """What an index knows of a photo under one of its names; each reader fills in what it was asked for.

    `id` is the file's number in the catalogue and `content` that of its bytes, whose hash is `sha256`.
    In the space that was asked for it has the vector `row`, sent as the `receipt` says, or a lasting `skip`,
    made with the extras `skip_extras` installed.  `pixels` and `phash` are those of `Prepared`.
    `imported`: an import named it, and no run has seen it here yet.
    """

    path: str = ""
    size: int = 0
    mtime_ns: int = 0
    also: tuple[str, ...] = ()
    id: int = 0
    content: int | None = None
    sha256: bytes | None = None
    row: int | None = None
    skip: Skip | None = None
    skip_extras: str | None = None
    imported: bool = False
    pixels: bytes | None = None
    phash: bytes | None = None
    metadata: Metadata | None = None
    receipt: Receipt | None = None

    def is_same(self, file: PhotoFile) -> bool:
        """Whether size and time say that the file has not changed."""
        return (self.size, self.mtime_ns) == (file.size, file.mtime_ns)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A vector as received (float32, any length) and, when it was sent somewhere, the receipt."""

    vector: Vector
    receipt: Receipt | None = None


@dataclass(slots=True)
class ScanStats:
    """What a walk passed over, by kind; filled by the walk, read by the summary."""

    other: int = 0
    hidden: int = 0
    excluded: int = 0
    system_folders: int = 0
    """Names that systems leave behind: `@eaDir`, `node_modules`, previews of catalogues …"""

    def __iter__(self) -> Iterator[tuple[str, int]]:
        yield "other files", self.other
        yield "hidden", self.hidden
        yield "excluded", self.excluded
        yield "system folders and previews", self.system_folders


@dataclass(frozen=True, slots=True)
class Event:
    """What became of one photo: ``indexed reused unchanged forgotten skipped``; `also` as in `PhotoFile`."""

    kind: str
    path: str
    sha256: bytes | None = None
    reason: str | None = None
    detail: str | None = None
    also: tuple[str, ...] = ()


@dataclass(slots=True)
class Summary:
    """A run's counts; `calls` are requests sent, `seconds` wall time.

    `found` counts photos, `also` the companions that are no photos of their own.
    """

    found: int = 0
    indexed: int = 0
    reused: int = 0
    unchanged: int = 0
    forgotten: int = 0
    skipped: int = 0
    calls: int = 0
    seconds: float = 0.0
    also: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    """A photo of a group.  `linked`: another name of the same file on disk, or of the same photo.

    `distance` (bits of the perceptual hash) and `score` (cosine) compare it with the photo to keep.
    """

    photo: IndexedPhoto
    keep: bool
    linked: bool = False
    distance: int | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Photos that are alike, the one to keep first, then by path bytes."""

    kind: str
    members: tuple[Member, ...]

    @property
    def kept(self) -> IndexedPhoto:
        """The photo to keep."""
        return self.members[0].photo


@dataclass(frozen=True, slots=True)
class PhotoFacts:
    """All that an index knows of one file: `names` have its bytes; `photo` is it in no space, and its skip is
    a fault that may pass; `spaces` have it in each space.
    """

    photo: IndexedPhoto
    names: tuple[str, ...]
    spaces: tuple[tuple[Space, IndexedPhoto], ...]


@dataclass(frozen=True, slots=True)
class Status:
    """The state of an index: spaces with their vectors and the files they cover, calls and bytes by host, the
    last run, None before the first, and names that it could not look at: path, reason, detail.
    """

    folder: str
    roots: tuple[dict[str, Any], ...]
    photos: int
    spaces: tuple[tuple[Space, int, int], ...]
    bytes_on_disk: int
    indexed_at: str | None
    traffic: tuple[tuple[str, int, int], ...]
    last_run: dict[str, Any] | None
    unread: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """The exact plan of a dry run; `send_bytes` is estimated from a sample, None where nothing is sent."""

    new: int
    changed: int
    moved: int
    unchanged: int
    gone: int
    unsupported: int
    send_bytes: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """What `doctor` found of one thing; `code` is 0 when all is well, else `hint` says what to do."""

    name: str
    detail: str
    hint: str | None = None
    code: ExitCode = ExitCode.DONE


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a query: a text or a picture, with its weight (negative: away from it).

    `value` is the text, or the picture's source as the user named it.
    """

    kind: str
    value: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Match:
    """A file that answers a query.  `score` is a cosine, a combined standard score or a distance.

    `also` are the files beside it that are the same photo; `same` says that it shows what the query's
    picture shows: the same ``bytes``, or the same ``picture``.  `alike` counts near-twins folded into
    it, `shares` say what each term gave, where that was asked.
    """

    rank: int
    score: float
    path: str
    sha256: bytes
    also: tuple[str, ...] = ()
    same: str | None = None
    alike: int = 0
    shares: tuple[TermShare, ...] = ()


@dataclass(frozen=True, slots=True)
class TermShare:
    """What one term gave to a match: its cosine, its standard score in the library, its share of the
    combined score (−1 to 1), and the match's rank and percentile for this term alone.
    """

    term: Term
    score: float
    standard: float
    share: float
    rank: int
    percentile: float


@dataclass(frozen=True, slots=True)
class Classification:
    """What a picture is: labels with their cosines, best first; the label None is none of these.

    None stands alone, with the score of the best label, which was not enough.  A picture that could not
    be looked at has a `skip` and no labels.  `also` are the files that are one photo with it.
    """

    image: str
    labels: tuple[tuple[str | None, float], ...] = ()
    skip: Skip | None = None
    also: tuple[str, ...] = ()
    thumbnail: bytes | None = None

    @property
    def found(self) -> bool:
        """Whether any label fits."""
        return bool(self.labels) and self.labels[0][0] is not None


@dataclass(frozen=True, slots=True)
class Report:
    """The whole answer to a query: what was asked, of what, and what was found.

    `filters` are the limits that were asked for (top, min_score, under …); `not_searched` counts
    files in scope that are known but could not be ranked, by reason; `unjudged` those of which a
    filter knew nothing; `contents` are the SHA-256 of the pictures that were asked with, by their sources,
    and `borrowed` those of the indexed pictures whose vectors served, as they are the same; with `explain`
    each match has its shares; `indexed_at` is when the index last changed (UTC, ISO 8601).
    """

    terms: tuple[Term, ...]
    metric: str
    filters: dict[str, object]
    index: str
    indexed_at: str | None
    space: Space
    searched: int
    not_searched: dict[str, int]
    matches: tuple[Match, ...]
    unjudged: int = 0
    borrowed: Mapping[str, bytes] = field(default_factory=dict)
    contents: Mapping[str, bytes] = field(default_factory=dict)
    explain: bool = False

    @property
    def is_undecided(self) -> bool:
        """Whether nothing could stand out, though only that was asked for."""
        return "strong" in self.filters and self.filters["strong"] is None
