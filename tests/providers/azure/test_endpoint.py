"""Every form in which people paste the endpoint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.errors import CredentialsError, CvsearchError, ExitCode
from cvsearch.providers.azure.endpoint import read_endpoint

CUSTOM = "https://photos.cognitiveservices.azure.com"


@pytest.mark.parametrize("text", ["", "  ", "''", '" "'])
def test_an_empty_endpoint_is_missing_configuration(text: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        read_endpoint(text)
    assert caught.value.hint == "set CVSEARCH_ENDPOINT, such as https://NAME.cognitiveservices.azure.com"


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("http://photos.example", "photos.example would be reached without encryption", "https://"),
        ("http://127.0.0.1.example", "without encryption", "https://"),
        ("ftp://photos.example", "not an https:// address", "NAME"),
        ("https://", "no valid host name", "NAME"),
        ("https://<resource-name>.cognitiveservices.azure.com", "no valid host name", "NAME"),
        ("https://a b.example", "no valid host name", "NAME"),
        ("https://photos.example:port", "not an address", "NAME"),
        ("https://[::1", "not an address", "NAME"),
        ("https://me:sesame@photos.example", "holds a user name or password", "CVSEARCH_KEY"),
        ("sesame@photos.example", "holds a user name or password", "CVSEARCH_KEY"),
        (CUSTOM + "/?subscription-key=sesame", "holds a query", "from the '?'"),
        (CUSTOM + "/#sesame", "holds a query", "from the '?'"),
        (CUSTOM + "/vision/v3.2/analyze", "has a path cvsearch does not know", f"write {CUSTOM}"),
        ("https://gateway.example/a%20b", "has a path cvsearch does not know", "write https://gateway"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_with_a_way_out(text: str, message: str, hint: str) -> None:
    with pytest.raises(CvsearchError) as caught:
        read_endpoint(text)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "sesame" not in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("before", ["", "  ", '"', "'", "https://", "HTTPS://", "<https://"])
@pytest.mark.parametrize(
    "after",
    [
        "",
        "/",
        "//",
        "/computervision",
        "/computervision/",
        "/ComputerVision/",
        "/computervision/retrieval:vectorizeImage",
        "/computervision/retrieval:vectorizeText/",
    ],
)
@pytest.mark.parametrize("end", ["", "\n", '"', "'", ">", ":443"])
def test_all_forms_lead_to_one_address(before: str, after: str, end: str) -> None:
    host = "photos.cognitiveservices.azure.com"
    pasted = before + host + (":443" + after if end == ":443" else after + end)
    endpoint = read_endpoint(pasted)
    assert endpoint.base == CUSTOM
    assert endpoint.host == host
    assert not endpoint.loopback and not endpoint.regional
    assert endpoint.url("vectorizeText", "2024-02-01", "2023-04-15") == (
        CUSTOM + "/computervision/retrieval:vectorizeText?api-version=2024-02-01&model-version=2023-04-15"
    )


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://localhost:80", "http://localhost"),
        ("http://[::1]:8080/computervision", "http://[::1]:8080"),
    ],
)
def test_this_machine_may_be_asked_without_encryption(text: str, base: str) -> None:
    endpoint = read_endpoint(text)
    assert endpoint.base == base
    assert endpoint.loopback


def test_a_gateway_of_ones_own_may_serve_under_a_path() -> None:
    endpoint = read_endpoint("https://gateway.example/azure/vision/computervision/")
    assert endpoint.base == "https://gateway.example/azure/vision"
    assert endpoint.host == "gateway.example"


@pytest.mark.parametrize(
    ("host", "regional"),
    [
        ("westeurope.api.cognitive.microsoft.com", True),
        ("WestEurope.api.cognitive.microsoft.com", True),
        ("chinaeast2.api.cognitive.azure.cn", True),
        ("virginia.api.cognitive.microsoft.us", True),
        ("photos.cognitiveservices.azure.com", False),
        ("photos.services.ai.azure.com", False),
    ],
)
def test_regional_hosts_are_known(host: str, regional: bool) -> None:
    assert read_endpoint(host).regional is regional


@given(st.text(max_size=60) | st.from_regex(r"https?://[ -~]{0,40}", fullmatch=True))
def test_whatever_is_pasted_gives_an_endpoint_or_an_error_with_a_hint(text: str) -> None:
    try:
        endpoint = read_endpoint(text)
    except CvsearchError as error:
        assert error.hint
    else:
        assert endpoint.base.startswith("https://") or endpoint.loopback
        assert endpoint.base.isprintable() and endpoint.base.isascii()
        assert read_endpoint(endpoint.base) == endpoint
