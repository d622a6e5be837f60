"""What Azure's refusals mean, and what a user can do about each.

Three families of JSON are understood, and bodies that are no JSON: those of proxies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cvsearch.embedders.verdicts import Fatal, Fault, Rejected, Throttled, Verdict
from cvsearch.errors import CredentialsError, CvsearchError, ServiceError
from cvsearch.values import Skip

REQUEST_ID_HEADER = "apim-request-id"

_LONGEST = 300
_RETRY_TEXT = re.compile(r"(?:retry|try again) after (\d{1,9}(?:\.\d{1,9})?) (second|minute|hour|day)", re.IGNORECASE)
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


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
        ("out of call volume quota", "quota will be replenished", "quota exceeded", "quota is exceeded"),
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
        "give it the role 'Cognitive Services User' (Owner is not enough) and wait some minutes for it to take effect",
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
        "create the resource in a region that has them, such as eastus, westus2, westeurope, francecentral or japaneast",
    ),
    _Known(
        (400, 415),
        ("content type", "content-type", "media type"),
        CvsearchError,
        "{host} does not take this kind of request",
        "check that CVSEARCH_ENDPOINT leads to Azure itself; if it does, this is a fault of cvsearch: please report it",
    ),
)

_BAD_PHOTO = (
    ("too-large", ("invalidimagesize", "image size", "20971520", "too large")),
    ("bad-dimensions", ("dimension",)),
    ("invalid-image", ("image",)),
)
"""Slugs for a 400 by its words, the first that fits; of lasting skips."""


def read_refusal(
    status: int, headers: Mapping[str, str], body: bytes, host: str, secret: str, now: float
) -> Verdict:
    """What a reply without a vector means.  Raises nothing, whatever the bytes.

    `secret` is taken out of what the service said; `now` is seconds since 1970.
    """
    code, said = _read_body(body)
    text = f"{code} {said}".lower()
    shown = _show(status, code, said, request_id_of(headers), secret)
    for known in _KNOWN if not (status == 400 and _is_about_photo(text)) else ():
        if known.fits(status, text):
            return Fatal(known.error(f"{known.message.format(host=host)}: {shown}", known.hint), known.renewable)
    if status == 429:
        return Throttled(_retry_after(headers, said, now), shown)
    if status == 408 or status >= 500:
        return Fault(shown)
    if status in (400, 413):
        return Rejected(_read_rejection(status, text, shown))
    return Fatal(
        CvsearchError(f"{host} gave an answer cvsearch does not know: {shown}", "check CVSEARCH_ENDPOINT and the proxies")
    )


def request_id_of(headers: Mapping[str, str]) -> str:
    """The id Microsoft's support asks for; empty when there is none worth showing."""
    request_id = headers.get(REQUEST_ID_HEADER, "")
    return request_id if re.fullmatch(r"[\w.-]{1,80}", request_id, re.ASCII) else ""


def _is_about_photo(text: str) -> bool:
    return "invalidimage" in text or "image format" in text


def _read_rejection(status: int, text: str, shown: str) -> Skip:
    if status == 413:
        return Skip("too-large", shown, lasting=True)
    for reason, words in _BAD_PHOTO:
        if any(word in text for word in words):
            return Skip(reason, shown, lasting=True)
    # A refusal in words nobody foresaw may be the service's mistake: the next run asks again.
    return Skip("refused", shown, lasting=False)


def _read_body(body: bytes) -> tuple[str, str]:
    """The innermost code and message of a refusal; of other bodies no code and a phrase."""
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return "", _describe(body)
    outer = reply.get("error", reply) if isinstance(reply, dict) else {}
    if not isinstance(outer, dict):
        return "", str(outer) if isinstance(outer, str) else ""
    inner = outer.get("innererror")
    levels = [inner, outer] if isinstance(inner, dict) else [outer]
    code = _first_text(levels, ("code", "statusCode"))
    return code, _first_text(levels, ("message",))


def _first_text(levels: list[dict[str, object]], names: tuple[str, ...]) -> str:
    for level in levels:
        for name in names:
            value = level.get(name)
            if isinstance(value, str | int) and str(value):
                return str(value)
    return ""


def _describe(body: bytes) -> str:
    text = body[:4000].decode("utf-8", "replace")
    if re.search(r"<\s*(!doctype|html|head|body|\?xml)", text, re.IGNORECASE):
        return "a web page instead of JSON, perhaps of a proxy"
    return text


def _show(status: int, code: str, said: str, request_id: str, secret: str) -> str:
    if secret:
        code, said = code.replace(secret, "****"), said.replace(secret, "****")
    words = " ".join("".join(char if char.isprintable() else " " for char in said).split())
    if len(words) > _LONGEST:
        words = words[:_LONGEST] + "…"
    kind = "" if code in ("", str(status)) else f" {code[:60]}"
    if not code.isprintable():
        kind = ""
    return f"{status}{kind}" + (f" {words}" if words else "") + (f" (request id {request_id})" if request_id else "")


def _retry_after(headers: Mapping[str, str], said: str, now: float) -> float | None:
    """Seconds to wait: by the header (seconds or a date), else by the text, else None."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value, re.ASCII):
        return float(value)
    if value:
        # Against the service's own clock if it shows it: this machine's may be wrong.
        until, since = _read_date(value), _read_date(headers.get("date", ""))
        if until is not None:
            return max(0.0, until - (now if since is None else since))
    match = _RETRY_TEXT.search(said)
    return float(match[1]) * _UNITS[match[2].lower()] if match else None


def _read_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
