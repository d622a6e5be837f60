"""cvsearch in Python: open an index, search it, get arrays.  The command line is its first user.

::

    import cvsearch

    with cvsearch.open_index("photos/.cvsearch") as index:
        for match in index.search("red car", top=5):
            print(match.score, match.path)

Paths are absolute `str`; a byte that is not UTF-8 is a surrogate escape (`os.fsencode` gives the bytes
back).  Errors are `CvsearchError` with a `message`, a `hint` and the exit `code` that the command line
would end with; among them `NoIndexError`, `CredentialsError`, `ServiceError` and `LockedError`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self, TypeVar

from cvsearch import wiring
from cvsearch.config.settings import Settings
from cvsearch.errors import CvsearchError, NoIndexError
from cvsearch.model import Event, Match, Metadata, Report, Space, Summary, Term
from cvsearch.search.reading import Reading, open_reading
from cvsearch.store.local.library import has_index

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.ranking.filters import Date, Place
    from cvsearch.search.request import QueryRequest

_One = TypeVar("_One", bound=str | bytes | os.PathLike[str])
Picture = str | os.PathLike[str] | bytes
"""A picture to ask with: a path, an ``http(s)`` address, or the bytes of a picture file."""


@dataclass(frozen=True, slots=True)
class Photo:
    """An indexed photo under one of its names: size in bytes, SHA-256, and what was read from it."""

    path: str
    size: int
    sha256: bytes
    metadata: Metadata | None


def open_index(
    path: str | os.PathLike[str] | None = None,
    *,
    provider: str | None = None,
    offline: bool = False,
    max_calls: int | None = None,
    create: bool = False,
) -> Index:
    """An index, to be closed: use it in a ``with``.

    `path` is the index's folder; None looks where the command line does (``CVSEARCH_INDEX``, the nearest
    ``.cvsearch`` here or above, the user's data folder).  `provider`: ``auto``, ``azure`` or ``local``;
    None: as the environment and the config file say.  `offline`: no byte may leave this machine.
    `max_calls`: the most calls to Azure (`BudgetError` beyond).  `create`: `Index.add` may make it.
    Raises `NoIndexError` when there is no index, and `CvsearchError` for wrong settings.
    """
    flags: dict[str, object] = {"provider": provider, "max_calls": max_calls}
    flags |= {"index": None if path is None else os.fspath(path), "offline": offline or None}
    settings = Settings.load({name: value for name, value in flags.items() if value is not None}, os.environ)
    index = Index(settings, os.getcwd())
    if not create and not has_index(index.folder):
        raise NoIndexError(
            f"there is no index at {index.folder}", hint="make one: open_index(…, create=True)"
        )
    return index


class Index:
    """An open index.  Reads what is committed and takes no lock; to be used on one thread.

    Searching asks the provider only for texts and pictures that were never asked before and are not
    indexed; what it answers is kept.
    """

    def __init__(self, settings: Settings, cwd: str, log: wiring.LogRequest | None = None) -> None:
        """As the command line opens one; `open_index` is for everybody else."""
        self.folder = wiring.find_index_folder(settings, cwd)
        self._settings = settings
        self._cwd = cwd
        self._log = log
        self._opened = ExitStack()
        self._reading: Reading | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files and of the connection to the provider.  A closed index cannot be asked."""
        self._closed = True
        self._reading = None
        self._opened.close()

    @property
    def space(self) -> Space:
        """What is searched: the provider's space, or the one that covers most photos.

        Raises `NoIndexError` when nothing is indexed yet.
        """
        return self._read().space

    @property
    def notice(self) -> str | None:
        """What a person should know of the choice of the space, if there was one."""
        return self._read().notice

    def search(
        self,
        text: str | Sequence[str] = (),
        *,
        image: Picture | Sequence[Picture] = (),
        without: str | Sequence[str] = (),
        without_image: Picture | Sequence[Picture] = (),
        top: int | None = 10,
        min_score: float | None = None,
        under: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
        after: Date | None = None,
        before: Date | None = None,
        camera: str | None = None,
        near: Place | str | None = None,
        strong: bool = False,
        collapse: bool = False,
    ) -> list[Match]:
        """The photos that answer a text, pictures, or a mixture of them, best first.

        One text or picture: `Match.score` is the cosine.  Several, or with `without` and `without_image`
        to lead away from some: the combined standard score.  `top` None: all.  `under`: only photos
        beneath these folders.  `after` and `before` (``"2024-05"``, or a date), `camera` and `near`
        (latitude, longitude, kilometres) leave out what they cannot judge; `strong` and `collapse` are the
        options of those names.  Each text and picture that is new may cost one call.

        Raises `CvsearchError` when there is nothing to look for, a limit makes no sense, a folder is nowhere
        or a picture cannot be used, `NoIndexError` when nothing is indexed, and what the provider has to say.
        """
        from cvsearch.ranking.filters import make_filters
        from cvsearch.search.places import find_unindexed
        from cvsearch.search.request import QueryRequest

        pictures: dict[str, bytes] = {}
        terms = [Term("text", " ".join(one.split())) for one in _several(text)]
        terms += [Term("image", self._source(one, pictures)) for one in _several(image)]
        terms += [Term("text", " ".join(one.split()), -1.0) for one in _several(without)]
        terms += [Term("image", self._source(one, pictures), -1.0) for one in _several(without_image)]
        if not terms or not all(term.value for term in terms):
            raise CvsearchError("nothing to look for", hint="give a text or a picture")
        if top is not None and (not isinstance(top, int) or top < 1):
            raise CvsearchError(f"top is a number from 1, or None for all, not {top}", hint="such as top=20")
        if min_score is not None and math.isnan(min_score):
            raise CvsearchError("min_score is not a number", hint="such as min_score=0.3")
        folders = tuple(self._absolute(folder) for folder in _several(under))
        store = self._read().store
        find_unindexed(store, folders)
        request = QueryRequest(
            tuple(terms),
            top=top,
            min_score=min_score,
            under=store.files.as_photos(folders),
            wanted=make_filters(after=after, before=before, camera=camera, near=near),
            strong=strong,
            collapse=collapse,
        )
        return list(self.answer(request, pictures).matches)

    def answer(self, request: QueryRequest, pictures: Mapping[str, bytes] | None = None) -> Report:
        """The report to all that a query can ask; `pictures` are the bytes of sources by their names."""
        from cvsearch.search.query import run_query
        from cvsearch.search.same_picture import label_matches

        reading = self._read()
        asker = reading.make_asker(pictures or {})
        report = run_query(
            reading.store, reading.number, reading.space, request, asker.vector_of, asker.contents
        )
        matches = label_matches(reading.store, reading.number, report.matches, asker.shown)
        return replace(report, matches=matches, borrowed=dict(asker.borrowed))

    def embed_text(self, text: str) -> NDArray[np.float32]:
        """A text's unit vector: float32, shape (space.dimension,).  May cost a call."""
        return self._embed(Term("text", " ".join(text.split())), {})

    def embed_image(self, image: Picture) -> NDArray[np.float32]:
        """A picture's unit vector: float32, shape (space.dimension,).  May cost a call."""
        pictures: dict[str, bytes] = {}
        return self._embed(Term("image", self._source(image, pictures)), pictures)

    def photos(self) -> list[Photo]:
        """Every photo that has a vector, a name each, in the order of `vectors`."""
        from cvsearch.store.local.records import make_photo
        from cvsearch.store.local.snapshot import Scope, open_snapshot

        reading = self._read()
        with open_snapshot(reading.store, reading.number, Scope()) as snapshot:
            found = [make_photo(fields) for portion in snapshot.read_fields() for fields in portion]
        return [Photo(one.path, one.size, one.sha256 or b"", one.metadata) for one in found]

    def vectors(self) -> tuple[list[str], NDArray[np.float32]]:
        """The photos' paths and their unit vectors: float32, shape (len(paths), space.dimension).

        Row i is the vector of path i; photos with the same bytes have equal rows.  The array is a copy
        in memory, yours to change: 4 kB a photo with 1,024 dimensions.
        """
        import numpy as np

        from cvsearch.store.local.snapshot import Scope, open_snapshot

        reading = self._read()
        with open_snapshot(reading.store, reading.number, Scope()) as snapshot:
            paths = [os.fsdecode(path) for portion in snapshot.read_paths() for path in portion]
            units = np.empty((snapshot.count, reading.space.dimension), np.float32)
            done = 0
            for portion, _ in snapshot.read_vectors():
                units[done : done + len(portion)] = portion
                done += len(portion)
        return paths, units

    def add(
        self,
        paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        on_event: Callable[[Event], object] | None = None,
    ) -> Summary:
        """Indexes folders and photos as ``cvsearch index PATH…`` does; nobody is asked before calls are made.

        `on_event` hears what became of each photo.  `Summary.skipped` counts those that could not be
        indexed.  Raises `LockedError` while another process writes; whatever ends it early, what was paid
        for is kept, and the same call goes on from there.
        """
        from cvsearch.indexer.workshop import index_paths

        wanted = [self._absolute(path) for path in _several(paths)]
        return index_paths(self._settings, self.folder, wanted, on_event or (lambda event: None), self._log)

    def _read(self) -> Reading:
        if self._closed:
            raise CvsearchError("this index was closed", hint="open it again: open_index()")
        if self._reading is None:
            self._reading = self._opened.enter_context(open_reading(self._settings, self.folder, self._log))
        else:
            self._reading.store.refresh()
        return self._reading

    def _embed(self, term: Term, pictures: Mapping[str, bytes]) -> NDArray[np.float32]:
        from cvsearch.ranking.cosine import make_unit

        if not term.value:
            raise CvsearchError("the text is empty", hint="say what to embed")
        return make_unit(self._read().make_asker(pictures).vector_of(term))

    def _absolute(self, path: str | os.PathLike[str]) -> str:
        return os.path.normpath(os.path.join(self._cwd, path))

    def _source(self, picture: Picture, pictures: dict[str, bytes]) -> str:
        """A picture's name as a source; bytes are put among `pictures`."""
        from cvsearch.embedding.sources import is_address

        if not isinstance(picture, bytes):
            name = os.fspath(picture)
            return name if is_address(name) else self._absolute(name)
        pictures[name := f"picture {len(pictures) + 1}"] = picture
        return name


def _several(given: _One | Iterable[_One]) -> list[_One]:
    """What was given as one or as several of a kind."""
    if isinstance(given, str | bytes | os.PathLike):
        return [given]
    return list(given)
