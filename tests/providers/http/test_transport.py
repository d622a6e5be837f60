"""Requests that are sent again, against a scripted transport and a clock that only waiting moves."""

import logging
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterable

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.errors import BudgetError, CvsearchError, ServiceError
from cvsearch.providers.http.replies import AttemptsSpent, Fatal, Fault, Reply, Throttled
from cvsearch.providers.http.scheduler import Scheduler, Stopped, Timing
from cvsearch.providers.http.transport import (
    CarefulTransport,
    LoggedTransport,
    WireTransport,
    explain,
    timeouts,
)

URL = "https://host.example/path"
FINAL = Fatal(CvsearchError("kept", "hint"))


def check(request: httpx.Request, response: httpx.Response) -> Reply:
    """503 and bodies of "bad" may pass, 429 asks to wait by its header, the rest can be kept."""
    if response.status_code == 429:
        wait = response.headers.get("retry-after")
        return Throttled(float(wait) if wait else None, "429 too many")
    if response.status_code == 503 or response.content == b"bad":
        return Fault(f"{response.status_code} broken")
    return FINAL


class Service:
    """Answers by a script, then 200; keeps when and with what body it was asked."""

    def __init__(self, script: Iterable[object] = (), max_calls: int | None = None) -> None:
        self.script = list(script)
        self.now = 1000.0
        self.asked: list[float] = []
        self.bodies: list[bytes] = []
        timing = Timing(clock=lambda: self.now, now=lambda: self.now, wait=self.wait, chance=lambda: 0.0)
        self.scheduler = Scheduler("host.example", 1000.0, max_calls, timing)
        careful = CarefulTransport(httpx.MockTransport(self.answer), self.scheduler, check, timing)
        self.client = httpx.Client(transport=careful)

    def wait(self, bell: threading.Condition, seconds: float | None) -> None:
        assert seconds is not None, "nobody will ever ring"
        self.now += seconds

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(self.now)
        self.bodies.append(request.read())
        step = self.script.pop(0) if self.script else 200
        if isinstance(step, BaseException):
            raise step
        if isinstance(step, httpx.Response):
            return step
        return httpx.Response(step)

    def post(self) -> httpx.Response:
        return self.client.post(URL, content=b"picture")

    @property
    def gaps(self) -> list[float]:
        return [round(b - a, 1) for a, b in zip(self.asked, self.asked[1:], strict=False)]


def refused() -> httpx.ConnectError:
    error = httpx.ConnectError("no")
    error.__cause__ = ConnectionRefusedError()
    return error


@pytest.mark.parametrize(
    "failure", [503, httpx.Response(200, content=b"bad"), refused(), httpx.ReadTimeout("")]
)
def test_what_may_pass_is_sent_again_with_the_same_bytes(failure: object) -> None:
    service = Service([200, failure, 200])
    service.post()
    response = service.post()
    assert response.status_code == 200
    assert response.extensions["reply"] is FINAL
    assert response.extensions["sent_at"] == service.asked[-1]
    assert service.bodies == [b"picture"] * 3
    assert service.gaps[1] == 1.0


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 415])
def test_a_reply_that_can_be_kept_is_not_asked_for_again(status: int) -> None:
    service = Service([status])
    assert service.post().status_code == status
    assert len(service.asked) == 1


def test_five_failures_give_a_photo_up_with_what_the_service_said() -> None:
    service = Service([200] + [503] * 5)
    service.post()
    with pytest.raises(AttemptsSpent) as caught:
        service.post()
    assert caught.value.message == "the service failed 5 times: 503 broken"
    assert service.gaps[1:] == [1.0, 2.0, 4.0, 8.0]
    assert service.post().status_code == 200


def test_two_photos_that_always_fail_do_not_end_the_run() -> None:
    service = Service([200] + [503] * 10)
    service.post()
    for _ in range(2):
        with pytest.raises(AttemptsSpent):
            service.post()
    assert service.post().status_code == 200


def test_connections_that_fail_are_never_held_against_a_photo() -> None:
    service = Service([200] + [refused() for _ in range(15)])
    service.post()
    assert service.post().status_code == 200
    assert service.now - 1000.0 > 120


def test_twenty_failures_in_a_row_end_the_run() -> None:
    service = Service([200] + [refused() for _ in range(100)])
    service.post()
    with pytest.raises(ServiceError) as caught:
        service.post()
    assert caught.value.message == (
        "host.example failed 20 times in a row; the last time: connection refused"
    )
    assert len(service.asked) == 21


def test_a_service_that_never_answered_is_given_up_soon() -> None:
    service = Service([refused() for _ in range(100)])
    with pytest.raises(ServiceError) as caught:
        service.post()
    assert caught.value.message == "cannot reach host.example: connection refused"
    assert caught.value.hint == "check the network, and the endpoint's name"
    assert len(service.asked) >= 4
    assert service.now - 1000.0 <= 25.0


def test_refusals_are_waited_for_and_never_held_against_a_photo() -> None:
    service = Service([429] * 12 + [503] * 4)
    assert service.post().status_code == 200
    assert service.gaps[:6] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0]


def test_a_refusal_is_waited_for_as_long_as_it_says() -> None:
    service = Service([httpx.Response(429, headers={"retry-after": "7"})])
    service.post()
    assert service.gaps == [7.0]


def test_retries_are_paid_from_the_budget() -> None:
    service = Service([200] + [503] * 3, max_calls=3)
    service.post()
    with pytest.raises(BudgetError, match="the budget of 3 calls is spent"):
        service.post()
    assert len(service.asked) == service.scheduler.calls == 3
    assert service.scheduler.bytes_sent == 3 * len(b"picture")


def test_a_reply_that_cannot_be_decoded_may_pass() -> None:
    garbled = httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"not gzip"))
    service = Service([200, garbled])
    service.post()
    assert service.post().status_code == 200
    assert len(service.asked) == 3


def test_once_stopped_nothing_is_sent() -> None:
    service = Service()
    service.scheduler.end(Stopped("stopped"))
    with pytest.raises(Stopped):
        service.post()
    assert service.asked == []


def test_an_interruption_on_the_wire_goes_through_and_frees_the_turn() -> None:
    service = Service([200, *[refused()] * 5, KeyboardInterrupt()])
    service.post()
    with pytest.raises(KeyboardInterrupt):
        service.post()
    assert service.post().status_code == 200


def test_each_request_is_told_to_the_log_without_its_headers(caplog: pytest.LogCaptureFixture) -> None:
    steps = iter([httpx.Response(503, headers={"x-id": "ab"}), refused()])

    def answer(request: httpx.Request) -> httpx.Response:
        step = next(steps)
        if isinstance(step, httpx.Response):
            return step
        raise step

    logged = LoggedTransport(httpx.MockTransport(answer), "x-id")
    with caplog.at_level(logging.DEBUG, "cvsearch"), httpx.Client(transport=logged) as client:
        client.post(URL, headers={"key": "sesame"})
        with pytest.raises(httpx.ConnectError):
            client.post(URL, headers={"key": "sesame"})
    told = [record.getMessage() for record in caplog.records if record.name == "cvsearch"]
    assert re.fullmatch(rf"POST {URL} 503 \d+\.\d{{3}} s ab", told[0])
    assert re.fullmatch(rf"POST {URL} no reply \d+\.\d{{3}} s ", told[1])
    assert len(told) == 2
    assert "sesame" not in str(told)


def test_proxies_of_the_environment_do_not_come_between_this_machine_and_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example:1")
    outside, inside = WireTransport(2, proxies=True), WireTransport(2, proxies=False)
    try:
        assert outside._client._mounts
        assert not inside._client._mounts
    finally:
        outside.close()
        inside.close()


def test_a_proxy_that_cannot_be_used_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://proxy.example")
    with pytest.raises(CvsearchError, match="network settings of the environment cannot be used") as caught:
        WireTransport(2, proxies=True)
    assert "HTTPS_PROXY" in (caught.value.hint or "")


def caused(error: httpx.TransportError, cause: BaseException) -> httpx.TransportError:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "cause", "hint"),
    [
        (caused(httpx.ConnectError("x"), socket.gaierror(-2, "x")), "name not found", "spelling"),
        (refused(), "connection refused", "network"),
        (caused(httpx.ConnectError("x"), ssl.SSLCertVerificationError()), "not trusted", "SSL_CERT_FILE"),
        (caused(httpx.ConnectError("x"), ssl.SSLError()), "TLS could not be set up", "SSL_CERT_FILE"),
        (httpx.ConnectTimeout(""), "timeout while connecting", "firewall"),
        (httpx.ReadTimeout(""), "timeout: no reply in time", "firewall"),
        (httpx.ProxyError("x"), "the proxy refused", "HTTPS_PROXY"),
        (httpx.RemoteProtocolError("x"), "ended without a reply", "network"),
        (httpx.ReadError("reset by peer"), "the connection failed (reset by peer)", "network"),
        (httpx.ReadError(""), "the connection failed (ReadError)", "network"),
    ],
)
def test_why_there_was_no_reply_is_told_in_words(error: httpx.TransportError, cause: str, hint: str) -> None:
    told, way_out = explain(error)
    assert cause in told
    assert hint in way_out


def test_real_failures_of_connections_are_recognised(unused_port: int) -> None:
    def cause_of(url: str) -> str:
        wire = WireTransport(1, proxies=False)
        try:
            with pytest.raises(httpx.TransportError) as caught:
                wire.handle_request(httpx.Request("POST", url, extensions={"timeout": timeouts(1.0)}))
            return explain(caught.value)[0]
        finally:
            wire.close()

    assert cause_of(f"http://127.0.0.1:{unused_port}") == "connection refused"
    assert cause_of("http://no-such-host.invalid") == "name not found"


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@given(st.floats(0, 25))
def test_a_try_at_first_contact_ends_soon_after_the_patience_does(patience: float) -> None:
    limits = timeouts(patience)
    assert 1.0 <= limits["connect"] <= 6.0
    assert limits["connect"] + limits["read"] <= max(patience * 1.2, 2.0) + 1.0
    assert timeouts(None) == {"connect": 10.0, "read": 60.0, "write": 60.0, "pool": 60.0}


SCRIPTS: Callable[[], st.SearchStrategy[list[int]]] = lambda: st.lists(  # noqa: E731
    st.sampled_from([200, 429, 503]), max_size=40
)


@given(SCRIPTS())
def test_whatever_the_service_does_a_call_ends_and_photos_get_five_tries(script: list[int]) -> None:
    service = Service([200, *script])
    service.post()
    while service.script:
        before = len(service.asked)
        planned = list(service.script)
        try:
            service.post()
        except AttemptsSpent:
            used = planned[: len(service.asked) - before]
            assert used.count(503) == 5
        except ServiceError as error:
            assert "20 times in a row" in error.message
            return
