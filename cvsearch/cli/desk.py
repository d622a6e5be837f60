"""What `classify` and `compare` work with: vectors of texts and of the pictures a user named."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cvsearch.cli.context import Session
from cvsearch.cli.stopping import heard
from cvsearch.errors import Interrupted

if TYPE_CHECKING:
    from cvsearch.embedding.images import Gathering, Seen
    from cvsearch.embedding.lookup import VectorLookup
    from cvsearch.model import PhotoFile, Skip, Unread, Vector
    from cvsearch.output.progress import Progress
    from cvsearch.providers.base import Embedder

THUMBNAIL_EDGE = 128


@dataclass(slots=True)
class Desk:
    """One invocation's tools; `skipped` counts what could not be looked at, `seen` all pictures.

    `streams`: results are written while pictures are looked at.
    """

    session: Session
    kept: VectorLookup
    embedder: Embedder
    gathering: Gathering
    streams: bool = False
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    seen: int = 0
    skipped: int = 0

    def text_vectors(self, texts: Sequence[str]) -> list[Vector]:
        """The vectors of labels' texts as received."""
        from cvsearch.embedding.lookup import text_vector

        vectors = []
        # A live line for what is known already would only flicker.
        live = self.session.can_redraw and any(self.kept.find_text(text) is None for text in texts)
        with self._progress("preparing labels", "text", live=live) as progress:
            for number, text in enumerate(texts, start=1):
                vectors.append(text_vector(text, self.kept, lambda: self.embedder))
                progress.update(number, len(texts), 0, self.embedder.calls)
        return vectors

    def keep_thumbnail(self, image: str, data: bytes) -> None:
        """Keeps a small JPEG of a picture, if one can be made."""
        from cvsearch.model import Skip
        from cvsearch.photos.preprocess import prepare_photo

        small = prepare_photo(data, image, f"jpeg-{THUMBNAIL_EDGE}")
        if not isinstance(small, Skip):
            self.thumbnails[image] = small.data

    def look_at(self, pictures: Iterable[PhotoFile | Unread]) -> Iterator[Seen]:
        """The pictures in order; those that are skipped are told of as they come."""
        session = self.session
        # A live line would stand between results that go through a pipe to the same terminal; on a
        # terminal the results themselves tell how far it is.
        live = session.can_redraw and not self.streams
        quiet = self.streams and session.view.terminal
        with (
            heard(self.gathering.stop, session),
            self._progress("looking", "photo", live=live, quiet=quiet) as progress,
        ):
            for seen in self.gathering.run(pictures):
                self.seen += 1
                if seen.skip is not None:
                    self.skipped += 1
                    say = session.say if quiet else progress.say
                    say(_skip_line(seen.image, seen.skip))
                progress.update(self.seen, None, self.skipped, self.embedder.calls)
                yield seen

    @property
    def footer(self) -> str:
        """What a page says of where its scores come from."""
        view = self.session.view
        return f"cvsearch {view.version} · {self.kept.space} · {view.now:%Y-%m-%d %H:%M} UTC"

    def _progress(self, what: str, noun: str, *, live: bool, quiet: bool = False) -> Progress:
        from cvsearch.output.progress import Progress

        session = self.session
        return Progress(
            what,
            sys.stderr,
            live=live,
            quiet=session.quiet or quiet,
            color=session.color_on_stderr,
            noun=noun,
        )


def _skip_line(image: str, skip: Skip) -> str:
    return f"skipped {image}: {skip.reason}" + (f" ({skip.detail})" if skip.detail else "")


@contextmanager
def open_desk(session: Session, *, thumbnails: bool = False, streams: bool = False) -> Iterator[Desk]:
    """With `thumbnails` every picture is read, also one that is indexed, and a small copy is kept."""
    from cvsearch import wiring
    from cvsearch.embedding.images import Gathering, make_read
    from cvsearch.embedding.pictures import open_kept
    from cvsearch.embedding.pipeline import CancelToken
    from cvsearch.embedding.sources import read_source
    from cvsearch.photos.read import read_photo
    from cvsearch.providers.registry import open_embedder

    settings = session.settings
    with ExitStack() as opened:
        kept, notices = opened.enter_context(open_kept(settings, session.cwd))
        if session.talks_to_person or session.verbose:
            for notice in notices:
                session.say(notice)
        late = open_embedder(settings, kept.space)
        embedder = opened.enter_context(wiring.counting(late, settings, kept.cache))
        read = make_read(read_photo, lambda source: read_source(source, offline=settings.offline))
        gathering = Gathering(kept, read, wiring.make_prepare(kept.space), embedder, CancelToken())
        desk = Desk(session, kept, embedder, gathering, streams)
        if thumbnails:
            gathering.see = desk.keep_thumbnail
        try:
            yield desk
        except Interrupted as error:
            error.hint = "what was paid for is kept; run the same command again to go on"
            raise


def stream(session: Session, chunks: Iterable[bytes]) -> None:
    """Data to stdout, each chunk as it comes."""
    for chunk in chunks:
        session.write([chunk])
