"""`cvsearch doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import add_command
from cvsearch.errors import CvsearchError, ExitCode, Interrupted

if TYPE_CHECKING:
    from cvsearch.model import Space
    from cvsearch.store.local.library import Store

_RESTORE = "restore the index from a copy, or remove it and index again"

Check = tuple[str, Callable[[Session], str]]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "doctor",
        doctor,
        "Check the settings, the service (one text call), the index and the extras.",
        ("cvsearch doctor", "cvsearch doctor --offline"),
    )


def doctor(
    session: Session,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a check.")] = False,
) -> int:
    """Check settings, service, index and extras; every failing line has its fix.

    With Azure it makes one text call. Ends with 0 when all is well, else with the code of the first
    failing line.
    """
    from cvsearch.output.formats import json_line

    codes: dict[str, ExitCode] = {}
    for name, check in _checks(session):
        if name == "service" and codes.get("endpoint"):
            continue  # it would fail for the same reason
        try:
            detail, hint, code = check(session), None, ExitCode.DONE
        except Interrupted:
            raise
        except CvsearchError as error:
            detail, hint, code = error.message, error.hint, error.code
        codes[name] = code
        if as_json:
            fields = {"check": name, "ok": not code, "detail": detail, "hint": hint}
            session.write([json_line(fields)])
        else:
            session.write(_lines(name, detail, hint, ok=not code))
    return next((code for code in codes.values() if code), ExitCode.DONE)


def _lines(name: str, detail: str, hint: str | None, *, ok: bool) -> Iterator[bytes]:
    from cvsearch.output.screen import printable

    yield f"{'ok  ' if ok else 'FAIL'}  {name}: {printable(detail)}\n".encode()
    if hint:
        yield f"      fix: {printable(hint)}\n".encode()


def _checks(session: Session) -> Iterator[Check]:
    yield "settings", _check_settings
    try:
        provider = _provider(session)
    except CvsearchError:
        return  # settings that cannot be read, which was told
    if provider == "azure":
        yield "endpoint", _check_endpoint
        yield "service", _check_service
    elif provider == "local":
        yield "model", _check_local
    else:
        yield "service", _check_any
    yield "index", _check_index
    yield "extras", _check_extras


def _provider(session: Session) -> str:
    """Who is checked: the provider that is named, else Azure if anything hints at it, else the index's."""
    settings = session.settings
    if settings.provider != "auto":
        return settings.provider
    providers = {space.provider for space, _ in _covered(session)}
    if "azure" in providers or settings.names_azure:
        return "azure"
    return min(providers - {"local"}, default="local")


def _covered(session: Session) -> list[tuple[Space, int]]:
    """The index's spaces with the files of each; none of an unreadable index, which has a line of its own."""
    import sqlite3

    from cvsearch.indexer.workshop import covered_spaces
    from cvsearch.store.local.library import has_index, open_store
    from cvsearch.wiring import find_index_folder

    folder = find_index_folder(session.settings, session.cwd)
    if not has_index(folder):
        return []
    try:
        with open_store(folder) as store:
            return covered_spaces(store)
    except (CvsearchError, sqlite3.Error):
        return []


def _check_settings(session: Session) -> str:
    settings = session.settings
    if settings.warnings:
        raise CvsearchError(settings.warnings[0], hint="see cvsearch config")
    set_by_user = sum(setting.own for setting in settings.found.values())
    return f"{set_by_user} of {len(settings.found)} set; see cvsearch config"


def _check_endpoint(session: Session) -> str:
    from cvsearch.providers.azure.endpoint import read_endpoint

    azure = session.settings.azure()
    endpoint = read_endpoint(azure.endpoint)
    region = " (a regional endpoint: keys only)" if endpoint.regional else ""
    return f"{endpoint.base}{region}, signing in by {azure.auth}"


def _check_service(session: Session) -> str:
    space = _azure_space(session)
    seconds = _time_text(session, space)
    return (
        f"signed in and answered in {seconds:.2f} s: api-version {session.settings.api_version},"
        f" model-version {space.model}, {space.dimension} numbers"
    )


def _check_any(session: Session) -> str:
    """What any provider can do: embed one text."""
    from cvsearch.wiring import choose_space

    space = choose_space(session.settings, _covered(session), sign_in=True).space
    return f"{space} answered in {_time_text(session, space):.2f} s, {space.dimension} numbers"


def _time_text(session: Session, space: Space) -> float:
    """How many seconds a space's provider takes for one text."""
    import time

    from cvsearch.store.local.library import has_index
    from cvsearch.wiring import counting, embedding_cache, find_index_folder, open_embedder

    started = time.monotonic()
    folder = find_index_folder(session.settings, session.cwd)
    cache = embedding_cache(folder if has_index(folder) else None)
    opened = open_embedder(session.settings, space, session.log_request)
    with counting(opened, session.settings, cache) as embedder:
        embedder.embed_text("a photo")
    return time.monotonic() - started


def _azure_space(session: Session) -> Space:
    from cvsearch.model import Space
    from cvsearch.wiring import AZURE_DIMENSION

    for space, _ in _covered(session):
        if space.provider == "azure":
            return space
    settings = session.settings
    return Space("azure", settings.model_version, f"jpeg-{settings.max_edge}", AZURE_DIMENSION)


def _check_local(session: Session) -> str:
    from cvsearch.providers.local import DESCRIPTION, SPACE
    from cvsearch.wiring import open_embedder

    with open_embedder(session.settings, SPACE) as embedder:
        embedder.embed_text("a cat")
    return DESCRIPTION


def _check_index(session: Session) -> str:
    import sqlite3

    from cvsearch.output.humanize import human_count
    from cvsearch.store.local.library import has_index, open_store
    from cvsearch.wiring import find_index_folder

    folder = find_index_folder(session.settings, session.cwd)
    if not has_index(folder):
        return f"none yet; it would be made at {folder}"
    try:
        with open_store(folder) as store:
            _check_health(store)
            return f"{folder}: {human_count(store.files.count(), 'photo')}, all files whole"
    except sqlite3.Error as error:
        raise CvsearchError(f"{folder}: the catalogue is damaged: {error}", hint=_RESTORE) from error


def _check_health(store: Store) -> None:
    from cvsearch.store.local.check import find_faults

    faults = list(find_faults(store))
    if faults:
        raise CvsearchError(
            f"{store.folder}: {faults[0]}" + (f" (and {len(faults) - 1} more)" if faults[1:] else ""),
            hint=_RESTORE,
        )


def _check_extras(session: Session) -> str:
    from cvsearch.photos.read import extras

    there = extras()
    return ", ".join(
        f"{what}: " + ("yes" if extra in there else f"no (pip install 'cvsearch[{extra}]')")
        for extra, what in (("heif", "HEIC"), ("raw", "RAW"))
    )
