"""What a query asks: terms, how many, and where to look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from cvsearch.model import Term
from cvsearch.paths import contains
from cvsearch.ranking.filters import Filters


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What the user asked.  `top` None: all.  `among` None: every file; `under` empty: every folder.

    `strong` keeps what stands out, `collapse` folds near-twins and bursts, `explain` says what each
    term gave.  `count` asks for the numbers of files searched and not searched, which take a look at
    every file.
    """

    terms: Sequence[Term]
    metric: str = "cosine"
    top: int | None = 10
    min_score: float | None = None
    under: Sequence[str] = ()
    among: frozenset[str] | None = None
    wanted: Filters = field(default_factory=Filters)
    strong: bool = False
    collapse: bool = False
    explain: bool = False
    count: bool = False

    def admits(self, path: str) -> bool:
        """Whether a file lies where the user wants to look."""
        if self.among is not None and path not in self.among:
            return False
        return not self.under or any(contains(folder, path) for folder in self.under)
