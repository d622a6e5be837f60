"""Vectors from Azure's image retrieval: a call for each photo or text.

This module just sends.  What is sent and received is `wire`'s, who signs it `sign_in`'s; retries,
pacing and the budget are in the transport beneath.
"""

from __future__ import annotations

import hashlib
import math
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cvsearch.errors import CredentialsError, CvsearchError
from cvsearch.model import Embedded, Prepared, Receipt, Skip, Space
from cvsearch.providers.azure.endpoint import read_endpoint
from cvsearch.providers.azure.sign_in import Credential, EntraCredential
from cvsearch.providers.azure.wire import Asked, reject_photo, text_body
from cvsearch.providers.base import Embedder
from cvsearch.providers.http.replies import Answer, AttemptsSpent, Fatal, Rejected
from cvsearch.providers.http.scheduler import Scheduler, Stopped, Timing

if TYPE_CHECKING:
    import httpx


class AzureEmbedder(Embedder):
    """The embedder that asks Azure; see `Embedder` for what each method promises.

    `rate` is the most calls a second (None: find out), `jobs` the calls under way at once (None:
    as many as the rate needs), `max_calls` the most requests to send (None: no bound).  The first call
    connects and signs in; before it, nothing of the network is even loaded.  Raises `CvsearchError` when
    `endpoint` cannot be one, and `CredentialsError` when it is empty or does not go with the credential.
    """

    def __init__(
        self,
        endpoint: str,
        credential: Credential,
        *,
        api_version: str,
        model_version: str,
        space: Space,
        rate: float | None = None,
        jobs: int | None = None,
        max_calls: int | None = None,
        timing: Timing | None = None,
    ) -> None:
        target = read_endpoint(endpoint)
        if target.regional and isinstance(credential, EntraCredential):
            raise CredentialsError(
                f"signing in by Entra does not work at the regional endpoint {target.host}",
                "set CVSEARCH_ENDPOINT to https://NAME.cognitiveservices.azure.com, or use a key",
            )
        self.space = space
        self.host = target.host
        self.jobs = jobs or default_jobs(rate)
        self._asked = Asked(self.host, model_version, space.dimension)
        self._endpoint = target
        self._credential = credential
        self._timing = timing or Timing()
        self._photo_url = target.url("vectorizeImage", api_version, model_version)
        self._text_url = target.url("vectorizeText", api_version, model_version)
        self._scheduler = Scheduler(self.host, rate, max_calls, self._timing)
        self._client: httpx.Client | None = None
        self._lock = threading.Lock()
        self._users = 1  # the owner, and each call under way: the last to leave closes the client
        self._closed = False

    @property
    def calls(self) -> int:
        return self._scheduler.calls

    @property
    def bytes_sent(self) -> int:
        return self._scheduler.bytes_sent

    def embed_photo(self, photo: Prepared) -> Embedded | Skip:
        """Send the photo's bytes.  A photo that Azure refuses or keeps failing on is a `Skip`."""
        skip = reject_photo(photo)
        if skip is not None:
            return skip
        try:
            return self._embed(self._photo_url, photo.data, "application/octet-stream")
        except AttemptsSpent as error:
            return Skip("service-failed", f"{error.message}; the next run tries again", lasting=False)

    def embed_text(self, text: str) -> Embedded:
        """Send the text.  Raises `CvsearchError` for a text that Azure does not take, too."""
        reply = self._embed(self._text_url, text_body(text), "application/json")
        if isinstance(reply, Skip):
            raise CvsearchError(f"{self.host} refused the text: {reply.detail}", "say it in other words")
        return reply

    def connect(self) -> None:
        self._connect()

    def stop(self) -> None:
        """Makes calls that wait end at once with `Stopped`; those on the wire may finish."""
        self._scheduler.end(Stopped("stopped before the call was made"))

    def close(self) -> None:
        """Stop, and close the connections as soon as no call is under way."""
        self.stop()
        with self._lock:
            already, self._closed = self._closed, True
        if not already:
            self._leave()

    def _embed(self, url: str, body: bytes, content_type: str) -> Embedded | Skip:
        self._enter()
        try:
            self._scheduler.check()  # before anybody is asked for a key
            response = self._connect().post(url, content=body, headers={"Content-Type": content_type})
        except CredentialsError as error:
            self._scheduler.end(error)
            raise
        finally:
            self._leave()
        match response.extensions["reply"]:
            case Answer(vector, request_id):
                sent_at = datetime.fromtimestamp(response.extensions["sent_at"], UTC)
                receipt = Receipt(
                    host=self.host,
                    sent_at=sent_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    request_id=request_id,
                    size=len(body),
                    sha256=hashlib.sha256(body).digest(),
                )
                return Embedded(vector, receipt)
            case Rejected(skip):
                return skip
            case Fatal(fatal):
                self._scheduler.end(fatal)
                raise fatal
            case reply:
                raise AssertionError(reply)

    def _connect(self) -> httpx.Client:
        from cvsearch.providers.azure.client import open_client

        with self._lock:
            if self._client is None:
                self._client = open_client(
                    self._endpoint, self._credential, self._asked, self._scheduler, self._timing, self.jobs
                )
            return self._client

    def _enter(self) -> None:
        with self._lock:
            if self._closed:
                raise Stopped("the embedder is closed")
            self._users += 1

    def _leave(self) -> None:
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last and self._client is not None:
            self._client.close()


def default_jobs(rate: float | None) -> int:
    """Calls to have under way so that `rate` calls a second (None: not known yet) do not wait for replies."""
    return 16 if rate is None else min(64, max(4, math.ceil(rate * 2)))
