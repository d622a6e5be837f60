"""A third provider that costs: a folder and a line in the registry are all it takes to be treated so."""

from __future__ import annotations

import sys
from pathlib import Path

import paying_provider
import pytest
import terminal
from paying_provider import HOST
from PIL import Image

from cvsearch.providers import registry


@pytest.fixture
def calls(home, tmp_path, monkeypatch):
    """Counts its calls; the environment sets it up, as the only one."""
    log = tmp_path / "calls"
    monkeypatch.setattr(registry, "PROVIDERS", paying_provider.providers())
    monkeypatch.setenv("PAYING_LOG", str(log))
    monkeypatch.setenv("CVSEARCH_PAYING_KEY", "a-key-of-its-own")
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    return lambda: len(log.read_text().splitlines()) if log.exists() else 0


@pytest.fixture
def on_terminal(calls, monkeypatch):
    """Runs the command on a terminal, with the provider in its registry too."""
    script = str(Path(paying_provider.__file__))
    monkeypatch.setattr(terminal, "COMMAND", (sys.executable, script))
    return terminal.run_on_terminal


def test_a_new_index_takes_it_and_says_so(cli, calls, photos):
    result = cli("index", photos)
    assert (result.code, calls()) == (0, 6)
    assert result.err.startswith("using the paying service, as your settings name it\n")


def test_it_is_asked_before_anything_is_sent(on_terminal, calls, photos, tmp_path):
    result = on_terminal("index", photos, stdin=b"n\n")
    assert f"Send at most 6 photos to {HOST}? [y/N]" in result.err
    assert (result.code, calls()) == (2, 0)
    assert not (tmp_path / "index").exists()
    assert on_terminal("index", photos, stdin=b"y\n").code == 0
    assert calls() == 6


def test_a_dry_run_counts_its_calls_and_sends_nothing(cli, calls, photos):
    result = cli.json("index", "--dry-run", photos)
    assert (result.code, result.summary["calls"], calls()) == (0, 6, 0)
    assert "calls: at most 6" in result.err


def test_offline_is_refused(cli, calls, photos):
    result = cli("index", photos, "--offline")
    assert (result.code, calls()) == (4, 0)
    assert "error: --offline forbids a call to the paying service\n" in result.err
    assert cli("index", photos).code == 0
    assert cli("query", "red", "--offline").code == 4
    assert calls() == 6
    assert cli("query", "red").code == 0
    assert cli("query", "red", "--offline").code == 0
    assert calls() == 7


def test_what_was_sent_is_counted_and_shown(cli, calls, photos):
    assert cli("index", photos).code == 0
    assert cli("query", "red").code == 0
    (status,) = cli.json("status").lines
    assert [(one["host"], one["calls"]) for one in status["traffic"]] == [(HOST, 7)]
    assert [(one["provider"], one["photos"]) for one in status["spaces"]] == [("paying", 6)]
    (shown,) = cli.json("show", photos / "000.jpg").lines
    assert [one["sent"]["host"] for one in shown["spaces"]] == [HOST]


def test_a_picture_that_was_asked_with_is_not_paid_again(cli, calls, photos, tmp_path):
    assert cli("index", photos).code == 0
    (photos / "005.jpg").rename(tmp_path / "asked.jpg")
    assert cli("index").code == 0
    assert cli("query", "-i", tmp_path / "asked.jpg").code == 0
    assert calls() == 6


def test_what_would_be_sent_is_its_recipe(cli, calls, photos, tmp_path):
    Image.effect_noise((600, 300), 90).save(photos / "large.png")
    assert cli("show", photos / "large.png", "--sent", tmp_path / "sent.jpg").code == 0
    with Image.open(tmp_path / "sent.jpg") as sent:
        assert max(sent.size) == 256


def test_its_setting_is_one_of_all(cli, calls, home):
    assert b"paying_key\t****\tenvironment CVSEARCH_PAYING_KEY" in cli("config").out
    refused = cli("config", "set", "paying_key", "a-key")
    assert refused.code == 2
    assert "never a command-line argument" in refused.err
    assert cli("config", "set", "paying_key", stdin=b"another").code == 0
    assert (home / ".config" / "cvsearch" / "config.toml").read_text() == 'paying_key = "another"\n'


@pytest.mark.parametrize(
    ("key", "message"), [("", "paying_key is set but empty"), (None, "the paying service has no key")]
)
def test_half_a_configuration_begins_no_index(cli, calls, photos, tmp_path, monkeypatch, key, message):
    monkeypatch.setenv("CVSEARCH_PROVIDER", "paying")
    monkeypatch.delenv("CVSEARCH_PAYING_KEY") if key is None else monkeypatch.setenv(
        "CVSEARCH_PAYING_KEY", key
    )
    result = cli("index", photos)
    assert (result.code, calls()) == (4, 0)
    assert message in result.err
    assert not (tmp_path / "index").exists()


def test_doctor_asks_it(cli, calls):
    result = cli("doctor")
    assert (result.code, calls()) == (0, 1)
    lines = result.out.decode().splitlines()
    assert f"ok    endpoint: {HOST}" in lines
    assert any(line.startswith("ok    service: paying/v1/jpeg-256 answered in ") for line in lines)


def test_it_can_be_named(on_terminal, monkeypatch):
    monkeypatch.delenv("CVSEARCH_PAYING_KEY")
    assert b"paying_key" in on_terminal("config", "--provider", "paying").out


def test_an_index_made_by_a_provider_that_is_not_known_here(cli, calls, photos):
    assert cli("index", photos).code == 0
    del registry.PROVIDERS["paying"]
    assert cli("status").code == 0
    result = cli("query", "red")
    assert (result.code, calls()) == (2, 6)
    assert "this cvsearch knows no provider paying" in result.err


def test_an_index_of_the_built_in_model_stays_so_and_says_so(cli, calls, photos):
    assert cli("index", photos, "--provider", "local").code == 0
    result = cli("index", photos)
    assert "this index is the built-in model's, so nothing goes to the paying service" in result.err
    assert calls() == 0


def test_of_two_spaces_that_cover_as_much_the_paid_one_is_searched(cli, calls, photos, monkeypatch):
    assert cli("index", photos, "--provider", "local").code == 0
    monkeypatch.setenv("CVSEARCH_PROVIDER", "paying")
    assert cli("index").code == 0
    monkeypatch.delenv("CVSEARCH_PROVIDER")
    assert {row["provider"] for row in cli.json("query", "red").lines} == {"paying"}
