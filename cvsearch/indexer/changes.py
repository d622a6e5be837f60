"""What a run is asked for, and what it would do with each file: decided from names, sizes and times alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from cvsearch.model import IndexedPhoto, PhotoFile, WalkOptions

MAY_VANISH = 100
"""So many photos may vanish from a root without a question …"""
MAY_VANISH_SHARE = 0.2
"""… and more, as long as they are no larger share of the root than this."""


class Action(Enum):
    """What to do with a file."""

    KEEP = "unchanged"
    STAY_SKIPPED = "skipped"
    READ = "read"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user asked for: read everything, look at skips again; and which extras are installed."""

    checksum: bool = False
    retry_skipped: bool = False
    extras: str = ""


@dataclass(frozen=True, slots=True)
class IndexRequest:
    """What the user asked for; `listed` and `options` are None when none were given."""

    paths: Sequence[str]
    rules: Rules
    listed: Sequence[str] | None = None
    options: WalkOptions | None = None
    forget_missing: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is about to do, at most: known from names, sizes and times.

    `size` counts bytes to read, `kinds` photos by the kind their names say; `sends` with `host`: the photos
    leave this machine; `first`: nothing of this index ever did.  `has_room` False: the disk may fill up.
    """

    photos: int
    size: int
    kinds: Counter[str | None]
    sends: bool
    host: str | None
    first: bool
    has_room: bool


def decide(file: PhotoFile, known: IndexedPhoto | None, rules: Rules) -> Action:
    """What a run does with a file that a walk found."""
    if known is None or rules.checksum or not known.is_same(file):
        return Action.READ
    if known.row is not None:
        return Action.KEEP
    if known.skip is not None and known.skip_extras == rules.extras and not rules.retry_skipped:
        return Action.STAY_SKIPPED
    return Action.READ


@dataclass(frozen=True, slots=True)
class Gone:
    """A known file that a walk did not find: `vanished` if its path is gone, else newly excluded."""

    id: int
    path: str
    content: int | None
    vanished: bool


def decide_forgetting(
    gone: Sequence[Gone], known: int, found_contents: Iterable[int], *, forget_missing: bool
) -> tuple[list[Gone], list[Gone]]:
    """Which gone files of one root to forget and which to keep, because too many vanished at once.

    A file whose content was found under another name has moved, not vanished.
    """
    found = set(found_contents)
    vanished = [file for file in gone if file.vanished and file.content not in found]
    suspicious = len(vanished) >= MAY_VANISH and len(vanished) > MAY_VANISH_SHARE * known
    if not suspicious or forget_missing:
        return list(gone), []
    stay = {file.id for file in vanished}
    return [file for file in gone if file.id not in stay], vanished
