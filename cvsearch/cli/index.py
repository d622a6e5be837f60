"""`cvsearch index`: find photos, embed what is new or changed, forget what is gone."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer

from cvsearch.api import Index, IndexRequest, Plan, Rules, installed_extras
from cvsearch.cli.context import Session, lead_nowhere
from cvsearch.cli.options import Files0From, FilesFrom, WaitLockOption, parse_seconds
from cvsearch.cli.reporter import MOST_LINES, BackgroundWriter, open_background_writer, open_progress
from cvsearch.config.rules import PRICE_DATE
from cvsearch.errors import CvsearchError, Interrupted
from cvsearch.model import Event, WalkOptions
from cvsearch.output.formats import json_line
from cvsearch.output.humanize import human_count
from cvsearch.output.messages import (
    Skips,
    exact_plan_lines,
    missing_lines,
    plan_lines,
    skip_lines,
    summary_lines,
)
from cvsearch.output.progress import Progress
from cvsearch.output.rows import also_fields, path_fields
from cvsearch.signals import CancelToken, heard_by

if TYPE_CHECKING:
    from cvsearch.api import Job

EXAMPLES = (
    "cvsearch index ./photos",
    "cvsearch index --dry-run ./photos",
    "cvsearch index                      # every folder again",
    "find . -name '*.jpg' -print0 | cvsearch index --files0-from -",
)

ASK_BEYOND_CALLS = 1000
_PATIENCE_SECONDS = 0.05
_EXTRAS = (("heif", "HEIC photos"), ("raw", "RAW photos"))


def run(
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
        typer.Option("--max-calls", metavar="N", min=0, help="Stop after N calls; exit code 6."),
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
        bool, typer.Option("--no-recursive", help="Do not enter subfolders; remembered.")
    ] = False,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Read every file, even if size and time are unchanged.")
    ] = False,
    retry_skipped: Annotated[
        bool, typer.Option("--retry-skipped", help="Try photos again that were skipped for good.")
    ] = False,
    forget_missing: Annotated[
        bool, typer.Option("--forget-missing", help="Forget missing photos even when many are gone.")
    ] = False,
    wait_lock: WaitLockOption = None,
    files_from: FilesFrom = None,
    files0_from: Files0From = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object an event on stdout.")] = False,
) -> int:
    """Find photos under each PATH, embed what is new or changed and forget what is gone.

    If it was interrupted, run it again: nothing is paid for twice.
    """
    globs = tuple(glob for glob in exclude or () if glob)
    options = WalkOptions(globs, hidden, follow_links, not no_recursive)
    if options != WalkOptions() and not paths:
        raise CvsearchError(
            "--exclude, --hidden, --follow-links and --no-recursive belong to a folder",
            hint="name the folder too: cvsearch index PATH --exclude …",
        )
    request = IndexRequest(
        paths=[session.absolute(path) for path in paths or ()],
        rules=Rules(checksum, retry_skipped, installed_extras()),
        listed=session.listed(files_from, files0_from),
        options=None if options == WalkOptions() and exclude is None else options,
        forget_missing=forget_missing,
        dry_run=dry_run,
    )
    token = CancelToken()
    with (
        open_background_writer(token) as out,
        session.open_index() as index,
        index.open_job(request, token, parse_seconds(wait_lock)) as job,
        heard_by(token, session.say),
    ):
        for notice in job.notices:
            session.say(notice)
        code = _Reporter(session, index, job, out, yes=yes, as_json=as_json).run()
    if isinstance(out.fault, BrokenPipeError):  # a reader that has gone is none to tell
        lead_nowhere(sys.stdout)
    elif out.fault is not None:
        raise CvsearchError(
            f"standard output cannot be written: {out.fault.strerror}",
            hint="what was done is kept; run it again with its output elsewhere",
        )
    return code


@dataclass(slots=True)
class _Reporter:
    """Tells what becomes of each photo, and asks before anything is sent."""

    session: Session
    index: Index
    job: Job
    out: BackgroundWriter
    yes: bool
    as_json: bool
    skips: Skips = field(default_factory=Skips)
    done: int = 0
    total: int | None = None
    on_screen: ExitStack = field(default_factory=ExitStack)
    progress: Progress = field(init=False)

    def run(self) -> int:
        """Runs the job; returns the exit code."""
        job, has_begun = self.job, False
        self._show("looking")
        job.store.on_wait = lambda seconds: self.progress.say(
            f"waiting for a program that reads the index ({seconds:.0f} s); what was paid for is kept"
        )
        try:
            with self.on_screen, closing(self.index.run_job(job)) as events:
                for event in events:
                    has_begun = True
                    if isinstance(event, Plan):
                        self._approve(event)
                    elif event is not None:
                        self._tell(event)
                    if self.total is None:
                        self.progress.update(job.scan.found, None)
                    job.token.held = self.out.queue.qsize() > MOST_LINES
            return job.code
        except Interrupted as error:
            kept = "what was paid for is kept; run the same command again to go on"
            error.hint = "nothing was sent" if job.declined else kept
            raise
        finally:
            if has_begun and not job.declined:
                self._tell_end()

    def _show(self, what: str) -> None:
        progress = open_progress(self.session, what, live=not self.as_json)
        self.progress = self.on_screen.enter_context(progress)

    def _approve(self, plan: Plan) -> None:
        """Shows what is to come and asks, if there is someone to ask and something to pay."""
        session, dry_run = self.session, self.job.request.dry_run
        self.on_screen.pop_all().close()
        for extra, what in _EXTRAS:
            if plan.kinds[extra] and extra not in self.job.request.rules.extras.split(","):
                session.say(
                    f"{what}: {plan.kinds[extra]:,} will be skipped without pip install 'cvsearch[{extra}]'"
                )
        if not plan.has_room:
            session.say(
                f"there may be too little room on this disk for all of it: {self.job.store.folder};"
                " the run ends before the disk is full"
            )
        asks = plan.sends and plan.photos and (plan.first or plan.photos > ASK_BEYOND_CALLS)
        if dry_run or (asks and session.can_ask and not self.yes):
            for line in plan_lines(
                plan.photos, plan.size, session.settings.price, PRICE_DATE, sends=plan.sends
            ):
                session.say(line)
        if asks and session.can_ask and not self.yes and not dry_run:
            session.ask(f"Send at most {human_count(plan.photos, 'photo')} to {plan.host}?")
        self.done, self.total = 0, plan.photos
        self._show("reading" if dry_run else "indexing")

    def _tell(self, event: Event) -> None:
        if event.kind == "skipped":
            self.skips.add(event)
        if self.session.verbose and event.kind != "unchanged":
            why = f": {event.reason}" if event.kind == "skipped" else ""
            self.progress.say(f"{event.kind} {event.path}{why}")
        self.done += event.kind != "forgotten"
        if self.total is not None:
            self.progress.update(self.done, self.total, sum(self.skips.by_reason.values()))
        if self.as_json:
            fields: dict[str, object] = {"event": event.kind, **path_fields(event.path)}
            fields["sha256"] = None if event.sha256 is None else event.sha256.hex()
            fields["reason"] = event.reason
            self._write(fields | also_fields(event.also))

    def _write(self, fields: dict[str, object]) -> None:
        """One event; its reader is waited for only while nothing is under way that costs money."""
        if self.job.request.dry_run:
            fields["dry_run"] = True
        while self.out.queue.qsize() > MOST_LINES and not self.job.token.armed:
            time.sleep(_PATIENCE_SECONDS)
        self.out.queue.put(json_line(fields))

    def _tell_end(self) -> None:
        job, scan = self.job, self.job.scan
        if job.request.dry_run:
            lines = [*exact_plan_lines(job.forecast), *skip_lines(self.skips)]
        else:
            unread = len(scan.unread)
            lines = [*summary_lines(job.summary, self.skips, scan.stats, sends=job.sends, unread=unread)]
        lost = sorted(job.lost)
        for line in [*lines, *missing_lines(scan.missing, lost, job.kept_missing, job.moves)]:
            self.session.say(line)
        if self.as_json:
            missing = [*scan.missing, *lost, *job.kept_missing]
            self._write({"event": "summary", **asdict(job.summary), "missing": missing})
