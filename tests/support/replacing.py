"""Putting something in the place of a function wherever the package has its name."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from typing import Any

import cvsearch


def replace_everywhere(monkeypatch: Any, function: Any, stand_in: Any) -> None:
    """In every module of the package, as each binds the names that it imports."""
    for module in pkgutil.walk_packages(cvsearch.__path__, "cvsearch."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    places = [
        (module, name)
        for path, module in list(sys.modules.items())
        if path.startswith("cvsearch.")
        for name, value in list(vars(module).items())
        if value is function
    ]
    assert places
    for module, name in places:
        monkeypatch.setattr(module, name, stand_in)
