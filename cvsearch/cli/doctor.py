"""`cvsearch doctor`: is everything as it should be, and if not, what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.options import add_command
from cvsearch.cli.session import Session
from cvsearch.errors import CvsearchError, ExitCode

if TYPE_CHECKING:
    from cvsearch.store.store import Store
    from cvsearch.values import Space

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
    from cvsearch.render.lines import json_line

    codes: list[ExitCode] = []
    for name, check in _checks(session):
        try:
            detail, hint, code = check(session), None, ExitCode.DONE
        except CvsearchError as error:
            detail, hint, code = error.message, error.hint, error.code
        codes.append(code)
        if as_json:
            fields = {"check": name, "ok": not code, "detail": detail, "hint": hint}
            session.write([json_line(fields)])
        else:
            session.write(_lines(name, detail, hint, ok=not code))
    return next((code for code in codes if code), ExitCode.DONE)


def _lines(name: str, detail: str, hint: str | None, *, ok: bool) -> Iterator[bytes]:
    from cvsearch.render.screen import printable

    yield f"{'ok  ' if ok else 'FAIL'}  {name}: {printable(detail)}\n".encode()
    if hint:
        yield f"      fix: {printable(hint)}\n".encode()


def _checks(session: Session) -> Iterator[Check]:
    yield "settings", _check_settings
    if _uses_azure(session):
        yield "endpoint", _check_endpoint
        yield "service", _check_service
    else:
        yield "model", _check_local
    yield "index", _check_index
    yield "extras", _check_extras


def _uses_azure(session: Session) -> bool:
    from cvsearch.store.store import has_index, open_store
    from cvsearch.wiring import find_index_folder

    settings = session.settings
    if settings.provider != "auto":
        return settings.provider == "azure"
    folder = find_index_folder(settings, session.cwd)
    if has_index(folder):
        with open_store(folder) as store:
            providers = {space.provider for _, space in store.catalogue.spaces()}
        if providers:
            return "azure" in providers
    return settings.names_azure


def _check_settings(session: Session) -> str:
    settings = session.settings
    if settings.warnings:
        raise CvsearchError(settings.warnings[0], hint="see cvsearch config")
    set_by_user = sum(setting.own for setting in settings.found.values())
    return f"{set_by_user} of {len(settings.found)} set; see cvsearch config"


def _check_endpoint(session: Session) -> str:
    from cvsearch.embedders.azure_endpoint import read_endpoint

    azure = session.settings.azure()
    endpoint = read_endpoint(azure.endpoint)
    region = " (a regional endpoint: keys only)" if endpoint.regional else ""
    return f"{endpoint.base}{region}, signing in by {azure.auth}"


def _check_service(session: Session) -> str:
    import time

    from cvsearch.wiring import open_embedder

    space = _azure_space(session)
    started = time.monotonic()
    with open_embedder(session.settings, space, session.log_request) as embedder:
        embedder.embed_text("a photo")
    seconds = time.monotonic() - started
    return (
        f"signed in and answered in {seconds:.2f} s: api-version {session.settings.api_version},"
        f" model-version {space.model}, {space.dimension} numbers"
    )


def _azure_space(session: Session) -> Space:
    from cvsearch.store.store import has_index, open_store
    from cvsearch.values import Space
    from cvsearch.wiring import AZURE_DIMENSION, find_index_folder

    folder = find_index_folder(session.settings, session.cwd)
    if has_index(folder):
        with open_store(folder) as store:
            for _, space in store.catalogue.spaces():
                if space.provider == "azure":
                    return space
    settings = session.settings
    return Space("azure", settings.model_version, f"jpeg-{settings.max_edge}", AZURE_DIMENSION)


def _check_local(session: Session) -> str:
    from cvsearch.embedders.local import ABOUT, SPACE
    from cvsearch.wiring import open_embedder

    with open_embedder(session.settings, SPACE) as embedder:
        embedder.embed_text("a cat")
    return ABOUT


def _check_index(session: Session) -> str:
    from cvsearch.store.store import has_index, open_store
    from cvsearch.wiring import find_index_folder

    folder = find_index_folder(session.settings, session.cwd)
    if not has_index(folder):
        return f"none yet; it would be made at {folder}"
    with open_store(folder) as store:
        _check_health(store)
        return f"{folder}: {store.files.count():,} photos, all files whole"


def _check_health(store: Store) -> None:
    from cvsearch.store.health import find_faults

    faults = list(find_faults(store))
    if faults:
        raise CvsearchError(
            f"{store.folder}: {faults[0]}" + (f" (and {len(faults) - 1} more)" if faults[1:] else ""),
            hint="restore the index from a copy, or remove it and index again",
        )


def _check_extras(session: Session) -> str:
    from cvsearch.photos.read import extras

    there = extras()
    return ", ".join(
        f"{what}: " + ("yes" if extra in there else f"no (pip install 'cvsearch[{extra}]')")
        for extra, what in (("heif", "HEIC"), ("raw", "RAW"))
    )
