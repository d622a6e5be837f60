"""`cvsearch index`: find photos, embed what is new or changed, forget what is gone."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cvsearch.cli.options import Files0From, FilesFrom, add_command, close_stdout
from cvsearch.cli.session import Session
from cvsearch.cli.stopping import heard
from cvsearch.errors import CvsearchError, Interrupted

if TYPE_CHECKING:
    from cvsearch.indexing import IndexRequest, Tools
    from cvsearch.pipeline import Stop
    from cvsearch.render.progress import Progress
    from cvsearch.render.summary import Skips
    from cvsearch.store.store import Store
    from cvsearch.survey import Survey
    from cvsearch.values import Event, PhotoFile, Space, Unread, WalkOptions
    from cvsearch.wiring import Choice

ASK_BEYOND_CALLS = 1000
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
        int | None, typer.Option("--max-calls", metavar="N", min=0, help="Stop after so many calls (6).")
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude", metavar="GLOB", help="Leave out (gitignore syntax); remembered with the root."
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
    wait_lock: Annotated[
        str | None, typer.Option("--wait-lock", metavar="TIME", help="Wait for another writer: 30s, 10m, 1h.")
    ] = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event on stdout.")] = False,
) -> int:
    """Find photos under each PATH, embed what is new or changed and forget what is gone.

    Running it again is the whole recovery guide: nothing that was paid for is paid again.
    """
    from cvsearch.indexing import IndexRequest
    from cvsearch.plan import Rules
    from cvsearch.values import WalkOptions
    from cvsearch.wiring import extras_text

    options = WalkOptions(tuple(exclude or ()), hidden, follow_links, not no_recursive)
    request = IndexRequest(
        paths=[session.absolute(path) for path in paths or ()],
        listed=session.listed(files_from, files0_from),
        options=None if options == WalkOptions() else options,
        rules=Rules(checksum, retry_skipped, extras_text()),
        forget_missing=forget_missing,
    )
    _check_usage(request, options)
    job = _Job(session, request, dry_run=dry_run, yes=yes, as_json=as_json)
    return job.run(parse_seconds(wait_lock))


def _check_usage(request: IndexRequest, options: WalkOptions) -> None:
    from cvsearch.values import WalkOptions as Defaults

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
        return float(number) * _RATES[unit]
    except ValueError:
        raise CvsearchError(f"this is no length of time: {text}", hint="write 30s, 10m or 1h") from None


class _Job:
    """One invocation: opens the index, runs, and tells what became of each photo."""

    def __init__(
        self, session: Session, request: IndexRequest, *, dry_run: bool, yes: bool, as_json: bool
    ) -> None:
        from cvsearch.pipeline import Stop
        from cvsearch.render.summary import Skips

        self.session = session
        self.request = request
        self.dry_run = dry_run
        self.yes = yes
        self.as_json = as_json
        self.skips: Skips = Skips()
        self.stop: Stop = Stop()
        self.done = 0
        self.total: int | None = None
        self.muted = False

    def run(self, wait_seconds: float) -> int:
        """Does it; returns the exit code."""
        from cvsearch.store.store import has_index, open_writer
        from cvsearch.wiring import find_index_folder

        folder = find_index_folder(self.session.settings, self.session.cwd)
        create = bool(self.request.paths) or self.request.listed is not None
        if not has_index(folder):
            # A wrong name and half a configuration are told before an index is made.
            self._check_paths()
            self._choose([])
        with open_writer(folder, wait_seconds, create=create) as store, heard(self.stop, self.session):
            covered = [
                (space, store.files.count_searched(number))
                for number, space in store.catalogue.spaces()
                if store.catalogue.rows(number)
            ]
            choice = self._choose(covered)
            for notice in choice.notices:
                self.session.say(notice)
            return self._run(store, choice.space)

    def _check_paths(self) -> None:
        for path in self.request.paths:
            if not os.path.lexists(path):
                raise CvsearchError(f"no such file or folder: {path}", hint="check the name")

    def _choose(self, covered: list[tuple[Space, int]]) -> Choice:
        from cvsearch.wiring import choose_space

        return choose_space(self.session.settings, covered, sign_in=not self.dry_run)

    def _run(self, store: Store, space: Space) -> int:
        from cvsearch.dryrun import Plan, run_dry
        from cvsearch.indexing import Run, run_index
        from cvsearch.photos.decode import refuse

        self.plan = Plan()
        self.job = Run(store, space, self.request, self._tools(store, space), self.stop)
        events = run_dry(self.job, refuse, self.plan) if self.dry_run else run_index(self.job)
        self.progress = self._progress("looking")
        try:
            with ExitStack() as self.on_screen:
                self.on_screen.enter_context(self.progress)
                for event in events:
                    self._tell(event)
            return self.job.code
        except Interrupted as error:
            error.hint = "what was paid for is kept; run the same command again to go on"
            raise
        finally:
            self._tell_end()

    def _tools(self, store: Store, space: Space) -> Tools:
        from cvsearch import wiring
        from cvsearch.indexing import Tools
        from cvsearch.photos.companions import pair_companions
        from cvsearch.photos.find import stat_photo
        from cvsearch.photos.read import read_photo

        settings = self.session.settings
        find = wiring.make_find(store.folder)

        def find_and_tell(*where: Any) -> Iterator[PhotoFile | Unread]:
            for entry in find(*where):
                self.progress.update(self.survey.found, None)
                yield entry

        return Tools(
            find=find_and_tell,
            stat=stat_photo,
            pair=pair_companions,
            read=read_photo,
            prepare=wiring.make_prepare(space),
            open_embedder=lambda: wiring.open_when_needed(settings, space, self.session.log_request),
            host=wiring.host_of(settings, space),
            approve=self._approve,
        )

    @property
    def survey(self) -> Survey:
        """What the run has found so far."""
        survey = self.job.survey
        if survey is None:
            raise AssertionError("nothing was looked at yet")
        return survey

    def _progress(self, what: str) -> Progress:
        from cvsearch.render.progress import Progress

        session = self.session
        live = session.can_redraw and not (self.as_json and session.view.terminal)
        return Progress(what, sys.stderr, live=live, quiet=session.quiet, color=session.color_on_stderr)

    def _approve(self, survey: Survey) -> None:
        """Shows what is to come and asks, if there is someone to ask and something to pay."""
        self.on_screen.pop_all().close()
        self._tell_missing_extras(survey)
        sends = self.job.space.provider != "local"
        if self.dry_run:
            self._tell_plan(survey, sends)
        elif sends and self._is_question(survey) and self.session.can_ask and not self.yes:
            self._tell_plan(survey, sends)
            self.session.ask(f"Send {len(survey.todo):,} photos to {self.job.tools.host}?")
        self.done = 0
        self.total = len(survey.todo)
        self.progress = self._progress("reading" if self.dry_run else "indexing")
        self.on_screen.enter_context(self.progress)

    def _is_question(self, survey: Survey) -> bool:
        never = not self.job.store.catalogue.has_traffic()
        return bool(survey.todo) and (never or len(survey.todo) > ASK_BEYOND_CALLS)

    def _tell_plan(self, survey: Survey, sends: bool) -> None:
        from cvsearch.render.summary import plan_lines
        from cvsearch.settings import PRICE_DATE

        size = sum(file.size for file in survey.todo)
        price = self.session.settings.price
        for line in plan_lines(len(survey.todo), size, price, PRICE_DATE, sends=sends):
            self.session.say(line)

    def _tell_missing_extras(self, survey: Survey) -> None:
        from cvsearch.photos.kinds import photo_kind
        from cvsearch.photos.read import extras

        there = extras()
        kinds = Counter(photo_kind(file.path) for file in survey.todo)
        for extra, what in (("heif", "HEIC photos"), ("raw", "RAW photos")):
            if kinds[extra] and extra not in there:
                self.session.say(
                    f"{kinds[extra]:,} {what} will be skipped: they need pip install 'cvsearch[{extra}]'"
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
            from cvsearch.render.lines import also_fields, path_fields

            fields: dict[str, object] = {"event": event.kind, **path_fields(event.path)}
            fields["sha256"] = None if event.sha256 is None else event.sha256.hex()
            fields["reason"] = event.reason
            self._write(fields | also_fields(event.also))

    def _say_in_passing(self, line: str) -> None:
        if self.session.verbose:
            self.progress.say(line)

    def _write(self, fields: dict[str, object]) -> None:
        """One event; a reader that has gone does not end a run that is worth money."""
        from cvsearch.render.lines import json_line

        if self.dry_run:
            fields["dry_run"] = True
        if not self.muted:
            try:
                self.session.write([json_line(fields)])
            except BrokenPipeError:
                close_stdout()
                self.muted = True

    def _tell_end(self) -> None:
        from cvsearch.render.summary import exact_plan_lines, missing_lines, skip_lines, summary_lines

        job, say = self.job, self.session.say
        if job.survey is None:
            return
        sends = job.space.provider != "local"
        if self.dry_run:
            lines = [*exact_plan_lines(self.plan), *skip_lines(self.skips)]
        else:
            lines = [*summary_lines(job.summary, self.skips, job.survey.census, sends=sends)]
        for line in [*lines, *missing_lines(job.survey.missing, sorted(job.lost), job.kept_missing)]:
            say(line)
        if self.as_json:
            missing = [*job.survey.missing, *sorted(job.lost), *job.kept_missing]
            self._write({"event": "summary", **asdict(job.summary), "missing": missing})
