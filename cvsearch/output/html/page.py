"""The frame of a self-contained HTML page: everything inside, nothing fetched, light and dark.

A strict content security policy says so to the browser too: no request can leave the page.
"""

from __future__ import annotations

import base64
import hashlib
import html

from cvsearch.output.screen import printable

_STYLE = """
:root{color-scheme:light dark;--back:#fff;--front:#1b1f24;--soft:#59636e;--line:#d1d9e0;--panel:#f6f8fa;
--high:#0a6b33;--on-high:#fff;--accent:#0a6b33}
@media(prefers-color-scheme:dark){:root{--back:#0d1117;--front:#e6edf3;--soft:#9198a1;--line:#30363d;
--panel:#161b22;--high:#1a7f43;--on-high:#fff;--accent:#3fd07a}}
*{box-sizing:border-box}
body{margin:0;padding:1.25rem;background:var(--back);color:var(--front);
font:16px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.25rem;margin:0 0 .25rem;overflow-wrap:anywhere;white-space:pre-wrap}
p{margin:.25rem 0;color:var(--soft);overflow-wrap:anywhere;white-space:pre-wrap}
a{color:var(--accent)}
footer{margin-top:1.5rem;font-size:.8rem;color:var(--soft)}
@media(max-width:40rem){body{padding:.75rem;font-size:15px}}
"""


def make_page(title: str, body: str, *, style: str = "", script: str = "", footer: str = "") -> bytes:
    """The page; `body`, `style` and `script` (ASCII) are markup, `title` and `footer` are text.

    Of scripts the browser runs this one alone: the policy has its hash.
    """
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    if script:
        policy += f"; script-src '{_digest(script)}'"
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        '<meta name="referrer" content="no-referrer">',
        '<link rel="icon" href="data:,">',
        f"<title>{text(title)}</title>",
        f"<style>{_STYLE}{style}</style>",
        f"</head>\n<body>\n<h1>{text(title)}</h1>",
        body,
        f"<footer>{text(footer)}</footer>" if footer else "",
        f"<script>{script}</script>" if script else "",
        "</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part).encode("ascii", "xmlcharrefreplace")


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode("ascii")).digest()).decode("ascii")


def text(value: str) -> str:
    """Any text or file name as markup: control characters visible, nothing that HTML would obey."""
    return html.escape(printable(value))


def picture(jpeg: bytes, alternative: str, size: tuple[int, int] | None = None) -> str:
    """A JPEG file as an image inside the page; `alternative` is text, `size` its width and height."""
    data = base64.b64encode(jpeg).decode("ascii")
    sized = "" if size is None else f' width="{size[0]}" height="{size[1]}"'
    return f'<img src="data:image/jpeg;base64,{data}"{sized} alt="{text(alternative)}">'
