"""Bodies and replies of the service, the bad ones first."""

import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.errors import CvsearchError
from cvsearch.model import Metadata, Prepared
from cvsearch.providers.azure.wire import Asked, parse_reply, reject_photo, text_body
from cvsearch.providers.http.replies import Answer, Fatal, Fault, Rejected, Throttled

ASKED = Asked("host.example", "2023-04-15", 4, secret="0123secret")
IDS = {"apim-request-id": "ab-12"}
NOW = 1_700_000_000.0


def reply(vector: object = (1.0, 2, -3.5, 0.0), **more: object) -> bytes:
    return json.dumps({"modelVersion": "2023-04-15", "vector": vector} | more).encode()


def parse(status: int, body: bytes, headers: dict[str, str] | None = None, now: float = NOW):
    return parse_reply(status, IDS if headers is None else headers, body, ASKED, now)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"", "a reply that is not JSON"),
        (b"<html>hello</html>", "a reply that is not JSON"),
        (b"\xff\xfe\x00", "a reply that is not JSON"),
        (b"[" * 100_000, "a reply that is not JSON"),
        (b"[1]", "a reply that is not a JSON object"),
        (b'{"error":{"code":"401","message":"no"}}', "a reply of another model than 2023-04-15"),
        (reply(modelVersion="2022-04-11"), "a reply of another model than 2023-04-15"),
        (b'{"modelVersion":"2023-04-15"}', "a reply without a vector of 4 numbers"),
        (reply(None), "a reply without a vector of 4 numbers"),
        (reply([1.0] * 3), "a reply without a vector of 4 numbers"),
        (reply([1.0] * 5), "a reply without a vector of 4 numbers"),
        (reply([1.0] * 4 + [None]), "a reply without a vector of 4 numbers"),
        (reply(["1", "2", "3", "4"]), "a reply without a vector of 4 numbers"),
        (reply([True] * 4), "a reply without a vector of 4 numbers"),
        (reply([[1.0]] * 4), "a reply without a vector of 4 numbers"),
        (reply([math.nan, 1.0, 1.0, 1.0]), "a vector that is not finite"),
        (reply([math.inf, 1.0, 1.0, 1.0]), "a vector that is not finite"),
        (reply([1e300, 1.0, 1.0, 1.0]), "a vector that is not finite"),
        (reply([10**400, 1, 1, 1]), "a vector that is not finite"),
        (reply([0.0] * 4), "a vector of zeros"),
        (reply([1e-60] * 4), "a vector of zeros"),
    ],
)
def test_a_200_that_fails_the_checks_may_pass(body: bytes, detail: str) -> None:
    assert parse(200, body) == Fault(f"{detail} (request id ab-12)")


def test_another_success_than_200_is_no_reply() -> None:
    assert parse(202, reply(), {}) == Fault("a reply with status 202 where 200 was due")


def test_a_good_reply_is_the_vector_as_received() -> None:
    answer = parse(200, reply())
    assert isinstance(answer, Answer)
    assert answer.request_id == "ab-12"
    assert answer.vector.dtype == np.float32
    np.testing.assert_array_equal(answer.vector, np.array([1, 2, -3.5, 0], np.float32))


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"error":{"code":"404","message":"Resource not found"}}', "404 Resource not found"),
        (b'{"statusCode":404,"message":"Resource not found"}', "404 Resource not found"),
        (b'{"error":{"statusCode":404,"message":"Resource not found"}}', "404 Resource not found"),
        (
            b'{"error":{"code":"A","message":"outer","innererror":{"code":"B","message":"inner"}}}',
            "404 B inner",
        ),
        (b'{"error":"gone fishing"}', "404 gone fishing"),
        (b"gone\x1b[31m\r\nfishing", "404 gone [31m fishing"),
        (b"", "404"),
        (b"[]", "404"),
        (b'{"error":{"code":null,"message":[1]}}', "404"),
        (b"<!DOCTYPE html><p>Blocked by Corp</p>", "404 a web page instead of JSON, perhaps of a proxy"),
        (b"\xef\xbb\xbf<div>Blocked</div>", "404 a web page instead of JSON, perhaps of a proxy"),
        (b"x" * 5000, "404 " + "x" * 300 + "…"),
    ],
)
def test_all_families_of_errors_are_understood(body: bytes, shown: str) -> None:
    fatal = parse(404, body)
    assert isinstance(fatal, Fatal)
    assert fatal.error.message.endswith(f": {shown} (request id ab-12)")


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":"401","message":"bad key 0123secret"}}',
        b'{"error":{"code":"0123secret","message":"bad key"}}',
        b"bad key 0123secret, says the proxy",
    ],
)
def test_a_key_that_is_echoed_is_not_shown(body: bytes) -> None:
    fatal = parse(401, body)
    assert isinstance(fatal, Fatal)
    assert "****" in fatal.error.message
    assert "0123secret" not in f"{fatal} {fatal.error} {fatal.error.hint} {ASKED!r}"


def test_words_of_the_outer_error_count_too() -> None:
    body = b'{"error":{"code":"InvalidRequest","message":"not in this region","innererror":{"code":"X"}}}'
    fatal = parse(400, body)
    assert isinstance(fatal, Fatal)
    assert "the region of host.example has no image embeddings" in fatal.error.message


def test_a_bad_picture_is_a_lasting_skip_with_the_services_words() -> None:
    body = (
        b'{"error":{"code":"InvalidRequest","message":"bad","innererror":'
        b'{"code":"InvalidImageFormat","message":"Image format is not valid"}}}'
    )
    rejected = parse(400, body)
    assert isinstance(rejected, Rejected)
    assert rejected.skip.reason == "invalid-image"
    assert rejected.skip.lasting
    assert rejected.skip.detail == "400 InvalidImageFormat Image format is not valid (request id ab-12)"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 520])
def test_what_may_pass_is_a_fault(status: int) -> None:
    body = b'{"error":{"code":"Timeout","message":"try later"}}'
    assert parse(status, body) == Fault(f"{status} Timeout try later (request id ab-12)")


@pytest.mark.parametrize("status", [100, 301, 302, 402, 405, 409, 422])
def test_an_answer_nobody_foresaw_ends_the_run(status: int) -> None:
    fatal = parse(status, b"")
    assert isinstance(fatal, Fatal)
    assert fatal.error.message == (
        f"host.example gave an answer cvsearch does not know: {status} (request id ab-12)"
    )
    assert "CVSEARCH_ENDPOINT" in (fatal.error.hint or "")


@pytest.mark.parametrize(
    ("headers", "message", "seconds"),
    [
        ({}, "slow down", None),
        ({}, "exceeded rate limit. Please retry after 1 second. To increase", 1.0),
        ({}, "Try again after 2 minutes", 120.0),
        ({"retry-after": "7"}, "Please retry after 1 second.", 7.0),
        ({"retry-after": " 1.5 "}, "", 1.5),
        ({"retry-after": "soon"}, "Please retry after 3 seconds", 3.0),
        ({"retry-after": "-5"}, "", None),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, "", 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}, "", 0.0),
        (
            {"retry-after": "Tue, 14 Nov 2023 23:00:30 GMT", "date": "Tue, 14 Nov 2023 23:00:00 GMT"},
            "",
            30.0,
        ),
    ],
)
def test_how_long_to_wait_is_read_from_the_header_or_the_text(
    headers: dict[str, str], message: str, seconds: float | None
) -> None:
    body = json.dumps({"error": {"code": "429", "message": message}}).encode()
    throttled = parse(429, body, headers)
    assert isinstance(throttled, Throttled)
    assert throttled.seconds == seconds


@pytest.mark.parametrize("request_id", ["", "a" * 81, "a b", "\x1b[31m", "é"])
def test_a_request_id_not_worth_showing_is_left_out(request_id: str) -> None:
    assert parse(500, b"x", {"apim-request-id": request_id}) == Fault("500 x")


def test_a_text_is_sent_as_utf8() -> None:
    assert text_body("schöne Katze 猫") == '{"text": "schöne Katze 猫"}'.encode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the text is empty"),
        (" \n", "the text is empty"),
        ("word " * 71, "the text has 71 words; Azure takes at most 70"),
        ("caf\udce9", "the text is not valid UTF-8"),
    ],
)
def test_a_text_that_cannot_be_sent_is_refused_here(text: str, message: str) -> None:
    with pytest.raises(CvsearchError) as caught:
        text_body(text)
    assert caught.value.message == message
    assert caught.value.hint
    assert caught.value.code == 2


def test_seventy_words_are_sent() -> None:
    assert len(json.loads(text_body("word " * 70))["text"].split()) == 70


@pytest.mark.parametrize(
    ("width", "height", "size", "reason"),
    [
        (10, 100, 1, "bad-dimensions"),
        (100, 10, 1, "bad-dimensions"),
        (16_000, 100, 1, "bad-dimensions"),
        (100, 16_000, 1, "bad-dimensions"),
        (100, 100, 20_971_520, "too-large"),
        (11, 15_999, 20_971_519, None),
    ],
)
def test_a_photo_azure_never_takes_costs_no_call(
    width: int, height: int, size: int, reason: str | None
) -> None:
    photo = Prepared(bytes(size), width, height, b"", b"", Metadata("JPEG", width, height))
    skip = reject_photo(photo)
    assert (skip and skip.reason) == reason
    assert skip is None or skip.lasting


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(
                ["error", "innererror", "code", "message", "statusCode", "vector", "modelVersion"]
            ),
            inner,
        )
    ),
    max_leaves=12,
)
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date", "apim-request-id"]), st.text(max_size=40))


@given(
    status=st.integers(100, 599),
    headers=HEADERS,
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
)
def test_no_reply_raises_and_no_message_is_long_or_unprintable(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reply = parse(status, body, headers)
    match reply:
        case Answer(vector):
            assert status == 200 and vector.shape == (4,)
        case Fatal(error):
            assert error.message.isprintable() and len(error.message) < 600 and error.hint
        case Rejected(skip):
            assert skip.detail.isprintable() and status in (400, 413)
        case Throttled(seconds):
            assert status == 429 and (seconds is None or seconds >= 0)
        case Fault(detail):
            assert detail.isprintable() and (status in (408, *range(200, 300)) or status >= 500)
