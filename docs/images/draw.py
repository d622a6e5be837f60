"""Draws the pictures of the README and of the guide: runs the real commands and keeps what they show.

Run by hand when what is shown has changed: ``python docs/images/draw.py`` draws them all in half a minute,
``python docs/images/draw.py query.svg`` only that one.  It needs what the tests need, and Chromium.
Each picture's commands stand in `TERMINALS` or in its function; then look at what came out.
"""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.text import Text

IMAGES = Path(__file__).parent
PROJECT = IMAGES.parent.parent
WIDTH = 84
TERMINALS = {
    "query.svg": ("index docs/photos", 'query "a cat" -n 3', 'query "a cup of coffee" -n 3'),
    "colours.svg": (
        "query --image photos/rocket.jpg -n 3",
        'classify photos/cat.jpg photos/rocket.jpg --label "a cat" --label "a dog" --label "a rocket"',
        "compare photos/cat.jpg photos/horse.jpg photos/rocket.jpg photos/astronaut.jpg",
    ),
}
"""What is typed in a terminal, one drawing each."""
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, &apos;DejaVu Sans Mono&apos;, monospace"


def run(arguments: str, folder: Path, width: int = WIDTH) -> str:
    """What one command shows on a terminal, live lines left out."""
    main, side = pty.openpty()
    environ = {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "PWD": str(folder),
        "PYTHONPATH": str(PROJECT),
        "COLUMNS": str(width),
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }
    command = [sys.executable, "-m", "cvsearch", *shlex.split(arguments)]
    process = subprocess.Popen(
        command, cwd=folder, stdin=side, stdout=side, stderr=side, env=environ, close_fds=True
    )
    os.close(side)
    shown = bytearray()
    try:
        while part := os.read(main, 65536):
            shown += part
    except OSError:  # a terminal whose last writer has gone says so
        pass
    process.wait()
    os.close(main)
    text = shown.decode().replace("\r\n", "\n")
    text = re.sub(r"\x1b(\]8;|_)[^\x1b]*\x1b\\", "", text)  # links, and questions to the terminal
    text = re.sub(r"(?m)^.*(\r|\x1b\[2K).*$\n?", _last, text)
    return re.sub(r"(?m)^.*━.*\n", "", text)


def _last(line: re.Match[str]) -> str:
    """What a line that was drawn over and over shows in the end."""
    rest = re.split(r"\r|\x1b\[2K|\x1b\[1A", line[0])[-1]
    return rest if rest.strip() else ""


def draw_terminal(commands: Sequence[str], folder: Path, name: str, width: int = WIDTH) -> str:
    """A terminal, as SVG, in which the commands have been typed.  It asks nothing of the network."""
    console = Console(
        record=True, width=width, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for number, arguments in enumerate(commands):
        console.print(Text("\n" * bool(number) + f"$ cvsearch {arguments}", style="bold"))
        console.print(Text.from_ansi(run(arguments, folder, width).rstrip("\n")))
    console.print()
    svg = console.export_svg(title="cvsearch", unique_id=f"terminal-{Path(name).stem}")
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", FONTS)
    # Blocks that stand side by side are to touch, whatever the font.
    return svg.replace("textLength=", 'lengthAdjust="spacingAndGlyphs" textLength=')


def make_folder(place: Path) -> Path:
    """A home with the photos that come with cvsearch, indexed, and nothing set up."""
    folder = place / "you"
    shutil.copytree(PROJECT / "docs" / "photos", folder / "photos", ignore=shutil.ignore_patterns("*.md"))
    run("index photos", folder)
    return folder


def draw_query(place: Path) -> None:
    """The README's picture: a clone, from nothing to a first query."""
    folder = place / "clone"
    shutil.copytree(PROJECT / "docs" / "photos", folder / "docs" / "photos")
    _write("query.svg", draw_terminal(TERMINALS["query.svg"], folder, "query.svg"))


def draw_colours(place: Path) -> None:
    """What colours and shades say."""
    folder = make_folder(place)
    _write("colours.svg", draw_terminal(TERMINALS["colours.svg"], folder, "colours.svg"))


def draw_preview(place: Path) -> None:
    """A photo in the terminal; as a drawing it would have a thousand little boxes, so it is a screenshot."""
    folder = make_folder(place)
    drawing = place / "preview.svg"
    commands = ('query "a cat" -n 1 --preview',)
    drawing.write_text(draw_terminal(commands, folder, "preview.svg", 60), encoding="utf-8")
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing.read_text(encoding="utf-8"))
    assert size is not None
    _photograph(drawing, place, "preview.png", (round(float(size[1])), round(float(size[2]))))


def draw_gallery(place: Path) -> None:
    """The page of `--html`, as a light and as a dark system shows it."""
    folder = make_folder(place)
    page = folder / "people.html"
    run(f'query --image photos/rocket.jpg --also "2:a person" -n 3 --html {page.name}', folder)
    page.write_bytes(page.read_bytes().replace(os.fsencode(folder), b"/home/you"))
    _photograph(page, place, "gallery-light.png", (860, 610))
    _photograph(page, place, "gallery-dark.png", (860, 610), dark=True)


def _photograph(page: Path, place: Path, name: str, size: tuple[int, int], *, dark: bool = False) -> None:
    """A screenshot of a page in a window of that size, for a light or a dark system."""
    sys.path.insert(0, str(PROJECT / "tests"))
    from browser import open_browser

    with open_browser(place / f"profile-{name}") as browser:
        browser.resize(*size, dark=dark)
        browser.open(page)
        shot = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    if page.suffix != ".svg":  # 256 colours are enough for a few photos, in a fifth of the bytes
        shot = shot.quantize()
    shot.save(IMAGES / name, optimize=True)


def _write(name: str, text: str) -> None:
    lines = (line.rstrip() for line in text.splitlines())
    (IMAGES / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


PICTURES: dict[str, Callable[[Path], None]] = {
    "query.svg": draw_query,
    "colours.svg": draw_colours,
    "preview.png": draw_preview,
    "gallery-light.png": draw_gallery,  # and the dark one
}


def main() -> None:
    """Draws what is named, or all."""
    for name in sys.argv[1:] or PICTURES:
        with tempfile.TemporaryDirectory() as place:
            PICTURES[name](Path(place))


if __name__ == "__main__":
    main()
