"""What a run decides from names, sizes and times alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.indexer.changes import Action, Gone, Rules, decide, decide_forgetting
from cvsearch.model import PhotoFile, Skip

FILE = PhotoFile("/photos/a.jpg", 100, 5)
SKIP = Skip("damaged", "it cannot be decoded", lasting=True)
RULES = Rules(checksum=False, retry_skipped=False, extras="heif")


@dataclass(frozen=True)
class Known:
    row: int | None = None
    skip: Skip | None = None
    skip_extras: str | None = None
    same: bool = True

    def is_same(self, file: PhotoFile) -> bool:
        return self.same


INDEXED = Known(row=3)
SKIPPED = Known(skip=SKIP, skip_extras="heif")

rules = st.builds(Rules, st.booleans(), st.booleans(), st.sampled_from(["", "heif", "heif,raw"]))
knowns = st.builds(
    Known,
    st.none() | st.integers(0, 9),
    st.none() | st.just(SKIP),
    st.none() | st.sampled_from(["", "heif"]),
    st.booleans(),
)


@pytest.mark.parametrize(
    ("known", "changes", "action"),
    [
        (None, {}, Action.READ),
        (INDEXED, {}, Action.KEEP),
        (replace(INDEXED, same=False), {}, Action.READ),
        (INDEXED, {"checksum": True}, Action.READ),
        (INDEXED, {"retry_skipped": True}, Action.KEEP),
        (SKIPPED, {}, Action.STAY_SKIPPED),
        (SKIPPED, {"retry_skipped": True}, Action.READ),
        (SKIPPED, {"extras": "heif,raw"}, Action.READ),
        (replace(SKIPPED, same=False), {}, Action.READ),
        (Known(), {}, Action.READ),
    ],
)
def test_decide(known, changes, action):
    assert decide(FILE, known, replace(RULES, **changes)) is action


@given(knowns, rules)
def test_a_changed_file_is_always_read(known, rules):
    assert decide(FILE, replace(known, same=False), rules) is Action.READ


@given(knowns, rules)
def test_a_kept_file_has_a_vector_and_a_skipped_one_has_none(known, rules):
    action = decide(FILE, known, rules)
    assert (action is Action.KEEP) <= (known.row is not None)
    assert (action is Action.STAY_SKIPPED) <= (known.row is None and known.skip is not None)


@given(knowns, rules)
def test_asking_for_more_never_reads_less(known, rules):
    if decide(FILE, known, rules) is Action.READ:
        assert decide(FILE, known, replace(rules, checksum=True)) is Action.READ
        assert decide(FILE, known, replace(rules, retry_skipped=True)) is Action.READ


def make_gone(count: int, *, vanished: bool = True, first: int = 0) -> list[Gone]:
    numbers = range(first, first + count)
    return [Gone(number, f"/photos/{number}.jpg", 1000 + number, vanished) for number in numbers]


@pytest.mark.parametrize(
    ("vanished", "known", "stay"),
    [
        (0, 0, 0),
        (99, 99, 0),
        (100, 500, 0),
        (100, 499, 100),
        (101, 500, 101),
        (200, 1000, 0),
        (201, 1000, 201),
    ],
)
def test_threshold(vanished, known, stay):
    forget, keep = decide_forgetting(make_gone(vanished), known, (), forget_missing=False)
    assert (len(forget), len(keep)) == (vanished - stay, stay)


gone_files = st.lists(
    st.builds(Gone, st.integers(), st.just("/x"), st.none() | st.integers(0, 50), st.booleans()),
    max_size=300,
    unique_by=lambda file: file.id,
)


@given(gone_files, st.integers(0, 2000), st.sets(st.integers(0, 50)), st.booleans())
def test_each_file_is_forgotten_or_kept(gone, more, found, meant):
    forget, keep = decide_forgetting(gone, len(gone) + more, found, forget_missing=meant)
    assert sorted(file.id for file in [*forget, *keep]) == sorted(file.id for file in gone)
    assert all(file.vanished and file.content not in found for file in keep)
    assert not (meant and keep)
    assert not keep or (len(keep) >= 100 and len(keep) * 5 > len(gone) + more)


@given(st.integers(0, 400), st.integers(0, 400))
def test_excluded_files_are_forgotten_at_once_and_hide_nothing(excluded, vanished):
    gone = [*make_gone(excluded, vanished=False), *make_gone(vanished, first=1000)]
    forget, keep = decide_forgetting(gone, len(gone), (), forget_missing=False)
    assert {file.id for file in make_gone(excluded)} <= {file.id for file in forget}
    assert len(keep) in (0, vanished)


def test_moved_files_are_forgotten_by_their_old_names():
    gone = make_gone(150)
    found = [file.content for file in gone[:60]]
    assert decide_forgetting(gone, 150, found, forget_missing=False) == (gone, [])
