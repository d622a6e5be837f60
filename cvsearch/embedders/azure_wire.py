"""Azure's image retrieval on the wire: addresses, bodies and replies as values.  No socket.

Microsoft's names: "Image Analysis 4.0, multimodal embeddings", api-version 2024-02-01.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlencode, urlsplit

import numpy as np

from cvsearch.embedders.azure_errors import read_refusal, request_id_of
from cvsearch.embedders.verdicts import Answer, Fault, Verdict
from cvsearch.errors import CredentialsError, CvsearchError
from cvsearch.values import Prepared, Skip

if TYPE_CHECKING:
    from cvsearch.values import Vector

MOST_WORDS = 70
_MOST_BYTES = 20_971_520
_LEAST_EDGE, _MOST_EDGE = 10, 16_000

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(?P<prefix>.*?)(/computervision)?(/retrieval:vectorize(image|text))?/*", re.IGNORECASE)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)*/?")
_AZURE = (".azure.com", ".azure.us", ".azure.cn", ".microsoft.com")
_REGIONAL = re.compile(r".*\.api\.cognitive\.(microsoft\.com|azure\.cn|microsoft\.us)")
_EXAMPLE = "https://NAME.cognitiveservices.azure.com"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the service is: `base` without a trailing slash, `host` as shown to people, with its port.

    `regional` hosts serve a whole region and know no Entra; `loopback` is this machine.
    """

    base: str
    host: str
    loopback: bool
    regional: bool

    def url(self, operation: str, api_version: str, model: str) -> str:
        """The address of ``vectorizeImage`` or ``vectorizeText``."""
        query = urlencode({"api-version": api_version, "model-version": model})
        return f"{self.base}/computervision/retrieval:{operation}?{query}"


def read_endpoint(text: str) -> Endpoint:
    """The endpoint in any form people paste: quoted, without a scheme, with a slash or an operation's path.

    Raises `CredentialsError` when there is none, `CvsearchError` when it cannot be one.  What was
    pasted is not repeated in messages where it may hold a secret.
    """
    pasted = text.strip().strip("'\"<>“”‘’`").strip()
    if not pasted:
        raise CredentialsError("the Azure endpoint is empty", f"set CVSEARCH_ENDPOINT, such as {_EXAMPLE}")
    parts, port = _split(pasted if "://" in pasted else f"https://{pasted}")
    name = (parts.hostname or "").rstrip(".")
    shown = f"[{name}]" if ":" in name else name
    if not _HOST.fullmatch(shown):
        raise CvsearchError("the Azure endpoint has no valid host name", f"it looks like {_EXAMPLE}")
    loopback = _is_loopback(name)
    if parts.scheme == "http" and not loopback:
        raise CvsearchError(
            f"the Azure endpoint at {shown} would be reached without encryption", "write https:// in CVSEARCH_ENDPOINT"
        )
    host = shown if port in (None, {"http": 80, "https": 443}[parts.scheme]) else f"{shown}:{port}"
    return Endpoint(
        base=f"{parts.scheme}://{host}{_read_prefix(parts.path, host)}",
        host=host,
        loopback=loopback,
        regional=bool(_REGIONAL.fullmatch(name)),
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise CvsearchError("the Azure endpoint is not an address", f"it looks like {_EXAMPLE}") from None
    if parts.scheme not in ("http", "https"):
        raise CvsearchError("the Azure endpoint is not an https:// address", f"it looks like {_EXAMPLE}")
    if "@" in parts.netloc:
        raise CvsearchError(
            "the Azure endpoint holds a user name or password",
            "leave out everything before the host; the key goes into CVSEARCH_KEY",
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise CvsearchError(
            "the Azure endpoint holds a query",
            "leave out everything from the '?' or '#' on; versions go into CVSEARCH_API_VERSION and CVSEARCH_MODEL_VERSION",
        )
    return parts, port


def _read_prefix(path: str, host: str) -> str:
    match = _PATH.fullmatch(path)
    prefix = match["prefix"].rstrip("/") if match else "?"
    # A gateway of one's own may serve under a path; Azure's own hosts never do.
    if not _PREFIX.fullmatch(prefix) or (prefix and host.endswith(_AZURE)):
        raise CvsearchError(f"the Azure endpoint at {host} has a path cvsearch does not know", f"write https://{host}")
    return prefix


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


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
    edges = (photo.width, photo.height)
    if not all(_LEAST_EDGE < edge < _MOST_EDGE for edge in edges):
        return Skip(
            "bad-dimensions",
            f"{photo.width}×{photo.height} pixels; Azure takes more than 10×10 and less than 16000×16000",
            lasting=True,
        )
    if len(photo.data) >= _MOST_BYTES:
        return Skip(
            "too-large", f"{len(photo.data):,} bytes to send; Azure takes less than {_MOST_BYTES:,}", lasting=True
        )
    return None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a reply answers: `dimension` numbers of `model` from `host`; `secret` must not be shown."""

    host: str
    model: str
    dimension: int
    secret: str = field(default="", repr=False)


def parse_reply(status: int, headers: Mapping[str, str], body: bytes, asked: Asked, now: float) -> Verdict:
    """What a reply means.  Raises nothing, whatever the bytes.

    `headers` are found in lower case (httpx finds them in any); `now` (seconds since 1970) is for dates
    in them.  An `Answer` holds a float32 vector of shape (dimension,): finite, not zero, as received.
    """
    if 200 <= status < 300:
        return _read_vector(status, headers, body, asked)
    return read_refusal(status, headers, body, asked.host, asked.secret, now)


def _read_vector(status: int, headers: Mapping[str, str], body: bytes, asked: Asked) -> Answer | Fault:
    request_id = request_id_of(headers)

    def fault(what: str) -> Fault:
        return Fault(what + (f" (request id {request_id})" if request_id else ""))

    if status != 200:
        return fault(f"a reply with status {status} where 200 was due")
    try:
        reply = json.loads(body)
    except (ValueError, RecursionError):
        return fault("a reply that is not JSON")
    if not isinstance(reply, dict):
        return fault("a reply that is not a JSON object")
    if reply.get("modelVersion") != asked.model:
        return fault(f"a reply of another model than {asked.model}")
    vector = _to_vector(reply.get("vector"))
    if vector is None or len(vector) != asked.dimension:
        return fault(f"a reply without {asked.dimension} numbers")
    if not np.isfinite(vector).all():
        return fault("a vector that is not finite")
    if not vector.any():
        return fault("a vector of zeros")
    return Answer(vector, request_id)


def _to_vector(numbers: object) -> Vector | None:
    if not isinstance(numbers, list) or any(type(number) not in (int, float) for number in numbers):
        return None
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is checked
            return np.array(numbers, dtype=np.float64).astype(np.float32)
    except OverflowError:
        return None
