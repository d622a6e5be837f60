"""`cvsearch index`: find photos, embed what is new or changed, forget what is gone."""

from __future__ import annotations

import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvsearch.cli.context import Session
from cvsearch.cli.options import Files0From, FilesFrom, WaitLockOption, add_command, close_stdout
from cvsearch.cli.reporter import MOST_LINES, open_background_writer
from cvsearch.cli.stopping import heard
from cvsearch.errors import CvsearchError, Interrupted

if TYPE_CHECKING:
    from cvsearch.embedding.pipeline import CancelToken
    from cvsearch.indexer.index import IndexRequest, Tools
    from cvsearch.indexer.scan import Scan
    from cvsearch.model import Event, PhotoFile, Space, Unread, WalkOptions
    from cvsearch.output.messages import Skips
    from cvsearch.output.progress import Progress
    from cvsearch.store.local.library import Store
    from cvsearch.wiring import Choice

ASK_BEYOND_CALLS = 1000
_PATIENCE_SECONDS = 0.05
_RATES = {"s": 1, "m": 60, "h": 3600}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    add_command(
        app,
        "index",
        index_photos,
        "Index photos: embed what is new or changed, forget what is gone.",
        (
            "cvsearch index ./photos",
            "cvsearch index --dry-run ./photos",
            "cvsearch index                      # every folder again",
            "find . -name '*.jpg' -print0 | cvsearch index --files0-from -",
        ),
    )


def index_photos(
    session: Session,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Folders or photos; none: every root again."),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", "-n", help="Say what would be done and what it would cost; send nothing."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    max_calls: Annotated[
        int | None,
        typer.Option("--max-calls", metavar="N", min=0, help="Stop after so many calls (6)."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="GLOB",
            help="Leave out (gitignore syntax); remembered with the root, '' to drop.",
        ),
    ] = None,
    hidden: Annotated[bool, typer.Option("--hidden", help="Hidden files too; remembered.")] = False,
    follow_links: Annotated[
        bool, typer.Option("--follow-links", help="Follow symbolic links; remembered.")
    ] = False,
    no_recursive: Annotated[
        bool, typer.Option("--no-recursive", help="Not the folders within; remembered.")
    ] = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Read every file again (else size and time tell).")
    ] = False,
    retry_skipped: Annotated[
        bool, typer.Option("--retry-skipped", help="Try photos again that were skipped for good.")
    ] = False,
    forget_missing: Annotated[
        bool, typer.Option("--forget-missing", help="Photos that vanished in numbers are meant to be gone.")
    ] = False,
    wait_lock: WaitLockOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event on stdout.")] = False,
) -> int:
    """Find photos under each PATH, embed what is new or changed and forget what is gone.

    Running it again is the whole recovery guide: nothing that was paid for is paid again.
    """
    from cvsearch.indexer.changes import Rules
    from cvsearch.indexer.index import IndexRequest
    from cvsearch.model import WalkOptions
    from cvsearch.wiring import extras_text

    globs = tuple(glob for glob in exclude or () if glob)
    options = WalkOptions(globs, hidden, follow_links, not no_recursive)
    request = IndexRequest(
        paths=[session.absolute(path) for path in paths or ()],
        listed=session.listed(files_from, files0_from),
        options=None if options == WalkOptions() and exclude is None else options,
        rules=Rules(checksum, retry_skipped, extras_text()),
        forget_missing=forget_missing,
    )
    _check_usage(request, options)
    job = _Job(session, request, dry_run=dry_run, yes=yes, as_json=as_json)
    return job.run(parse_seconds(wait_lock))


def _check_usage(request: IndexRequest, options: WalkOptions) -> None:
    from cvsearch.model import WalkOptions as Defaults

    if options != Defaults() and not request.paths:
        raise CvsearchError(
            "--exclude, --hidden, --follow-links and --no-recursive belong to a folder",
            hint="name the folder too: cvsearch index PATH --exclude …",
        )


def parse_seconds(text: str | None) -> float:
    """Seconds of ``30s``, ``10m`` or ``1h``; a bare number is seconds."""
    if text is None:
        return 0
    number, unit = (text[:-1], text[-1]) if text[-1:] in _RATES else (text, "s")
    try:
        seconds = float(number) * _RATES[unit]
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise CvsearchError(f"this is no length of time: {text}", hint="write 30s, 10m or 1h")
    return seconds


class _Job:
    """One invocation: opens the index, runs, and tells what became of each photo."""

    def __init__(
        self, session: Session, request: IndexRequest, *, dry_run: bool, yes: bool, as_json: bool
    ) -> None:
        from cvsearch.embedding.pipeline import CancelToken
        from cvsearch.output.messages import Skips

        self.session = session
        self.request = request
        self.dry_run = dry_run
        self.yes = yes
        self.as_json = as_json
        self.skips: Skips = Skips()
        self.stop: CancelToken = CancelToken()
        self.declined = False
        self.done = 0
        self.total: int | None = None

    def run(self, wait_seconds: float) -> int:
        """Does it; returns the exit code."""
        from cvsearch.store.local.library import has_index, remove_new
        from cvsearch.wiring import find_index_folder

        folder = find_index_folder(self.session.settings, self.session.cwd)
        is_new = not has_index(folder)
        if is_new:
            # A wrong name and half a configuration are told before an index is made.
            self._check_paths()
            self._choose([])
        with open_background_writer(self.stop) as self.out:
            try:
                code = self._open_and_run(folder, wait_seconds)
            finally:
                if is_new and self.declined:
                    remove_new(folder)
        self._check_out()
        return code

    def _open_and_run(self, folder: str, wait_seconds: float) -> int:
        from cvsearch.indexer.workshop import covered_spaces
        from cvsearch.store.local.library import open_writer

        create = bool(self.request.paths) or self.request.listed is not None
        with open_writer(folder, wait_seconds, create=create) as store, heard(self.stop, self.session):
            choice = self._choose(covered_spaces(store))
            for notice in choice.notices:
                self.session.say(notice)
            return self._run(store, choice.space)

    def _check_out(self) -> None:
        """Tells of events that could not be written; a reader that has gone is none to tell."""
        fault = self.out.fault
        if isinstance(fault, BrokenPipeError):
            close_stdout()
        elif fault is not None:
            raise CvsearchError(
                f"standard output cannot be written: {fault.strerror}",
                hint="what was done is kept; run it again with its output elsewhere",
            )

    def _check_paths(self) -> None:
        for path in self.request.paths:
            if not os.path.lexists(path):
                raise CvsearchError(f"no such file or folder: {path}", hint="check the name")

    def _choose(self, covered: list[tuple[Space, int]]) -> Choice:
        from cvsearch.wiring import choose_space

        return choose_space(self.session.settings, covered, sign_in=not self.dry_run)

    def _run(self, store: Store, space: Space) -> int:
        from cvsearch.indexer.dry_run import Plan, run_dry
        from cvsearch.indexer.index import Run, run_index
        from cvsearch.photos.decode import refuse

        self.plan = Plan()
        store.on_wait = self._tell_wait
        self.job = Run(store, space, self.request, self._tools(store, space), self.stop)
        events = run_dry(self.job, refuse, self.plan) if self.dry_run else run_index(self.job)
        self.progress = self._progress("looking")
        try:
            with closing(events), ExitStack() as self.on_screen:
                self.on_screen.enter_context(self.progress)
                for event in events:
                    self._tell(event)
            return self.job.code
        except Interrupted as error:
            kept = "what was paid for is kept; run the same command again to go on"
            error.hint = "nothing was sent" if self.job.declined else kept
            raise
        finally:
            self.declined = self.job.declined
            if not self.declined:
                self._tell_end()

    def _tools(self, store: Store, space: Space) -> Tools:
        from dataclasses import replace

        from cvsearch.indexer.workshop import make_tools

        session = self.session
        tools = make_tools(session.settings, store.folder, space, self._approve, session.log_request)

        def find_and_tell(*where: Any) -> Iterator[PhotoFile | Unread]:
            for entry in tools.find(*where):
                self.progress.update(self.scan.found, None)
                yield entry

        return replace(tools, find=find_and_tell, hold=lambda: self.out.waiting > MOST_LINES)

    @property
    def scan(self) -> Scan:
        """What the run has found so far."""
        scan = self.job.scan
        if scan is None:
            raise AssertionError("nothing was looked at yet")
        return scan

    def _progress(self, what: str) -> Progress:
        from cvsearch.output.progress import Progress

        session = self.session
        live = session.can_redraw and not self.as_json
        return Progress(what, sys.stderr, live=live, quiet=session.quiet, color=session.color_on_stderr)

    def _approve(self, scan: Scan) -> None:
        """Shows what is to come and asks, if there is someone to ask and something to pay."""
        self.on_screen.pop_all().close()
        self._tell_missing_extras(scan)
        if scan.todo and not self.dry_run:
            self._check_room(len(scan.todo))
        sends = self.job.space.provider == "azure"
        if self.dry_run:
            self._tell_plan(scan, sends)
        elif sends and self._is_question(scan) and self.session.can_ask and not self.yes:
            from cvsearch.output.humanize import human_count

            self._tell_plan(scan, sends)
            photos = human_count(len(scan.todo), "photo")
            self.session.ask(f"Send at most {photos} to {self.job.tools.host}?")
        self.done = 0
        self.total = len(scan.todo)
        self.progress = self._progress("reading" if self.dry_run else "indexing")
        self.on_screen.enter_context(self.progress)

    def _check_room(self, vectors: int) -> None:
        """Before anything is paid for: is there room for it?"""
        store = self.job.store
        if not store.make_room(vectors, self.job.space.dimension):
            self.session.say(
                f"there may be too little room on this disk for all of it: {store.folder};"
                " the run ends before the disk is full"
            )

    def _tell_wait(self, seconds: float) -> None:
        self.progress.say(
            f"waiting for a program that reads the index ({seconds:.0f} s); what was paid for is kept"
        )

    def _is_question(self, scan: Scan) -> bool:
        never = not self.job.store.catalogue.has_traffic()
        return bool(scan.todo) and (never or len(scan.todo) > ASK_BEYOND_CALLS)

    def _tell_plan(self, scan: Scan, sends: bool) -> None:
        from cvsearch.config.settings import PRICE_DATE
        from cvsearch.output.messages import plan_lines

        size = sum(file.size for file in scan.todo)
        price = self.session.settings.price
        for line in plan_lines(len(scan.todo), size, price, PRICE_DATE, sends=sends):
            self.session.say(line)

    def _tell_missing_extras(self, scan: Scan) -> None:
        from cvsearch.photos.formats import photo_kind
        from cvsearch.photos.read import extras

        there = extras()
        kinds = Counter(photo_kind(file.path) for file in scan.todo)
        for extra, what in (("heif", "HEIC photos"), ("raw", "RAW photos")):
            if kinds[extra] and extra not in there:
                self.session.say(
                    f"{what}: {kinds[extra]:,} will be skipped without pip install 'cvsearch[{extra}]'"
                )

    def _tell(self, event: Event) -> None:
        if event.kind == "skipped":
            self.skips.add(event)
            self._say_in_passing(f"skipped {event.path}: {event.reason}")
        elif event.kind != "unchanged":
            self._say_in_passing(f"{event.kind} {event.path}")
        self.done += 1
        if self.total is not None:
            self.progress.update(self.done, self.total, sum(self.skips.by_reason.values()))
        if self.as_json:
            from cvsearch.output.rows import also_fields, path_fields

            fields: dict[str, object] = {"event": event.kind, **path_fields(event.path)}
            fields["sha256"] = None if event.sha256 is None else event.sha256.hex()
            fields["reason"] = event.reason
            self._write(fields | also_fields(event.also))

    def _say_in_passing(self, line: str) -> None:
        if self.session.verbose:
            self.progress.say(line)

    def _write(self, fields: dict[str, object]) -> None:
        """One event; its reader is waited for only while nothing is under way that costs money."""
        from cvsearch.output.formats import json_line

        if self.dry_run:
            fields["dry_run"] = True
        while self.out.waiting > MOST_LINES and not self.stop.armed:
            time.sleep(_PATIENCE_SECONDS)
        self.out.put(json_line(fields))

    def _tell_end(self) -> None:
        from cvsearch.indexer.relocation import move_command
        from cvsearch.output.messages import exact_plan_lines, missing_lines, skip_lines, summary_lines

        job, say = self.job, self.session.say
        if job.scan is None:
            return
        sends = job.space.provider != "local"
        if self.dry_run:
            lines = [*exact_plan_lines(self.plan), *skip_lines(self.skips)]
        else:
            stats, unread = job.scan.stats, len(job.scan.unread)
            lines = [*summary_lines(job.summary, self.skips, stats, sends=sends, unread=unread)]
        moves = {path: move_command(path, before) for path, before in job.scan.relocated.items()}
        for line in [*lines, *missing_lines(job.scan.missing, sorted(job.lost), job.kept_missing, moves)]:
            say(line)
        if self.as_json:
            missing = [*job.scan.missing, *sorted(job.lost), *job.kept_missing]
            self._write({"event": "summary", **asdict(job.summary), "missing": missing})
