"""The frame of a self-contained HTML page: everything inside, nothing fetched, light and dark.

A strict content security policy says so to the browser too: no request can leave the page.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os

from cvsearch.output.screen import printable


def read_part(name: str) -> str:
    """A file of this folder that is a part of pages: a style, a script, markup; all of it ASCII."""
    with open(os.path.join(os.path.dirname(__file__), name), encoding="ascii") as file:
        return file.read()


def make_page(title: str, body: str, *, style: str = "", script: str = "", footer: str = "") -> bytes:
    """The page; `body`, `style` and `script` (ASCII) are markup, `title` and `footer` are text.

    Of scripts the browser runs this one alone: the policy has its hash.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode("ascii")).digest()).decode("ascii")
        policy += f"; script-src 'sha256-{digest}'"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<link rel="icon" href="data:,">',
        f"<title>{text(title)}</title>",
        "<style>\n" + "\n".join(filter(None, [read_part("page.css"), style])) + "</style>",
        f"</head>\n<body>\n<h1>{text(title)}</h1>",
        body,
        f"<footer>{text(footer)}</footer>" if footer else "",
        f"<script>{script}</script>" if script else "",
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part).encode("ascii", "xmlcharrefreplace")


def text(value: str) -> str:
    """Any text or file name as markup: control characters visible, nothing that HTML would obey."""
    return html.escape(printable(value))


def picture(jpeg: bytes, alternative: str, size: tuple[int, int] | None = None) -> str:
    """A JPEG file as an image inside the page; `alternative` is text, `size` its width and height."""
    data = base64.b64encode(jpeg).decode("ascii")
    sized = "" if size is None else f' width="{size[0]}" height="{size[1]}"'
    return f'<img src="data:image/jpeg;base64,{data}"{sized} alt="{text(alternative)}">'
