"""The sentence "find what looks like this", from a request to a report."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from cvsearch.config.settings import Settings
from cvsearch.embedding.lookup import VectorLookup, embed_text, open_counted
from cvsearch.errors import nothing_indexed
from cvsearch.model import EmbeddedImage, PhotoFile, Report, Space, Vector
from cvsearch.providers.base import Embedder
from cvsearch.providers.registry import provider_of
from cvsearch.search.request import QueryRequest
from cvsearch.search.results import Ranking, count_not_searched
from cvsearch.signals import CancelToken
from cvsearch.store.base import Library
from cvsearch.store.local.embedding_cache import EmbeddingCache


@dataclass(slots=True)
class OpenSpace:
    """A space of an index that is open for questions.

    `notice` is what a person should know of its choice.  The provider is opened when it is first needed, and
    closed with `opened`.
    """

    settings: Settings
    library: Library
    number: int
    space: Space
    notice: str | None
    cache: EmbeddingCache
    opened: ExitStack
    _embedder: Embedder | None = None
    _recent: OrderedDict[tuple[str, bytes], Vector] = field(default_factory=OrderedDict)

    @property
    def embedder(self) -> Embedder:
        """Who makes the vectors of the space."""
        if self._embedder is None:
            counted = open_counted(self.settings, self.space, self.cache)
            self._embedder = self.opened.enter_context(counted)
        return self._embedder

    def embed_text(self, text: str) -> Vector:
        """A text's vector as received: float32, shape (space.dimension,).  May cost a call."""
        lookup = VectorLookup(self.space, self.cache, self.library, self.number, recent=self._recent)
        found = lookup.find_text(text)
        return embed_text(text, lookup, self.embedder) if found is None else found

    def embed_images(self, sources: list[str], given: Mapping[str, bytes]) -> list[EmbeddedImage]:
        """Pictures with their vectors; `given` are the bytes of sources by their names.  May cost calls.

        Raises `CvsearchError` for one that cannot be used.
        """
        from cvsearch.embedding.images import ImageRun  # Pillow is loaded for pictures alone
        from cvsearch.search.same_picture import SampleLookup

        offline = self.settings.offline
        lends = provider_of(self.space).sends
        where = self.space, self.cache, self.library, self.number
        lookup = SampleLookup(*where, recent=self._recent, lends=lends, offline=offline)
        run = ImageRun(lookup, self.embedder, CancelToken(), offline, given, strict=True)
        try:  # one after the other: after the first that cannot be used nothing is paid for
            return [image for source in sources for image in run.run([PhotoFile(source, 0, 0)])]
        except BaseException:
            self._embedder = None  # a run that ends early stops its embedder
            raise


def run_query(space: OpenSpace, request: QueryRequest, given: Mapping[str, bytes] | None = None) -> Report:
    """Ranks the library by the terms; `given` are the bytes of pictures by their names.

    Raises `NoIndexError` when the space has no vectors, and what the provider has to say.
    """
    request.check()
    library, number = space.library, space.number
    if not library.is_filled(number):
        raise nothing_indexed(library.location, space.space.provider)
    sources = [term.value for term in request.terms if term.kind == "image"]
    images = {image.name: image for image in space.embed_images(sources, given or {})} if sources else {}
    vectors: list[Vector] = []
    for term in request.terms:
        vector = space.embed_text(term.value) if term.kind == "text" else images[term.value].vector
        assert vector is not None  # noqa: S101 - a picture that cannot be used is an error
        vectors.append(vector)
    candidates = library.choose(number, request.scope, request.filters)
    shown = [images[term.value] for term in request.terms if term.value in images and term.weight > 0]
    own = {image.sha256 for image in shown}
    ranking = Ranking(library, number, request, candidates, vectors, own)
    matches = ranking.find_matches()
    if shown:
        from cvsearch.search.same_picture import label_rows

        labels = label_rows(library, number, list(ranking.row_of.values()), shown)
        matches = tuple(
            replace(match, same="bytes" if match.sha256 in own else labels.get(ranking.row_of[match.path]))
            for match in matches
        )
    searched = 0
    if request.count:
        judged = candidates.judged
        searched = library.count_photos(number, request.scope) if judged is None else judged
    return Report(
        terms=tuple(request.terms),
        metric=request.metric,
        filters=_describe_limits(request, ranking.strong_score),
        index=library.location,
        indexed_at=library.indexed_at(),
        space=space.space,
        searched=searched,
        not_searched=count_not_searched(library, number, request, candidates) if request.count else {},
        matches=matches,
        unjudged=candidates.unjudged,
        contents={name: image.sha256 for name, image in images.items()},
        borrowed={name: image.lender for name, image in images.items() if image.lender is not None},
        explain=request.explain,
    )


def _describe_limits(request: QueryRequest, strong_score: float | None) -> dict[str, object]:
    """The limits that were asked for; `strong_score` is infinite where nothing can stand out."""
    limits: dict[str, object] = {"top": "all" if request.top is None else request.top}
    if request.strong:
        limits["strong"] = None if strong_score == float("inf") else strong_score
    if request.min_score is not None:
        limits["min_score"] = request.min_score
    if request.scope.under:
        limits["under"] = list(request.scope.under)
    if request.scope.among is not None:
        limits["files"] = len(request.scope.among)
    limits |= request.filters.given
    if request.collapse:
        limits["collapse"] = True
    return limits
