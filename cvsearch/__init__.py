"""cvsearch: search photos by words or by a sample picture.

In Python: ``with cvsearch.open_index() as index: index.search("red car")``; see `cvsearch.api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from cvsearch.api import Index as Index
    from cvsearch.api import Photo as Photo
    from cvsearch.api import open_index as open_index
    from cvsearch.errors import CvsearchError as CvsearchError
    from cvsearch.model import Match as Match
    from cvsearch.model import Space as Space
    from cvsearch.model import Summary as Summary
    from cvsearch.model import Term as Term
    from cvsearch.search.request import QueryRequest as QueryRequest

_HOMES = {
    "Index": "api",
    "Photo": "api",
    "open_index": "api",
    "CvsearchError": "errors",
    "QueryRequest": "search.request",
    "Match": "model",
    "Space": "model",
    "Summary": "model",
    "Term": "model",
}
"""What the package offers, and the modules it is loaded from when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'cvsearch' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"cvsearch.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
