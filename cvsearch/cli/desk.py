"""What `classify` and `compare` work with: vectors of texts and of the pictures a user named."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvsearch.cli.session import Session
from cvsearch.cli.stopping import heard
from cvsearch.errors import Interrupted

if TYPE_CHECKING:
    from cvsearch.asking import Kept
    from cvsearch.embedders.base import Embedder
    from cvsearch.gathering import Gathering, Seen
    from cvsearch.render.progress import Progress
    from cvsearch.values import PhotoFile, Skip, Unread, Vector

THUMBNAIL_EDGE = 128


@dataclass(slots=True)
class Desk:
    """One invocation's tools; `skipped` counts what could not be looked at, `seen` all pictures."""

    session: Session
    kept: Kept
    embedder: Embedder
    gathering: Gathering
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    seen: int = 0
    skipped: int = 0

    def text_vector(self, text: str) -> Vector:
        """A text's vector as received."""
        from cvsearch.asking import text_vector

        return text_vector(text, self.kept, lambda: self.embedder)

    def keep_thumbnail(self, image: str, data: bytes) -> None:
        """Keeps a small JPEG of a picture, if one can be made."""
        from cvsearch.photos.prepare import prepare_photo
        from cvsearch.values import Skip

        small = prepare_photo(data, image, f"jpeg-{THUMBNAIL_EDGE}")
        if not isinstance(small, Skip):
            self.thumbnails[image] = small.data

    def look_at(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[Seen]:
        """The pictures in order; those that are skipped are told of as they come."""
        try:
            with heard(self.gathering.stop, self.session), self._progress() as progress:
                for seen in self.gathering.run(pictures):
                    self.seen += 1
                    if seen.skip is not None:
                        self.skipped += 1
                        self._tell(seen.image, seen.skip, progress)
                    progress.update(self.seen, None, self.skipped, self.embedder.calls)
                    yield seen
        except Interrupted as error:
            error.hint = "what was paid for is kept; run the same command again to go on"
            raise

    @property
    def footer(self) -> str:
        """What a page says of where its scores come from."""
        view = self.session.view
        return f"cvsearch {view.version} · {self.kept.space} · {view.now:%Y-%m-%d %H:%M} UTC"

    def _progress(self) -> Progress:
        from cvsearch.render.progress import Progress

        session = self.session
        # On a terminal the results themselves tell how far it is.
        quiet = session.quiet or session.view.terminal
        return Progress(
            # A live line would stand between results that go through a pipe to the same terminal.
            "looking",
            sys.stderr,
            live=False,
            quiet=quiet,
            color=session.color_on_stderr,
        )

    def _tell(self, image: str, skip: Skip, progress: Progress) -> None:
        line = f"skipped {image}: {skip.reason}" + (f" ({skip.detail})" if skip.detail else "")
        if self.session.view.terminal:
            self.session.say(line)
        else:
            progress.say(line)


@contextmanager
def open_desk(session: Session, *, thumbnails: bool = False) -> Iterator[Desk]:
    """With `thumbnails` every picture is read, also one that is indexed, and a small copy is kept."""
    from cvsearch import wiring
    from cvsearch.gathering import Gathering, make_read
    from cvsearch.photos.read import read_photo
    from cvsearch.pictures import open_kept
    from cvsearch.pipeline import Stop
    from cvsearch.sources import read_source

    settings = session.settings
    with ExitStack() as opened:
        kept, notices = opened.enter_context(open_kept(settings, session.cwd))
        if session.talks_to_person or session.verbose:
            for notice in notices:
                session.say(notice)
        embedder = opened.enter_context(wiring.open_when_needed(settings, kept.space, session.log_request))
        read = make_read(read_photo, lambda source: read_source(source, offline=settings.offline))
        gathering = Gathering(kept, read, wiring.make_prepare(kept.space), embedder, Stop())
        desk = Desk(session, kept, embedder, gathering)
        if thumbnails:
            gathering.see = desk.keep_thumbnail
        yield desk


def stream(session: Session, chunks: Iterable[bytes]) -> None:
    """Data to stdout, each chunk as it comes."""
    for chunk in chunks:
        session.write([chunk])
