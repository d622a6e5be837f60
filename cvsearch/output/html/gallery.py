"""A query's answer as one HTML page: thumbnails inside, moved through by keyboard, readable on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote_from_bytes, urlsplit

from cvsearch.model import Match, Report, Skip, Term, Thumbnail
from cvsearch.output.html.page import make_page, picture, read_part, text
from cvsearch.output.humanize import human_count
from cvsearch.output.rows import match_notes
from cvsearch.output.screen import View
from cvsearch.output.table import relative
from cvsearch.paths import is_address

MOST = 1000
"""The most matches on a page: more, with their pictures inside, and browsers suffer."""

Pictures = Mapping[str, Thumbnail | Skip]


def render_gallery(report: Report, pictures: Pictures, samples: Pictures, view: View) -> bytes:
    """The page with the best `MOST` matches.

    `pictures` has, by path, a small JPEG file of each of them or why there is none; `samples` those of
    the pictures that were asked with, by the values of their terms.
    """
    shown = report.matches[:MOST]
    # The folder that all matches lie in, if that says anything.
    folders = {os.path.dirname(match.path) for match in shown}
    base = os.path.commonpath(folders).rstrip("/") if folders else ""
    parts = relative([match.score for match in shown], report.metric == "euclidean")
    cards = [
        _card(match, part, pictures[match.path], base, report.metric)
        for match, part in zip(shown, parts, strict=True)
    ]
    body = "\n".join(
        [
            "<header>",
            *_samples(report.terms, samples),
            *(f"<p>{text(note)}</p>" for note in _notes(report, base)),
            "</header>",
            f'<main><ol class="gallery">\n{"".join(cards)}</ol></main>' if cards else "",
            read_part("keys.html").rstrip("\n"),
        ]
    )
    footer = f"cvsearch {view.version} · {report.space} · {view.now.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    style, script = read_part("gallery.css"), read_part("gallery.js")
    return make_page(describe_terms(report.terms), body, style=style, script=script, footer=footer)


def describe_terms(terms: Sequence[Term]) -> str:
    """What was asked, in one line: ``red car, and 2 × snow, not people``."""
    words: list[str] = []
    for term in terms:
        joint = "not " if term.weight < 0 else "and " if words else ""
        weight = abs(term.weight)
        words.append(joint + ("" if weight == 1 else f"{weight:g} × ") + _describe(term))
    return ", ".join(words)


def _describe(term: Term) -> str:
    if term.kind == "text":
        return term.value
    if term.value == "-":
        return "a picture"
    if not is_address(term.value):
        return f"like {os.path.basename(term.value)}"
    try:
        address = urlsplit(term.value)
    except ValueError:
        return "a picture"
    # What stands behind the path, or before the host, may be a secret: it is not for a page to keep.
    return f"like {address.scheme}://{address.hostname or ''}{address.path}"


def _notes(report: Report, base: str) -> Iterator[str]:
    found = len(report.matches)
    order = "nearest first" if report.metric == "euclidean" else "best first"
    searched = f"searched {human_count(report.searched, 'photo')}"
    if report.indexed_at is not None:
        # A page is read later: "2 h ago" would be wrong by then.
        then = datetime.fromisoformat(report.indexed_at)
        then = then.astimezone(UTC) if then.tzinfo else then
        searched += f", indexed {then:%Y-%m-%d %H:%M} UTC"
    yield f"{human_count(found, 'photo')}, {order} · {searched}" if found else f"nothing found · {searched}"
    if found > MOST:
        yield f"the first {MOST:,} are on this page"
    if filters := ", ".join(_filters(report.filters)):
        yield f"limits: {filters}"
    if report.not_searched:
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in report.not_searched.items())
        yield f"not searched: {reasons}"
    if base:
        yield f"in {base}"


def _filters(filters: Mapping[str, object]) -> Iterator[str]:
    """Each limit in words, whatever limits there are."""
    for name, value in filters.items():
        if (name, value) == ("strong", None):
            yield "strong (nothing can stand out)"
        if value is None or (name, value) == ("top", "all"):
            continue
        label = name.replace("_", " ")
        values = value if isinstance(value, list | tuple) else [value]
        plain = ", ".join(f"{one:.6g}" if isinstance(one, float) else str(one) for one in values)
        yield label if value is True else f"{label} {plain}"


def _samples(terms: Sequence[Term], samples: Pictures) -> Iterator[str]:
    """The pictures that were asked with, where they are at hand."""
    for term in terms:
        sample = samples.get(term.value) if term.kind == "image" else None
        if isinstance(sample, Thumbnail):
            image = picture(sample.data, describe_terms([term]), (sample.width, sample.height))
            yield f'<span class="sample{" away" if term.weight < 0 else ""}">{image}</span>'


def _card(match: Match, part: float, small: Thumbnail | Skip, base: str, metric: str) -> str:
    folder, name = os.path.split(match.path)
    folder = folder[len(base) :].lstrip("/") if base else folder
    label = "distance" if metric == "euclidean" else "score"
    changed = isinstance(small, Thumbnail) and small.sha256 != match.sha256
    notes = [*match_notes(match), *(["changed since it was indexed"] if changed else [])]
    marks = "".join(f"<li>{text(note)}</li>" for note in notes)
    shares = "".join(
        f"<li>{text(describe_terms([share.term]))}: {share.score:.4f}, share {100 * share.share:.0f} %,"
        f" alone {share.rank:,}, percentile {share.percentile:.1f}</li>"
        for share in match.shares
    )
    return (
        f'<li class="card">{_photo(match, small, f"{match.rank}: {name}, {label} {match.score:.4f}")}'
        f'<p class="score"><span class="rank">{match.rank}</span>'
        f'<span class="bar" style="--p:{round(100 * part)}"></span>'
        f'<span title="{label}">{match.score:.4f}</span></p>'
        f'<p class="name" title="{text(match.path)}">{text(name)}</p>'
        + (f'<p class="folder">{text(folder)}</p>' if folder else "")
        + (f'<ul class="marks">{marks}</ul>' if marks else "")
        # What each term gave, folded away.
        + (f"<details><summary>each term</summary><ul>{shares}</ul></details>" if shares else "")
        + "</li>\n"
    )


def _photo(match: Match, small: Thumbnail | Skip, label: str) -> str:
    """The thumbnail, or why there is none, as a link to the file; no link when there is no file."""
    if isinstance(small, Thumbnail):
        inside = picture(small.data, label, (small.width, small.height))
    else:
        why = f"{small.reason}: {small.detail}" if small.detail else small.reason
        inside = f'<span class="none"><b>no picture</b>{text(why)}</span>'
        label = f"{label}, no picture, {why}"
        if small.reason == "vanished":
            return f'<span class="photo" tabindex="0" role="img" aria-label="{text(label)}">{inside}</span>'
    address = "file://" + quote_from_bytes(os.fsencode(match.path))
    return f'<a class="photo" href="{text(address)}" aria-label="{text(label)}">{inside}</a>'
