"""The only file that names concrete classes: from settings to index, space, embedder and tools."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cvsearch.errors import CredentialsError, CvsearchError, nothing_indexed
from cvsearch.model import PhotoFile, Prepared, ScanStats, Skip, Space, Unread
from cvsearch.store.local.embedding_cache import EmbeddingCache

if TYPE_CHECKING:
    from cvsearch.config.settings import Settings
    from cvsearch.embedding.pipeline import Prepare
    from cvsearch.providers.base import Embedder
    from cvsearch.store.local.library import Store
    from cvsearch.store.local.roots import Root

AZURE_DIMENSION = 1024
INDEX_FOLDER = ".cvsearch"

LogRequest = Callable[[str, str, int | None, float, str | None], None]


def find_index_folder(settings: Settings, cwd: str) -> str:
    """Which index: the one that was named, else the nearest ``.cvsearch`` here or above, else the user's."""
    if settings.index is not None:
        return os.path.normpath(os.path.join(cwd, settings.index))
    folder = cwd
    while True:
        if os.path.isdir(candidate := os.path.join(folder, INDEX_FOLDER)):
            return candidate
        if folder == (folder := os.path.dirname(folder)):
            break
    import platformdirs

    return str(platformdirs.user_data_path("cvsearch"))


@dataclass(frozen=True, slots=True)
class Choice:
    """The space of a run, with what the user should be told about the choice."""

    space: Space
    notices: tuple[str, ...] = ()


def choose_space(settings: Settings, covered: Sequence[tuple[Space, int]], *, sign_in: bool) -> Choice:
    """The space that `index` fills.  `covered`: the index's spaces with the files each covers.

    Raises `CredentialsError` for half an Azure configuration in a new space that is to `sign_in`.
    """
    provider, notices = settings.provider, []
    if provider == "auto" and covered:
        provider = _fullest(covered).provider
        if provider == "local" and settings.names_azure:
            notices.append(
                "this index is the built-in model's, so nothing goes to Azure, though it is set up"
                " (name --provider azure to index with it too)"
            )
    elif provider == "auto":
        provider, why = _provider_of_new_index(settings, sign_in=sign_in)
        notices.append(why)
    wanted = _wanted_space(settings, provider)
    existing = [entry for entry in covered if entry[0].provider == provider]
    if provider == "azure" and sign_in and not existing:
        settings.azure()
    if not existing or any(space == wanted for space, _ in existing):
        return Choice(wanted, tuple(notices))
    if provider == "local":
        return _choose_local(settings, existing, wanted)
    return _choose_azure(settings, existing, wanted, notices)


def _choose_local(settings: Settings, existing: Sequence[tuple[Space, int]], wanted: Space) -> Choice:
    if settings.provider == "local":
        return Choice(wanted)
    raise CvsearchError(
        f"this index was made with another built-in model ({_fullest(existing).model}, now {wanted.model})",
        hint="begin a second space beside it with --provider local; nothing is lost and nothing costs",
    )


def _choose_azure(
    settings: Settings, existing: Sequence[tuple[Space, int]], wanted: Space, notices: list[str]
) -> Choice:
    asked = [name for name in ("model_version", "max_edge") if settings.found[name].own]
    if settings.provider == "azure" and asked:
        return Choice(wanted, tuple(notices))
    space = _fullest(existing)
    if asked:
        named = " and ".join(asked)
        notices.append(
            f"this index is {space}; {named} set otherwise would mean paying again and is ignored"
            " (to begin a second space name --provider azure)"
        )
    return Choice(space, tuple(notices))


def _fullest(covered: Sequence[tuple[Space, int]]) -> Space:
    return max(covered, key=lambda entry: entry[1])[0]


def _provider_of_new_index(settings: Settings, *, sign_in: bool) -> tuple[str, str]:
    if settings.names_azure:
        from cvsearch.providers.azure.endpoint import read_endpoint

        endpoint = settings.azure().endpoint if sign_in else settings.endpoint
        host = "no endpoint yet" if endpoint is None else read_endpoint(endpoint).host
        return "azure", f"using Azure ({host}), as your settings name it"
    from cvsearch.providers.local import DESCRIPTION

    return "local", f"using the built-in model ({DESCRIPTION}), as no Azure resource is set up"


def _wanted_space(settings: Settings, provider: str) -> Space:
    if provider == "azure":
        return Space("azure", settings.model_version, f"jpeg-{settings.max_edge}", AZURE_DIMENSION)
    from cvsearch.providers.local import SPACE

    return SPACE


def choose_query_space(settings: Settings, store: Store) -> tuple[int, Space, str | None]:
    """The space a query looks in: the provider's, or the one that covers most.

    The text is a notice if there was a choice.  Raises `NoIndexError` when the index has nothing of
    that provider.
    """
    spaces = store.catalogue.spaces()
    if settings.provider != "auto":
        spaces = [entry for entry in spaces if entry[1].provider == settings.provider]
    if not spaces:
        raise nothing_indexed(store.folder, None if settings.provider == "auto" else settings.provider)
    if len(spaces) > 1:  # a run that ended before its first photo leaves an empty one
        spaces = [entry for entry in spaces if store.catalogue.rows(entry[0])] or spaces
    if len(spaces) == 1:
        return *spaces[0], None
    number, space = max(spaces, key=lambda entry: _weight(store, *entry))
    return number, space, f"searching {space}, which covers most photos (choose with --provider)"


def _weight(store: Store, number: int, space: Space) -> tuple[int, bool, int]:
    """What makes a space the one to search: how much it covers, whether it was paid for, its age."""
    return store.files.count_searched(number), space.provider != "local", -number


def open_embedder(settings: Settings, space: Space, log: LogRequest | None = None) -> Embedder:
    """The embedder of a space; to be closed.  Raises `CredentialsError` when it cannot or may not sign in."""
    if space.provider == "local":
        from cvsearch.providers.local import SPACE
        from cvsearch.providers.local.embedder import LocalEmbedder

        if space != SPACE:
            raise CvsearchError(
                f"this index was made with another built-in model ({space.model}, now {SPACE.model})",
                hint="index again beside it: cvsearch index --provider local",
            )
        return LocalEmbedder()
    if settings.offline:
        raise CredentialsError(
            "--offline forbids a call to Azure", hint="leave out --offline, or ask what was asked before"
        )
    return _open_azure(settings, space, log)


def open_when_needed(settings: Settings, space: Space, log: LogRequest | None = None) -> Embedder:
    """The same, but signing in waits for the first call, which a run without a new photo never makes."""
    if space.provider == "local":
        return open_embedder(settings, space, log)
    from cvsearch.providers.azure.embedder import default_jobs
    from cvsearch.providers.late import LateEmbedder

    jobs = settings.jobs or default_jobs(settings.rate)
    return LateEmbedder(lambda: open_embedder(settings, space, log), space, jobs)


def _open_azure(settings: Settings, space: Space, log: LogRequest | None) -> Embedder:
    azure = settings.azure()
    from cvsearch.providers.azure import embedder as service

    if azure.auth == "entra":
        credential: service.Credential = service.EntraCredential()
    elif azure.key_command is not None:
        credential = service.KeyCommandCredential(azure.key_command)
    elif azure.key is not None:
        credential = service.KeyCredential(azure.key.reveal())
    else:
        raise AssertionError("settings.azure() gives a way to sign in")
    return service.AzureEmbedder(
        azure.endpoint,
        credential,
        api_version=settings.api_version,
        model_version=space.model,
        space=space,
        rate=settings.rate,
        jobs=settings.jobs,
        max_calls=settings.max_calls,
        on_request=log,
    )


def host_of(settings: Settings, space: Space) -> str | None:
    """Azure's host, where the photos of its spaces are sent; None for those of others."""
    if space.provider != "azure" or settings.endpoint is None:
        return None
    from cvsearch.providers.azure.endpoint import read_endpoint

    return read_endpoint(settings.endpoint).host


def make_prepare(space: Space) -> Prepare:
    """What turns a file's bytes into what the space embeds."""
    recipe = space.preparation

    def prepare(data: bytes, name: str) -> Prepared | Skip:
        from cvsearch.photos.preprocess import prepare_photo

        return prepare_photo(data, name, recipe)

    return prepare


def make_find(index: str) -> Callable[[Root, str, ScanStats, frozenset[str]], Iterator[PhotoFile | Unread]]:
    """The walk over folders, which never enters the index itself."""
    from cvsearch.photos.walk import find_photos

    def find(
        root: Root, start: str, stats: ScanStats, others: frozenset[str]
    ) -> Iterator[PhotoFile | Unread]:
        return find_photos(root.path, start, root.options, stats, index, others)

    return find


def embedding_cache(folder: str | None) -> EmbeddingCache:
    """Where asked texts and pictures are kept: in the index, or else in the user's cache folder."""
    import platformdirs

    users = str(platformdirs.user_cache_path("cvsearch"))
    return EmbeddingCache((users,) if folder is None else (folder, users))


def extras_text() -> str:
    """The installed extras as one word, by which remembered skips go stale."""
    from cvsearch.photos.read import extras

    return ",".join(sorted(extras()))


def once(make: Callable[[], Embedder]) -> Callable[[], Embedder]:
    """Makes the embedder at the first call and gives the same one from then on."""
    from functools import cache

    return cache(make)


@contextmanager
def counting(embedder: Embedder, settings: Settings, cache: EmbeddingCache) -> Iterator[Embedder]:
    """Opens an embedder for what is asked: its calls are counted beside the answers it brings."""
    with embedder:
        try:
            yield embedder
        finally:
            host = host_of(settings, embedder.space)
            if host is not None and embedder.calls:
                cache.add_traffic(host, embedder.calls, embedder.bytes_sent)
