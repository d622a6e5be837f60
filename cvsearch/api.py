"""cvsearch in Python: open an index, search it, get arrays.  The command line is its first user.

::

    import cvsearch

    with cvsearch.open_index("photos/.cvsearch") as index:
        for match in index.search("red car", top=5):
            print(match.score, match.path)

Paths are absolute `str`; a byte that is not UTF-8 is a surrogate escape (`os.fsencode` gives the bytes
back).  Errors are `CvsearchError` with a `message`, a `hint` and the exit `code` that the command line
would end with; among them `NoIndexError`, `CredentialsError`, `ServiceError` and `LockedError`.

Importing this module is cheap: each method loads what it needs.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from typing import IO, TYPE_CHECKING, Self, TypeVar

from cvsearch.config.settings import Settings, find_index_folder
from cvsearch.errors import CvsearchError, NoIndexError
from cvsearch.indexer.changes import IndexRequest, Plan, Rules
from cvsearch.model import (
    Check,
    Classification,
    EmbeddedImage,
    Event,
    Form,
    Group,
    IndexedPhoto,
    Match,
    PhotoFacts,
    Prepared,
    Report,
    Skip,
    Space,
    Status,
    Summary,
    Term,
    Thumbnail,
    Unread,
    Vector,
)
from cvsearch.paths import Scope, is_address
from cvsearch.providers.azure.endpoint import read_endpoint
from cvsearch.providers.registry import (
    AUTO,
    choose_query_space,
    choose_sent_space,
    choose_space,
    load_settings,
    provider_names,
    provider_of,
    setting_rules,
)
from cvsearch.ranking.filters import Date, Place, make_filters
from cvsearch.search.request import (
    LARGEST,
    OLDEST,
    PLAIN,
    ClassifyRequest,
    DuplicatesRequest,
    QueryRequest,
)
from cvsearch.signals import CancelToken

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cvsearch.embedding.images import ImageRun as ImageRun
    from cvsearch.embedding.images import NamedImages
    from cvsearch.indexer.job import Job as Job
    from cvsearch.search.query import OpenSpace
    from cvsearch.store.base import Library
    from cvsearch.store.local.import_ import Arrival
    from cvsearch.store.local.prune import Pruning
    from cvsearch.store.local.snapshot import Snapshot as Snapshot

__all__ = [
    "LARGEST",
    "OLDEST",
    "PLAIN",
    "ClassifyRequest",
    "DuplicatesRequest",
    "Index",
    "IndexRequest",
    "Photo",
    "Plan",
    "QueryRequest",
    "Rules",
    "installed_extras",
    "is_index",
    "load_settings",
    "make_filters",
    "make_thumbnail",
    "open_index",
    "provider_names",
    "provider_of",
    "read_endpoint",
    "setting_rules",
]

_One = TypeVar("_One", bound=str | bytes | os.PathLike[str])
Picture = str | os.PathLike[str] | bytes
"""A picture to ask with: a path, an ``http(s)`` address, or the bytes of a picture file."""

Photo = IndexedPhoto


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
    `max_calls`: the most calls to a service (`BudgetError` beyond).  `create`: `Index.add` may make it.
    Raises `NoIndexError` when there is no index, and `CvsearchError` for wrong settings.
    """
    flags: dict[str, object] = {"provider": provider, "max_calls": max_calls}
    flags |= {"index": None if path is None else os.fspath(path), "offline": offline or None}
    settings = load_settings({name: value for name, value in flags.items() if value is not None}, os.environ)
    index = Index(settings, os.getcwd())
    if not create and not is_index(index.folder):
        raise NoIndexError(
            f"there is no index at {index.folder}", hint="make one: open_index(…, create=True)"
        )
    return index


class Index:
    """An open index.  Reads what is committed and takes no lock; to be used on one thread.

    Searching asks the provider only for texts and pictures that were never asked before and are not
    indexed; what it answers is kept.
    """

    def __init__(self, settings: Settings, cwd: str) -> None:
        """As the command line opens one; `open_index` is for everybody else."""
        self.folder = find_index_folder(settings, cwd)
        self._settings = settings
        self._cwd = cwd
        self._opened = ExitStack()
        self._library: Library | None = None
        self._space: OpenSpace | None = None
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of the files and of the connection to the provider.  A closed index cannot be asked."""
        self._closed = True
        self._opened.close()

    @property
    def space(self) -> Space:
        """What is searched: the provider's space, or the one that covers most photos.

        Raises `NoIndexError` when nothing is indexed yet.
        """
        return self._open_space.space

    @property
    def notice(self) -> str | None:
        """What a person should know of the choice of the space, if there was one."""
        return self._open_space.notice

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
        scope, _ = self.find_scope(Scope([self._absolute(folder) for folder in _several(under)]))
        request = QueryRequest(
            tuple(terms),
            top=top,
            min_score=min_score,
            scope=scope,
            filters=make_filters(after=after, before=before, camera=camera, near=near),
            strong=strong,
            collapse=collapse,
        )
        return list(self.answer(request, pictures).matches)

    def answer(self, request: QueryRequest, pictures: Mapping[str, bytes] | None = None) -> Report:
        """The report to all that a query can ask; `pictures` are the bytes of sources by their names."""
        from cvsearch.search.query import run_query

        return run_query(self._open_space, request, pictures)

    def find_scope(self, scope: Scope) -> tuple[Scope, list[str]]:
        """The places and files as the index knows them, a photo for each of its companions.

        With the places where nothing is indexed; raises `CvsearchError` for one that does not exist either:
        a name with a slip in it must not look like an answer.
        """
        if scope.is_all():
            return scope, []
        library = self._read()
        unindexed = [path for path in scope.under if not self.is_known(path)]
        for path in unindexed:
            if not os.path.lexists(path):
                raise CvsearchError(
                    f"no such file or folder: {path}", hint="check the name; cvsearch status shows the roots"
                )
        among = None if scope.among is None else frozenset(library.as_photos(scope.among))
        return Scope(library.as_photos(scope.under), among), unindexed

    def is_known(self, path: str) -> bool:
        """Whether a photo is indexed at or beneath a path."""
        library = self._read()
        return library.count_photos(None, Scope([path])) > 0 or library.as_photos([path]) != [path]

    def embed_text(self, text: str) -> NDArray[np.float32]:
        """A text's unit vector: float32, shape (space.dimension,).  May cost a call."""
        from cvsearch.ranking.cosine import make_unit

        text = " ".join(text.split())
        if not text:
            raise CvsearchError("the text is empty", hint="say what to embed")
        return make_unit(self._open_space.embed_text(text))

    def embed_image(self, image: Picture) -> NDArray[np.float32]:
        """A picture's unit vector: float32, shape (space.dimension,).  May cost a call."""
        from cvsearch.ranking.cosine import make_unit

        pictures: dict[str, bytes] = {}
        (found,) = self._open_space.embed_images([self._source(image, pictures)], pictures)
        assert found.vector is not None  # noqa: S101 - a picture that cannot be used is an error
        return make_unit(found.vector)

    def photos(self) -> list[IndexedPhoto]:
        """Every photo that has a vector, a name each, in the order of `vectors`."""
        with self.snapshot(Scope()) as snapshot:
            return snapshot.read_photos()

    def vectors(self) -> tuple[list[str], NDArray[np.float32]]:
        """The photos' paths and their unit vectors: float32, shape (len(paths), space.dimension).

        Row i is the vector of path i; photos with the same bytes have equal rows.  The array is a copy
        in memory, yours to change: 4 kB a photo with 1,024 dimensions.
        """
        import numpy as np

        with self.snapshot(Scope()) as snapshot:
            paths = [os.fsdecode(path) for portion in snapshot.read_paths() for path in portion]
            units = np.empty((snapshot.count, self.space.dimension), np.float32)
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
        rules = Rules(extras=installed_extras())
        request = IndexRequest([self._absolute(path) for path in _several(paths)], rules)
        with self.open_job(request, CancelToken()) as job, closing(self.run_job(job)) as events:
            for event in events:
                if isinstance(event, Event) and on_event is not None:
                    on_event(event)
        return job.summary

    def open_job(
        self, request: IndexRequest, token: CancelToken, wait_seconds: float = 0
    ) -> AbstractContextManager[Job]:
        """A run over the index, which is made if there is none; see `indexer.job`."""
        from cvsearch.indexer.job import open_job

        return open_job(self._settings, self.folder, request, token, wait_seconds)

    def run_job(self, job: Job) -> Generator[Event | Plan | None, None, None]:
        """Does it; see `indexer.index`."""
        from cvsearch.indexer.index import index

        return index(job)

    @contextmanager
    def open_images(
        self, token: CancelToken, *, thumbnails: bool = False
    ) -> Iterator[tuple[ImageRun, Sequence[str]]]:
        """What looks at pictures that are named, with notices: `classify` and `compare` go on from there.

        No index is needed and none is made; in its space if there is one, else as for a new one.  Raises
        `CredentialsError` for half a configuration.
        """
        from cvsearch.embedding.images import ImageRun
        from cvsearch.embedding.lookup import VectorLookup, open_counted
        from cvsearch.store.local.embedding_cache import open_embedding_cache

        settings = self._settings
        with ExitStack() as opened:
            there = is_index(self.folder)
            cache = open_embedding_cache(self.folder if there else None)
            opened.enter_context(cache.batching())
            spaces = [space for _, space in self._read().spaces()] if there else []
            if any(settings.provider in (AUTO, space.provider) for space in spaces):
                asked = self._open_space
                lookup = VectorLookup(asked.space, cache, asked.library, asked.number, installed_extras())
                notices = [] if asked.notice is None else [asked.notice]
            else:
                choice = choose_space(settings, [], sign_in=True)
                lookup, notices = VectorLookup(choice.space, cache), list(choice.notices)
            embedder = opened.enter_context(open_counted(settings, lookup.space, cache))
            yield ImageRun(lookup, embedder, token, settings.offline, thumbnails=thumbnails), notices

    def duplicates(self, request: DuplicatesRequest) -> list[Group]:
        """Groups of photos that are there twice.  Raises `NoIndexError` when nothing is indexed.

        Raises `CvsearchError` when ``keep`` is a folder where nothing is indexed.
        """
        from cvsearch.search.duplicates import find_duplicates

        if request.keep not in (LARGEST, OLDEST) and not self.is_known(request.keep):
            raise CvsearchError(
                f"--keep takes largest, oldest or a folder with indexed photos, not {request.keep}",
                hint="check the name",
            )
        return find_duplicates(self._read(), self._open_space.number, request)

    def count_coverage(self, scope: Scope) -> tuple[int, int]:
        """How many photos of a scope are indexed as they are on disk, and how many entries are not."""
        return self._read().count_coverage(self._open_space.number, scope)

    def show(self, path: str) -> PhotoFacts | None:
        """All that is known of a photo; None when nothing is."""
        return self._read().show(path)

    def sent_as(self, path: str) -> Prepared:
        """What was or would be sent of a photo; needs no network, key or index.

        Raises `CvsearchError` for one that cannot be read or would not be sent.
        """
        from cvsearch.photos.preprocess import prepare_photo
        from cvsearch.photos.read import read_photo
        from cvsearch.photos.walk import stat_photo

        file = stat_photo(path)
        if isinstance(file, Unread):
            raise CvsearchError(f"the photo cannot be read: {path}: {file.detail or file.reason}")
        spaces = [space for _, space in self._read().spaces()] if is_index(self.folder) else []
        recipe = choose_sent_space(self._settings, spaces).preparation
        data = read_photo(file)
        photo = data if isinstance(data, Skip) else prepare_photo(data[0], path, recipe)
        if isinstance(photo, Skip):
            raise CvsearchError(f"nothing would be sent of {path}: {photo.reason}", photo.detail)
        return photo

    def status(self) -> Status:
        """Where the index is and what it holds."""
        return self._read().status()

    def list_skipped(self, status: Status) -> list[tuple[str, str, str]]:
        """Every photo without a vector, and every name that could not be looked at: path, reason, detail."""
        missed = self._read().not_searched(self._open_space.number if status.spaces else 0)
        listed = {path for path, _, _ in missed}
        return [*missed, *(fault for fault in status.unread if fault[0] not in listed)]

    def forget(self, paths: Sequence[str]) -> int:
        """Drops photos and folders, also ones that no longer exist; how many photos that were.

        Their vectors stay until `prune`.  Raises `CvsearchError` for a path that is not in the index.
        """
        from cvsearch.indexer.relocation import forget
        from cvsearch.store.local.library import open_writer

        with open_writer(self.folder) as store:
            return forget(store, paths)

    def move(self, old: str, new: str) -> int:
        """Says that the folder `old` is now `new`: only names change; how many photos that were."""
        from cvsearch.indexer.relocation import move
        from cvsearch.store.local.library import open_writer

        with open_writer(self.folder) as store:
            return move(store, old, new)

    def check(self) -> Iterator[Check]:
        """What `doctor` finds of settings, service (one text call), index and extras, one after the other."""
        from cvsearch.search.doctor import run_checks

        return run_checks(self._settings, self.folder)

    def name_images(self, names: Sequence[str]) -> NamedImages:
        """The pictures behind names: paths, folders, addresses, ``-``."""
        from cvsearch.embedding.images import NamedImages

        return NamedImages(names, self.folder)

    def list_prompts(self, request: ClassifyRequest) -> list[str]:
        """The texts whose vectors `classify` needs, in the order in which it takes them."""
        from cvsearch.search.classify import list_prompts

        return list_prompts(request)

    def classify(
        self, request: ClassifyRequest, prompts: Sequence[Vector], images: Iterable[EmbeddedImage]
    ) -> Iterator[Classification]:
        """Each picture's labels; `prompts` are the vectors of `list_prompts`."""
        from cvsearch.search.classify import classify

        return classify(request, prompts, images)

    def compare(self, images: Sequence[EmbeddedImage]) -> NDArray[np.float64]:
        """The cosines of pictures with one another: float64, shape (n, n), exactly 1 on the diagonal."""
        from cvsearch.ranking.cosine import cosine_matrix

        return cosine_matrix([image.vector for image in images if image.vector is not None])

    def find_losable(self, groups: Sequence[Group]) -> list[IndexedPhoto]:
        """The photos of groups that could be lost, each once."""
        from cvsearch.search.duplicates import find_losable

        return [photo for photo, _ in find_losable(groups)]

    def verify_losable(self, groups: Sequence[Group]) -> Iterator[tuple[IndexedPhoto, str | None]]:
        """The same, read again, with what is wrong where the index no longer tells the truth."""
        from cvsearch.search.duplicates import verify_losable

        return verify_losable(groups)

    def snapshot(self, scope: Scope) -> AbstractContextManager[Snapshot]:
        """The photos of a scope with their vectors as they are at one moment."""
        return self._read().snapshot(self._open_space.number, scope)

    @contextmanager
    def pruning(self) -> Iterator[Pruning]:
        """The index, locked, with what a prune would delete."""
        from cvsearch.store.local.library import open_writer
        from cvsearch.store.local.prune import Pruning

        with open_writer(self.folder) as store:
            yield Pruning(store)

    @contextmanager
    def open_import(self, path: str, folders: Sequence[tuple[str, str]]) -> Iterator[Arrival]:
        """An exported file that is to be merged; `folders` are pairs of names there and here."""
        from cvsearch.store.local.archive import refusal
        from cvsearch.store.local.import_ import open_arrival

        with open_arrival(path, self.folder, folders, self._settings.provider) as arrival:
            if arrival.space.provider not in provider_names()[1:]:
                raise refusal(path, f"no such space: {arrival.space}")
            yield arrival

    def write_archive(self, snapshot: Snapshot, file: IO[bytes]) -> Iterator[int]:
        """Writes a snapshot as an export (``.npz``), and says how many vectors are through."""
        from cvsearch import __version__
        from cvsearch.store.local.archive import write_archive

        return write_archive(file, snapshot, self.space, __version__)

    def count_without_vector(self, scope: Scope) -> int:
        """How many photos of a whole index or of folders have no vector; those of a list are not counted."""
        if scope.among is not None:
            return 0
        library = self._read()
        return library.count_photos(None, scope) - library.count_photos(self._open_space.number, scope)

    def _read(self) -> Library:
        if self._closed:
            raise CvsearchError("this index was closed", hint="open it again: open_index()")
        if self._library is None:
            from cvsearch.store.local.library import open_library

            self._library = self._opened.enter_context(open_library(self.folder))
        else:
            self._library.refresh()
        return self._library

    @property
    def _open_space(self) -> OpenSpace:
        if self._space is None:
            from cvsearch.search.query import OpenSpace
            from cvsearch.store.local.embedding_cache import open_embedding_cache

            library = self._read()
            spaces = library.spaces()
            several = len(spaces) > 1  # counting takes time, and nobody needs the counts of the only one
            counted = [
                (number, space, library.count_photos(number) if several else 0, library.is_filled(number))
                for number, space in spaces
            ]
            number, space, notice = choose_query_space(self._settings, counted, self.folder)
            cache = open_embedding_cache(self.folder)
            self._space = OpenSpace(self._settings, library, number, space, notice, cache, self._opened)
        self._read()
        return self._space

    def _absolute(self, path: str | os.PathLike[str]) -> str:
        return os.path.normpath(os.path.join(self._cwd, path))

    def _source(self, picture: Picture, pictures: dict[str, bytes]) -> str:
        """A picture's name as a source; bytes are put among `pictures`."""
        if not isinstance(picture, bytes):
            name = os.fspath(picture)
            return name if is_address(name) else self._absolute(name)
        pictures[name := f"picture {len(pictures) + 1}"] = picture
        return name


def make_thumbnail(path: str, width: int, height: int, form: Form) -> Thumbnail | Skip:
    """The photo upright, flat, without EXIF, never enlarged, in a box of pixels; else why there is none."""
    from cvsearch.photos import preprocess

    return preprocess.make_thumbnail(path, width, height, form)


def installed_extras() -> str:
    """The installed extras as one word, by which remembered skips go stale."""
    from cvsearch.photos.read import extras_text

    return extras_text()


def is_index(path: str) -> bool:
    """Whether a folder holds an index."""
    from cvsearch.store.local.library import has_index

    return has_index(path)


def _several(given: _One | Iterable[_One]) -> list[_One]:
    """What was given as one or as several of a kind."""
    if isinstance(given, str | bytes | os.PathLike):
        return [given]
    return list(given)
