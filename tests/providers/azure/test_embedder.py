"""The embedder over a mocked wire: whole URLs, exact bodies, and what callers meet."""

import hashlib
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import respx

from cvsearch.errors import BudgetError, CredentialsError, CvsearchError, ServiceError
from cvsearch.model import Embedded, Metadata, Prepared, Skip, Space
from cvsearch.providers.azure.embedder import AzureEmbedder, default_jobs
from cvsearch.providers.azure.sign_in import EntraCredential, KeyCommandCredential, KeyCredential
from cvsearch.providers.http.scheduler import Stopped, Timing

HOST = "photos.cognitiveservices.azure.com"
VERSIONS = "?api-version=2024-02-01&model-version=2023-04-15"
IMAGE = f"https://{HOST}/computervision/retrieval:vectorizeImage{VERSIONS}"
TEXT = f"https://{HOST}/computervision/retrieval:vectorizeText{VERSIONS}"
VECTOR = [0.5, *[0.25] * 1023]
GOOD = httpx.Response(
    200, json={"modelVersion": "2023-04-15", "vector": VECTOR}, headers={"apim-request-id": "id-1"}
)
PHOTO = Prepared(b"\xff\xd8jpeg", 640, 480, b"", b"", Metadata("JPEG", 640, 480))


class Clock:
    def __init__(self) -> None:
        self.time = 1_769_862_000.0

    def wait(self, bell: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody will ever ring"
        self.time += seconds

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.time, now=lambda: self.time, wait=self.wait, chance=lambda: 0.0)


def make_embedder(endpoint: str = HOST, credential=None, **more) -> AzureEmbedder:
    return AzureEmbedder(
        endpoint,
        credential or KeyCredential("sesame-key"),
        api_version="2024-02-01",
        model_version="2023-04-15",
        space=Space("azure", "2023-04-15", "jpeg-1024", 1024),
        timing=Clock().timing,
        **more,
    )


@pytest.fixture
def embedder() -> Iterator[AzureEmbedder]:
    with make_embedder() as made:
        yield made


def error_reply(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(
        status, json={"error": {"code": code, "message": message}}, headers={"apim-request-id": "id-9"}
    )


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (
            error_reply(401, "401", "invalid subscription key sesame-key"),
            CredentialsError,
            "refused the cred",
        ),
        (error_reply(403, "403", "Out of call volume quota."), ServiceError, "quota"),
        (error_reply(404, "404", "Resource not found"), CvsearchError, "no image embeddings"),
        (httpx.Response(200, json={"error": {"code": "x"}}), ServiceError, "the service failed 5 times"),
        (httpx.Response(503, html="<html>maintenance</html>"), ServiceError, "a web page instead of JSON"),
    ],
)
def test_a_text_that_gets_no_vector_is_an_error_with_a_message(
    reply: httpx.Response, kind: type[CvsearchError], message: str, embedder: AzureEmbedder, respx_mock
) -> None:
    respx_mock.post(TEXT).mock(return_value=reply)
    with pytest.raises(kind) as caught:
        embedder.embed_text("a red car")
    assert message in caught.value.message
    assert "<html>" not in caught.value.message
    assert "sesame" not in f"{caught.value.message}{caught.value.hint}"


@pytest.fixture
def respx_mock() -> Iterator[respx.MockRouter]:
    with respx.mock(assert_all_called=False) as router:
        yield router


def test_a_text_the_service_refuses_is_wrong_usage(embedder: AzureEmbedder, respx_mock) -> None:
    respx_mock.post(TEXT).mock(return_value=error_reply(400, "InvalidRequest", "The text is too long"))
    with pytest.raises(CvsearchError) as caught:
        embedder.embed_text("a red car")
    assert caught.value.code == 2
    assert caught.value.message == (
        f"{HOST} refused the text: 400 InvalidRequest The text is too long (request id id-9)"
    )
    respx_mock.post(TEXT).mock(return_value=GOOD)
    assert embedder.embed_text("a car").vector.shape == (1024,)


def test_a_text_too_long_costs_no_call(embedder: AzureEmbedder, respx_mock) -> None:
    route = respx_mock.post(TEXT).mock(return_value=GOOD)
    with pytest.raises(CvsearchError, match="at most 70"):
        embedder.embed_text("word " * 71)
    assert not route.called and embedder.calls == 0


def test_a_bad_photo_is_a_lasting_skip_and_the_run_goes_on(embedder: AzureEmbedder, respx_mock) -> None:
    bad = error_reply(400, "InvalidImageFormat", "Image format is not valid")
    respx_mock.post(IMAGE).mock(side_effect=[bad, GOOD])
    assert embedder.embed_photo(PHOTO) == Skip(
        "invalid-image", "400 InvalidImageFormat Image format is not valid (request id id-9)", lasting=True
    )
    assert isinstance(embedder.embed_photo(PHOTO), Embedded)


def test_a_photo_azure_never_takes_costs_no_call(embedder: AzureEmbedder) -> None:
    tiny = Prepared(b"x", 5, 5, b"", b"", Metadata("JPEG", 5, 5))
    skip = embedder.embed_photo(tiny)
    assert isinstance(skip, Skip) and skip.reason == "bad-dimensions"
    assert embedder.calls == 0


def test_a_photo_the_service_keeps_failing_on_is_skipped_for_this_run(
    embedder: AzureEmbedder, respx_mock
) -> None:
    broken = error_reply(500, "FailedToProcess", "oh no")
    respx_mock.post(IMAGE).mock(side_effect=[GOOD, *[broken] * 5, GOOD])
    embedder.embed_photo(PHOTO)
    assert embedder.embed_photo(PHOTO) == Skip(
        "service-failed",
        "the service failed 5 times: 500 FailedToProcess oh no (request id id-9); the next run tries again",
        lasting=False,
    )
    assert isinstance(embedder.embed_photo(PHOTO), Embedded)
    assert embedder.calls == 7


@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_first_refusal_of_the_run_ends_it_for_all(
    status: int, embedder: AzureEmbedder, respx_mock
) -> None:
    route = respx_mock.post(IMAGE).mock(return_value=error_reply(status, str(status), "no"))
    for _ in range(3):
        with pytest.raises(CvsearchError, match=f"{status} no"):
            embedder.embed_photo(PHOTO)
    assert route.call_count == embedder.calls == 1


def test_a_key_command_that_fails_ends_the_run_for_all() -> None:
    with make_embedder(credential=KeyCommandCredential("exit 3")) as embedder:
        for _ in range(2):
            with pytest.raises(CredentialsError, match="CVSEARCH_KEY_COMMAND failed with status 3"):
                embedder.embed_photo(PHOTO)
        assert embedder.calls == 0


def test_a_key_that_expires_in_mid_run_is_asked_for_once_more(tmp_path, respx_mock) -> None:
    (tmp_path / "key").write_text("old-key")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["Ocp-Apim-Subscription-Key"] == current:
            return GOOD
        return error_reply(401, "401", "Access denied due to invalid subscription key")

    respx_mock.post(IMAGE).mock(side_effect=answer)
    current = "old-key"
    with make_embedder(credential=KeyCommandCredential(f"cat {tmp_path / 'key'}")) as embedder:
        embedder.embed_photo(PHOTO)
        (tmp_path / "key").write_text("new-key")
        current = "new-key"
        assert isinstance(embedder.embed_photo(PHOTO), Embedded)
        assert embedder.calls == 3


def test_entra_at_a_regional_endpoint_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(CredentialsError) as caught:
        make_embedder("https://westeurope.api.cognitive.microsoft.com/", EntraCredential())
    assert "regional endpoint westeurope.api.cognitive.microsoft.com" in caught.value.message
    assert "https://NAME.cognitiveservices.azure.com" in (caught.value.hint or "")


def test_the_budget_ends_the_run(respx_mock) -> None:
    respx_mock.post(IMAGE).mock(return_value=GOOD)
    with make_embedder(max_calls=1) as embedder:
        embedder.embed_photo(PHOTO)
        with pytest.raises(BudgetError, match="the budget of 1 calls is spent"):
            embedder.embed_photo(PHOTO)


def test_a_photo_is_sent_as_it_is_and_comes_back_with_a_receipt(embedder: AzureEmbedder, respx_mock) -> None:
    route = respx_mock.post(IMAGE).mock(return_value=GOOD)
    embedded = embedder.embed_photo(PHOTO)
    sent = route.calls.last.request
    assert sent.content == PHOTO.data
    assert sent.headers["Content-Type"] == "application/octet-stream"
    assert sent.headers["Ocp-Apim-Subscription-Key"] == "sesame-key"
    assert isinstance(embedded, Embedded)
    assert embedded.vector.dtype == np.float32
    np.testing.assert_array_equal(embedded.vector, np.array(VECTOR, np.float32))
    receipt = embedded.receipt
    assert receipt is not None
    assert (receipt.host, receipt.request_id, receipt.size) == (HOST, "id-1", len(PHOTO.data))
    assert receipt.sent_at == "2026-01-31T12:20:00Z"
    assert receipt.sha256 == hashlib.sha256(PHOTO.data).digest()
    assert (embedder.calls, embedder.bytes_sent) == (1, len(PHOTO.data))


def test_a_text_is_sent_as_json_in_utf8(embedder: AzureEmbedder, respx_mock) -> None:
    route = respx_mock.post(TEXT).mock(return_value=GOOD)
    embedder.embed_text("schöne Katze 猫")
    sent = route.calls.last.request
    assert json.loads(sent.content.decode()) == {"text": "schöne Katze 猫"}
    assert "猫".encode() in sent.content
    assert sent.headers["Content-Type"] == "application/json"


def test_requests_are_told_to_the_log_without_the_key(respx_mock, caplog) -> None:
    respx_mock.post(TEXT).mock(side_effect=[error_reply(503, "x", "y"), GOOD])
    with caplog.at_level(logging.DEBUG, "cvsearch"), make_embedder() as embedder:
        embedder.embed_text("cat")
    told = [record.getMessage() for record in caplog.records if record.name == "cvsearch"]
    assert [line.split()[:3] for line in told] == [["POST", TEXT, "503"], ["POST", TEXT, "200"]]
    assert [line.split()[-1] for line in told] == ["id-9", "id-1"]
    assert "sesame" not in str(told)


def test_no_network_is_loaded_before_the_first_call() -> None:
    code = (
        "import sys\nfrom cvsearch.providers.azure.embedder import AzureEmbedder\n"
        "from cvsearch.providers.azure.sign_in import KeyCredential\nfrom cvsearch.model import Space\n"
        "AzureEmbedder('https://a.example', KeyCredential('k'), api_version='1', model_version='2',"
        " space=Space('azure', '2', 'jpeg-64', 8)).close()\nsys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_nothing_shows_the_key(embedder: AzureEmbedder) -> None:
    assert "sesame" not in repr(embedder) + repr(vars(embedder))


@pytest.mark.parametrize("end", ["stop", "close"])
def test_after_the_end_nothing_is_sent(end: str, embedder: AzureEmbedder, respx_mock) -> None:
    route = respx_mock.post(TEXT).mock(return_value=GOOD)
    getattr(embedder, end)()
    getattr(embedder, end)()
    with pytest.raises(Stopped):
        embedder.embed_text("cat")
    assert not route.called


def test_closing_lets_a_call_on_the_wire_finish(embedder: AzureEmbedder, respx_mock) -> None:
    started, go_on, results = threading.Event(), threading.Event(), []

    def answer(request: httpx.Request) -> httpx.Response:
        started.set()
        assert go_on.wait(10.0)
        return GOOD

    respx_mock.post(IMAGE).mock(side_effect=answer)
    thread = threading.Thread(target=lambda: results.append(embedder.embed_photo(PHOTO)), daemon=True)
    thread.start()
    assert started.wait(10.0)
    embedder.close()
    assert not embedder._client.is_closed
    go_on.set()
    thread.join(10.0)
    assert isinstance(results[0], Embedded)
    assert embedder._client.is_closed


@pytest.mark.parametrize(
    ("rate", "jobs"), [(None, 16), (1 / 3, 4), (1.0, 4), (10.0, 20), (20.0, 40), (1000.0, 64)]
)
def test_there_are_as_many_jobs_as_the_rate_needs(rate: float | None, jobs: int) -> None:
    assert default_jobs(rate) == jobs
    with make_embedder(rate=rate) as embedder:
        assert embedder.jobs == jobs
    with make_embedder(rate=rate, jobs=3) as embedder:
        assert embedder.jobs == 3


def test_after_the_end_no_key_is_asked_for(tmp_path) -> None:
    with make_embedder(credential=KeyCommandCredential(f"touch {tmp_path / 'asked'}")) as embedder:
        embedder.stop()
        with pytest.raises(Stopped):
            embedder.embed_text("cat")
    assert list(tmp_path.iterdir()) == []
