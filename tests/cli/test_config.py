"""`config`: every setting with its source, and how it is set and removed."""

import json
import os
import stat

import pytest
from terminal import run_on_terminal

KEY = "fedcba9876543210-a-key-4321"


@pytest.fixture
def file(home):
    """Where the user's config file is."""
    return home / ".config" / "cvsearch" / "config.toml"


def told(cli, *argv):
    result = cli("config", "--json", *argv)
    assert (result.code, result.err) == (0, "")
    return {name: (each["value"], each["source"]) for name, each in json.loads(result.out).items()}


def test_every_setting_with_where_it_came_from(cli, home, file, monkeypatch):
    assert {source for _, source in told(cli).values()} == {"default"}
    assert {"index", "provider", "endpoint", "key", "rate", "max_edge", "max_calls"} <= set(told(cli))
    assert cli("config", "set", "jobs", "3").code == 0
    assert told(cli)["jobs"] == (3, f"file {file}")
    monkeypatch.setenv("CVSEARCH_JOBS", "5")
    assert told(cli)["jobs"] == (5, "environment CVSEARCH_JOBS")


def test_flag_before_environment_before_file_before_default(cli, file, monkeypatch):
    assert told(cli)["color"] == ("auto", "default")
    assert cli("config", "set", "color", "always").code == 0
    assert told(cli)["color"] == ("always", f"file {file}")
    monkeypatch.setenv("CVSEARCH_COLOR", "never")
    assert told(cli)["color"] == ("never", "environment CVSEARCH_COLOR")
    for argv in (("--color", "auto"), ("--color=auto",)):
        assert told(cli, *argv)["color"] == ("auto", "flag --color")


def test_what_is_lent(cli, monkeypatch):
    monkeypatch.setenv("VISION_ENDPOINT", "https://lent.cognitiveservices.azure.com")
    monkeypatch.setenv("VISION_KEY", KEY)
    found = told(cli)
    assert found["endpoint"] == ("https://lent.cognitiveservices.azure.com", "environment VISION_ENDPOINT")
    assert found["key"] == ("****4321", "environment VISION_KEY")


def test_the_plain_form(cli, monkeypatch):
    monkeypatch.setenv("CVSEARCH_RATE", "20/m")
    rows = [line.split("\t") for line in cli("config").out.decode().splitlines()]
    assert rows[0] == ["setting", "value", "from"]
    assert ["rate", "20/m", "environment CVSEARCH_RATE"] in rows
    assert {len(row) for row in rows} == {3}


def test_a_key_is_never_shown(cli, file, monkeypatch):
    assert cli("config", "set", "key", stdin=KEY.encode() + b"\n").code == 0
    for argv in ((), ("--json",), ("--debug",), ("-v",)):
        result = cli("config", *argv)
        assert result.code == 0
        assert b"****4321" in result.out
        assert KEY[:-4].encode() not in result.out
        assert KEY[:-4] not in result.err
    assert KEY in file.read_text()


def test_a_file_that_is_written_is_private(cli, file):
    assert cli("config", "set", "key", stdin=KEY.encode()).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert cli("config", "set", "rate", "20/m").code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["key"])
def test_the_key_is_never_an_argument(cli, file, name):
    result = cli("config", "set", name, KEY)
    assert (result.code, result.out) == (2, b"")
    assert "never a command-line argument" in result.err
    assert "\nhint: " in result.err
    assert KEY not in result.err
    assert not file.exists()


@pytest.mark.parametrize("typed", [b"", b"\n", b"  \n"])
def test_no_key_is_no_key(cli, file, typed):
    result = cli("config", "set", "key", stdin=typed)
    assert result.code == 2
    assert "key cannot be empty" in result.err
    assert not file.exists()


def test_a_typed_key_is_not_echoed(home, file):
    result = run_on_terminal("config", "set", "key", out=False, stdin=KEY.encode() + b"\n")
    assert result.code == 0
    assert KEY not in result.err
    assert KEY in file.read_text()


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["set"], "config takes: set NAME VALUE"),
        (["unset"], "config takes: set NAME VALUE"),
        (["get", "rate"], "config takes: set NAME VALUE"),
        (["set", "rate"], "rate needs a value"),
        (["set", "rate", "fast"], "rate cannot be 'fast'"),
        (["set", "rate", ""], "rate cannot be empty"),
        (["set", "max_edge", "7"], "max_edge cannot be '7'"),
        (["set", "colour", "red"], "unknown setting 'colour'"),
        (["unset", "colour"], "unknown setting 'colour'"),
        (["unset", "rate"], "rate is not set in"),
    ],
)
def test_what_is_refused_changes_nothing(cli, file, argv, message):
    result = cli("config", *argv)
    assert (result.code, result.out) == (2, b"")
    assert message in result.err
    assert "\nhint: " in result.err
    assert not file.exists()


def test_set_and_unset_are_told_and_heeded(cli, file):
    result = cli("config", "set", "max-edge".replace("-", "_"), "512")
    assert (result.code, result.out, result.err) == (0, b"", f"max_edge written to {file}\n")
    assert told(cli)["max_edge"] == (512, f"file {file}")
    assert cli("config", "unset", "max_edge").err == f"max_edge removed from {file}\n"
    assert told(cli)["max_edge"] == (1024, "default")


def test_another_file(cli, home, file, monkeypatch):
    monkeypatch.setenv("CVSEARCH_CONFIG", str(home / "mine.toml"))
    assert cli("config", "set", "rate", "5").code == 0
    assert (home / "mine.toml").read_text() == "rate = 5\n"
    assert not file.exists()


# --- Mending ---------------------------------------------------------------------------------------


@pytest.fixture
def broken(file):
    def write(text):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("max_edge = 7\njobs = 3  # mine\n", ["set", "max_edge", "512"]),
        ("max_edge = 7\njobs = 3  # mine\n", ["unset", "max_edge"]),
        ('color = ""\njobs = 3  # mine\n', ["set", "color", "never"]),
        ('color = ""\njobs = 3  # mine\n', ["unset", "color"]),
        ('colour = "never"\njobs = 3  # mine\n', ["unset", "colour"]),
    ],
)
def test_a_wrong_value_is_mended_by_set_and_unset(cli, broken, file, text, argv):
    broken(text)
    wrong = cli("config")
    assert (wrong.code, wrong.out) == (2, b"")
    assert str(file) in wrong.err
    assert cli("config", *argv).code == 0
    assert "jobs = 3  # mine\n" in file.read_text()
    assert told(cli)["jobs"] == (3, f"file {file}")


@pytest.mark.parametrize("text", ["rate = \n", "[[[", "rate = 1\nrate = 2\n"])
def test_a_file_that_is_no_toml_names_its_line_and_stays(cli, broken, file, text):
    broken(text)
    for argv in (["config"], ["status"], ["config", "set", "jobs", "3"], ["config", "unset", "rate"]):
        result = cli(*argv)
        assert result.code == 2
        assert f"{file}: line " in result.err
        assert "\nhint: " in result.err
        assert file.read_text() == text


def test_a_file_that_others_may_read(cli, file, home, library):
    assert cli("config", "set", "key", stdin=KEY.encode()).code == 0
    file.chmod(0o644)
    result = run_on_terminal("config", out=False)
    assert result.code == 0
    assert f"chmod 600 {file}" in result.err
    assert cli("query", "red").err == ""


def test_help_and_completion_do_not_read_it(cli, broken):
    broken("[[[")
    assert cli("--help").code == 0
    assert cli("query", "--help").code == 0
    assert cli("--version").code == 0


def test_a_link_to_a_file_elsewhere(cli, home, file):
    real = home / "dotfiles" / "config.toml"
    real.parent.mkdir()
    real.write_text("jobs = 2\n")
    file.parent.mkdir(parents=True)
    os.symlink(real, file)
    assert cli("config", "set", "rate", "5").code == 0
    assert file.is_symlink()
    assert real.read_text() == "jobs = 2\nrate = 5\n"


# --- A key or a command that prints it -------------------------------------------------------------


def test_a_key_command_takes_the_place_of_a_key(cli, file):
    assert cli("config", "set", "key", stdin=KEY.encode()).code == 0
    result = cli("config", "set", "key_command", f"echo {KEY}")
    removed = f"key removed from {file}: the key_command takes its place\n"
    assert (result.code, result.err) == (0, f"key_command written to {file}\n{removed}")
    assert file.read_text() == f'key_command = "echo {KEY}"\n'


def test_a_key_takes_the_place_of_a_key_command(cli, file):
    assert cli("config", "set", "key_command", "pass azure").code == 0
    result = cli("config", "set", "key", stdin=KEY.encode())
    removed = f"key_command removed from {file}: the key takes its place\n"
    assert (result.code, result.err) == (0, f"key written to {file}\n{removed}")
    assert file.read_text() == f'key = "{KEY}"\n'


def test_what_is_refused_takes_no_place(cli, file):
    assert cli("config", "set", "key", stdin=KEY.encode()).code == 0
    before = file.read_text()
    assert cli("config", "set", "key_command", " ").code == 2
    assert file.read_text() == before


def test_nothing_is_said_to_go_where_nothing_was(cli, file):
    for _ in range(2):
        assert cli("config", "set", "key_command", "pass azure").err == f"key_command written to {file}\n"
