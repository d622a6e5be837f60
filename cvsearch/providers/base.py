"""What every provider is: a descriptor that is cheap to ask, and the embedder that it opens.

`tests/contracts` proves the embedders, `registry` names the providers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import ClassVar, NoReturn, Self

from cvsearch.config.rules import Rule
from cvsearch.config.settings import Settings
from cvsearch.errors import CvsearchError
from cvsearch.model import Embedded, Prepared, Skip, Space


class Embedder(ABC):
    """Turns prepared photos and texts into vectors of one space.

    `embed_photo` and `embed_text` may be called from several threads at once; `jobs` says how many
    photos are worth having in flight.  A photo the provider will not take is a `Skip`; whatever
    ends the whole run is a `CvsearchError`.  An embedder must be closed.
    """

    space: Space
    jobs: int = 1

    @property
    def calls(self) -> int:
        """How many requests have left this machine, those that failed included."""
        return 0

    @property
    def bytes_sent(self) -> int:
        """How many bytes of request bodies have left this machine."""
        return 0

    @abstractmethod
    def embed_photo(self, photo: Prepared) -> Embedded | Skip:
        """The photo's vector: float32, shape (space.dimension,), finite, not zero, as received."""

    @abstractmethod
    def embed_text(self, text: str) -> Embedded:
        """The text's vector, of the same kind.  Raises `CvsearchError` when it cannot be had."""

    def connect(self) -> None:  # noqa: B027 - most have nothing to open
        """Opens what the first call would open, so that calls from many threads do not pile up behind it."""

    def stop(self) -> None:  # noqa: B027 - most have nothing that waits
        """Makes calls that wait (for their turn, for a service to recover) end at once with an error.

        Those on the wire may finish: they are paid for.
        """

    def close(self) -> None:
        """Stops, and lets go of what is open."""
        self.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RefusedEmbedder(Embedder):
    """Stands for an embedder that could not or may not be opened: the first call raises why.

    So a run that finds every vector in the index needs no credential and no network.
    """

    def __init__(self, space: Space, why: CvsearchError) -> None:
        self.space = space
        self._why = why  # each call raises a copy: tracebacks of several threads must not mix

    def embed_photo(self, photo: Prepared) -> NoReturn:
        """Raises why there is no embedder."""
        raise copy(self._why)

    def embed_text(self, text: str) -> NoReturn:
        """Raises why there is no embedder."""
        raise copy(self._why)


@dataclass(frozen=True, slots=True)
class Choice:
    """The space of a run, with what the user should be told about the choice."""

    space: Space
    notices: tuple[str, ...] = ()


class Provider(ABC):
    """A way to get vectors, described: nothing here is opened, sent or loaded but by `open`.

    `title` is what people call it in a sentence.  `sends` says whether photos and texts leave this
    machine, and so whether they cost: consent, dry runs, the count of traffic and ``--offline`` ask for
    nothing else.  `settings` are the rules of the settings that only this provider has.  `check_name`
    is what `doctor` calls the line about the one text that it has embedded.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    sends: ClassVar[bool]
    settings: ClassVar[tuple[Rule, ...]] = ()
    check_name: ClassVar[str] = "service"

    @abstractmethod
    def new_space(self, settings: Settings) -> Space:
        """The space that the settings ask for, which an index without one of this provider gets."""

    @abstractmethod
    def open(self, settings: Settings, space: Space) -> Embedder:
        """The embedder of a space; to be closed.  Signing in and heavy imports wait for its first call.

        Raises `CvsearchError` when the settings or the space do not allow it.
        """

    def is_set_up(self, settings: Settings) -> bool:
        """Whether a new index takes this provider unasked, be its configuration only half."""
        return False

    def why_chosen(self, settings: Settings) -> str:
        """The sentence that tells of such a choice."""
        return f"using {self.title}, as your settings name it"

    def check(self, settings: Settings) -> None:  # noqa: B027 - most need nothing
        """Raises `CredentialsError` for what is missing, empty or ambiguous; before a space is begun."""

    def choose(self, settings: Settings, existing: Sequence[tuple[Space, int]]) -> Choice:
        """Which space to fill when the index has some of this provider, but not `new_space`.

        `existing` are those, with the files that each covers.  A second space begins only when the
        provider is named.  Raises `CvsearchError`.
        """
        return Choice(self.new_space(settings) if self.is_named(settings) else fullest(existing))

    def is_named(self, settings: Settings) -> bool:
        """Whether the user asks for this provider by name."""
        return settings.provider == self.name

    def host(self, settings: Settings) -> str | None:
        """Where photos and texts are sent, as shown to people; None while that is nowhere."""
        return None

    def warnings(self, settings: Settings) -> list[str]:
        """What the user should know of the settings that are this provider's."""
        return []

    def describe_endpoint(self, settings: Settings) -> str:
        """For `doctor`, of a provider that sends: where it is and how to sign in.  Raises `CvsearchError`."""
        self.check(settings)
        return self.host(settings) or self.title

    def describe_answer(self, settings: Settings, space: Space, seconds: float) -> str:
        """For `doctor`: that a text was embedded in so many seconds."""
        return f"{space} answered in {seconds:.2f} s, {space.dimension} numbers"


def fullest(covered: Sequence[tuple[Space, int]]) -> Space:
    """The space that covers most files."""
    return max(covered, key=lambda entry: entry[1])[0]
