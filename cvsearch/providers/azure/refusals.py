"""What Azure's refusals mean, and what a user can do about each.  Pure tables and their look-up."""

from __future__ import annotations

from dataclasses import dataclass

from cvsearch.errors import CredentialsError, CvsearchError, ServiceError
from cvsearch.model import Skip
from cvsearch.providers.http.replies import Fatal, Rejected


@dataclass(frozen=True, slots=True)
class _Known:
    """A refusal that is known by its status and any of some words, in lower case; no words: any text."""

    statuses: tuple[int, ...]
    words: tuple[str, ...]
    error: type[CvsearchError]
    message: str
    hint: str
    renewable: bool = False

    def fits(self, status: int, text: str) -> bool:
        return status in self.statuses and (not self.words or any(word in text for word in self.words))


_VERSIONS = "leave CVSEARCH_API_VERSION unset, or get a newer cvsearch"

_KNOWN = (
    _Known(
        (403, 429),
        ("out of call volume quota", "quota will be replenished"),
        ServiceError,
        "the quota at {host} is used up",
        "wait until it is replenished, or choose a larger tier; then run the same command again",
    ),
    _Known(
        (401, 403),
        ("pricing tier",),
        CredentialsError,
        "the key belongs to another kind of resource than {host} needs",
        "use endpoint and key of a Computer Vision resource (kind ComputerVision or CognitiveServices)",
    ),
    _Known(
        (401, 403),
        ("principal does not have access", "lacks the required data action", "does not have authorization"),
        CredentialsError,
        "the signed-in account has no role at {host}, or not yet",
        "give it the role 'Cognitive Services User' (Owner is not enough); it takes some minutes to work",
    ),
    _Known(
        (400, 401, 403),
        ("custom subdomain", "custom domain"),
        CredentialsError,
        "signing in by Entra needs a custom subdomain, which {host} is not",
        "set CVSEARCH_ENDPOINT to https://NAME.cognitiveservices.azure.com, or use a key",
    ),
    _Known(
        (401,),
        (),
        CredentialsError,
        "{host} refused the credentials",
        "use the key of exactly this resource: the key of another resource or region is refused",
        renewable=True,
    ),
    _Known(
        (403,),
        ("authenticationtypedisabled", "key based authentication is disabled"),
        CredentialsError,
        "keys are switched off at {host}",
        "set CVSEARCH_AUTH=entra, or allow key access ('local authentication') on the resource",
    ),
    _Known(
        (403,),
        ("virtual network", "firewall", "public access", "public network", "private endpoint"),
        CredentialsError,
        "the network rules of {host} keep this machine out",
        "allow this machine's address under Networking on the resource, or run from an allowed network",
    ),
    _Known(
        (403,),
        (),
        CredentialsError,
        "{host} refused access",
        "look at the resource's access control and networking",
    ),
    _Known(
        (410,),
        (),
        CvsearchError,
        "the api-version was retired by {host}",
        _VERSIONS,
    ),
    _Known(
        (400, 404),
        ("api-version", "api version", "apiversion"),
        CvsearchError,
        "{host} does not serve this api-version",
        _VERSIONS,
    ),
    _Known(
        (400, 404),
        ("model-version", "model version", "modelversion"),
        CvsearchError,
        "{host} does not serve this model-version",
        "set CVSEARCH_MODEL_VERSION to 2023-04-15, or leave it unset",
    ),
    _Known(
        (404,),
        (),
        CvsearchError,
        "{host} knows no image embeddings at this address",
        "check CVSEARCH_ENDPOINT and CVSEARCH_API_VERSION, and that the resource is of kind ComputerVision",
    ),
    _Known(
        (400,),
        ("region",),
        CvsearchError,
        "the region of {host} has no image embeddings",
        "create the resource in a region that has them, such as eastus, westus2, westeurope or japaneast",
    ),
    _Known(
        (400, 415),
        ("content type", "content-type", "media type"),
        CvsearchError,
        "{host} does not take this kind of request",
        "check that CVSEARCH_ENDPOINT leads to Azure itself; if it does, please report this",
    ),
)

_BAD_PHOTO = (
    ("too-large", ("invalidimagesize", "image size", "20971520", "too large")),
    ("bad-dimensions", ("dimension",)),
    ("invalid-image", ("image",)),
)
"""Slugs for a 400 by its words, the first that fits; of lasting skips."""


def find_fatal(status: int, text: str, host: str, shown: str) -> Fatal | None:
    """The known refusal that ends the run, if `text` (code and message, in lower case) is one.

    `shown` is what the service said, in a form fit for people.
    """
    if status == 400 and _is_about_photo(text):
        return None
    for known in _KNOWN:
        if known.fits(status, text):
            return Fatal(
                known.error(f"{known.message.format(host=host)}: {shown}", known.hint), known.renewable
            )
    return None


def read_rejection(status: int, text: str, shown: str) -> Rejected:
    """Why one photo or text was refused by a 400 or 413; arguments as for `find_fatal`."""
    if status == 413:
        return Rejected(Skip("too-large", shown, lasting=True))
    for reason, words in _BAD_PHOTO:
        if any(word in text for word in words):
            return Rejected(Skip(reason, shown, lasting=True))
    # A refusal in words nobody foresaw may be the service's mistake: the next run asks again.
    return Rejected(Skip("refused", shown, lasting=False))


def _is_about_photo(text: str) -> bool:
    return "invalidimage" in text or "image format" in text
