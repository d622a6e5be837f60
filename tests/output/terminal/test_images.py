"""Pictures on a terminal: the terminal is asked, left as it was, and drawn on by the protocol it has."""

import array
import base64
import fcntl
import io
import os
import pty
import random
import re
import select
import signal
import struct
import subprocess
import termios
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import album
import pytest
from PIL import Image
from reports import AWKWARD, NOW, make_report, make_view
from running import COMMAND, MOST_SECONDS
from snapshot import check
from terminal import run_on_terminal

from cvsearch.model import Skip, Thumbnail
from cvsearch.output.rows import query_rows
from cvsearch.output.table import render_table
from cvsearch.output.terminal.images import (
    QUESTION,
    Canvas,
    find_protocol,
    is_answered,
    render_preview,
    render_thumbnail,
)

ATTRIBUTES = b"\x1b[?62;4;22c"
KITTY = b"\x1b_Gi=31;OK\x1b\\\x1bP>|kitty(0.36.4)\x1b\\" + ATTRIBUTES
ITERM2 = b"\x1bP>|iTerm2 3.5.10\x1b\\\x1b[ITERM2 3.5.10n" + ATTRIBUTES
XTERM = b"\x1bP>|XTerm(390)\x1b\\" + ATTRIBUTES
HOME = "/home/anna/Pictures"


# --- What an answer says ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [
        (KITTY, "kitty"),
        (b"\x1b_Gi=31;OK\x1b\\\x1b[?62c", "kitty"),
        (ITERM2, "iterm2"),
        (b"\x1b[ITERM2 3.4.1n\x1b[?1;2c", "iterm2"),
        (b"\x1bP>|WezTerm 20240203\x1b\\\x1b[?65;4c", "iterm2"),
        (b"\x1bP>|mintty 3.7\x1b\\\x1b[?64;4c", "iterm2"),
        (b"\x1b_Gi=31;ENOTSUPPORTED:no pictures\x1b\\\x1b[?62c", "blocks"),
        (XTERM, "blocks"),
        (b"", "blocks"),
        (b"typed by somebody: iTerm2", "blocks"),
    ],
)
def test_protocols(answer, protocol):
    assert find_protocol(answer) == protocol
    assert is_answered(answer) == (b"\x1b[?" in answer)


def test_an_answer_that_comes_in_pieces():
    assert [is_answered(KITTY[:end]) for end in range(len(KITTY) + 1)] == [False] * len(KITTY) + [True]


# --- How it is drawn --------------------------------------------------------------------------------


def striped(width, height):
    """RGB stripes."""
    colours = (b"\xff\x00\x00", b"\x00\xff\x00", b"\x80\x80\x80", b"\x12\x34\x56")
    return Thumbnail(
        b"".join(colours[(row + column // 2) % 4] for row in range(height) for column in range(width)),
        width,
        height,
        bytes(32),
    )


def draw(canvas, thumbnail, **view):
    report = make_report(AWKWARD[:3])
    view = make_view(cwd=HOME, terminal=True, width=80, **view)
    return b"".join(render_preview(report, view, canvas, map(thumbnail, AWKWARD[:3])))


def some_are_gone(picture):
    broken = Skip("damaged", "it cannot be decoded: \x1b[31m", lasting=True)
    return lambda path: broken if path == AWKWARD[1] else picture


@pytest.mark.parametrize(("name", "deep"), [("blocks", True), ("blocks-256", False)])
def test_snapshots_of_blocks(name, deep):
    canvas = Canvas("blocks", 40, 12, indent=6, deep=deep)
    check(f"preview-{name}.txt", draw(canvas, some_are_gone(striped(6, 5))))


@pytest.mark.parametrize("protocol", ["kitty", "iterm2"])
def test_snapshots_of_protocols(protocol):
    canvas = Canvas(protocol, 40, 12, indent=6)
    check(f"preview-{protocol}.txt", draw(canvas, some_are_gone(Thumbnail(b"PNG", 100, 55, bytes(32)))))


def test_the_table_is_the_same_as_without():
    view = make_view(cwd=HOME, terminal=True, width=80)
    shown = draw(Canvas("blocks", 4, 1), lambda _: striped(2, 2))
    lines = [line for line in shown.decode().splitlines() if line and "▀" not in line]
    assert (
        lines == b"".join(render_table(query_rows(make_report(AWKWARD[:3]), NOW), view)).decode().splitlines()
    )


@pytest.mark.parametrize("size", [0, 1, 3072, 3073, 10_000])
def test_kitty_takes_a_picture_in_pieces(size):
    data = random.Random(size).randbytes(size)
    shown = b"".join(render_thumbnail(Thumbnail(data, 200, 100, bytes(32)), Canvas("kitty", 40, 12)))
    parts = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown)
    assert base64.b64decode(b"".join(part for _, part in parts)) == data
    assert all(len(part) <= 4096 and b"q=2" in keys for keys, part in parts)
    more = [keys.rpartition(b"m=")[2] for keys, _ in parts]
    assert more == [b"1"] * (len(parts) - 1) + [b"0"] * bool(parts)


@pytest.mark.parametrize(
    ("pixel", "number"),
    [
        ((0, 0, 0), 16),
        ((2, 3, 2), 16),
        ((255, 255, 255), 231),
        ((8, 8, 8), 232),
        ((130, 128, 127), 244),
        ((238, 238, 238), 255),
        ((255, 0, 0), 196),
        ((30, 45, 80), 17),
        ((95, 135, 175), 67),
        ((90, 140, 180), 67),
    ],
)
def test_256_colours(pixel, number):
    (line,) = render_thumbnail(Thumbnail(bytes(pixel), 1, 1, b""), Canvas("blocks", 1, 1))
    assert line.decode() == f"\x1b[38;5;{number}m▀\x1b[0m\n"


# --- A terminal that plays along --------------------------------------------------------------------


@dataclass
class Played:
    """What a run wrote to the terminal, how it ended, and what was left in the terminal's input."""

    code: int | None = None
    out: bytes = b""
    left: bytes = b""
    asked: bool = False
    times: list[float] = field(default_factory=list)

    @property
    def shown(self):
        """What was written without the question."""
        return self.out.replace(b"\x1b7" + QUESTION + b"\x1b8\x1b[K", b"")


@contextmanager
def open_terminal(columns=100, rows=40, pixels=(1000, 800)):
    outer, inner = pty.openpty()
    size = struct.pack("HHHH", rows, columns, *pixels)
    fcntl.ioctl(inner, termios.TIOCSWINSZ, size)
    try:
        yield outer, inner
    finally:
        os.close(outer)
        os.close(inner)


def play(*argv, answer=b"", typed=b"", environ=None, on_question=None, command=None, **size):
    """Runs a command on a terminal that gives an answer when it is asked, a byte at a time."""
    played = Played()
    with open_terminal(**size) as (outer, inner):
        before = termios.tcgetattr(inner)
        os.write(outer, typed)
        unwanted = ("TMUX", "STY", "COLORTERM", "TERM_PROGRAM")
        names = {name: value for name, value in os.environ.items() if name not in unwanted}
        started = time.monotonic()
        with subprocess.Popen(
            command or [*COMMAND, *map(os.fspath, argv)],
            env={**names, **(environ or {})},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        ) as process:
            while process.poll() is None or select.select([outer], [], [], 0)[0]:
                assert time.monotonic() < started + MOST_SECONDS
                if select.select([outer], [], [], 0.02)[0]:
                    played.out += os.read(outer, 65536)
                if QUESTION in played.out and not played.asked:
                    played.asked = True
                    for byte in answer:
                        os.write(outer, bytes([byte]))
                    if on_question is not None:
                        on_question(process)
            played.code = process.returncode
        played.times.append(time.monotonic() - started)
        assert termios.tcgetattr(inner) == before
        waiting = array.array("i", [0])
        after = termios.tcgetattr(inner)
        after[3] &= ~termios.ICANON
        termios.tcsetattr(inner, termios.TCSANOW, after)
        fcntl.ioctl(inner, termios.FIONREAD, waiting)
        played.left = os.read(inner, waiting[0]) if waiting[0] else b""
    return played


def kitty_pictures(shown):
    """The PNG files that kitty is sent, with the cells they are to fill."""
    found, data = [], b""
    for keys, part in re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", shown):
        data += part
        if cells := re.search(rb"c=(\d+),r=(\d+)", keys):
            size = int(cells[1]), int(cells[2])
        if keys.endswith(b"m=0"):
            found.append((Image.open(io.BytesIO(base64.b64decode(data))), size))
            data = b""
    return found


@pytest.fixture
def large(cli, double, tmp_path, monkeypatch):
    """Three photos of a usual shape, indexed."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    sizes = ((1200, 800), (800, 1200), (3000, 400))
    paths = [
        album.write(tmp_path / "large" / f"{number}.jpg", album.jpeg(number, *size))
        for number, size in enumerate(sizes)
    ]
    assert cli("index", tmp_path / "large").code == 0
    cli("query", "red")
    return paths


def test_kitty(large):
    played = play("query", "red", "--preview", answer=KITTY)
    assert (played.code, played.left) == (0, b"")
    assert played.times[0] < 5
    pictures = kitty_pictures(played.shown)
    assert {(image.format, image.size, cells) for image, cells in pictures} == {
        ("PNG", (360, 240), (36, 12)),
        ("PNG", (160, 240), (16, 12)),
        ("PNG", (400, 53), (40, 3)),
    }
    assert "▀".encode() not in played.out


def test_iterm2(large):
    played = play("query", "red", "--preview", answer=ITERM2)
    assert (played.code, played.left) == (0, b"")
    asked = rb"\x1b\]1337;File=inline=1;size=(\d+);width=(\d+);height=(\d+)[^:]*:([^\x07]*)\x07"
    found = re.findall(asked, played.out)
    assert {(int(width), int(height)) for _, width, height, _ in found} == {(36, 12), (16, 12), (40, 3)}
    for size, _, _, data in found:
        file = base64.b64decode(data)
        assert len(file) == int(size)
        assert Image.open(io.BytesIO(file)).format == "JPEG"


@pytest.mark.parametrize("colorterm", ["truecolor", ""])
def test_blocks(large, colorterm):
    played = play("query", "red", "--preview", answer=XTERM, environ={"COLORTERM": colorterm})
    assert (played.code, played.left, played.asked) == (0, b"", True)
    assert (b"38;2;" in played.out, b"38;5;" in played.out) == (bool(colorterm), not colorterm)
    lines = re.sub(rb"\x1b\[[0-9;]*[mK]|\x1b[78]", b"", played.shown).decode().splitlines()
    drawn = [line for line in lines if "▀" in line]
    assert {len(line.strip()) for line in drawn} == {36, 16, 40}
    assert len(drawn) == 12 + 12 + 3
    assert all(line.startswith(" " * 6 + "▀") for line in drawn)


def test_a_terminal_that_says_nothing(large):
    played = play("query", "red", "--preview")
    assert (played.code, played.left, played.asked) == (0, b"", True)
    assert "▀".encode() in played.out
    assert 1 < played.times[0] < 8


def test_what_is_printed_of_the_question_is_erased(large):
    """A terminal that does not know it shows its letters: they stand between save and restore-and-erase."""
    played = play("query", "red", "--preview", answer=XTERM)
    assert played.out.count(b"\x1b7" + QUESTION + b"\x1b8\x1b[K") == 1


@pytest.mark.parametrize("typed", [b"ls -l\n", b"half a li"])
def test_what_was_typed_ahead_is_left_alone(large, typed):
    played = play("query", "red", "--preview", typed=typed, answer=KITTY)
    assert (played.code, played.asked, played.left) == (0, False, typed)
    assert "▀".encode() in played.out


@pytest.mark.parametrize(
    "environ",
    [{"TMUX": "/tmp/x,1,0"}, {"STY": "1.x"}, {"TERM": "screen"}, {"TERM_PROGRAM": "Apple_Terminal"}],
)
def test_who_is_not_asked(large, environ):
    played = play("query", "red", "--preview", environ=environ, answer=KITTY)
    assert (played.code, played.asked) == (0, False)
    assert "▀".encode() in played.out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_it_waits_for_the_answer(large, number, code):
    played = play("query", "red", "--preview", on_question=lambda process: process.send_signal(number))
    assert played.code == code


def test_a_process_in_the_background_does_not_ask(large):
    """It would be stopped for it."""
    script = f"set -m; {COMMAND[0]} query red --preview & wait $!"
    played = play(command=["setsid", "-c", "-w", "bash", "-c", script], answer=KITTY)
    assert (played.code, played.asked) == (0, False)
    assert "▀".encode() in played.out


def test_a_small_terminal(large):
    played = play("query", "red", "--preview", answer=KITTY, columns=30, rows=9, pixels=(300, 180))
    assert played.code == 0
    assert max(columns for _, (columns, _) in kitty_pictures(played.shown)) <= 30 - 6
    assert max(rows for _, (_, rows) in kitty_pictures(played.shown)) <= 7


def test_a_terminal_that_does_not_tell_its_pixels(large):
    played = play("query", "red", "--preview", answer=KITTY, pixels=(0, 0))
    assert {cells for _, cells in kitty_pictures(played.shown)} == {(36, 12), (16, 12), (40, 3)}


def test_a_photo_that_is_gone(large):
    os.unlink(large[0])
    played = play("query", "red", "--preview", answer=KITTY)
    assert played.code == 0
    assert len(kitty_pictures(played.shown)) == 2
    assert b"      no picture: vanished (it is not there any more)\r\n" in played.out


# --- Where there is no preview ----------------------------------------------------------------------


def test_a_pipe_gets_no_pictures(cli, large):
    plain = cli("query", "red")
    result = cli("query", "red", "--preview")
    assert (result.code, result.out) == (0, plain.out)
    assert result.err == "no preview: stdout is no terminal\n"
    assert cli("query", "red", "--preview", "-q").err == ""


@pytest.mark.parametrize(
    ("argv", "environ", "why"),
    [
        ((), {"NO_COLOR": "1"}, "colour is off (NO_COLOR, TERM=dumb or --color never)"),
        ((), {"TERM": "dumb"}, "colour is off (NO_COLOR, TERM=dumb or --color never)"),
        (("--json",), {}, "pictures go with the table alone"),
        ((), {"PYTHONIOENCODING": "ascii", "TMUX": "x"}, "this terminal's encoding is not UTF-8"),
    ],
)
def test_why_there_is_none(large, argv, environ, why):
    plain = run_on_terminal("query", "red", *argv, environ=environ)
    result = run_on_terminal("query", "red", "--preview", *argv, environ=environ)
    without_numbers = [re.sub(rb"id=\d+", b"", run.out) for run in (plain, result)]
    assert (result.code, without_numbers[1]) == (0, without_numbers[0])
    assert result.err.startswith(f"no preview: {why}\n")


def test_nothing_found_asks_nothing(large):
    played = play("query", "red", "--min-score", "0.99", "--preview", answer=KITTY)
    assert (played.code, played.asked) == (1, False)


# --- show -------------------------------------------------------------------------------------------


def test_show_draws_where_the_terminal_can(large):
    played = play("show", large[0], answer=KITTY)
    ((image, cells),) = kitty_pictures(played.shown)
    assert (image.size, cells) == ((600, 400), (60, 20))
    assert played.shown.index(b"\x1b_G") < played.shown.index(large[0].encode())
    assert play("show", *large, answer=KITTY).out.count(QUESTION) == 1


@pytest.mark.parametrize("argv", [("--no-preview",), ("--json",), ("--color", "never")])
def test_show_without_a_picture(large, argv):
    played = play("show", large[0], *argv, answer=KITTY)
    assert (played.code, played.asked) == (0, False)
    assert b"no preview" not in played.out
    assert b"\x1b" not in played.out or argv == ("--no-preview",)


def test_show_says_why_when_a_picture_was_wanted(cli, large):
    assert cli("show", large[0], "--preview").err == "no preview: stdout is no terminal\n"
    assert cli("show", large[0]).err == ""
