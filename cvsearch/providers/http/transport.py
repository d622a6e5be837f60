"""Care around httpx: requests that fail are sent again, in their turn, until a reply can be kept.

A `CarefulTransport` stands where a client expects its transport; whoever sends through it meets
replies worth having and errors that end something, nothing between.
"""

from __future__ import annotations

import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator

import httpx

from cvsearch.errors import CvsearchError
from cvsearch.providers.http.breaker import Attempt, Failure
from cvsearch.providers.http.limiter import backoff
from cvsearch.providers.http.replies import AttemptsSpent, Fault, Reply, Throttled
from cvsearch.providers.http.scheduler import Scheduler, Timing

ATTEMPTS = 5
"""Times the service may fail on one photo."""

_CONNECT, _READ = 10.0, 60.0
_FIRST_CONNECT, _FIRST_READ = 6.0, 20.0

Check = Callable[[httpx.Request, httpx.Response], Reply]

LOG = logging.getLogger("cvsearch")
"""At DEBUG, a line for each request; no handler of its own."""


class CarefulTransport(httpx.BaseTransport):
    """Sends through `inner` what `scheduler` lets leave, until `check` finds a reply that can be kept.

    The reply is returned read, with ``extensions["reply"]`` (`Answer`, `Rejected` or `Fatal`) and
    ``extensions["sent_at"]`` (the time of day it was sent, in seconds).  Raises `AttemptsSpent`, what
    the scheduler raises, and no exception of httpx's.
    """

    def __init__(
        self, inner: httpx.BaseTransport, scheduler: Scheduler, check: Check, timing: Timing
    ) -> None:
        self._inner = inner
        self._scheduler = scheduler
        self._check = check
        self._timing = timing

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        size = len(request.read())  # what is sent again must be bytes
        charged = failures = 0
        while True:
            attempt = self._scheduler.enter(charged, size)
            try:
                outcome = self._send(request, attempt)
            except BaseException:
                self._scheduler.lost(attempt)
                raise
            match outcome:
                case httpx.Response():
                    self._scheduler.good(attempt)
                    return outcome
                case Throttled(seconds, detail):
                    self._scheduler.throttled(attempt, seconds, detail)
                case Failure():
                    failures += 1
                    charged += self._scheduler.failed(attempt, outcome)
                    if charged >= ATTEMPTS:
                        raise AttemptsSpent(f"the service failed {charged} times: {outcome.detail}")
                    if not self._scheduler.in_outage:
                        self._scheduler.rest(backoff(failures, self._timing.chance()))

    def close(self) -> None:
        self._inner.close()

    def _send(self, request: httpx.Request, attempt: Attempt) -> httpx.Response | Throttled | Failure:
        request.extensions = {**request.extensions, "timeout": timeouts(attempt.patience)}
        sent_at = self._timing.now()
        try:
            response = self._inner.handle_request(request)
            try:
                response.read()
            finally:
                response.close()
        except httpx.DecodingError as error:
            return Failure(f"a reply that cannot be decoded ({error})", answered=True)
        except httpx.TransportError as error:
            cause, hint = explain(error)
            return Failure(cause, answered=False, hint=hint)
        reply = self._check(request, response)
        if isinstance(reply, Throttled):
            return reply
        if isinstance(reply, Fault):
            return Failure(reply.detail, answered=True)
        response.extensions = {**response.extensions, "reply": reply, "sent_at": sent_at}
        return response


class LoggedTransport(httpx.BaseTransport):
    """Logs each request that leaves through `inner`: method, URL, status, seconds and the reply's
    `id_header`; no other header, so no key."""

    def __init__(self, inner: httpx.BaseTransport, id_header: str) -> None:
        self._inner = inner
        self._id_header = id_header

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        began = time.monotonic()
        status, request_id = "no reply", ""
        try:
            response = self._inner.handle_request(request)
            status, request_id = str(response.status_code), response.headers.get(self._id_header, "")
            return response
        finally:
            seconds = time.monotonic() - began
            LOG.debug("%s %s %s %.3f s %s", request.method, request.url, status, seconds, request_id)

    def close(self) -> None:
        self._inner.close()


class WireTransport(httpx.BaseTransport):
    """The network itself: at most `connections` of them, kept alive, through the proxies of the environment.

    Without `proxies` nothing of the environment counts.  Raises `CvsearchError` when the environment
    names a proxy or certificates that cannot be used.
    """

    def __init__(self, connections: int, proxies: bool) -> None:
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        try:
            # A client, not a bare transport: only a client reads HTTPS_PROXY, NO_PROXY and their like.
            self._client = httpx.Client(limits=limits, trust_env=proxies)
        except (ImportError, ValueError, OSError) as error:
            raise CvsearchError(
                f"the network settings of the environment cannot be used: {error}",
                "look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR",
            ) from error

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._client.send(request, stream=True, follow_redirects=False)

    def close(self) -> None:
        self._client.close()


def timeouts(patience: float | None) -> dict[str, float]:
    """httpx's timeouts in seconds; shorter while `patience` (for first contact) runs out."""
    if patience is None:
        connect, read = _CONNECT, _READ
    else:
        connect = max(1.0, min(_FIRST_CONNECT, patience / 3))
        read = max(1.0, min(_FIRST_READ, patience * 0.8))
    return {"connect": connect, "read": read, "write": read, "pool": _READ}


def explain(error: httpx.TransportError) -> tuple[str, str]:
    """Why there was no reply, in a few words, and what to look at."""
    network = "check the network, and the endpoint's name"
    chain = list(_chain(error))
    for kind, cause, hint in (
        (ssl.SSLCertVerificationError, "its TLS certificate is not trusted", _TLS_HINT),
        (ssl.SSLError, "TLS could not be set up", _TLS_HINT),
        (socket.gaierror, "name not found", "check the spelling of the endpoint, and the network"),
        (ConnectionRefusedError, "connection refused", network),
        (httpx.ProxyError, "the proxy refused the connection", "look at HTTPS_PROXY and NO_PROXY"),
        (httpx.ConnectTimeout, "timeout while connecting", network + ", proxy or firewall"),
        (httpx.TimeoutException, "timeout: no reply in time", network + ", proxy or firewall"),
        (httpx.RemoteProtocolError, "the connection ended without a reply", network),
    ):
        if any(isinstance(link, kind) for link in chain):
            return cause, hint
    return f"the connection failed ({str(error) or type(error).__name__})", network


_TLS_HINT = (
    "check this machine's clock; behind a proxy that opens TLS, name its certificates in SSL_CERT_FILE"
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
