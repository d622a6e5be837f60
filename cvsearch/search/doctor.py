"""What `doctor` looks at: settings, service, index and extras, each with what is wrong and what to do."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator

from cvsearch.config.settings import Settings
from cvsearch.embedding.lookup import open_counted
from cvsearch.errors import CvsearchError, Interrupted
from cvsearch.model import Check, Space
from cvsearch.photos.read import extras
from cvsearch.providers.base import Provider
from cvsearch.providers.registry import choose_checked_space, provider_of
from cvsearch.store.local.check import find_faults
from cvsearch.store.local.embedding_cache import open_embedding_cache
from cvsearch.store.local.library import has_index, open_library

_RESTORE = "restore the index from a copy, or remove it and index again"


def run_checks(settings: Settings, folder: str) -> Iterator[Check]:
    """Each check as it was made, of the settings and the index in `folder`."""
    yield _make_check("settings", lambda: _check_settings(settings))
    space = choose_checked_space(settings, _spaces(folder))
    provider = provider_of(space)
    if provider.sends:
        endpoint = _make_check("endpoint", lambda: provider.describe_endpoint(settings))
        yield endpoint
    if not provider.sends or not endpoint.code:  # else it would fail for the same reason
        yield _make_check(provider.check_name, lambda: _check_answer(settings, folder, provider, space))
    yield _make_check("index", lambda: _check_index(folder))
    yield _make_check("extras", _check_extras)


def _make_check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, look())
    except Interrupted:
        raise
    except CvsearchError as error:
        return Check(name, error.message, error.hint, error.code)


def _spaces(folder: str) -> list[Space]:
    """The index's spaces that have vectors; none of an unreadable index, which has a line of its own."""
    if not has_index(folder):
        return []
    try:
        with open_library(folder) as library:
            return [space for space, _ in library.covered()]
    except (CvsearchError, sqlite3.Error):
        return []


def _check_settings(settings: Settings) -> str:
    if settings.warnings:
        raise CvsearchError(settings.warnings[0], hint="see cvsearch config")
    set_by_user = sum(setting.own for setting in settings.found.values())
    return f"{set_by_user} of {len(settings.found)} set; see cvsearch config"


def _check_answer(settings: Settings, folder: str, provider: Provider, space: Space) -> str:
    """Has one text embedded, as any provider can; the call is counted as ever."""
    started = time.monotonic()
    cache = open_embedding_cache(folder if has_index(folder) else None)
    with open_counted(settings, space, cache) as embedder:
        embedder.embed_text("a photo")
    return provider.describe_answer(settings, space, time.monotonic() - started)


def _check_index(folder: str) -> str:
    if not has_index(folder):
        return f"none yet; it would be made at {folder}"
    try:
        with open_library(folder) as library:
            faults = list(find_faults(library))
            if faults:
                more = f" (and {len(faults) - 1} more)" if faults[1:] else ""
                raise CvsearchError(f"{folder}: {faults[0]}{more}", hint=_RESTORE)
            photos = library.count_photos()
    except sqlite3.Error as error:
        raise CvsearchError(f"{folder}: the catalogue is damaged: {error}", hint=_RESTORE) from error
    return f"{folder}: {photos:,} photo{'' if photos == 1 else 's'}, all files whole"


def _check_extras() -> str:
    there = extras()
    return ", ".join(
        f"{what}: " + ("yes" if extra in there else f"no (pip install 'cvsearch[{extra}]')")
        for extra, what in (("heif", "HEIC"), ("raw", "RAW"))
    )
