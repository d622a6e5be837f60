"""Keys, commands that print them, Entra, and what happens when they are refused."""

import sys
import threading
import types
from pathlib import Path

import httpx
import pytest

from cvsearch.errors import CredentialsError
from cvsearch.providers.azure import sign_in as azure_sign_in
from cvsearch.providers.azure.client import SignIn, secret_of
from cvsearch.providers.azure.sign_in import (
    EntraCredential,
    KeyCommandCredential,
    KeyCredential,
)
from cvsearch.providers.http.replies import Fatal

URL = "https://host.example/"


@pytest.mark.parametrize("key", ["", " \n"])
def test_an_empty_key_is_no_key(key: str) -> None:
    with pytest.raises(CredentialsError, match="CVSEARCH_KEY gives no key") as caught:
        KeyCredential(key)
    assert "Keys and Endpoint" in (caught.value.hint or "")


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel", "tab\tkey", "nul\0key"])
def test_what_cannot_be_a_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(CredentialsError, match="something that is no key") as caught:
        KeyCredential(key)
    assert key not in f"{caught.value} {caught.value.hint}"


def test_a_key_is_a_header_and_shows_itself_nowhere() -> None:
    credential = KeyCredential(" sesame\n")
    assert credential.header() == ("Ocp-Apim-Subscription-Key", "sesame")
    assert not credential.renew()
    assert "sesame" not in repr(credential) + repr(SignIn(credential))


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo sesame; exit 3", "CVSEARCH_KEY_COMMAND failed with status 3"),
        (
            "echo sesame; echo 'vault is\x1b locked' >&2; exit 1",
            "CVSEARCH_KEY_COMMAND failed with status 1: vault is  locked",
        ),
        ("true", "CVSEARCH_KEY_COMMAND gives no key"),
        ("echo sesame; echo sesame", "CVSEARCH_KEY_COMMAND gives something that is no key"),
    ],
)
def test_a_command_without_a_key_is_told_by_its_setting(command: str, message: str) -> None:
    with pytest.raises(CredentialsError) as caught:
        KeyCommandCredential(command).header()
    assert caught.value.message.startswith(message)
    assert caught.value.hint
    assert "sesame" not in f"{caught.value.message} {caught.value.hint}"


def test_a_command_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azure_sign_in, "_COMMAND_SECONDS", 0.05)
    with pytest.raises(CredentialsError, match="CVSEARCH_KEY_COMMAND did not end in time"):
        KeyCommandCredential("sleep 600 | sleep 600").header()


def test_a_command_is_run_when_the_key_is_needed_and_once_more_when_renewed(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    credential = KeyCommandCredential(f"echo x >> {runs}; echo key$(wc -l < {runs})")
    assert not runs.exists()
    assert [credential.header()[1], credential.header()[1]] == ["key1", "key1"]
    assert credential.renew()
    assert credential.header() == ("Ocp-Apim-Subscription-Key", "key2")


class FakeEntra:
    """Stands in for azure-identity: tokens by number, good for an hour of a clock it shares."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.fetched, self.scopes, self.closed = 0.0, 0, [], 0
        self.error: Exception | None = None
        fake = self

        class AzureError(Exception):
            pass

        class DefaultAzureCredential:
            def __enter__(self) -> "DefaultAzureCredential":
                return self

            def __exit__(self, *_: object) -> None:
                fake.closed += 1

            def get_token(self, scope: str) -> object:
                if fake.error is not None:
                    raise fake.error
                fake.fetched += 1
                fake.scopes.append(scope)
                return types.SimpleNamespace(token=f"token{fake.fetched}", expires_on=fake.now + 3600)

        self.AzureError = AzureError
        modules = {
            "azure": {},
            "azure.core": {},
            "azure.core.exceptions": {"AzureError": AzureError},
            "azure.identity": {"DefaultAzureCredential": DefaultAzureCredential},
        }
        for name, names in modules.items():
            module = types.ModuleType(name)
            vars(module).update(names)
            monkeypatch.setitem(sys.modules, name, module)


def test_entra_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity", None)
    with pytest.raises(CredentialsError, match="needs the package azure-identity") as caught:
        EntraCredential().header()
    assert caught.value.hint == "pip install 'cvsearch[entra]'"


def test_entra_that_fails_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEntra(monkeypatch)
    fake.error = fake.AzureError("no account found\nAttempted credentials: …")
    with pytest.raises(CredentialsError) as caught:
        EntraCredential().header()
    assert caught.value.message == "signing in by Entra failed: no account found"
    assert "az login" in (caught.value.hint or "")
    assert fake.closed == 1


def test_a_token_is_kept_until_shortly_before_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEntra(monkeypatch)
    credential = EntraCredential(now=lambda: fake.now)
    assert credential.header() == ("Authorization", "Bearer token1")
    fake.now = 3299.0
    assert credential.header()[1] == "Bearer token1"
    fake.now = 3300.0
    assert credential.header()[1] == "Bearer token2"
    assert credential.renew()
    assert credential.header()[1] == "Bearer token3"
    assert set(fake.scopes) == {"https://cognitiveservices.azure.com/.default"}
    assert "token" not in repr(credential)


class Counted:
    """A credential whose renewals are numbered."""

    def __init__(self) -> None:
        self.number = 0

    def header(self) -> tuple[str, str]:
        return "Ocp-Apim-Subscription-Key", f"key{self.number}"

    def renew(self) -> bool:
        self.number += 1
        return True


def client_of(
    credential: object, accepted: set[str], meeting: threading.Barrier | None = None
) -> httpx.Client:
    def answer(request: httpx.Request) -> httpx.Response:
        key = secret_of(request)
        if meeting is not None and key == "key0":
            meeting.wait(10.0)
        if key in accepted:
            return httpx.Response(200, extensions={"reply": None})
        fatal = Fatal(CredentialsError("refused"), renewable=True)
        return httpx.Response(401, extensions={"reply": fatal})

    return httpx.Client(transport=httpx.MockTransport(answer), auth=SignIn(credential))  # type: ignore[arg-type]


def test_a_refused_key_is_renewed_once_and_the_request_sent_again() -> None:
    credential = Counted()
    with client_of(credential, {"key1"}) as client:
        assert client.post(URL, content=b"x").status_code == 200
        assert client.post(URL, content=b"x").status_code == 200
    assert credential.number == 1


def test_a_new_key_that_is_refused_at_once_is_final() -> None:
    credential = Counted()
    with client_of(credential, set()) as client:
        assert client.post(URL).status_code == 401
        assert client.post(URL).status_code == 401
    assert credential.number == 1


def test_a_new_key_that_worked_may_be_renewed_again() -> None:
    credential, accepted = Counted(), {"key0"}
    with client_of(credential, accepted) as client:
        for number in range(4):
            accepted.clear()
            accepted.add(f"key{number}")
            assert client.post(URL).status_code == 200
    assert credential.number == 3


def test_a_refusal_that_no_key_can_mend_renews_nothing() -> None:
    credential = Counted()
    fatal = Fatal(CredentialsError("no role"))
    transport = httpx.MockTransport(lambda _: httpx.Response(401, extensions={"reply": fatal}))
    with httpx.Client(transport=transport, auth=SignIn(credential)) as client:
        assert client.post(URL).status_code == 401
    assert credential.number == 0


def test_a_key_refused_to_many_threads_is_renewed_once() -> None:
    credential, statuses = Counted(), []
    with client_of(credential, {"key1"}, threading.Barrier(8)) as client:
        threads = [
            threading.Thread(target=lambda: statuses.append(client.post(URL).status_code), daemon=True)
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10.0)
    assert statuses == [200] * 8
    assert credential.number == 1


def test_the_secret_of_a_request_is_known_for_redaction() -> None:
    assert secret_of(httpx.Request("POST", URL)) == ""
    assert secret_of(httpx.Request("POST", URL, headers={"Authorization": "Bearer sesame"})) == "sesame"
