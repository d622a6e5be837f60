"""The table of refusals: which end the run, which concern one photo."""

import pytest

from cvsearch.errors import ExitCode
from cvsearch.providers.azure.wire import find_fatal, read_rejection


@pytest.mark.parametrize(
    ("status", "text", "code", "message", "hint"),
    [
        (
            401,
            "401 access denied due to invalid subscription key or wrong api endpoint",
            4,
            "refused the",
            "key of",
        ),
        (401, "", 4, "refused the credentials", "another resource or region"),
        (
            401,
            "not supported with the current subscription key and pricing tier openai.s0.",
            4,
            "kind",
            "ComputerV",
        ),
        (
            401,
            "permissiondenied principal does not have access to api/operation.",
            4,
            "no role",
            "Owner is not",
        ),
        (
            400,
            "please provide a custom subdomain for token authentication",
            4,
            "custom subdomain",
            "https://NAME",
        ),
        (
            403,
            "authenticationtypedisabled key based authentication is disabled",
            4,
            "switched off",
            "AUTH=entra",
        ),
        (403, "access denied due to virtual network/firewall rules.", 4, "network rules", "Networking"),
        (403, "public access is disabled", 4, "network rules", "Networking"),
        (403, "", 4, "refused access", "access control"),
        (403, "out of call volume quota. quota will be replenished in 2 days.", 5, "used up", "replenished"),
        (429, "out of call volume quota. quota will be replenished in 2 days.", 5, "used up", "replenished"),
        (404, "404 resource not found", 2, "no image embeddings", "CVSEARCH_ENDPOINT"),
        (404, "the api-version is not supported", 2, "api-version", "CVSEARCH_API_VERSION"),
        (410, "gone", 2, "retired", "CVSEARCH_API_VERSION"),
        (400, "the model-version is not supported", 2, "model-version", "CVSEARCH_MODEL_VERSION"),
        (400, "image retrieval is not available in this region", 2, "region", "eastus"),
        (
            400,
            "the provided image content type text/html is not supported",
            2,
            "kind of request",
            "Azure itself",
        ),
        (415, "unsupported media type", 2, "kind of request", "Azure itself"),
    ],
)
def test_a_refusal_of_the_run_says_what_it_is_and_what_to_do(
    status: int, text: str, code: int, message: str, hint: str
) -> None:
    fatal = find_fatal(status, text, "host.example", f"{status} as shown")
    assert fatal is not None
    assert fatal.error.code == ExitCode(code)
    assert message in fatal.error.message
    assert fatal.error.message.endswith(f": {status} as shown")
    assert "host.example" in fatal.error.message
    assert hint in (fatal.error.hint or "")


def test_only_a_refused_key_is_worth_renewing() -> None:
    renewable = [
        text
        for text in (
            "access denied due to invalid subscription key",
            "pricing tier",
            "principal does not have access",
        )
        if (fatal := find_fatal(401, text, "host", "401")) and fatal.renewable
    ]
    assert renewable == ["access denied due to invalid subscription key"]


@pytest.mark.parametrize(
    ("status", "text", "reason", "lasting"),
    [
        (400, "invalidrequest invalidimageformat image format is not valid", "invalid-image", True),
        (400, "invalidimageformat no content type in this region", "invalid-image", True),
        (400, "the image size is not allowed to be zero or larger than 20971520 bytes", "too-large", True),
        (400, "the image dimension is not allowed to be smaller than 10", "bad-dimensions", True),
        (413, "", "too-large", True),
        (400, "invalidrequest the stars are wrong", "refused", False),
        (400, "", "refused", False),
    ],
)
def test_a_refusal_of_one_photo_is_a_skip(status: int, text: str, reason: str, lasting: bool) -> None:
    assert find_fatal(status, text, "host.example", "as shown") is None
    skip = read_rejection(status, text, "as shown").skip
    assert (skip.reason, skip.detail, skip.lasting) == (reason, "as shown", lasting)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_not_fatal(status: int) -> None:
    assert (
        find_fatal(status, "region api-version pricing tier firewall custom subdomain", "host", "x") is None
    )
