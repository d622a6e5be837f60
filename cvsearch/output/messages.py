"""What people read on stderr: errors, what was searched, a run's plan before it, one short block after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cvsearch.model import Event, Forecast, Report, ScanStats, Summary
from cvsearch.output.formats import json_line
from cvsearch.output.humanize import age_seconds, human_age, human_bytes, human_count, human_duration
from cvsearch.output.screen import printable

MOST_EXAMPLES = 3
F0_PER_MINUTE = 20
S1_PER_SECOND = 10
"""The rate a run begins at; a resource may allow twice as much."""


def error_text(message: str, hint: str | None) -> str:
    """An error's two lines, or one without a hint; control characters are escaped."""
    lines = f"error: {printable(message)}\n"
    return lines + f"hint: {printable(hint)}\n" if hint else lines


def error_json(code: int, message: str, hint: str | None) -> bytes:
    """An error as a line of JSON."""
    return json_line({"error": {"code": int(code), "message": message, "hint": hint}})


def searched_line(report: Report, now: datetime) -> str:
    """What a query looked at: ``searched 80,412 photos, indexed 2 h ago``."""
    line = f"searched {human_count(report.searched, 'photo')}"
    if report.indexed_at is not None:
        line += f", indexed {human_age(age_seconds(report.indexed_at, now))}"
    return line


@dataclass(slots=True)
class Skips:
    """Skipped photos by reason, with a few to look at."""

    by_reason: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[tuple[str, str]]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Counts one skipped photo."""
        reason = event.reason or "skipped"
        self.by_reason[reason] += 1
        examples = self.examples.setdefault(reason, [])
        if len(examples) < MOST_EXAMPLES:
            examples.append((event.path, event.detail or ""))


def plan_lines(photos: int, size: int, price: float, price_note: str, *, sends: bool) -> Iterator[str]:
    """What a run would cost at most, known from names and sizes alone."""
    yield f"to do: at most {human_count(photos, 'photo')}, {human_bytes(size)} to read"
    if sends:
        yield (
            f"calls: at most {photos:,}, about ${photos * price / 1000:,.2f}"
            f" (an estimate at ${price:.2f} per 1,000; {price_note})"
        )
        yield (
            f"time: about {human_duration(photos / S1_PER_SECOND)} on S1 at {S1_PER_SECOND} calls a second,"
            f" {human_duration(photos / F0_PER_MINUTE * 60)} on F0 at {F0_PER_MINUTE} a minute"
        )


def exact_plan_lines(plan: Forecast) -> Iterator[str]:
    """What a run would do, to the photo."""
    yield (
        f"plan: {plan.new:,} new, {plan.changed:,} changed, {plan.moved:,} moved or copied,"
        f" {plan.unchanged:,} unchanged, {plan.gone:,} gone, {plan.unsupported:,} unsupported"
    )
    if plan.send_bytes is not None:
        sent = human_bytes(plan.send_bytes)
        yield f"calls: {plan.new + plan.changed:,}, ≈ {sent} to send; nothing was sent"


def summary_lines(
    summary: Summary, skips: Skips, stats: ScanStats, *, sends: bool, unread: int = 0
) -> Iterator[str]:
    """The block after a run; `unread` names could not be looked at and may be photos or not."""
    beside = f" (and {human_count(summary.also, 'RAW file')} beside them)" if summary.also else ""
    unreadable = f" and {human_count(unread, 'unreadable name')}" if unread else ""
    yield (
        f"indexed {summary.indexed:,}, reused {summary.reused:,}, unchanged {summary.unchanged:,},"
        f" forgotten {summary.forgotten:,}, skipped {summary.skipped:,}"
        f" of {human_count(summary.found, 'photo')}{beside}{unreadable} in {human_duration(summary.seconds)}"
    )
    if sends:
        saved = summary.reused + summary.unchanged
        yield f"{human_count(summary.calls, 'call')}; {human_count(saved, 'photo')} already paid for"
    yield from skip_lines(skips)
    yield from passed_over_lines(stats)


def passed_over_lines(stats: ScanStats) -> Iterator[str]:
    """What a walk passed over, if it did."""
    passed = ", ".join(f"{kind} {number:,}" for kind, number in stats if number)
    if passed:
        yield f"passed over: {passed}"


def skip_lines(skips: Skips) -> Iterator[str]:
    """Skipped photos, grouped by reason, with examples and the way out: once if it is the same for all."""
    for reason, number in skips.by_reason.most_common():
        examples = skips.examples[reason]
        details = {detail for _, detail in examples if detail}
        shared = f" ({details.pop()})" if len(details) == 1 else ""
        yield f"skipped {number:,}: {reason}{shared}"
        for path, detail in examples:
            yield f"  {path}" + (f": {detail}" if detail and not shared else "")
        if number > MOST_EXAMPLES:
            yield f"  and {number - MOST_EXAMPLES:,} more: cvsearch status --skipped"


def missing_lines(
    missing: Sequence[str], lost: Sequence[str], kept: dict[str, int], moves: Mapping[str, str]
) -> Iterator[str]:
    """Roots that are not what they were, and how to say that this is meant.

    `moves` are the commands for roots that a copied index lost.
    """
    for path in missing:
        if path in moves:
            yield f"missing: the index was copied or moved, and its photos are not at {path}: {moves[path]}"
            continue
        yield f"missing: {path} is not there, empty or unreadable; its photos stay in the results"
    for path in lost:
        yield f"lost: {path} went away while it was read; run this again when it is back"
    for path, number in kept.items():
        yield f"vanished: {human_count(number, 'photo')} of {path}, so many that they stay in the results"
    if missing or kept:
        yield "moved? cvsearch move OLD NEW; meant to be gone? cvsearch index --forget-missing"
