"""A report as lines for pipelines: paths, jsonl, json, csv, tsv."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cvsearch.model import Match, Report, Term, TermShare
from cvsearch.output.screen import View, printable

COLUMNS = ("rank", "score", "path", "sha256", "provider", "model", "same", "also", "alike")

_SHARE_COLUMNS = tuple(field.name for field in dataclasses.fields(TermShare) if field.name != "term")
_DECIMALS = 6


def render_paths(report: Report, view: View) -> Iterator[bytes]:
    """One path a line: raw bytes, but escaped on a terminal."""
    return (_path_bytes(match.path, view) + b"\n" for match in report.matches)


def render_paths0(report: Report, view: View) -> Iterator[bytes]:
    """Paths, each ended by NUL: the one form for every name."""
    return (_path_bytes(match.path, view) + b"\0" for match in report.matches)


def render_jsonl(report: Report, view: View) -> Iterator[bytes]:
    """One JSON object a match."""
    return (json_line(_match_fields(report, match)) for match in report.matches)


def render_json(report: Report, view: View) -> Iterator[bytes]:
    """One document: what was asked, of what, when, by which version, and each match on its own line."""
    index = path_fields(report.index) | {"indexed_at": report.indexed_at, "age_seconds": None}
    if report.indexed_at is not None:
        index["age_seconds"] = round(age_seconds(report.indexed_at, view.now))
    head = {
        "version": view.version,
        "time": view.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "terms": [_term_fields(report, term) for term in report.terms],
        "metric": report.metric,
        "filters": report.filters,
        "index": index,
        "space": dataclasses.asdict(report.space),
        "searched": report.searched,
        "not_searched": report.not_searched,
    }
    yield json_line(head).removesuffix(b"}\n") + b',"matches":['
    for number, match in enumerate(report.matches):
        yield (b",\n" if number else b"\n") + json_line(_match_fields(report, match)).rstrip(b"\n")
    yield b"\n]}\n" if report.matches else b"]}\n"


def render_csv(report: Report, view: View) -> Iterator[bytes]:
    """Comma-separated, quoted as RFC 4180 says, with raw path bytes and a header."""
    return _separated(report, view, ",")


def render_tsv(report: Report, view: View) -> Iterator[bytes]:
    """The same with tabs."""
    return _separated(report, view, "\t")


def json_line(fields: Mapping[str, object]) -> bytes:
    """One line of ASCII JSON, numbers with at most six decimals."""
    text = json.dumps(_rounded(fields), separators=(",", ":"), allow_nan=False)
    # The one control character that JSON leaves alone and a terminal does not.
    return text.replace("\x7f", "\\u007f").encode("ascii") + b"\n"


def path_fields(path: str, name: str = "path") -> dict[str, object]:
    """``path``, with a byte that is not UTF-8 as a lone surrogate, and then ``path_base64`` too.

    `name` is what to call it instead.
    """
    raw = os.fsencode(path)
    text = raw.decode("utf-8", "surrogateescape")
    fields: dict[str, object] = {name: text}
    if any("\udc80" <= character <= "\udcff" for character in text):
        fields[f"{name}_base64"] = base64.b64encode(raw).decode()
    return fields


def also_fields(also: Sequence[str]) -> dict[str, object]:
    """``also``, the files that are one photo with this one; nothing when there are none."""
    if not also:
        return {}
    entries = [path_fields(path) for path in also]
    fields: dict[str, object] = {"also": [entry["path"] for entry in entries]}
    if any("path_base64" in entry for entry in entries):
        fields["also_base64"] = [base64.b64encode(os.fsencode(path)).decode() for path in also]
    return fields


def separated_row(fields: Iterable[str], separator: str) -> bytes:
    """One row, quoted where RFC 4180 asks for it; bytes that are not UTF-8 stay as they are."""
    return (
        separator.join(_quoted(field, separator) for field in fields).encode("utf-8", "surrogateescape")
        + b"\n"
    )


def age_seconds(indexed_at: str, now: datetime) -> float:
    """How long ago an ISO 8601 time was, in seconds, never negative; without an offset it is UTC."""
    then = datetime.fromisoformat(indexed_at)
    return max(0.0, (now - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())


def _match_fields(report: Report, match: Match) -> dict[str, object]:
    fields = path_fields(match.path)
    return {
        "rank": match.rank,
        "score": float(match.score),
        "path": fields.pop("path"),
        "sha256": match.sha256.hex(),
        "provider": report.space.provider,
        "model": report.space.model,
        **({"same": match.same} if match.same else {}),
        **also_fields(match.also),
        **({"alike": match.alike} if match.alike else {}),
        **({"terms": [_share_fields(share) for share in match.shares]} if match.shares else {}),
        **fields,
    }


def _term_fields(report: Report, term: Term) -> dict[str, object]:
    fields = dataclasses.asdict(term)
    if term.kind == "image" and (sha256 := report.contents.get(term.value)):
        fields["sha256"] = sha256.hex()
        if lender := report.borrowed.get(term.value):
            fields["vector_of"] = lender.hex()
    return fields


def _share_fields(share: TermShare) -> dict[str, object]:
    fields = dataclasses.asdict(share)
    return {**fields.pop("term"), **fields}


def _separated(report: Report, view: View, separator: str) -> Iterator[bytes]:
    """`also` are names beside the photo, separated by ``/``; each term of an explained score has columns."""
    explained = report.terms if report.explain else ()
    numbered = [f"{name}_{number}" for number in range(1, len(explained) + 1) for name in _SHARE_COLUMNS]
    yield separated_row((*COLUMNS, *numbered), separator)
    for match in report.matches:
        yield separated_row((_as_field(value, view) for value in _cells(report, match)), separator)


def _cells(report: Report, match: Match) -> Iterator[str | float]:
    yield from (match.rank, float(match.score), match.path, match.sha256.hex())
    yield from (report.space.provider, report.space.model, match.same or "")
    yield "/".join(os.path.basename(path) for path in match.also)
    yield match.alike
    for share in match.shares:
        yield from (getattr(share, name) for name in _SHARE_COLUMNS)


def _as_field(value: str | float, view: View) -> str:
    if isinstance(value, str):
        text = os.fsencode(value).decode("utf-8", "surrogateescape")
        return printable(text) if view.terminal else text
    return str(value) if isinstance(value, int) else f"{_rounded(value):.{_DECIMALS}f}"


def _quoted(field: str, separator: str) -> str:
    if not any(character in field for character in (separator, '"', "\n", "\r")):
        return field
    return '"' + field.replace('"', '""') + '"'


def _path_bytes(path: str, view: View) -> bytes:
    if not view.terminal:
        return os.fsencode(path)
    return printable(path).encode(view.encoding, "backslashreplace")


def _rounded(value: Any) -> Any:
    """Floats with six decimals at most, wherever they are; never a negative zero."""
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
