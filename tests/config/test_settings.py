"""Settings: which layer wins, what is refused, and that the key stays hidden."""

import copy
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvsearch.config.rules import Secret
from cvsearch.config.settings import Origin, describe
from cvsearch.errors import CredentialsError, CvsearchError, ExitCode
from cvsearch.providers.azure import AzureProvider, read_account
from cvsearch.providers.registry import load_settings, setting_rules

KEY = "0123456789abcdef1234"
RULES = setting_rules()
ENDPOINT = "https://name.cognitiveservices.azure.com"


@pytest.fixture
def config(tmp_path):
    return tmp_path / "config.toml"


@pytest.fixture
def load(config):
    def load(flags=None, file=None, **environ):
        if file is not None:
            config.write_text(file)
            config.chmod(0o600)
        return load_settings(flags or {}, {"CVSEARCH_CONFIG": str(config), **environ})

    return load


def test_defaults(load):
    settings = load()
    assert (settings.provider, settings.offline, settings.color) == ("auto", False, "auto")
    assert (settings["api_version"], settings["model_version"]) == ("2024-02-01", "2023-04-15")
    assert (settings.max_edge, settings.price, settings["auth"]) == (1024, 0.10, "key")
    unset = ("index", "endpoint", "key", "key_command", "rate", "jobs", "max_calls")
    assert all(settings[name] is None for name in unset)
    assert {setting.source for setting in describe(settings)} == {"default"}
    assert settings.warnings == []


def test_the_stronger_layer_wins(load, config):
    def jobs(flags=None, file="", **environ):
        setting = load(flags, file, **environ).found["jobs"]
        return setting.value, setting.source

    file = "jobs = 3"
    assert jobs({"jobs": 1}, file, CVSEARCH_JOBS="2") == (1, "flag --jobs")
    assert jobs({"jobs": None}, file, CVSEARCH_JOBS="2") == (2, "environment CVSEARCH_JOBS")
    assert jobs(None, file) == (3, f"file {config}")
    assert jobs() == (None, "default")


def test_flags_are_named_as_typed(load):
    assert load({"max_edge": 512}).found["max_edge"].source == "flag --max-edge"


@pytest.mark.parametrize("flag", ["key", "quiet"])
def test_only_settings_are_flags_and_the_key_never_is(load, flag):
    with pytest.raises(ValueError, match="the key is never one"):
        load({flag: "x"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("rate", "20", 20),
        ("rate", "20/s", 20),
        ("rate", " 30 / m ", 0.5),
        ("rate", "0.5", 0.5),
        ("offline", "YES", True),
        ("offline", "1", True),
        ("offline", "true", True),
        ("offline", "0", False),
        ("offline", "no", False),
        ("offline", "false", False),
        ("jobs", "256", 256),
        ("max_edge", "64", 64),
        ("max_calls", "0", 0),
        ("price", "0", 0),
        ("provider", "Azure", "azure"),
        ("api_version", "2025-01-01-preview", "2025-01-01-preview"),
        ("index", " odd ", " odd "),
    ],
)
def test_what_is_taken(load, name, text, value):
    assert load(**{"CVSEARCH_" + name.upper(): text})[name] == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("rate = 20", 20),
        ('rate = "20/m"', 1 / 3),
        ("rate = 0.5", 0.5),
        ("offline = true", True),
        ("price = 1", 1),
    ],
)
def test_what_toml_may_say(load, line, value):
    assert load(file=line)[line.split()[0]] == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rate", "0"),
        ("rate", "-1"),
        ("rate", "20/h"),
        ("rate", "20/"),
        ("rate", "nan"),
        ("rate", "inf"),
        ("offline", "maybe"),
        ("jobs", "0"),
        ("jobs", "257"),
        ("jobs", "2.5"),
        ("jobs", "²"),
        ("max_edge", "63"),
        ("max_edge", "4097"),
        ("max_calls", "-1"),
        ("max_calls", "9" * 5000),
        ("price", "cheap"),
        ("provider", "aws"),
        ("color", "red"),
        ("auth", "password"),
        ("api_version", "latest"),
        ("model_version", "2023/04"),
    ],
)
def test_what_is_refused(load, name, text):
    variable = "CVSEARCH_" + name.upper()
    with pytest.raises(CvsearchError) as caught:
        load(**{variable: text})
    assert caught.value.code is ExitCode.USAGE
    assert name in caught.value.message
    assert f"environment {variable}" in caught.value.message
    assert RULES[name].allowed in caught.value.hint


@pytest.mark.parametrize(
    "line", ["jobs = true", "jobs = 2.0", "price = true", "offline = 1", "provider = 1", "index = []"]
)
def test_what_toml_may_not_say(load, line):
    with pytest.raises(CvsearchError, match="cannot be"):
        load(file=line)


@pytest.mark.parametrize("name", ["index", "provider", "offline", "color", "price"])
def test_empty_is_refused_at_once_where_it_is_everyones(load, name):
    with pytest.raises(CvsearchError, match=f"{name} is set but empty"):
        load(**{"CVSEARCH_" + name.upper(): " "})


def test_a_home_folder_is_found(load, monkeypatch):
    monkeypatch.setenv("HOME", "/home/anna")
    assert load(file='index = "~/photos"').index == "/home/anna/photos"


def test_an_unknown_model_is_taken_with_a_warning(load):
    settings = load(CVSEARCH_MODEL_VERSION="2027-01-01")
    assert settings["model_version"] == "2027-01-01"
    assert "environment CVSEARCH_MODEL_VERSION" in settings.warnings[0]


# Azure: whole, half, empty, lent


def test_a_whole_configuration(load):
    settings = load(
        CVSEARCH_ENDPOINT=ENDPOINT, CVSEARCH_KEY=f" {KEY}\n", CVSEARCH_RATE="20/m", CVSEARCH_MAX_CALLS="7"
    )
    azure = read_account(settings)
    assert AzureProvider().is_set_up(settings)
    assert (azure.endpoint, azure.key, azure.key_command) == (ENDPOINT, Secret(KEY), None)
    assert (settings.rate, settings.max_calls, settings.max_edge) == (1 / 3, 7, 1024)


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CVSEARCH_ENDPOINT": ENDPOINT}, "no key"),
        ({"CVSEARCH_KEY": KEY}, "no endpoint"),
        ({"CVSEARCH_KEY_COMMAND": "pass azure"}, "no endpoint"),
        ({"CVSEARCH_ENDPOINT": "", "CVSEARCH_KEY": KEY}, "endpoint is set but empty"),
        ({"CVSEARCH_ENDPOINT": ENDPOINT, "CVSEARCH_KEY": " "}, "key is set but empty"),
        (
            {"CVSEARCH_ENDPOINT": "", "VISION_ENDPOINT": ENDPOINT, "VISION_KEY": KEY},
            "endpoint is set but empty",
        ),
        ({"CVSEARCH_ENDPOINT": ENDPOINT, "CVSEARCH_KEY_COMMAND": ""}, "key_command is set but empty"),
        ({"CVSEARCH_ENDPOINT": ENDPOINT, "VISION_KEY": ""}, "key is set but empty"),
        ({"CVSEARCH_ENDPOINT": ENDPOINT, "CVSEARCH_KEY": KEY, "CVSEARCH_KEY_COMMAND": "x"}, "both"),
        ({"CVSEARCH_ENDPOINT": ENDPOINT, "CVSEARCH_KEY": "naïve key"}, "characters"),
    ],
)
def test_half_a_configuration_is_an_error(load, environ, message):
    settings = load(**environ)
    assert AzureProvider().is_set_up(settings)
    with pytest.raises(CredentialsError, match=message) as caught:
        read_account(settings)
    assert caught.value.hint
    assert KEY not in caught.value.message


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.deferred])
def test_an_empty_setting_is_azures_error(load, name):
    environ = {"CVSEARCH_ENDPOINT": ENDPOINT, "CVSEARCH_KEY": KEY, "CVSEARCH_" + name.upper(): ""}
    settings = load(**environ)
    assert settings.found[name].empty
    assert settings.found[name].shown == "(empty)"
    with pytest.raises(CredentialsError, match=f"{name} is set but empty"):
        read_account(settings)


def test_nothing_at_all(load):
    settings = load()
    assert not AzureProvider().is_set_up(settings)
    with pytest.raises(CredentialsError, match="not set up"):
        read_account(settings)


def test_microsofts_variables_lend_but_never_choose(load):
    lent = {"VISION_ENDPOINT": ENDPOINT, "VISION_KEY": KEY}
    settings = load(**lent)
    assert not AzureProvider().is_set_up(settings)
    assert read_account(settings).key == Secret(KEY)
    assert settings.found["key"].source == "environment VISION_KEY"
    assert settings.found["key"].origin is Origin.LENT
    assert read_account(load(file='endpoint = "https://file"', **lent)).endpoint == "https://file"


def test_what_is_lent_gives_way(load):
    settings = load(CVSEARCH_ENDPOINT=ENDPOINT, CVSEARCH_KEY_COMMAND="pass azure", VISION_KEY="")
    assert read_account(settings).key_command == "pass azure"
    settings = load(CVSEARCH_ENDPOINT=ENDPOINT, CVSEARCH_KEY_COMMAND="pass azure", VISION_KEY=KEY)
    assert read_account(settings).key is None


def test_the_stronger_layers_credential_wins(load):
    file = f'endpoint = "{ENDPOINT}"\nkey = "{KEY}"\n'
    azure = read_account(load(file=file, CVSEARCH_KEY_COMMAND="pass azure"))
    assert (azure.key, azure.key_command) == (None, "pass azure")


def test_entra_needs_no_key(load):
    azure = read_account(load(CVSEARCH_ENDPOINT=ENDPOINT, CVSEARCH_AUTH="entra", VISION_KEY=""))
    assert (azure.auth, azure.key, azure.key_command) == ("entra", None, None)
    with pytest.raises(CredentialsError, match="no endpoint"):
        read_account(load(CVSEARCH_AUTH="entra"))


def test_a_key_that_others_may_read(load, config):
    file = f'key = "{KEY}"\n'
    assert load(file=file).warnings == []
    config.chmod(0o640)
    assert load().warnings == [f"{config} holds a key and others may read it; run: chmod 600 {config}"]
    config.write_text("jobs = 2\n")
    assert load().warnings == []


# The key


@given(st.text(max_size=40))
def test_a_secret_hides_itself(text):
    secret = Secret(text)
    hidden = "****" + text[-4:] * (len(text) >= 8)
    assert str(secret) == repr(secret) == f"{secret}" == hidden
    assert f"{secret:>12}" == f"{hidden:>12}"
    assert secret.reveal() == text


def test_a_secret_is_a_value():
    assert Secret(KEY) == Secret(KEY) != Secret("other")
    assert Secret(KEY) != KEY
    assert len({Secret(KEY), Secret(KEY)}) == 1
    assert copy.deepcopy(Secret(KEY)) == copy.copy(Secret(KEY)) == Secret(KEY)


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps])
def test_a_secret_is_not_written(write):
    with pytest.raises(TypeError):
        write(Secret(KEY))


def test_no_representation_shows_the_key(load):
    settings = load(CVSEARCH_ENDPOINT=ENDPOINT, CVSEARCH_KEY=KEY)
    for text in (
        repr(settings),
        repr(read_account(settings)),
        repr(describe(settings)),
        settings.found["key"].shown,
    ):
        assert KEY not in text
        assert "****1234" in text


@pytest.mark.parametrize("line", [f'key = ["{KEY}"]', f'key = {{ a = "{KEY}" }}'])
def test_no_error_shows_the_key(load, line):
    with pytest.raises(CvsearchError) as caught:
        load(file=line)
    assert KEY not in f"{caught.value.message} {caught.value.hint}"


def test_what_is_shown(load):
    settings = load(CVSEARCH_RATE="20/m", CVSEARCH_OFFLINE="1", CVSEARCH_JOBS="8")
    shown = {setting.name: setting.shown for setting in describe(settings)}
    assert list(shown) == list(RULES)
    assert (shown["rate"], shown["offline"], shown["jobs"], shown["key"]) == (
        "20/m",
        "true",
        "8",
        "(not set)",
    )
