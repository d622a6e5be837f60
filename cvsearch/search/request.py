"""What is asked: of a query, of labels for pictures, of duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cvsearch.errors import CvsearchError
from cvsearch.model import Term
from cvsearch.paths import Scope
from cvsearch.ranking.filters import Filters

PLAIN = "{}"
"""The template that leaves a label as it is."""

LARGEST, OLDEST = "largest", "oldest"


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """A query.  `top` None: all.

    `strong` keeps what stands out, `collapse` folds near-twins and bursts, `explain` says what each
    term gave.  `count` asks for the numbers of files searched and not searched, which take a look at
    every file.
    """

    terms: Sequence[Term]
    metric: str = "cosine"
    top: int | None = 10
    min_score: float | None = None
    scope: Scope = field(default_factory=Scope)
    filters: Filters = field(default_factory=Filters)
    strong: bool = False
    collapse: bool = False
    explain: bool = False
    count: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether one term leads to one thing, so that scores need no scale of their own."""
        return len(self.terms) == 1 and self.terms[0].weight > 0

    def check(self) -> None:
        """Before a call is paid for.  Raises `CvsearchError` for what does not go together."""
        if self.metric != "euclidean":
            return
        if not self.is_plain:
            raise CvsearchError(
                "--metric euclidean compares with one text or picture",
                hint="leave out --also, --not and --not-image",
            )
        if self.strong or self.explain:
            raise CvsearchError(
                "--strong and --explain are for cosines, not for distances", hint="leave one of them out"
            )
        if self.min_score is not None:
            raise CvsearchError(
                "--min-score is a cosine and does not go with distances", hint="leave one of them out"
            )


@dataclass(frozen=True, slots=True)
class ClassifyRequest:
    """Labels for pictures.  `top` None: every label that fits; without a limit every label fits."""

    labels: Sequence[str]
    templates: Sequence[str] = (PLAIN,)
    top: int | None = None
    min_score: float | None = None
    or_none: bool = False


@dataclass(frozen=True, slots=True)
class DuplicatesRequest:
    """Duplicates with a photo `under` the user's places, of the files `among`.

    `keep` is ``largest``, ``oldest`` or a folder's path; `least_cosine` is that of one scene, None:
    the usual one.
    """

    kinds: Sequence[str]
    keep: str
    least_cosine: float | None = None
    scope: Scope = field(default_factory=Scope)
