"""Azure's image retrieval on the wire: addresses, bodies and replies as values.  No socket.

Microsoft's names: "Image Analysis 4.0, multimodal embeddings", api-version 2024-02-01.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import numpy as np

from cvsearch.errors import CvsearchError
from cvsearch.model import Prepared, Skip
from cvsearch.providers.azure.refusals import find_fatal, read_rejection
from cvsearch.providers.http.replies import Answer, Fatal, Fault, Reply, Throttled

if TYPE_CHECKING:
    from cvsearch.model import Vector

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
    edges = (photo.width, photo.height)
    if not all(_LEAST_EDGE < edge < _MOST_EDGE for edge in edges):
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
    if 200 <= status < 300:
        return _read_vector(status, headers, body, asked)
    return _read_refusal(status, headers, body, asked, now)


def _read_vector(status: int, headers: Mapping[str, str], body: bytes, asked: Asked) -> Answer | Fault:
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
        text = _describe(body)
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


def _describe(body: bytes) -> str:
    text = body[:4000].decode("utf-8-sig", "replace").strip()
    if text.startswith("<") or "<html" in text.lower():
        return "a web page instead of JSON, perhaps of a proxy"
    return text


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
