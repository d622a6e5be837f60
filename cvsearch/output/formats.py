"""The formats a result can take, by the names that `--format` knows.  A new one is one function here."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from cvsearch.output.rows import Column, Result, also_fields, path_fields, path_text
from cvsearch.output.screen import View, encode, printable
from cvsearch.output.table import render_table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DECIMALS = 6


def render_paths(result: Result[Any], view: View, end: bytes = b"\n") -> Iterator[bytes]:
    """One path a line: raw bytes, but escaped on a terminal; ended by NUL, the one form for every name."""
    read = next(column.read for column in result.columns if column.kind == "path")
    for path in map(str, map(read, result.rows)):
        yield (encode(printable(path), view) if view.terminal else os.fsencode(path)) + end


def render_jsonl(result: Result[Any], view: View) -> Iterator[bytes]:
    """One JSON object a row."""
    columns = [(column, column.read) for column in result.columns if column.name and not column.flat]
    for row in result.rows:
        fields: dict[str, object] = {}
        value: Any
        for column, read in columns:
            if (value := read(row)) == column.default:
                continue
            if column.kind in ("path", "paths"):
                value = path_text(value) if column.kind == "path" else [*map(path_text, value)]
            fields[column.name] = value
        yield json_line(fields)


def render_json(result: Result[Any], view: View) -> Iterator[bytes]:
    """One document: what was asked, of what, when, by which version, and each row on its own line."""
    head = json_line({"version": view.version, **result.make_head()})
    yield head.removesuffix(b"}\n") + f',"{result.noun}":['.encode("ascii")
    number = -1
    for number, line in enumerate(render_jsonl(result, view)):
        yield (b",\n" if number else b"\n") + line.rstrip(b"\n")
    yield b"]}\n" if number < 0 else b"\n]}\n"


def render_csv(result: Result[Any], view: View, separator: str = ",") -> Iterator[bytes]:
    """Separated by commas or tabs, quoted as RFC 4180 says, with raw path bytes and a header."""
    columns = [column for column in result.columns if column.name and not column.nested]
    names = [column.name for column in columns]
    yield _separated(map(printable, names) if view.terminal else names, separator)
    cells = [(column, column.read) for column in columns]
    for row in result.rows:
        texts = [_flat(column, read(row)) for column, read in cells]
        yield _separated(map(printable, texts) if view.terminal else texts, separator)


FORMATS: dict[str, Callable[[Result[Any], View], Iterator[bytes]]] = {
    "table": render_table,
    "paths": render_paths,
    "paths0": partial(render_paths, end=b"\0"),
    "jsonl": render_jsonl,
    "json": render_json,
    "csv": render_csv,
    "tsv": partial(render_csv, separator="\t"),
}


def render_list(result: Result[Any], view: View) -> Iterator[bytes]:
    """What people ask for most: a table on a terminal, elsewhere the same columns separated by tabs."""
    if view.terminal:
        yield from render_table(result, view)
        return
    columns = [column for column in result.columns if column.title is not None]
    if any(column.title for column in columns):
        yield _separated((column.title or "" for column in columns), "\t")
    for row in result.rows:
        shown = ((column, column.describe(column.read(row))) for column in columns)
        yield _separated((path_text(text) if column.kind == "path" else text for column, text in shown), "\t")


def json_line(fields: Mapping[str, object]) -> bytes:
    """One line of ASCII JSON, numbers with at most six decimals."""
    text = json.dumps(_rounded(fields), separators=(",", ":"), allow_nan=False)
    # The one control character that JSON leaves alone and a terminal does not.
    return text.replace("\x7f", "\\u007f").encode("ascii") + b"\n"


def vector_line(
    path: str, also: Sequence[str], facts: Mapping[str, object], vector: NDArray[np.float32]
) -> bytes:
    """A photo with its vector as received (float32, shape (d,)), as a line of JSON.

    Nine significant digits, not the six decimals of scores, so that every float32 can be had back.
    """
    head = json_line({**path_fields(path), **also_fields(also), **facts}).removesuffix(b"}\n")
    numbers = ",".join(["%.9g"] * len(vector)) % tuple(vector.tolist())
    return head + b',"vector":[' + numbers.encode("ascii") + b"]}\n"


def _flat(column: Column[Any], value: Any) -> str:
    """A value as one text; companions are names beside the photo, separated by ``/``."""
    if column.kind == "path":
        return path_text(value)
    if column.kind == "paths":
        return path_text("/".join(os.path.basename(path) for path in value))
    if isinstance(value, float):
        return f"{_rounded(value):.{_DECIMALS}f}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _separated(fields: Iterable[str], separator: str) -> bytes:
    """One row, quoted where RFC 4180 asks for it; bytes that are not UTF-8 stay as they are."""
    special = {separator, '"', "\n", "\r"}
    quoted = (
        field if special.isdisjoint(field) else '"' + field.replace('"', '""') + '"' for field in fields
    )
    return separator.join(quoted).encode("utf-8", "surrogateescape") + b"\n"


def _rounded(value: Any) -> Any:
    """Floats with six decimals at most, wherever they are; never a negative zero."""
    if isinstance(value, float):
        return round(value, _DECIMALS) + 0.0
    if isinstance(value, Mapping):
        return {key: _rounded(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(entry) for entry in value]
    return value
