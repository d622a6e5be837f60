"""Tables: what people see at 40, 80 and 200 columns."""

import re
from operator import itemgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports import AWKWARD, NOW, make_report, make_view
from rich.cells import cell_len
from snapshot import check

from cvsearch.output.formats import render_list
from cvsearch.output.rows import Column, Result, fact_rows, query_rows
from cvsearch.output.table import fit_path, fit_widths, make_bar, relative, render_table

HOME = "/home/anna/Pictures"
COLUMNS = (
    Column("", itemgetter(0), title="name"),
    Column("", itemgetter(1), title="value"),
    Column("", itemgetter(2), title="from", style="dim"),
    Column("", itemgetter(3), title="calls", right=True),
)
ROWS = [
    ("provider", "auto", "default", "1"),
    ("key", "****1234", "environment CVSEARCH_KEY", "12,345"),
    ("endpoint", "https://a-resource-with-a-long-name.cognitiveservices.azure.com", "file /home/c.toml", "7"),
]


def draw(report, **view) -> bytes:
    return b"".join(render_table(query_rows(report, NOW), make_view(cwd=HOME, terminal=True, **view)))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_snapshots(width):
    check(f"matches-{width}.txt", draw(make_report(), width=width))


def test_snapshot_in_color():
    shown = draw(make_report(), width=80, color=True)
    check("matches-80-color.txt", re.sub(rb"\x1b\]8;.*?\x1b\\", b"", shown))


def test_snapshot_without_unicode():
    check("matches-80-ascii.txt", draw(make_report(), width=80, encoding="ascii"))


def test_snapshot_of_distances():
    check("matches-80-distance.txt", draw(make_report(AWKWARD[:3], "euclidean", [1.5, 2, 3.25]), width=80))


def test_snapshot_of_a_list():
    check("list-80.txt", b"".join(render_list(Result(COLUMNS, ROWS), make_view(terminal=True, width=80))))


def test_a_list_in_a_pipe():
    rows = [*ROWS[:1], ("tab\tin", "\udcff", "", "")]
    assert b"".join(render_list(Result(COLUMNS, rows), make_view())) == (
        b'name\tvalue\tfrom\tcalls\nprovider\tauto\tdefault\t1\n"tab\tin"\t\xff\t\t\n'
    )


def test_pairs():
    pairs = [("photo", "/a [red].jpg"), ("taken", "2019")]
    assert b"".join(render_list(fact_rows(pairs), make_view())) == b"photo\t/a [red].jpg\ntaken\t2019\n"
    shown = b"".join(render_list(fact_rows(pairs), make_view(terminal=True, width=80)))
    assert shown == b"photo  /a [red].jpg\ntaken  2019\n"


def test_an_empty_list_is_its_header():
    columns = (Column("a", title="a"), Column("b", title="b"))
    assert b"".join(render_list(Result(columns, []), make_view(terminal=True, width=80))) == b"a  b\n"
    assert draw(make_report([]), width=80).split() == [b"rank", b"score", b"photo"]


def test_links_only_on_a_terminal_in_color():
    report = make_report(["/a/100% \udcff.jpg"])
    assert re.search(
        rb"\x1b\]8;[^;]*;file://[^/]*/a/100%25%20%FF.jpg\x1b\\", draw(report, width=80, color=True)
    )
    assert b"\x1b" not in draw(report, width=80)
    piped = b"".join(render_table(query_rows(report, NOW), make_view(color=True)))
    assert b"\x1b[" in piped
    assert b"\x1b]8" not in piped


def test_long_tables_keep_their_columns():
    count = 1201
    shown = draw(make_report([f"/p/{number}.jpg" for number in range(count)]), width=80).decode()
    rows = shown.splitlines()
    assert len(rows) == count + 1
    assert len({row.index("/p/") for row in rows[1:]}) == 1


def test_a_width_without_limit_cuts_nothing():
    path = "/" + "folder/" * 200 + "a.jpg"
    assert path.encode() in b"".join(render_table(query_rows(make_report([path]), NOW), make_view()))


@given(st.lists(st.text("ab日/", max_size=12), max_size=6).map("/".join), st.integers(1, 60))
def test_a_path_is_cut_in_its_folder_only(path, width):
    path = "/" + path
    name = path.rpartition("/")[2]
    shown = fit_path(path, width)
    assert shown.endswith(name)
    assert shown == path or "…" in shown
    assert cell_len(shown) <= max(width, cell_len("…/" + name))


@given(st.lists(st.integers(0, 300), min_size=1, max_size=6), st.integers(1, 200))
def test_widths_fit_if_they_can(natural, room):
    least = [min(width, 12) for width in natural]
    widths = fit_widths(natural, least, room)
    assert sum(widths) <= max(room, sum(least))
    assert all(low <= width <= high for low, width, high in zip(least, widths, natural, strict=True))
    assert fit_widths(natural, least, None) == natural


def test_scores_are_compared_with_the_best():
    assert relative([4, 2, 1, 0, -1]) == [1, 0.5, 0.25, 0, 0]
    assert relative([1, 2, 4], smallest_first=True) == [1, 0.5, 0.25]
    assert relative([-1, -2]) == [1, 0]
    assert relative([0.3, 0.3]) == [1, 1]
    assert relative([]) == []


@given(st.floats(0, 1), st.sampled_from(["utf-8", "ascii"]))
def test_a_bar_is_never_empty_and_never_too_long(part, encoding):
    bar = make_bar(part, make_view(encoding=encoding))
    assert 1 <= len(bar) <= 8
    bar.encode(encoding)
