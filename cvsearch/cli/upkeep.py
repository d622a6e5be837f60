"""`cvsearch forget`, `move` and `prune`: what the index knows, without reading a photo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import Files0From, FilesFrom, add_command
from cvsearch.errors import CvsearchError, ExitCode

if TYPE_CHECKING:
    from cvsearch.store.local.library import Store


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    add_command(
        app,
        "forget",
        forget,
        "Drop photos or folders from the index; their vectors stay until prune.",
        ("cvsearch forget ./photos/private", "cvsearch forget --files-from list.txt"),
    )
    add_command(
        app,
        "move",
        move,
        "Say that a folder has another name now; nothing is read or sent.",
        ("cvsearch move /mnt/old/photos /mnt/new/photos",),
    )
    add_command(
        app,
        "prune",
        prune,
        "Reclaim what no photo needs any more.",
        ("cvsearch prune --dry-run", "cvsearch prune --yes"),
    )


def forget(
    session: Session,
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH...", help="Photos or folders.")] = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
) -> int:
    """Drop paths from the index, also ones that no longer exist.

    What was paid for stays until prune: indexing them again costs no call.
    """
    from cvsearch.output.humanize import human_count
    from cvsearch.paths import contains
    from cvsearch.store.local.library import open_writer
    from cvsearch.wiring import find_index_folder

    wanted = [session.absolute(path) for path in paths or ()]
    wanted += session.listed(files_from, files0_from) or []
    if not wanted:
        raise CvsearchError("nothing to forget", hint="name a photo or folder")
    with open_writer(find_index_folder(session.settings, session.cwd)) as store:
        store.begin()
        total = 0
        for path in wanted:
            ids = [number for number, _, _ in store.files.beneath(path)]
            roots = [root for root in store.roots.folders() if contains(path, root.path)]
            if not ids and not roots:
                raise CvsearchError(f"not in the index: {path}", hint="see what is there: cvsearch status")
            store.files.forget(ids)
            for root in roots:
                store.roots.remove(root)
            total += len(ids)
        store.commit()
    session.say(f"forgot {human_count(total, 'photo')}; what was paid for stays until cvsearch prune")
    return ExitCode.DONE


def move(
    session: Session,
    old: Annotated[str, typer.Argument(metavar="OLD", help="The folder as the index knows it.")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="The same folder now.")],
) -> int:
    """Say that the folder OLD is now NEW: names change, nothing is read or called."""
    from cvsearch.output.humanize import human_count
    from cvsearch.paths import contains
    from cvsearch.store.local.library import open_writer
    from cvsearch.wiring import find_index_folder

    source, target = session.absolute(old), session.absolute(new)
    with open_writer(find_index_folder(session.settings, session.cwd)) as store:
        store.begin()
        files = [(number, path) for number, path, _ in store.files.beneath(source)]
        roots = [root for root in store.roots.folders() if contains(source, root.path)]
        if not files and not roots:
            raise CvsearchError(f"not in the index: {source}", hint="see what is there: cvsearch status")
        _refuse_parts(store, source, target)
        taken = {root.path for root in store.roots.folders()}
        for root in roots:
            path = target + root.path[len(source) :]
            if path in taken:
                raise CvsearchError(
                    f"the index already has a root there: {path}", hint="forget one of the two first"
                )
        taken_over = [store.roots.set_path(root, target + root.path[len(source) :]) for root in roots]
        for root in taken_over:
            store.roots.take_over(root)
        for number, path in files:
            store.files.move(number, target + path[len(source) :])
        store.commit()
    session.say(f"moved {human_count(len(files), 'photo')}")
    return ExitCode.DONE


def _refuse_parts(store: Store, source: str, target: str) -> None:
    """Of a root that a copied index lost, only the whole can be moved: what is where is not known."""
    from cvsearch.indexer.relocation import find_relocated, refuse_relocated
    from cvsearch.paths import contains

    relocated = {path: old for path, old in find_relocated(store).items() if not contains(source, path)}
    refuse_relocated(store, [source, target], relocated)


def prune(
    session: Session,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> int:
    """Reclaim the vectors and facts of photos that are in the index no more.

    Should such a photo come back, it has to be paid for again.
    """
    from cvsearch.output.humanize import human_bytes, human_count
    from cvsearch.store.local import prune as pruning
    from cvsearch.store.local.library import open_writer
    from cvsearch.wiring import find_index_folder

    with open_writer(find_index_folder(session.settings, session.cwd)) as store:
        found = pruning.find_prunable(store)
        amount = ", ".join(
            (
                human_count(found.contents, "content"),
                human_count(found.vectors, "vector"),
                human_bytes(found.bytes),
            )
        )
        if dry_run:
            session.say(f"would reclaim {amount}")
            return ExitCode.DONE
        if found.contents and session.can_ask and not yes:
            session.ask(f"Reclaim {amount}? Should these photos come back, they must be paid for again.")
        notice = pruning.prune(store)
    if notice is not None:
        session.say(notice)
    session.say(f"reclaimed {amount}")
    return ExitCode.DONE
