"""Azure's image retrieval on the wire: bodies and replies as values, and what refusals mean.  No socket.

Microsoft's names: "Image Analysis 4.0, multimodal embeddings", api-version 2024-02-01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import numpy as np

from cvsearch.errors import CredentialsError, CvsearchError, ServiceError
from cvsearch.model import Prepared, Skip, Vector
from cvsearch.providers.http.replies import Answer, Fatal, Fault, Rejected, Reply, Throttled

REQUEST_ID_HEADER = "apim-request-id"
MOST_WORDS = 70

_MOST_BYTES = 20_971_520
_LEAST_EDGE, _MOST_EDGE = 10, 16_000
_MOST_SHOWN = 300
_RETRY_TEXT = re.compile(
    r"(?:retry|try again) after (\d{1,9}(?:\.\d{1,9})?) (second|minute|hour|day)", re.IGNORECASE
)
_UNITS = {"second": 1.0, "minute": 60.0, "hour": 3600.0, "day": 86400.0}


def text_body(text: str) -> bytes:
    """The JSON that asks for a text's vector.

    Raises `CvsearchError` for a text that is empty, has more than 70 words or is not Unicode.
    """
    words = len(text.split())
    if words == 0:
        raise CvsearchError("the text is empty", "say what the photos should show")
    if words > MOST_WORDS:
        raise CvsearchError(
            f"the text has {words} words; Azure takes at most {MOST_WORDS}", "say it in fewer words"
        )
    try:
        return json.dumps({"text": text}, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise CvsearchError("the text is not valid UTF-8", "type it again in a UTF-8 terminal") from None


def reject_photo(photo: Prepared) -> Skip | None:
    """Why Azure would refuse the photo, known without a call; None when it may take it."""
    if not all(_LEAST_EDGE < edge < _MOST_EDGE for edge in (photo.width, photo.height)):
        return Skip(
            "bad-dimensions",
            f"{photo.width}×{photo.height} pixels; Azure takes more than 10×10 and less than 16000×16000",
            lasting=True,
        )
    if len(photo.data) >= _MOST_BYTES:
        return Skip(
            "too-large",
            f"{len(photo.data):,} bytes to send; Azure takes less than {_MOST_BYTES:,}",
            lasting=True,
        )
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply answers: `dimension` numbers of `model` from `host`; `secret` must not be shown."""

    host: str
    model: str
    dimension: int
    secret: str = field(default="", repr=False)


def parse_reply(status: int, headers: Mapping[str, str], body: bytes, asked: Asked, now: float) -> Reply:
    """What a reply means.  Raises nothing, whatever the bytes.

    `headers` are found in lower case (httpx finds them in any); `now` (seconds since 1970) is for dates
    in them.  An `Answer` holds a float32 vector of shape (dimension,): finite, not zero, as received.
    """
    if not 200 <= status < 300:
        return _read_refusal(status, headers, body, asked, now)
    request_id = request_id_of(headers)
    try:
        if status != 200:
            raise ValueError(f"a reply with status {status} where 200 was due")
        return Answer(_to_vector(body, asked), request_id)
    except ValueError as fault:
        return Fault(f"{fault}" + (f" (request id {request_id})" if request_id else ""))


def _to_vector(body: bytes, asked: Asked) -> Vector:
    """The reply's vector; raises `ValueError` saying what is wrong with the reply."""
    try:
        reply = json.loads(body, parse_int=float)
    except (ValueError, RecursionError):
        raise ValueError("a reply that is not JSON") from None
    if not isinstance(reply, dict):
        raise ValueError("a reply that is not a JSON object")
    if reply.get("modelVersion") != asked.model:
        raise ValueError(f"a reply of another model than {asked.model}")
    numbers = reply.get("vector")
    # By type, for a bool is a number to isinstance.  Whole numbers were read as float, too.
    types = [type(number) for number in numbers] if isinstance(numbers, list) else []
    if types != [float] * asked.dimension:
        raise ValueError(f"a reply without a vector of {asked.dimension} numbers")
    with np.errstate(over="ignore"):  # what is too large becomes infinite
        vector = np.array(numbers, dtype=np.float64).astype(np.float32)
    if not np.isfinite(vector).all():
        raise ValueError("a vector that is not finite")
    if not vector.any():
        raise ValueError("a vector of zeros")
    return vector


def _read_refusal(status: int, headers: Mapping[str, str], body: bytes, asked: Asked, now: float) -> Reply:
    said = _read_body(body)
    shown = _show(status, said, request_id_of(headers), asked.secret)
    fatal = find_fatal(status, said.all.lower(), asked.host, shown)
    if fatal is not None:
        return fatal
    if status == 429:
        return Throttled(_retry_after(headers, said.message, now), shown)
    if status == 408 or status >= 500:
        return Fault(shown)
    if status in (400, 413):
        return read_rejection(status, said.all.lower(), shown)
    return Fatal(
        CvsearchError(
            f"{asked.host} gave an answer cvsearch does not know: {shown}",
            "check CVSEARCH_ENDPOINT, and whether a proxy answers in its place",
        )
    )


def request_id_of(headers: Mapping[str, str]) -> str:
    """The id Microsoft's support asks for; empty when there is none worth showing."""
    request_id = headers.get(REQUEST_ID_HEADER, "")
    return request_id if re.fullmatch(r"[\w.-]{1,80}", request_id, re.ASCII) else ""


@dataclass(frozen=True, slots=True)
class _Said:
    """The innermost code and message of a refusal, and the codes and messages of all levels."""

    code: str
    message: str
    all: str


def _read_body(body: bytes) -> _Said:
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        text = body[:4000].decode("utf-8-sig", "replace").strip()
        if text.startswith("<") or "<html" in text.lower():
            text = "a web page instead of JSON, perhaps of a proxy"
        return _Said("", text, text)
    outer = reply.get("error", reply) if isinstance(reply, dict) else {}
    if not isinstance(outer, dict):
        outer = {"message": outer}
    inner = outer.get("innererror")
    levels = [inner, outer] if isinstance(inner, dict) else [outer]
    codes = [
        str(level[name]) for level in levels for name in ("code", "statusCode") if _is_plain(level, name)
    ]
    messages = [str(level["message"]) for level in levels if _is_plain(level, "message")]
    return _Said("".join(codes[:1]), "".join(messages[:1]), " ".join(codes + messages))


def _is_plain(level: dict[str, object], name: str) -> bool:
    return isinstance(level.get(name), str | int) and level[name] != ""


def _show(status: int, said: _Said, request_id: str, secret: str) -> str:
    code = "" if said.code == str(status) else said.code
    words = f"{code} {said.message}"
    if secret:
        words = words.replace(secret, "****")
    words = " ".join("".join(char if char.isprintable() else " " for char in words).split())
    if len(words) > _MOST_SHOWN:
        words = words[:_MOST_SHOWN] + "…"
    return f"{status} {words}".rstrip() + (f" (request id {request_id})" if request_id else "")


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


# What refusals mean, and what a user can do about each: tables and their look-up.


@dataclass(frozen=True, slots=True)
class _Known:
    """A refusal that is known by its status and any of some words, in lower case; no words: any text."""

    statuses: tuple[int, ...]
    words: tuple[str, ...]
    error: type[CvsearchError]
    message: str
    hint: str
    renewable: bool = False


_ACCESS = "look at the resource's access control and networking"
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
    _Known((403,), (), CredentialsError, "{host} refused access", _ACCESS),
    _Known((410,), (), CvsearchError, "the api-version was retired by {host}", _VERSIONS),
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
    if status == 400 and ("invalidimage" in text or "image format" in text):
        return None
    for known in _KNOWN:
        if status in known.statuses and (not known.words or any(word in text for word in known.words)):
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
