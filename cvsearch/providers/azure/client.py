"""The connection to Azure: requests that are signed, paced and sent again by the layers beneath."""

from __future__ import annotations

import threading
from collections.abc import Generator
from dataclasses import replace

import httpx

from cvsearch.providers.azure.endpoint import Endpoint
from cvsearch.providers.azure.sign_in import Credential
from cvsearch.providers.azure.wire import REQUEST_ID_HEADER, Asked, parse_reply
from cvsearch.providers.http.replies import Fatal, Reply
from cvsearch.providers.http.scheduler import Scheduler, Timing
from cvsearch.providers.http.transport import CarefulTransport, LoggedTransport, WireTransport


def open_client(
    endpoint: Endpoint,
    credential: Credential,
    asked: Asked,
    scheduler: Scheduler,
    timing: Timing,
    connections: int,
) -> httpx.Client:
    """A client whose replies have a `Reply` worth keeping in ``extensions["reply"]``; to be closed.

    Raises `CvsearchError` when the environment's network settings cannot be used.
    """

    def check(request: httpx.Request, response: httpx.Response) -> Reply:
        signed = replace(asked, secret=secret_of(request))
        return parse_reply(response.status_code, response.headers, response.content, signed, timing.now())

    wire = WireTransport(connections, proxies=not endpoint.loopback)
    careful = CarefulTransport(LoggedTransport(wire, REQUEST_ID_HEADER), scheduler, check, timing)
    return httpx.Client(transport=careful, auth=SignIn(credential))


class SignIn(httpx.Auth):
    """Signs requests with a `Credential`, from any number of threads.

    When the credential is refused it is renewed once for all that were refused with it, and they
    are sent again.  A renewed one that is refused before it ever worked is not renewed again.
    """

    def __init__(self, credential: Credential) -> None:
        self._credential = credential
        self._lock = threading.Lock()
        self._generation = 0
        self._worth_renewing = True

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        generation = self._sign(request)
        response = yield request
        if self._is_refused(response, generation) and self._renew(generation):
            generation = self._sign(request)
            response = yield request
            self._is_refused(response, generation)

    def _sign(self, request: httpx.Request) -> int:
        with self._lock:
            name, value = self._credential.header()
            request.headers[name] = value
            return self._generation

    def _is_refused(self, response: httpx.Response, generation: int) -> bool:
        reply = response.extensions.get("reply")
        if isinstance(reply, Fatal):
            return reply.renewable
        with self._lock:
            self._worth_renewing = self._worth_renewing or generation == self._generation
        return False

    def _renew(self, generation: int) -> bool:
        with self._lock:
            if generation != self._generation:
                return True
            if not self._worth_renewing or not self._credential.renew():
                return False
            self._generation += 1
            self._worth_renewing = False
            return True


def secret_of(request: httpx.Request) -> str:
    """What a signed request must not give away; empty when it is not signed."""
    key: str = request.headers.get("ocp-apim-subscription-key", "")
    token: str = request.headers.get("authorization", "")
    return key or token.removeprefix("Bearer ")
