"""A loopback stand-in for Azure's multimodal embeddings: strict about requests, able to misbehave.

In tests::

    with AzureDouble(key="secret-key", faults=["429", "reset"]) as double:
        ...  # talk to double.endpoint; then look at double.requests and double.violations

By hand, to try cvsearch without an account: ``python tests/support/azure_double.py --help``.

What the documentation of the service leaves open is marked ``# guess:``.  Vectors are made from
colours, colour words and layout; their scales are those measured on published vectors.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import math
import random
import re
import signal
import socket
import struct
import sys
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import KW_ONLY, asdict, dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from types import TracebackType
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

API_VERSION = "2024-02-01"
MODELS = ("2023-04-15", "2022-04-11")
BASE = "/computervision/retrieval:"
OPERATIONS = ("vectorizeImage", "vectorizeText")
DIMENSION = 1024
BODY_LIMIT = 20_971_520
MOST_WORDS = 70
# guess: no other format is read.  An MPO opens as the JPEG it begins with
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "ICO", "TIFF")
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, Warning)
INFO_METADATA = {"comment", "photoshop", "xmp", "exif", "XML:com.adobe.xmp"}
TIFF_METADATA = {0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x02BC, 0x8298, 0x83BB, 0x8769, 0x8825}
SECRET_HEADERS = ("ocp-apim-subscription-key", "authorization")


# --- Vectors -------------------------------------------------------------------------------------
# Parts of a unit vector.  Pictures: 0.45 shared, 0.48 their cone, 0.42 colours, the rest layout.
# Texts: 0.42 shared, 0.42 colours, 0.50 words, the rest their cone.  So the cosine of a text and a
# picture is 0.45 · 0.42 = 0.19 and up to 0.42 · 0.42 = 0.18 more when their colours agree.

COLOURS = {
    "black": "000000 202020",
    "white": "ffffff ececec",
    "gray": "808080 5a5a5a b4b4b4",
    "red": "dc141e ff0000 8b0000",
    "orange": "ff8c00 f07030",
    "yellow": "ffe600 ffff80",
    "green": "1e9628 00ff00 004d10 90d080 6b7f30",
    "blue": "1e3cdc 0000ff 001060 80c0f0 00b0d0 4f6f9f",
    "purple": "801e96 4b0082 b070d0 ff00ff",
    "pink": "ff96be ff50a0 ffd0dc",
    "brown": "78461e a06a40 3c2010 c8a078 a52a2a",
}
SPELLINGS = {"grey": "gray", "violet": "purple", "golden": "yellow", "scarlet": "red", "crimson": "red"}
SHARED, PICTURE_CONE, TEXT_CONE, FIRST_COLOUR = 0, 1, 2, 3
FIRST_LAYOUT = FIRST_COLOUR + len(COLOURS)
LAYOUTS = 256
CELLS, CELL = 4, 12


def _bytes(name: str, count: int) -> Floats:
    raw = hashlib.shake_256(name.encode("utf-8", "surrogatepass")).digest(count)
    return np.frombuffer(raw, np.uint8).astype(np.float64)


def _signs(name: str, count: int) -> Floats:
    return np.where(_bytes(name, count) < 128, -1.0, 1.0)


def _lab(rgb: Floats) -> Floats:
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4339, 0.3763, 0.1899], [0.2126, 0.7152, 0.0722], [0.0177, 0.1095, 0.8728]])
    t = (linear[..., None, :] * to_xyz).sum(-1)
    x, y, z = np.moveaxis(np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116), -1, 0)
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


_SHADES = [(row, bytes.fromhex(shade)) for row, key in enumerate(COLOURS) for shade in COLOURS[key].split()]
_SHADE_ROWS = np.array([row for row, _ in _SHADES])
_SHADE_LAB = _lab(np.array([list(shade) for _, shade in _SHADES]) / 255)
_TRAITS = CELLS * CELLS * 6
_WEIGHTS = (_bytes("layout", LAYOUTS * _TRAITS * 4).reshape(LAYOUTS, _TRAITS, 4) / 127.5 - 1).sum(-1)
_PHASES = _bytes("phases", LAYOUTS) * (math.tau / 256)


def _colour_shares(lab: Floats) -> Floats:
    """Which part of the picture is of each basic colour; sums to 1."""
    distance = ((lab.reshape(-1, 1, 3) - _SHADE_LAB) ** 2).sum(-1)
    near = np.exp(-(distance - distance.min(1, keepdims=True)) / (2 * 12.0**2))
    near /= near.sum(1, keepdims=True)
    return np.asarray(np.bincount(_SHADE_ROWS, near.mean(0), len(COLOURS)), np.float64)


def _layout(lab: Floats) -> Floats:
    """Random cosine features of colours and roughness by cell: near for near, orthogonal for far."""
    cells = lab.reshape(CELLS, CELL, CELLS, CELL, 3)
    light = cells[..., 0]
    rough = (
        light.std((1, 3)),
        abs(np.diff(light, axis=1)).mean((1, 3)),
        abs(np.diff(light, axis=3)).mean((1, 3)),
    )
    traits = np.concatenate((cells.mean((1, 3)).ravel() / 90, np.ravel(rough) / 32))
    waves = np.cos((_WEIGHTS * traits).sum(1) + _PHASES)
    return np.asarray(waves / np.linalg.norm(waves))


def _spread(coefficients: Floats) -> Floats:
    """The coefficients rotated (Walsh and Hadamard), so that no entry of a vector is special."""
    values = coefficients
    for step in range(10):
        pairs = values.reshape(-1, 2, 1 << step)
        values = np.stack((pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]), 1).ravel()
    return values / math.sqrt(DIMENSION)


def _finished(coefficients: Floats, wobble: float, model: str) -> list[float]:
    vector = _spread(coefficients) * (92 + 4 * wobble)
    if model != MODELS[0]:
        vector = vector * _signs(model, DIMENSION)
    return [round(number, 7) for number in vector.tolist()]


def picture_vector(image: Image.Image, model: str = MODELS[0]) -> list[float]:
    """1,024 numbers with a norm of 88 to 96, from the picture's colours and layout."""
    image.draft("RGB", (256, 256))
    # guess: the picture is seen as it is stored, without its transparency
    small = image.convert("RGB").resize((CELLS * CELL, CELLS * CELL), Image.Resampling.BOX)
    lab = _lab(np.asarray(small, np.float64) / 255)
    layout = _layout(lab)
    parts = np.zeros(DIMENSION)
    parts[SHARED], parts[PICTURE_CONE] = 0.45, 0.48
    parts[FIRST_COLOUR:FIRST_LAYOUT] = 0.42 * np.sqrt(_colour_shares(lab))
    parts[FIRST_LAYOUT : FIRST_LAYOUT + LAYOUTS] = math.sqrt(1 - (parts**2).sum()) * layout
    return _finished(parts, math.sin(20 * layout[0]), model)


def text_vector(text: str, model: str = MODELS[0]) -> list[float]:
    """1,024 numbers with a norm of 88 to 96, from the text's colour words and its other words."""
    words = [SPELLINGS.get(word, word) for word in re.findall(r"\w+", text.lower())]
    named = [FIRST_COLOUR + row for row, key in enumerate(COLOURS) if key in words]
    room = DIMENSION - FIRST_LAYOUT
    others = sum((_signs(word, room) for word in words if word not in COLOURS), 0.5 * _signs(text, room))
    parts = np.zeros(DIMENSION)
    parts[SHARED] = 0.42
    parts[named] = 0.42 / math.sqrt(max(len(named), 1))
    parts[FIRST_LAYOUT:] = 0.50 * others / np.linalg.norm(others)
    parts[TEXT_CONE] = math.sqrt(1 - (parts**2).sum())
    return _finished(parts, _bytes("norm " + text, 1)[0] / 127.5 - 1, model)


# --- Replies -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reply:
    """A status, a body and the headers that go with them."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request that earns an error."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status, reply.body)
        self.reply = reply


def _json(status: int, payload: object, headers: Mapping[str, str] | None = None) -> Reply:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    return Reply(status, json.dumps(payload).encode(), {**kind, **(headers or {})})


def _html(status: int, title: str) -> Reply:
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Reply(status, body.encode(), {"Content-Type": "text/html"})


def _gateway(status: int, message: str, code: str = "", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _json(status, {"error": {"code": code or str(status), "message": message}}, named)


def _service(status: int, code: str, message: str, inner: str = "") -> Reply:
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error["innererror"] = {"code": inner, "message": message}
    # guess: which errors carry this header, and that it names the outer code
    return _json(status, {"error": error}, {"x-ms-error-code": code})


def _refuse(message: str, inner: str = "") -> NoReturn:
    raise Refused(_service(400, "InvalidRequest", message, inner))


def _limit_text(seconds: float, tier: str = "S1") -> str:
    unit = "second" if seconds == 1 else "seconds"
    return (
        "Requests to the Computer Vision API have exceeded call rate limit of your current "
        f"ComputerVision {tier} pricing tier. Please retry after {seconds:g} {unit}. Please contact "
        "Azure support service if you would like to further increase the default rate limit."
    )


def _too_many(seconds: float = 1, tier: str = "S1") -> Reply:
    return _gateway(429, _limit_text(seconds, tier), Retry_After=f"{seconds:g}")


WRONG_KEY = _gateway(
    401,
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid "
    "key for an active subscription and use a correct regional API endpoint for your resource.",
)
OPENAI_KEY = _gateway(
    401,
    "The Retrieval - Vectorize Operation under Computer Vision API is not supported with the current "
    "subscription key and pricing tier OpenAI.S0.",
)
NO_ROLE = _gateway(401, "Principal does not have access to API/Operation.", "PermissionDenied")
SUBDOMAIN = "Please provide a custom subdomain for token authentication, otherwise API key is required."
# guess: the wording; all that is known is that it speaks of the region
REGION = "The feature 'Retrieval' is not supported in this region."
NOT_FOUND = _gateway(404, "Resource not found")
# guess: the wording, and which preview versions answer 410 and which 404
GONE = _gateway(410, "This API version has been retired.", "Gone")
KEYS_OFF = "Key based authentication is disabled for this resource."
FIREWALL = "Access denied due to Virtual Network/Firewall rules."
QUOTA = "Out of call volume quota. Quota will be replenished in 2 days."
# guess: this body, its wording and its family
OUT_OF_QUOTA = _json(403, {"statusCode": 403, "message": QUOTA})
BAD_FORMAT = _service(400, "InvalidRequest", "Image format is not valid", "InvalidImageFormat")
BAD_SIZE = f"The image size is not allowed to be zero or larger than {BODY_LIMIT} bytes."
# guess: the bounds as the service would write them, and the inner codes of this and of the size
BAD_DIMENSION = "The image dimension is not allowed to be smaller than 10 and larger than 16000 pixels."


# --- Faults --------------------------------------------------------------------------------------

# guess: the codes and texts of 500, 503, 400-subdomain, 400-region and 403-quota, and what of them
# comes with x-ms-error-code
CANNED: dict[str, Callable[[float], Reply]] = {
    "429": _too_many,
    "429-text": lambda seconds: _json(429, {"statusCode": 429, "message": _limit_text(seconds)}),
    "429-bare": lambda _: _json(429, {"error": {"statusCode": 429, "message": "Rate limit is exceeded."}}),
    "500": lambda _: _service(500, "InternalServerError", "Internal server error."),
    "503": lambda _: _service(503, "ServiceUnavailable", "The service is unavailable."),
    "503-html": lambda _: _html(503, "503 Service Unavailable"),
    "401-key": lambda _: WRONG_KEY,
    "401-openai": lambda _: OPENAI_KEY,
    "401-principal": lambda _: NO_ROLE,
    "400-subdomain": lambda _: _gateway(400, SUBDOMAIN, "BadRequest"),
    "400-region": lambda _: _service(400, "InvalidRequest", REGION),
    "400-format": lambda _: BAD_FORMAT,
    "403-keys-off": lambda _: _gateway(403, KEYS_OFF, "AuthenticationTypeDisabled"),
    "403-firewall": lambda _: _gateway(403, FIREWALL),
    "403-quota": lambda _: OUT_OF_QUOTA,
    "404": lambda _: NOT_FOUND,
    "410": lambda _: GONE,
    "not-json": lambda _: _html(200, "Welcome to the guest network"),
    "error-200": lambda _: _json(200, {"error": {"code": "InternalServerError", "message": "Failed"}}),
}


def _with(vector: Callable[[list[float]], list[float]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda payload: {**payload, "vector": vector(payload["vector"])}


SPOILT: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "short-vector": _with(lambda vector: vector[:512]),
    "nan": _with(lambda vector: [math.nan, *vector[1:]]),
    "zero": _with(lambda vector: [0.0] * len(vector)),
    "wrong-model": lambda payload: {**payload, "modelVersion": "2021-05-01"},
    "no-vector": lambda payload: {"modelVersion": payload["modelVersion"]},
}
BROKEN = ("reset", "close", "slow")
FAULTS = (*CANNED, *SPOILT, *BROKEN)
PASSING = ("429", "429-text", "429-bare", "500", "503-html", "reset", "close", "nan", "not-json", "slow:0.2")


def _read_fault(name: str) -> tuple[str, float]:
    """``slow:2.5`` and ``429:7`` carry a number (1 when it is left out); ValueError if unknown."""
    kind, _, number = name.partition(":")
    if kind not in FAULTS or (number and kind not in ("slow", "429", "429-text")):
        raise ValueError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    return kind, float(number or 1)


# --- What is asked and whether it may be ---------------------------------------------------------


@dataclass
class Call:
    """A request as it came, and what became of it; `status` is None when nothing was answered."""

    number: int
    time: float
    method: str
    path: str
    operation: str
    query: dict[str, str]
    headers: dict[str, str]
    size: int
    sha256: str
    request_id: str
    text: str | None = None
    status: int | None = None
    fault: str | None = None


FaultRule = Callable[[int, Call], str | None]


def _make_call(method: str, target: str, headers: Message, body: bytes) -> Call:
    path, _, query = target.partition("?")
    return Call(
        number=0,
        time=time.monotonic(),
        method=method,
        path=path,
        operation=next((name for name in OPERATIONS if path == BASE + name), ""),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        headers={k.lower(): "****" if k.lower() in SECRET_HEADERS else v for k, v in headers.items()},
        size=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        request_id=str(uuid.uuid4()),
    )


def _check_address(call: Call, target: str) -> None:
    # guess: other methods are answered like an unknown path
    if call.method != "POST" or not call.operation:
        raise Refused(NOT_FOUND)
    version = call.query.get("api-version", "")
    if version != API_VERSION:
        raise Refused(GONE if version.endswith("-preview") else NOT_FOUND)
    names = sorted(name for name, _ in parse_qsl(target.partition("?")[2], keep_blank_values=True))
    # guess: the service has a default model and may overlook other parameters; cvsearch promises both
    if names != ["api-version", "model-version"]:
        _refuse(f"The query must have api-version and model-version, once each; it has: {', '.join(names)}")
    if call.query["model-version"] not in MODELS:
        _refuse(f"model-version must be one of {', '.join(MODELS)}", "InvalidModelVersion")


def _read_text(kind: str, body: bytes) -> str:
    # guess: what is wrong with a text's body is told in the service's family
    if kind != "application/json":
        _refuse(f"The provided content type '{kind}' is not supported.")
    try:
        payload = json.loads(body)
    except ValueError:
        _refuse("The request body is not valid JSON.")
    if not isinstance(payload, dict) or set(payload) != {"text"} or not isinstance(payload["text"], str):
        _refuse('The request body must be {"text": "..."} and nothing else.')
    # guess: words are what white space separates
    if not 1 <= len(payload["text"].split()) <= MOST_WORDS:
        _refuse(f"The text must have between 1 and {MOST_WORDS} words.")
    return str(payload["text"])


def _read_picture(kind: str, body: bytes) -> Image.Image:
    if kind == "application/json":
        _refuse("This double takes no URLs: cvsearch sends a picture's bytes.")
    if kind != "application/octet-stream":
        _refuse(f"The provided image content type '{kind}' is not supported.")
    if not 0 < len(body) <= BODY_LIMIT:
        _refuse(BAD_SIZE, "InvalidImageSize")
    try:
        image = Image.open(io.BytesIO(body), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        _refuse(BAD_DIMENSION, "InvalidImageDimension")
    except UNREADABLE:
        raise Refused(BAD_FORMAT) from None
    # guess: each side counts, not only both
    if not (min(image.size) > 10 and max(image.size) < 16_000):
        _refuse(BAD_DIMENSION, "InvalidImageDimension")
    return image


def _photo_faults(image: Image.Image) -> list[str]:
    """What a prepared photo must not have; a TIFF's own tags are not metadata."""
    exif = image.getexif()
    tags = TIFF_METADATA & set(exif) if image.format == "TIFF" else set(exif)
    found = {
        "metadata": bool(tags or INFO_METADATA & set(image.info) or getattr(image, "text", None)),
        "GPS": 0x8825 in exif,
        "orientation": exif.get(0x0112, 1) != 1,
        "frames": getattr(image, "n_frames", 1) > 1,
        "alpha": image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info,
    }
    return [name for name, bad in found.items() if bad]


class _Gate:
    """How many calls may pass: by second, by minute and in all."""

    def __init__(self, rate: int | None, per_minute: int | None, quota: int | None) -> None:
        limits = ((rate, 1.0, "S1"), (per_minute, 60.0, "F0"))
        self._windows = [(most, span, tier, deque[float]()) for most, span, tier in limits if most]
        self._left = math.inf if quota is None else quota

    def pass_or_refuse(self, now: float) -> None:
        for most, span, tier, times in self._windows:
            while times and times[0] <= now - span:
                times.popleft()
            if len(times) >= most:  # guess: refused calls do not count
                raise Refused(_too_many(max(1, math.ceil(times[0] + span - now)), tier))
        if self._left <= 0:
            raise Refused(OUT_OF_QUOTA)
        self._left -= 1
        for *_, times in self._windows:
            times.append(now)


# --- The server ----------------------------------------------------------------------------------


@dataclass(eq=False)
class AzureDouble:
    """The service on 127.0.0.1: a context manager with settings, faults and a log.

    Faults come from the script (`faults`, one a request), then from `rule(number, call)`, then by
    chance (`fault_rate`, drawn from `mix` by `seed` and the request's number).  `keys` are those
    accepted; `requests`, `violations` of `strict_photos` and, with `keep_bodies`, `bodies` by request
    number grow as requests come.
    """

    key: str = "secret-key"
    _: KW_ONLY
    tokens: Collection[str] = ()
    port: int = 0
    faults: Iterable[str] = ()
    rule: FaultRule | None = None
    fault_rate: float = 0.0
    seed: int = 0
    mix: Sequence[str] = PASSING
    rate: int | None = None
    per_minute: int | None = None
    quota: int | None = None
    latency: float = 0.0
    strict_photos: bool = True
    keep_bodies: bool = False
    log: str | None = None

    def __post_init__(self) -> None:
        self.keys = {self.key}
        self.requests: list[Call] = []
        self.bodies: dict[int, bytes] = {}
        self.violations: list[str] = []
        self.crashes: list[str] = []
        self._script: deque[str] = deque()
        self._gate = _Gate(self.rate, self.per_minute, self.quota)
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self.misbehave(*self.faults)
        for name in self.mix:
            _read_fault(name)

    def __enter__(self) -> AzureDouble:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()
        if self.crashes and error is None:
            raise RuntimeError("the double itself failed:\n" + "\n".join(self.crashes))

    def up(self) -> None:
        """Accept connections; after the first time on the same port."""
        if self._server is None:
            self._server = _Server(self, self.port)
            self.port = int(self._server.server_address[1])
            self._server.start()

    def down(self) -> None:
        """Refuse connections and cut those that are open, in mid-reply if need be."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def endpoint(self) -> str:
        """Where it is, without a trailing slash."""
        return f"http://127.0.0.1:{self.port}"

    def misbehave(self, *names: str) -> None:
        """Add faults to the script; ValueError for one that is not known."""
        for name in names:
            _read_fault(name)
        with self._lock:
            self._script.extend(names)

    def calls(self, operation: str | None = None) -> int:
        """Requests received, of one operation (``vectorizeImage``, ``vectorizeText``) or of all."""
        with self._lock:
            return sum(operation in (None, call.operation) for call in self.requests)

    @property
    def good(self) -> int:
        """Replies with a usable vector."""
        with self._lock:
            return sum(
                call.status == 200 and (call.fault or "slow").startswith("slow") for call in self.requests
            )

    def answer(self, method: str, target: str, headers: Message, body: bytes) -> tuple[Call, Reply]:
        """Decide and record what a request is answered; sending it is the caller's."""
        call = _make_call(method, target, headers, body)
        with self._lock:
            call.number = len(self.requests) + 1
            self.requests.append(call)
            if self.keep_bodies:
                self.bodies[call.number] = body
        call.fault = self._next_fault(call)
        kind, number = _read_fault(call.fault) if call.fault else ("", 0.0)
        try:
            reply = CANNED[kind](number) if kind in CANNED else self._serve(call, target, headers, body, kind)
        except Refused as refusal:
            reply = refusal.reply
        self._record(call, None if kind in ("close", "reset") else reply.status)
        return call, reply

    def _next_fault(self, call: Call) -> str | None:
        with self._lock:
            if self._script:
                return self._script.popleft()
        name = self.rule(call.number, call) if self.rule else None
        dice = random.Random(f"{self.seed}:{call.number}")
        return dice.choice(self.mix) if name is None and dice.random() < self.fault_rate else name

    def _serve(self, call: Call, target: str, headers: Message, body: bytes, kind: str) -> Reply:
        self._check_access(headers)  # guess: who asks is looked at before what is asked
        _check_address(call, target)
        with self._lock:
            self._gate.pass_or_refuse(time.monotonic())
        model = call.query["model-version"]
        content = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if call.operation == "vectorizeText":
            call.text = _read_text(content, body)
            vector = text_vector(call.text, model)
        else:
            vector = self._see(call, _read_picture(content, body), model)
        payload: dict[str, Any] = {"modelVersion": model, "vector": vector}
        return _json(200, SPOILT[kind](payload) if kind in SPOILT else payload)

    def _check_access(self, headers: Message) -> None:
        key, bearer = headers.get("Ocp-Apim-Subscription-Key"), headers.get("Authorization")
        if key is None and bearer is not None:
            scheme, _, token = bearer.partition(" ")
            if scheme != "Bearer" or token not in self.tokens:
                raise Refused(NO_ROLE)  # guess: the answer to a token that is not known
        elif key not in self.keys:
            raise Refused(WRONG_KEY)

    def _see(self, call: Call, image: Image.Image, model: str) -> list[float]:
        with image:
            try:
                vector = picture_vector(image, model)
                faults = _photo_faults(image) if self.strict_photos else []
            except UNREADABLE:
                raise Refused(BAD_FORMAT) from None
        if faults:
            message = f"request {call.number}: the photo has {', '.join(faults)}; a prepared one has none"
            with self._lock:
                self.violations.append(message)
            _refuse(message)
        return vector

    def _record(self, call: Call, status: int | None) -> None:
        with self._lock:
            call.status = status
            if self.log:
                with Path(self.log).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(call)) + "\n")


class _Server(ThreadingHTTPServer):
    """Keeps its open connections, so that it can cut them."""

    request_queue_size = 128

    def __init__(self, double: AzureDouble, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.double = double
        self.stopping = threading.Event()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._loop = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)

    def server_bind(self) -> None:
        """Without the look-up of a host name that HTTPServer makes."""
        TCPServer.server_bind(self)

    def start(self) -> None:
        self._loop.start()

    def stop(self) -> None:
        self.stopping.set()
        self.shutdown()
        self._loop.join()
        for connection, thread in list(self._open.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:
        self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            self.double.crashes.append(traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept alive."""

    protocol_version = "HTTP/1.1"
    server_version = "AzureDouble"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length")
        if self.command == "POST" and (length is None or not length.isdigit()):
            self.close_connection = True  # guess: a body of unknown length is refused
            return self._send(_gateway(411, "Length Required"), str(uuid.uuid4()))
        body = self.rfile.read(int(length or 0))
        if len(body) < int(length or 0):
            self.close_connection = True
            return None
        target = self.requestline.split()[1]  # self.path has lost a second leading slash
        call, reply = self.server.double.answer(self.command, target, self.headers, body)
        return self._deliver(call, reply)

    do_GET = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    def _deliver(self, call: Call, reply: Reply) -> None:
        kind, seconds = _read_fault(call.fault) if call.fault else ("", 0.0)
        pause = self.server.double.latency + (seconds if kind == "slow" else 0)
        if self.server.stopping.wait(pause) or kind == "close":
            self.close_connection = True
        elif kind == "reset":
            self._reset(reply, call.request_id)
        else:
            self._send(reply, call.request_id)

    def _send(self, reply: Reply, request_id: str, cut: int | None = None) -> None:
        self.send_response(reply.status)
        for name, value in {**reply.headers, "apim-request-id": request_id}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body[:cut])
        self.wfile.flush()

    def _reset(self, reply: Reply, request_id: str) -> None:
        self._send(reply, request_id, len(reply.body) // 2)
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        socket.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing; the double keeps its own log."""


# --- By hand -------------------------------------------------------------------------------------


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Azure's multimodal embeddings, played on this machine; Ctrl-C ends it.",
        epilog=f"faults: {', '.join(FAULTS)}; slow:2.5 and 429:7 carry seconds",
    )
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--key", default="secret-key")
    parser.add_argument("--token", action="append", default=[], help="a bearer token to accept")
    parser.add_argument("--rate", type=int, help="most calls a second")
    parser.add_argument("--per-minute", type=int, help="most calls a minute (F0: 20)")
    parser.add_argument("--quota", type=int, help="most calls in all")
    parser.add_argument("--latency", type=float, default=0.0, metavar="SECONDS")
    parser.add_argument("--log", metavar="FILE", help="append a line of JSON for each request")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="one a request, in order"
    )
    parser.add_argument(
        "--fault-rate", type=float, default=0.0, metavar="0..1", help="passing faults by chance"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--any-photo", action="store_true", help="take metadata, alpha and animations")
    options = parser.parse_args(argv)
    try:
        list(map(_read_fault, options.fault))
    except ValueError as error:
        parser.error(str(error))
    return options


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until interrupted."""
    options = vars(_arguments(argv))
    options["tokens"], options["faults"] = options.pop("token"), options.pop("fault")
    options["strict_photos"] = not options.pop("any_photo")
    signal.signal(signal.SIGTERM, _stop)
    try:
        with AzureDouble(**options) as double:
            print(f"Azure's multimodal embeddings, played at {double.endpoint}; Ctrl-C ends it")
            print(f"export CVSEARCH_ENDPOINT={double.endpoint}")
            print(f"export CVSEARCH_KEY={options['key']}", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
