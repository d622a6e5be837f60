"""`doctor`: what is checked, and that every failing line has its fix."""

import json
import os
import re
from dataclasses import replace

import album
import pytest
from azure_double import MODELS
from terminal import run_on_terminal

from cvsearch.errors import ServiceError
from cvsearch.providers import registry
from cvsearch.providers.base import Provider
from cvsearch.providers.local import SPACE
from cvsearch.providers.local.embedder import LocalEmbedder


def lines(result):
    """The checks by name: ok, detail, fix."""
    found, name = {}, ""
    for line in result.out.decode().splitlines():
        if line.startswith("      fix: "):
            found[name][2] = line.removeprefix("      fix: ")
            continue
        mark, name, detail = re.fullmatch(r"(ok  |FAIL)  (\w+): (.+)", line).groups()
        found[name] = [mark == "ok  ", detail, None]
    return found


def check_fixes(result):
    """A line has a fix if and only if it fails; the code is an error's."""
    found = lines(result)
    for name, (ok, detail, fix) in found.items():
        assert detail
        assert ok is (fix is None), name
    assert result.code != 0
    return {name for name, (ok, *_) in found.items() if not ok}


def test_all_is_well(cli, library, double, tmp_path):
    before = double.calls()
    result = cli("doctor")
    assert (result.code, result.err) == (0, "")
    found = lines(result)
    assert list(found) == ["settings", "endpoint", "service", "index", "extras"]
    assert {ok for ok, *_ in found.values()} == {True}
    assert double.endpoint in found["endpoint"][1]
    assert "2024-02-01" in found["service"][1]
    assert "2023-04-15" in found["service"][1]
    assert str(tmp_path / "index") in found["index"][1]
    assert "6 photos" in found["index"][1]
    assert [call.operation for call in double.requests[before:]] == ["vectorizeText"]


def test_without_an_index(cli, double):
    result = cli("doctor")
    assert result.code == 0
    assert lines(result)["index"][1].startswith("none yet; it would be made at ")


def test_as_json(cli, library):
    result = cli("doctor", "--json")
    assert result.code == 0
    assert [line["check"] for line in result.lines] == ["settings", "endpoint", "service", "index", "extras"]
    assert {line["ok"] for line in result.lines} == {True}
    bad = cli("doctor", "--json", "--offline")
    assert bad.code == 4
    service = next(line for line in bad.lines if line["check"] == "service")
    assert (service["ok"], bool(service["hint"])) == (False, True)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("401-key", 4),
        ("401-openai", 4),
        ("401-principal", 4),
        ("403-keys-off", 4),
        ("403-firewall", None),
        ("403-quota", 5),
        ("400-region", None),
        ("404", None),
        ("410", None),
    ],
)
def test_what_the_service_says(cli, library, double, fault, code):
    double.misbehave(fault)
    result = cli("doctor")
    assert check_fixes(result) == {"service"}
    assert code in (None, result.code)
    assert result.code in (2, 4, 5)


def test_a_wrong_key(cli, library, monkeypatch):
    monkeypatch.setenv("CVSEARCH_KEY", "fedcba9876543210-another")
    result = cli("doctor")
    assert (result.code, check_fixes(result)) == (4, {"service"})
    assert "fedcba9876543210" not in result.out.decode()


def test_a_wrong_api_version(cli, library, monkeypatch):
    monkeypatch.setenv("CVSEARCH_API_VERSION", "2023-02-01-preview")
    assert check_fixes(cli("doctor")) == {"service"}


def test_nobody_there(cli, library, double, hurry):
    double.down()
    result = cli("doctor")
    assert (result.code, check_fixes(result)) == (5, {"service"})


@pytest.mark.parametrize(
    ("environ", "code", "failing"),
    [
        ({"CVSEARCH_KEY": None}, 4, {"endpoint"}),
        ({"CVSEARCH_ENDPOINT": None}, 4, {"endpoint"}),
        ({"CVSEARCH_ENDPOINT": "http://example.com"}, None, {"endpoint"}),
        ({"CVSEARCH_MODEL_VERSION": "2099-01-01"}, None, {"settings"}),
        ({"CVSEARCH_KEY": "has a space in it"}, 4, {"endpoint"}),
    ],
)
def test_settings_that_are_wrong(cli, library, monkeypatch, environ, code, failing):
    for name, value in environ.items():
        monkeypatch.delenv(name) if value is None else monkeypatch.setenv(name, value)
    result = cli("doctor")
    assert check_fixes(result) == failing
    assert code in (None, result.code)


def test_a_space_that_was_never_filled_disturbs_nothing(cli, double, tmp_path, monkeypatch):
    index = ("--index", tmp_path / "index")
    album.write(tmp_path / "photos" / "a.jpg", album.jpeg(1))
    assert cli("index", tmp_path / "photos", "--provider", "local", *index).code == 0
    monkeypatch.setenv("CVSEARCH_KEY", "fedcba9876543210-another")
    assert cli("index", "--provider", "azure", *index).code == 4
    for name in ("CVSEARCH_KEY", "CVSEARCH_ENDPOINT"):
        monkeypatch.delenv(name)
    result = cli("doctor", *index)
    assert (result.code, b"FAIL" in result.out) == (0, False)
    assert run_on_terminal("query", "red", *index).err.count("searching") == 0


def test_a_second_space_without_credentials_is_never_begun(cli, tmp_path):
    index = ("--index", tmp_path / "index")
    album.write(tmp_path / "photos" / "a.jpg", album.jpeg(1))
    assert cli("index", tmp_path / "photos", *index).code == 0
    result = cli("index", "--provider", "azure", *index)
    assert result.code == 4
    assert "indexed" not in result.err
    assert len(json.loads(cli("status", "--json", *index).out)["spaces"]) == 1


def test_a_config_file_that_cannot_be_read(cli, library, home):
    folder = home / ".config" / "cvsearch"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("rate = \n")
    result = cli("doctor")
    assert result.code == 2
    assert "settings" in check_fixes(result)
    assert "config.toml: line 1" in result.out.decode()


@pytest.mark.parametrize("name", ["1-0.vectors.f32", "1-0.norms.f32"])
@pytest.mark.parametrize("damage", ["shorter", "zeros", "gone"])
def test_a_damaged_vector_file(cli, library, tmp_path, name, damage):
    path = tmp_path / "index" / name
    if damage == "shorter":
        os.truncate(path, path.stat().st_size - 1)
    elif damage == "zeros":
        path.write_bytes(bytes(path.stat().st_size))
    else:
        path.unlink()
    result = cli("doctor")
    assert (result.code, check_fixes(result)) == (2, {"index"})
    assert str(tmp_path / "index") in lines(result)["index"][1]


def test_a_damaged_catalogue(cli, library, tmp_path):
    path = tmp_path / "index" / "catalogue.sqlite"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (path.stat().st_size - 4096))
    result = cli("doctor")
    assert result.code == 2
    assert "index" in check_fixes(result)


def test_no_catalogue_at_all(cli, library, tmp_path):
    (tmp_path / "index" / "catalogue.sqlite").write_bytes(b"this is no database" * 300)
    result = cli("doctor")
    assert result.code == 2
    assert "index" in check_fixes(result)
    assert "restore" in lines(result)["index"][2]


def test_the_first_failing_line_gives_the_code(cli, library, tmp_path, double):
    os.truncate(tmp_path / "index" / "1-0.vectors.f32", 5)
    double.misbehave("401-key")
    result = cli("doctor")
    assert (result.code, check_fixes(result)) == (4, {"service", "index"})


def test_it_asks_for_the_model_of_the_index(cli, double, photos, tmp_path, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    monkeypatch.setenv("CVSEARCH_MODEL_VERSION", MODELS[1])
    assert cli("index", photos).code == 0
    monkeypatch.delenv("CVSEARCH_MODEL_VERSION")
    assert cli("doctor").code == 0
    assert double.requests[-1].query["model-version"] == MODELS[1]


# --- A provider of one's own, added by the steps of docs/providers.md ------------------------------


@pytest.fixture
def own(double, photos, tmp_path, monkeypatch):
    """A provider named ``own``, which counts its calls; the settings name Azure too."""
    space = replace(SPACE, provider="own", model="one")

    class OwnEmbedder(LocalEmbedder):
        def __init__(self):
            super().__init__()
            self.space, self.asked = space, 0

        @property
        def calls(self):
            return self.asked

        def embed_text(self, text):
            if os.environ.get("OWN_IS_DOWN"):
                raise ServiceError("own does not answer", hint="start it")
            self.asked += 1
            return super().embed_text(text)

    class OwnProvider(Provider):
        name = title = "own"
        sends = False

        def new_space(self, settings):
            return space

        def open(self, settings, space):
            return OwnEmbedder()

    own = OwnProvider()
    monkeypatch.setattr(registry, "PROVIDERS", {own.name: own, **registry.PROVIDERS})
    monkeypatch.setenv("CVSEARCH_PROVIDER", "own")
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    yield photos
    assert double.calls() == 0


def test_a_provider_of_ones_own_is_asked_one_text(cli, own, monkeypatch):
    assert cli("index", own).code == 0
    result = cli("doctor")
    assert result.code == 0
    found = lines(result)
    assert list(found) == ["settings", "service", "index", "extras"]
    assert re.fullmatch(r"own/one/rgb-\d+ answered in \d+\.\d\d s, 1024 numbers", found["service"][1])
    monkeypatch.setenv("OWN_IS_DOWN", "1")
    result = cli("doctor")
    assert (result.code, check_fixes(result)) == (5, {"service"})
    assert lines(result)["service"][1:] == ["own does not answer", "start it"]


def test_the_index_names_a_provider_of_ones_own(cli, own, monkeypatch):
    assert cli("index", own).code == 0
    for name in ("CVSEARCH_PROVIDER", "CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)
    assert lines(cli("doctor"))["service"][1].startswith("own/one/")


def test_a_provider_of_ones_own_is_neither_priced_nor_counted_as_azure(cli, own):
    dry = cli("index", "--dry-run", own)
    assert dry.code == 0
    assert "6 new" in dry.err
    assert "calls:" not in dry.err
    assert "S1" not in dry.err
    for argv in (["index", own], ["query", "red"], ["doctor"]):
        assert cli(*argv).code == 0
    status = json.loads(cli("status", "--json").out)
    assert not [value for name, value in status.items() if "127.0.0.1" in json.dumps(value)], status
