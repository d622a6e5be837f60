"""The double keeps its word: strictness, scales, faults, limits and a clean end, over real sockets."""

from __future__ import annotations

import hashlib
import http.client
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage
from azure_double import COLOURS, FAULTS, AzureDouble, picture_vector, text_vector
from numpy.typing import NDArray
from PIL import Image, ImageDraw, PngImagePlugin
from places import SUPPORT

SCRIPT = SUPPORT / "azure_double.py"
PHOTOS = Path(skimage.__file__).with_name("data")
QUERY = "api-version=2024-02-01&model-version=2023-04-15"
IMAGE, TEXT = "vectorizeImage", "vectorizeText"
BYTES, JSON = "application/octet-stream", "application/json"
SHADES = {key: f"#{shades.split()[0]}" for key, shades in COLOURS.items()}

PINNED_TEXT = [3.5517436, 1.734976, -3.088917, 0.0027751]
PINNED_PICTURE = [2.6871013, -0.1499489, 1.2010208, -1.8350856]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class Client:
    """One kept-alive connection that says just what a test wants said."""

    def __init__(self, double: AzureDouble, key: str | None = "secret-key") -> None:
        self.wire = http.client.HTTPConnection("127.0.0.1", double.port, timeout=10)
        self.headers = {} if key is None else {"Ocp-Apim-Subscription-Key": key}

    def ask(self, path: str, body: bytes = b"", method: str = "POST", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            self.wire.request(method, path, body, {**self.headers, **named})
            reply = self.wire.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        except (OSError, http.client.HTTPException):
            self.wire.close()
            raise

    def text(self, text: object, query: str = QUERY) -> Answer:
        body = json.dumps({"text": text}).encode()
        return self.ask(f"/computervision/retrieval:{TEXT}?{query}", body, Content_Type=JSON)

    def picture(self, body: bytes, kind: str = BYTES) -> Answer:
        return self.ask(f"/computervision/retrieval:{IMAGE}?{QUERY}", body, Content_Type=kind)


def connect(double: AzureDouble, key: str | None = "secret-key") -> Client:
    return Client(double, key)


@pytest.fixture(scope="module")
def shared() -> Iterator[AzureDouble]:
    with AzureDouble(tokens=["good-token"]) as double:
        yield double


@pytest.fixture
def client(shared: AzureDouble) -> Iterator[Client]:
    client = connect(shared)
    yield client
    client.wire.close()


def ask_all(double: AzureDouble, texts: list[str]) -> list[Answer]:
    client = connect(double)
    try:
        return [client.text(text) for text in texts]
    finally:
        client.wire.close()


def encode(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def draw(colour: str = "red", size: tuple[int, int] = (160, 120)) -> Image.Image:
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).ellipse((20, 20, 60, 80), fill="white")
    return image


def unit(vector: list[float]) -> NDArray[np.float64]:
    values = np.array(vector)
    return np.asarray(values / np.linalg.norm(values))


# --- What it answers -----------------------------------------------------------------------------


def test_text_is_answered(client: Client) -> None:
    answer = client.text("a red car")
    assert answer.status == 200
    assert answer.json["modelVersion"] == "2023-04-15"
    assert len(answer.json["vector"]) == 1024
    assert uuid.UUID(answer.headers["apim-request-id"])
    assert answer.json["vector"] == text_vector("a red car")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "ICO", "TIFF", "MPO"])
def test_every_format_is_read(client: Client, kind: str) -> None:
    answer = client.picture(encode(draw(), kind))
    assert answer.status == 200, answer.body
    assert 88 <= np.linalg.norm(answer.json["vector"]) <= 96


def test_a_connection_is_kept(shared: AzureDouble, client: Client) -> None:
    client.text("one")
    first = client.wire.sock
    client.text("")
    client.text("two")
    assert client.wire.sock is first


def test_a_bearer_token_signs_in(shared: AzureDouble) -> None:
    client = connect(shared, key=None)
    try:
        client.headers = {"Authorization": "Bearer good-token"}
        assert client.text("a dog").status == 200
        client.headers = {"Authorization": "Bearer other"}
        answer = client.text("a dog")
        assert (answer.status, answer.code) == (401, "PermissionDenied")
    finally:
        client.wire.close()


@pytest.mark.parametrize("key", [None, "other", ""])
def test_a_wrong_key_is_refused(shared: AzureDouble, key: str | None) -> None:
    client = connect(shared, key)
    try:
        answer = client.text("a dog")
    finally:
        client.wire.close()
    assert (answer.status, answer.code) == (401, "401")
    assert "invalid subscription key" in answer.json["error"]["message"]


def test_a_key_can_change_in_mid_run() -> None:
    with AzureDouble(key="old") as double:
        double.keys = {"secret-key"}
        assert ask_all(double, ["a dog"])[0].status == 200


# --- What it refuses -----------------------------------------------------------------------------

PATH = f"/computervision/retrieval:{TEXT}"


@pytest.mark.parametrize(
    ("target", "status", "code"),
    [
        (f"/{TEXT}?{QUERY}", 404, "404"),
        (f"/computervision//retrieval:{TEXT}?{QUERY}", 404, "404"),
        (f"//computervision/retrieval:{TEXT}?{QUERY}", 404, "404"),
        (f"/computervision/{TEXT}?{QUERY}", 404, "404"),
        (f"/computervision/retrieval%3A{TEXT}?{QUERY}", 404, "404"),
        (f"/computervision/retrieval:?{QUERY}", 404, "404"),
        (f"{PATH}/?{QUERY}", 404, "404"),
        (f"{PATH}?model-version=2023-04-15", 404, "404"),
        (f"{PATH}?api-version=2099-01-01&model-version=2023-04-15", 404, "404"),
        (f"{PATH}?api-version=2023-02-01-preview&model-version=2023-04-15", 410, "Gone"),
        (f"{PATH}?api-version=2024-02-01", 400, "InvalidRequest"),
        (f"{PATH}?api-version=2024-02-01&modelVersion=latest", 400, "InvalidRequest"),
        (f"{PATH}?api-version=2024-02-01&model-version=latest", 400, "InvalidRequest"),
        (f"{PATH}?{QUERY}&model-version=2023-04-15", 400, "InvalidRequest"),
        (f"{PATH}?{QUERY}&more=1", 400, "InvalidRequest"),
    ],
)
def test_addresses_are_exact(client: Client, target: str, status: int, code: str) -> None:
    answer = client.ask(target, b'{"text":"a dog"}', Content_Type=JSON)
    assert (answer.status, answer.code) == (status, code)
    assert "apim-request-id" in answer.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_known(client: Client, method: str) -> None:
    assert client.ask(f"{PATH}?{QUERY}", method=method).status == 404


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"text":"a dog"}', "text/plain"),
        (b'{"text":"a dog"}', BYTES),
        (b"text=a dog", JSON),
        (b"", JSON),
        (b'["a dog"]', JSON),
        (b"{}", JSON),
        (b'{"text":1}', JSON),
        (b'{"text":"a dog","language":"en"}', JSON),
        (b'{"text":"  "}', JSON),
        (json.dumps({"text": "dog " * 71}).encode(), JSON),
    ],
)
def test_bad_texts_are_refused(client: Client, body: bytes, kind: str) -> None:
    answer = client.ask(f"{PATH}?{QUERY}", body, Content_Type=kind)
    assert (answer.status, answer.code) == (400, "InvalidRequest")
    assert answer.headers["x-ms-error-code"] == "InvalidRequest"


def test_seventy_words_and_a_charset_pass(client: Client) -> None:
    body = json.dumps({"text": "dog " * 70}).encode()
    assert client.ask(f"{PATH}?{QUERY}", body, Content_Type=f"{JSON}; charset=utf-8").status == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "zero or larger"),
        (b"\0" * 20_971_521, "zero or larger than 20971520"),
        (b"not a picture", "Image format is not valid"),
        (encode(draw())[:600], "Image format is not valid"),
        (encode(draw(), "PPM"), "Image format is not valid"),
        (encode(Image.new("RGB", (10, 50)), "PNG"), "dimension"),
        (encode(Image.new("1", (16_000, 11)), "PNG"), "dimension"),
    ],
)
def test_bad_pictures_are_refused(shared: AzureDouble, client: Client, body: bytes, said: str) -> None:
    answer = client.picture(body)
    assert answer.status == 400
    assert said in answer.json["error"]["message"]
    assert answer.json["error"]["innererror"]["code"].startswith("InvalidImage")


@pytest.mark.parametrize("kind", ["image/jpeg", "multipart/form-data", ""])
def test_other_content_types_are_refused(client: Client, kind: str) -> None:
    answer = client.picture(encode(draw()), kind)
    assert answer.status == 400
    assert "content type" in answer.json["error"]["message"]


def test_a_url_is_refused(client: Client) -> None:
    answer = client.picture(b'{"url":"https://example.org/a.jpg"}', JSON)
    assert answer.status == 400
    assert "URL" in answer.json["error"]["message"]


def test_a_body_of_unknown_length_is_refused(shared: AzureDouble) -> None:
    client = connect(shared)
    client.wire.putrequest("POST", f"{PATH}?{QUERY}")
    client.wire.endheaders()
    with client.wire.getresponse() as reply:
        assert reply.status == 411
    client.wire.close()


def exif(**tags: int | str) -> bytes:
    data = Image.Exif()
    for name, value in tags.items():
        data[int(name[1:], 16)] = value
    return data.tobytes()


def located() -> bytes:
    data = Image.Exif()
    data.get_ifd(0x8825)[1] = "N"
    return data.tobytes()


def chunked() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", "me")
    return info


TWO = [draw("blue")]
BAD_PHOTOS = {
    "metadata": encode(draw(), exif=exif(x0110="Camera")),
    "GPS": encode(draw(), exif=located()),
    "orientation": encode(draw(), exif=exif(x0112=6)),
    "metadata: xmp": encode(draw(), xmp=b"<x:xmpmeta/>"),
    "metadata: comment": encode(draw(), comment=b"home"),
    "metadata: text": encode(draw(), "PNG", pnginfo=chunked()),
    "metadata: tiff": encode(draw(), "TIFF", tiffinfo={0x010F: "Maker"}),
    "frames: gif": encode(draw(), "GIF", save_all=True, append_images=TWO),
    "frames: webp": encode(draw(), "WEBP", save_all=True, append_images=TWO),
    "frames: mpo": encode(draw(), "MPO", save_all=True, append_images=TWO),
    "alpha": encode(draw().convert("RGBA"), "PNG"),
    "alpha: palette": encode(draw().convert("P"), "PNG", transparency=0),
}


@pytest.mark.parametrize("name", BAD_PHOTOS)
def test_unprepared_photos_are_violations(name: str) -> None:
    with AzureDouble() as double, AzureDouble(strict_photos=False) as lenient:
        for server, status in ((double, 400), (lenient, 200)):
            client = connect(server)
            assert client.picture(BAD_PHOTOS[name]).status == status
            client.wire.close()
        assert len(double.violations) == 1
        assert double.violations[0].startswith("request 1: ")
        assert name.partition(":")[0] in double.violations[0]
        assert not lenient.violations


def test_plain_pictures_are_no_violation(shared: AzureDouble) -> None:
    assert not shared.violations


# --- What its vectors mean -----------------------------------------------------------------------


def test_texts_find_their_colours() -> None:
    pictures = np.array(
        [unit(picture_vector(Image.new("RGB", (90, 60), shade))) for shade in SHADES.values()]
    )
    for frame in ("{}", "a {} car", "photo of a {} house by the sea"):
        texts = np.array([unit(text_vector(frame.format(name))) for name in SHADES])
        scores = texts @ pictures.T
        wrong = scores[~np.eye(len(SHADES), dtype=bool)]
        assert np.diag(scores).min() >= 0.32 and np.diag(scores).max() <= 0.385
        assert np.quantile(wrong, 0.05) >= 0.16 and np.quantile(wrong, 0.95) <= 0.23
        assert (scores.argmax(1) == np.arange(len(SHADES))).all()


@pytest.fixture(scope="module")
def photos() -> list[Image.Image]:
    names = (
        "astronaut",
        "camera",
        "cell",
        "chelsea",
        "coffee",
        "coins",
        "color",
        "horse",
        "ihc",
        "logo",
        "page",
    )
    found = [PHOTOS / f"{name}.png" for name in names] + [PHOTOS / "retina.jpg", PHOTOS / "rocket.jpg"]
    images = [Image.open(path).convert("RGB") for path in found if path.exists()]
    for image in images:
        image.thumbnail((512, 512))
    return images


def test_unrelated_photos_are_half_alike(photos: list[Image.Image]) -> None:
    vectors = np.array([unit(picture_vector(image)) for image in photos])
    scores = (vectors @ vectors.T)[np.triu_indices(len(photos), 1)]
    assert 0.45 <= np.median(scores) <= 0.58
    assert scores.max() < 0.85


def test_near_duplicates_are_near(photos: list[Image.Image]) -> None:
    for image in photos:
        vector = unit(picture_vector(image))
        for quality in (50, 75, 95):
            again = Image.open(io.BytesIO(encode(image, quality=quality)))
            assert vector @ unit(picture_vector(again)) > 0.99
        smaller = image.resize((image.width // 2, image.height // 2))
        assert vector @ unit(picture_vector(smaller)) > 0.98
        brighter = image.point(lambda value: min(255, value * 1.1))
        assert vector @ unit(picture_vector(brighter)) > 0.93


def test_norms_vary_a_little(photos: list[Image.Image]) -> None:
    vectors = [picture_vector(image) for image in photos] + [text_vector(name) for name in COLOURS]
    norms = np.linalg.norm(vectors, axis=1)
    assert 88 <= norms.min() < 90 and 94 < norms.max() <= 96.001


def test_words_matter() -> None:
    assert text_vector("a red car") != text_vector("a red bus")
    dog = unit(text_vector("a dog on the beach"))
    assert dog @ unit(text_vector("a dog on a beach")) > dog @ unit(text_vector("my old bicycle"))


def test_models_are_worlds_apart() -> None:
    for new, old in (
        (text_vector("red"), text_vector("red", "2022-04-11")),
        (picture_vector(draw()), picture_vector(draw(), "2022-04-11")),
    ):
        assert abs(unit(new) @ unit(old)) < 0.15


def test_vectors_last() -> None:
    """The same numbers in another process, and the same as ever."""
    code = (
        "import azure_double as d; red = d.Image.new('RGB', (50, 50), 'red');"
        "print(d.text_vector('a red car')[:4], d.picture_vector(red)[:4])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(SCRIPT.parent)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = (text_vector("a red car")[:4], picture_vector(Image.new("RGB", (50, 50), "red"))[:4])
    assert run.stdout.strip() == " ".join(map(str, here))
    assert np.allclose(here[0], PINNED_TEXT, atol=1e-6)
    assert np.allclose(here[1], PINNED_PICTURE, atol=1e-6)


# --- How it misbehaves ---------------------------------------------------------------------------


def test_too_many_calls_in_three_ways() -> None:
    with AzureDouble(faults=["429:7", "429-text:3", "429-bare"]) as double:
        first, second, third, fourth = ask_all(double, ["dog"] * 4)
    assert (first.status, first.headers["retry-after"], first.code) == (429, "7", "429")
    assert second.status == second.json["statusCode"] == 429
    assert "Please retry after 3 seconds." in second.json["message"]
    assert third.status == third.json["error"]["statusCode"] == 429
    assert not re.search("retry", third.json["error"]["message"])
    assert not {"retry-after"} & (second.headers.keys() | third.headers.keys())
    assert fourth.status == 200


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("500", 500, "InternalServerError"),
        ("503", 503, "ServiceUnavailable"),
        ("503-html", 503, "<html>"),
        ("401-key", 401, "invalid subscription key"),
        ("401-openai", 401, "pricing tier OpenAI.S0."),
        ("401-principal", 401, "Principal does not have access"),
        ("400-subdomain", 400, "custom subdomain"),
        ("400-region", 400, "region"),
        ("400-format", 400, "InvalidImageFormat"),
        ("403-keys-off", 403, "AuthenticationTypeDisabled"),
        ("403-firewall", 403, "Firewall rules"),
        ("403-quota", 403, "replenished in 2 days."),
        ("404", 404, "Resource not found"),
        ("410", 410, "Gone"),
        ("not-json", 200, "<html>"),
        ("error-200", 200, '"error"'),
    ],
)
def test_errors_on_demand(shared: AzureDouble, client: Client, fault: str, status: int, said: str) -> None:
    shared.misbehave(fault)
    answer = client.text("a dog")
    assert answer.status == status
    assert said in answer.body.decode()
    assert uuid.UUID(answer.headers["apim-request-id"])
    assert client.text("a dog").status == 200


def test_spoilt_vectors() -> None:
    faults = ["short-vector", "nan", "zero", "wrong-model", "no-vector"]
    with AzureDouble(faults=faults) as double:
        short, nan, zero, model, none = (answer.json for answer in ask_all(double, ["dog"] * 5))
        assert double.good == 0
    assert len(short["vector"]) == 512
    assert np.isnan(nan["vector"]).any() and len(nan["vector"]) == 1024
    assert not np.any(zero["vector"])
    assert model["modelVersion"] not in ("2023-04-15", "2022-04-11")
    assert none.keys() == {"modelVersion"}


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_broken_connections(shared: AzureDouble, client: Client, fault: str) -> None:
    shared.misbehave(fault)
    broken = (ConnectionError, http.client.IncompleteRead)
    with pytest.raises(broken):
        client.text("a dog")
    assert shared.requests[-1].status is None
    assert client.text("a dog").status == 200


def test_a_slow_reply_is_a_good_one() -> None:
    with AzureDouble(faults=["slow:0.15"]) as double:
        begun = time.monotonic()
        assert ask_all(double, ["dog"])[0].status == 200
        assert time.monotonic() - begun >= 0.15
        assert double.good == 1


def test_a_rule_decides_by_request() -> None:
    def rule(number: int, call: Any) -> str | None:
        return "500" if number == 2 and call.operation == TEXT else None

    with AzureDouble(rule=rule, faults=["404"]) as double:
        assert [answer.status for answer in ask_all(double, ["dog"] * 4)] == [404, 500, 200, 200]


def test_chance_has_a_seed() -> None:
    def play(seed: int) -> list[int]:
        with AzureDouble(fault_rate=0.5, seed=seed, mix=["429", "500"]) as double:
            return [answer.status for answer in ask_all(double, ["dog"] * 30)]

    first = play(1)
    assert first == play(1) != play(2)
    assert {200, 429, 500} == set(first)


def test_unknown_faults_are_named() -> None:
    with pytest.raises(ValueError, match="unknown fault 'teapot'"):
        AzureDouble(faults=["teapot"])
    with pytest.raises(ValueError, match="unknown fault"):
        AzureDouble(mix=["500:3"])
    AzureDouble(faults=FAULTS)


def test_its_own_failures_surface() -> None:
    with (
        pytest.raises(RuntimeError, match="ZeroDivisionError"),
        AzureDouble(rule=lambda *_: str(1 // 0)) as double,
        pytest.raises(ConnectionError),
    ):
        ask_all(double, ["dog"])


# --- Limits --------------------------------------------------------------------------------------


def test_a_rate_is_enforced() -> None:
    with AzureDouble(rate=5) as double:
        answers = ask_all(double, ["dog"] * 7)
        assert [answer.status for answer in answers] == [200] * 5 + [429] * 2
        assert answers[-1].headers["retry-after"] == "1"
        assert "S1 pricing tier. Please retry after 1 second." in answers[-1].json["error"]["message"]
        times = [call.time for call in double.requests]
        time.sleep(max(0.0, times[4] + 1.02 - time.monotonic()))
        assert ask_all(double, ["dog"])[0].status == 200


def test_the_free_tier_counts_by_the_minute() -> None:
    with AzureDouble(per_minute=2) as double:
        answer = ask_all(double, ["dog"] * 3)[-1]
        assert answer.status == 429
        assert 55 <= int(answer.headers["retry-after"]) <= 60
        assert "F0" in answer.json["error"]["message"]


def test_a_quota_ends() -> None:
    with AzureDouble(quota=2) as double:
        answers = ask_all(double, ["dog"] * 3)
        assert [answer.status for answer in answers] == [200, 200, 403]
        assert "quota" in answers[-1].json["message"]


def test_latency_is_served_side_by_side() -> None:
    with AzureDouble(latency=0.2) as double, ThreadPoolExecutor(10) as pool:
        begun = time.monotonic()
        answers = list(pool.map(lambda text: ask_all(double, [text])[0].status, ["dog"] * 10))
        assert answers == [200] * 10
        assert 0.2 <= time.monotonic() - begun < 1.5
        assert sorted(call.number for call in double.requests) == list(range(1, 11))


# --- Up, down, and what it remembers -------------------------------------------------------------


def test_down_refuses_and_up_returns() -> None:
    with AzureDouble() as double:
        endpoint = double.endpoint
        client = connect(double)
        assert client.text("a dog").status == 200
        double.down()
        with pytest.raises(ConnectionError):
            client.text("a dog")
        with pytest.raises(ConnectionRefusedError):
            client.text("a dog")
        double.up()
        assert double.endpoint == endpoint
        assert client.text("a dog").status == 200
        assert double.calls() == 2
        client.wire.close()


def test_it_ends_at_once_with_a_reply_under_way() -> None:
    with ThreadPoolExecutor(1) as pool:
        with AzureDouble(latency=30) as double:
            pending = pool.submit(ask_all, double, ["dog"])
            while not double.calls():
                time.sleep(0.005)
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        with pytest.raises(ConnectionError):
            pending.result()


def test_requests_are_remembered(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    body = encode(draw())
    with AzureDouble(keep_bodies=True, log=str(log), faults=["500"]) as double:
        client = connect(double)
        client.text("a dog")
        client.text("a dog")
        answer = client.picture(body)
        client.wire.close()
        assert (double.calls(), double.calls(TEXT), double.calls(IMAGE), double.good) == (3, 2, 1, 2)
        first, second, third = double.requests
        lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    assert (first.fault, first.status, second.fault, second.text) == ("500", 500, None, "a dog")
    assert third.sha256 == hashlib.sha256(body).hexdigest() and third.size == len(body)
    assert third.query == {"api-version": "2024-02-01", "model-version": "2023-04-15"}
    assert third.headers["ocp-apim-subscription-key"] == "****"
    assert third.request_id == answer.headers["apim-request-id"]
    assert double.bodies[3] == body
    assert [line["status"] for line in lines] == [500, 200, 200]
    assert "secret-key" not in log.read_text("utf-8")


def test_bodies_are_not_kept_unasked(shared: AzureDouble, client: Client) -> None:
    client.text("a dog")
    assert not shared.bodies


# --- By hand -------------------------------------------------------------------------------------


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_by_itself(tmp_path: Path, signum: signal.Signals) -> None:
    log = tmp_path / "log.jsonl"
    command = [sys.executable, str(SCRIPT), "--key", "k", "--fault", "500", "--log", str(log)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout and process.stderr
        lines = [process.stdout.readline() for _ in range(3)]
        port = re.search(r"^export CVSEARCH_ENDPOINT=http://127\.0\.0\.1:(\d+)$", lines[1])
        assert port and lines[2] == "export CVSEARCH_KEY=k\n"
        client = Client(AzureDouble(port=int(port[1])), "k")
        assert [client.text("a dog").status for _ in range(2)] == [500, 200]
        process.send_signal(signum)
        assert process.wait(5) == 0
        assert process.stderr.read() == "" == process.stdout.read()
        client.wire.close()
    assert len(log.read_text("utf-8").splitlines()) == 2


def test_the_command_line_names_an_unknown_fault() -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--fault", "x"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "unknown fault 'x'" in run.stderr
