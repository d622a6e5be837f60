"""Which providers there are, and which one is meant: the only file that names them.

Adding a provider takes its folder and its line in `PROVIDERS`.  The order is that in which a new index
takes the first that is set up; the built-in model, which always is, stands last.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from cvsearch.config.rules import Rule, make_rules
from cvsearch.config.settings import Settings
from cvsearch.errors import CredentialsError, CvsearchError, nothing_indexed
from cvsearch.model import Space
from cvsearch.providers.azure import AzureProvider
from cvsearch.providers.base import Choice, Embedder, Provider, RefusedEmbedder, fullest
from cvsearch.providers.local import LocalProvider

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        AzureProvider(),
        LocalProvider(),
    )
}

AUTO = "auto"
"""Whoever made the index, and for a new one the first that is set up."""


def provider_names() -> tuple[str, ...]:
    """What the setting and option `provider` take."""
    return AUTO, *PROVIDERS


def setting_rules() -> dict[str, Rule]:
    """Every setting, those of the providers among them."""
    return make_rules(
        provider_names(), (rule for provider in PROVIDERS.values() for rule in provider.settings)
    )


def load_settings(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings from all layers; a flag that is None was not given.  Raises `CvsearchError`."""
    settings = Settings.load(setting_rules(), flags, environ)
    for provider in PROVIDERS.values():
        settings.warnings.extend(provider.warnings(settings))
    return settings


def provider_of(space: Space) -> Provider:
    """Who makes the vectors of a space.  Raises `CvsearchError` for a provider that is not known here."""
    if space.provider not in PROVIDERS:
        raise CvsearchError(
            f"this cvsearch knows no provider {space.provider}, which made {space}", hint="upgrade cvsearch"
        )
    return PROVIDERS[space.provider]


def choose_space(settings: Settings, covered: Sequence[tuple[Space, int]], *, sign_in: bool) -> Choice:
    """The space that `index` fills.  `covered`: the index's spaces with the files each covers.

    Raises `CredentialsError` for half a configuration in a new space that is to `sign_in`.
    """
    notices: list[str] = []
    if settings.provider != AUTO:
        provider = PROVIDERS[settings.provider]
    elif covered:
        provider = provider_of(fullest(covered))
        if not provider.sends:  # then it goes on to send nothing, though one that does may be set up
            notices += [
                f"this index is {provider.title}'s, so nothing goes to {other.title}, though it is set up"
                f" (name --provider {other.name} to index with it too)"
                for other in PROVIDERS.values()
                if other.sends and other.is_set_up(settings)
            ]
    else:
        provider = _first_set_up(settings)
    existing = [entry for entry in covered if entry[0].provider == provider.name]
    if sign_in and not existing:
        provider.check(settings)
    if settings.provider == AUTO and not covered:
        notices.append(provider.why_chosen(settings))
    wanted = provider.new_space(settings)
    if not existing or any(space == wanted for space, _ in existing):
        return Choice(wanted, tuple(notices))
    choice = provider.choose(settings, existing)
    return Choice(choice.space, (*notices, *choice.notices))


def _first_set_up(settings: Settings, used: Collection[str] = ()) -> Provider:
    return next(one for one in PROVIDERS.values() if one.name in used or one.is_set_up(settings))


def choose_query_space(
    settings: Settings, spaces: Sequence[tuple[int, Space, int, bool]], folder: str
) -> tuple[int, Space, str | None]:
    """The space a query looks in: the provider's, or the one that covers most; with its number.

    `spaces` are those of the index in `folder`, oldest first: number, space, files covered, whether it has
    vectors.  The text is a notice if there was a choice.  Raises `NoIndexError` when the index has nothing of
    that provider.
    """
    named = None if settings.provider == AUTO else settings.provider
    if named is not None:
        spaces = [entry for entry in spaces if entry[1].provider == named]
    if not spaces:
        raise nothing_indexed(folder, named)
    # A run that ended before its first photo leaves an empty one.
    spaces = [entry for entry in spaces if entry[3]] or spaces
    if len(spaces) == 1:
        return spaces[0][0], spaces[0][1], None
    # What covers as much and was paid for goes first, then what is older.
    number, space, *_ = max(spaces, key=lambda one: (one[2], provider_of(one[1]).sends, -one[0]))
    return number, space, f"searching {space}, which covers most photos (choose with --provider)"


def choose_checked_space(settings: Settings, spaces: Collection[Space]) -> Space:
    """The space that `doctor` has a text embedded in; `spaces` are the index's.

    It is of the provider that is named, else of the first that is set up or made vectors of the index: the
    one that the settings ask for, else the first in the index, else a new one.
    """
    if settings.provider != AUTO:
        provider = PROVIDERS[settings.provider]
    else:
        provider = _first_set_up(settings, {space.provider for space in spaces})
    wanted = provider.new_space(settings)
    own = [space for space in spaces if space.provider == provider.name]
    return wanted if wanted in own or not own else own[0]


def choose_sent_space(settings: Settings, spaces: Iterable[Space]) -> Space:
    """The space by whose recipe a photo was or would be sent; `spaces` are the index's."""
    senders = [provider for provider in PROVIDERS.values() if provider.sends]
    chosen = next((one for one in senders if one.is_named(settings) or one.is_set_up(settings)), senders[0])
    sent = [space for space in spaces if provider_of(space).sends]
    return sent[0] if sent else chosen.new_space(settings)


def open_embedder(settings: Settings, space: Space) -> Embedder:
    """The embedder of a space; to be closed.  Nothing is loaded and nobody signs in before its first call.

    That call raises `CredentialsError` when it cannot or may not sign in, and whatever else opening it
    would raise.  Raises `CvsearchError` for a provider that is not known here.
    """
    provider = provider_of(space)
    if provider.sends and settings.offline:
        forbidden = CredentialsError(
            f"--offline forbids a call to {provider.title}",
            hint="leave out --offline, or ask what was asked before",
        )
        return RefusedEmbedder(space, forbidden)
    try:
        return provider.open(settings, space)
    except CvsearchError as error:
        return RefusedEmbedder(space, error)
