"""What each kind of result consists of: its columns and its rows, said once for every format."""

from __future__ import annotations

import base64
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from cvsearch.model import Classification, Group, Match, Member, Report, TermShare
from cvsearch.output.humanize import age_seconds, human_bytes, human_count

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Row = TypeVar("Row")

Kind = Literal["plain", "path", "paths", "mark", "score", "distance"]
"""What a column holds: strings and numbers, a path, the paths of companions, whether a row is marked, or what
rows are ranked by (of distances the smallest is the best)."""

_REQUIRED = object()
_SHARE_NAMES = [one.name for one in dataclasses.fields(TermShare) if one.name != "term"]


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column; `name` is for programs (none: they do not get it), `title` for people (None: nor they).

    `value` reads it off a row, by default the row's attribute of that name.  JSON leaves a field out where
    it has its `default`.  A `nested` column is for formats that can nest alone, a `flat` one for the rest.
    `style` is in rich's words: only ANSI colours, bold and dim.
    """

    name: str
    value: Callable[[Row], object] | None = None
    title: str | None = None
    kind: Kind = "plain"
    right: bool = False
    style: str = ""
    default: object = _REQUIRED
    nested: bool = False
    flat: bool = False

    @property
    def read(self) -> Callable[[Row], object]:
        """What reads the column off a row."""
        return self.value or attrgetter(self.name)

    def describe(self, value: Any) -> str:
        """A value as people read it; a mark is the column's title."""
        if self.kind == "mark":
            return (self.title or "") if value else ""
        return f"{value:.4f}" if self.kind in ("score", "distance") else str(value)


@dataclass(frozen=True, slots=True)
class Result(Generic[Row]):
    """What a command found; its rows may come one by one and can then be read once.

    `make_head` gives what one JSON document says before its rows, which it calls `noun`; `details` is what
    a table shows beneath them.
    """

    columns: Sequence[Column[Row]]
    rows: Iterable[Row]
    make_head: Callable[[], Mapping[str, object]] = dict
    noun: str = "rows"
    details: Result[Any] | None = None


def path_text(path: str) -> str:
    """The path as UTF-8 text, with a byte that is not UTF-8 as a lone surrogate."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")


def path_fields(path: str) -> dict[str, object]:
    """A path in JSON: ``path``, and ``path_base64`` too where a byte is not UTF-8."""
    raw = os.fsencode(path)
    fields: dict[str, object] = {"path": path_text(path)}
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        fields["path_base64"] = base64.b64encode(raw).decode("ascii")
    return fields


def also_fields(also: Sequence[str]) -> dict[str, object]:
    """In JSON ``also``, the files that are one photo with this one; nothing when there are none."""
    entries = [path_fields(path) for path in also]
    fields: dict[str, object] = {"also": [entry["path"] for entry in entries]} if also else {}
    if any("path_base64" in entry for entry in entries):
        fields["also_base64"] = [base64.b64encode(os.fsencode(path)).decode("ascii") for path in also]
    return fields


def _base64_column(name: str) -> Column[Any]:
    read = attrgetter(name)
    return Column(
        f"{name}_base64", lambda row: path_fields(read(row)).get("path_base64"), default=None, nested=True
    )


_ALSO: tuple[Column[Any], ...] = (
    Column("also", kind="paths", default=()),
    Column("also_base64", lambda row: also_fields(row.also).get("also_base64"), default=None, nested=True),
)


def query_rows(report: Report, now: datetime) -> Result[Match]:
    """The matches of a query; for people with what is to be noted of some, if there is anything."""
    space, matches = report.space, report.matches
    scale: Kind = "distance" if report.metric == "euclidean" else "score"
    explained = len(report.terms) if report.explain else 0
    columns: list[Column[Match]] = [
        Column("rank", title="rank", right=True, style="dim"),
        Column("score", lambda match: float(match.score), title=scale, kind=scale, right=True),
        Column("path", title="photo", kind="path"),
        Column("sha256", lambda match: match.sha256.hex()),
        Column("provider", lambda match: space.provider),
        Column("model", lambda match: space.model),
        Column("same", default=None),
        *_ALSO,
        Column("alike", default=0),
        Column(
            "terms",
            lambda match: [
                {**fields.pop("term"), **fields} for fields in map(dataclasses.asdict, match.shares)
            ],
            default=[],
            nested=True,
        ),
        *(_share_column(place, name) for place in range(explained) for name in _SHARE_NAMES),
        _base64_column("path"),
    ]
    if any(match.same or match.also or match.alike for match in matches):
        columns.append(Column("", lambda match: "  ".join(match_notes(match)), title=""))
    details = _explanation(matches) if any(match.shares for match in matches) else None
    return Result(columns, matches, partial(_query_head, report, now), "matches", details)


def _query_head(report: Report, now: datetime) -> dict[str, object]:
    index = path_fields(report.index) | {"indexed_at": report.indexed_at, "age_seconds": None}
    if report.indexed_at is not None:
        index["age_seconds"] = round(age_seconds(report.indexed_at, now))
    terms = []
    for term in report.terms:
        fields = dataclasses.asdict(term)
        if term.kind == "image" and (sha256 := report.contents.get(term.value)):
            fields["sha256"] = sha256.hex()
            if lender := report.borrowed.get(term.value):
                fields["vector_of"] = lender.hex()
        terms.append(fields)
    return {
        "time": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "terms": terms,
        "metric": report.metric,
        "filters": report.filters,
        "index": index,
        "space": dataclasses.asdict(report.space),
        "searched": report.searched,
        "not_searched": report.not_searched,
    }


def _share_column(place: int, name: str) -> Column[Match]:
    """What a term gave, where that cannot be nested."""
    return Column(f"{name}_{place + 1}", lambda match: getattr(match.shares[place], name), flat=True)


def _explanation(matches: Iterable[Match]) -> Result[tuple[str, TermShare]]:
    """What each term gave to each match."""

    def term(row: tuple[str, TermShare]) -> str:
        weight = row[1].term.weight
        return ("" if weight == 1 else f"{weight:g} × ") + row[1].term.value

    columns: list[Column[tuple[str, TermShare]]] = [
        Column("", itemgetter(0), title="rank", right=True, style="dim"),
        Column("", term, title="term"),
        Column("", lambda row: f"{row[1].score:.4f}", title="score", right=True),
        Column("", lambda row: f"{row[1].standard:+.2f}", title="standard", right=True),
        Column("", lambda row: f"{100 * row[1].share:.0f} %", title="share", right=True),
        Column("", lambda row: f"{row[1].rank:,}", title="alone", right=True),
        Column("", lambda row: f"{row[1].percentile:.1f}", title="percentile", right=True),
    ]
    rows = [
        ("" if number else str(match.rank), share)
        for match in matches
        for number, share in enumerate(match.shares)
    ]
    return Result(columns, rows)


def match_notes(match: Match) -> list[str]:
    """What else is to be said of a match: that it is what was shown, its companions, its near-twins."""
    same = [f"same {match.same}"] if match.same else []
    alike = [f"+{match.alike:,} alike"] if match.alike else []
    return [*same, *_companion_notes(match.also), *alike]


def _companion_notes(also: Iterable[str]) -> list[str]:
    return [f"+ {os.path.basename(path)}" for path in also]


class _GroupRow(NamedTuple):
    """A photo of the group with that number."""

    group: int
    kind: str
    path: str
    also: tuple[str, ...]
    member: Member


def duplicate_rows(groups: Iterable[Group]) -> Result[_GroupRow]:
    """Groups of duplicates, a row a photo: in each group the one to keep, then those that could go."""
    columns: tuple[Column[_GroupRow], ...] = (
        Column("group", title="group", right=True, style="dim"),
        Column("kind", title="kind"),
        Column("keep", attrgetter("member.keep"), title="keep", kind="mark"),
        Column("", _describe_size, title="size", right=True),
        Column("path", title="photo", kind="path"),
        Column("sha256", lambda row: (row.member.photo.sha256 or b"").hex()),
        _base64_column("path"),
        Column("linked", attrgetter("member.linked"), default=False),
        Column("distance", attrgetter("member.distance"), default=None),
        Column("score", attrgetter("member.score"), default=None),
        *_ALSO,
        Column("", lambda row: "  ".join(_duplicate_notes(row.member)), title="", style="dim"),
    )
    rows = (
        _GroupRow(number, group.kind, member.photo.path, member.photo.also, member)
        for number, group in enumerate(groups, start=1)
        for member in group.members
    )
    return Result(columns, rows)


def _describe_size(row: _GroupRow) -> str:
    photo = row.member.photo
    size = human_bytes(photo.size)
    facts = photo.metadata if photo.phash is not None else None
    return size if facts is None else f"{facts.width} × {facts.height}, {size}"


def _duplicate_notes(member: Member) -> Iterator[str]:
    yield from _companion_notes(member.photo.also)
    if member.linked:
        yield "the same file or photo"
    if member.distance is not None:
        yield f"{human_count(member.distance, 'bit')} apart"
    elif member.score is not None:
        yield f"score {member.score:.4f}"


def path_rows(paths: Iterable[str]) -> Result[str]:
    """Paths alone."""
    return Result((Column("path", str, kind="path"),), paths)


class _LabelRow(NamedTuple):
    image: str
    label: str | None
    rank: int
    score: float
    also: tuple[str, ...]


def classify_rows(classifications: Iterable[Classification]) -> Result[_LabelRow]:
    """A row for each label of each picture, the best first; the label is None for none of these."""
    columns: tuple[Column[_LabelRow], ...] = (
        Column("image", kind="path"),
        Column("label"),
        Column("rank"),
        Column("score"),
        _base64_column("image"),
        *_ALSO,
    )
    rows = (
        _LabelRow(one.image, label, rank, score, one.also)
        for one in classifications
        for rank, (label, score) in enumerate(one.labels, start=1)
    )
    return Result(columns, rows)


class _Pair(NamedTuple):
    a: str
    b: str
    score: float


def pair_rows(names: Sequence[str], scores: NDArray[np.float64]) -> Result[_Pair]:
    """Each picture with each that follows it; `scores` is their matrix, of shape (n, n)."""
    columns: tuple[Column[_Pair], ...] = (
        Column("a", kind="path"),
        Column("b", kind="path"),
        Column("score"),
        _base64_column("a"),
        _base64_column("b"),
    )
    rows = (
        _Pair(first, names[column], float(scores[row, column]))
        for row, first in enumerate(names)
        for column in range(row + 1, len(names))
    )
    return Result(columns, rows)


def matrix_rows(names: Sequence[str], scores: NDArray[np.float64]) -> Result[Sequence[Any]]:
    """Each picture against all, as they were named; `scores` is their matrix, of shape (n, n)."""
    columns: list[Column[Sequence[Any]]] = [Column("image", itemgetter(0), kind="path")]
    columns += [Column(path_text(name), itemgetter(place)) for place, name in enumerate(names, start=1)]
    return Result(columns, ([name, *row] for name, row in zip(names, scores.tolist(), strict=True)))


def skipped_rows(skipped: Iterable[tuple[str, str, str]]) -> Result[tuple[str, str, str]]:
    """Photos without a vector: path, reason and what to do about it."""
    columns: tuple[Column[tuple[str, str, str]], ...] = (
        Column("path", itemgetter(0), title="photo", kind="path"),
        Column("path_base64", lambda row: path_fields(row[0]).get("path_base64"), default=None, nested=True),
        Column("reason", itemgetter(1), title="reason"),
        Column("detail", itemgetter(2), title="what to do"),
    )
    return Result(columns, skipped)


def setting_rows(settings: Iterable[Any]) -> Result[Any]:
    """Settings, each with its name, what is shown as its value, and its source."""
    columns: tuple[Column[Any], ...] = (
        Column("name", title="setting"),
        Column("shown", title="value"),
        Column("source", title="from"),
    )
    return Result(columns, settings)


def fact_rows(facts: Iterable[tuple[str, str]]) -> Result[tuple[str, str]]:
    """One thing's facts, each with its label."""
    columns: tuple[Column[tuple[str, str]], ...] = (
        Column("", itemgetter(0), title="", style="dim"),
        Column("", itemgetter(1), title=""),
    )
    return Result(columns, facts)
