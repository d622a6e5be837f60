"""The config file: read strictly, edited a line at a time."""

import os
import stat
import subprocess
import sys
import tomllib
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cvsearch.config import file as config_file
from cvsearch.config.file import config_path
from cvsearch.errors import CvsearchError
from cvsearch.providers.registry import setting_rules

RULES = setting_rules()
read_config = partial(config_file.read_config, rules=RULES)
write_setting = partial(config_file.write_setting, rules=RULES)
write_settings = partial(config_file.write_settings, rules=RULES)
unset_setting = partial(config_file.unset_setting, rules=RULES)

WRITTEN = """\
# my settings

rate = "20/m"   # the free tier
  jobs=4
key_command = "pass azure # not a comment" # but this is
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "new" / "folder" / "config.toml")


@pytest.fixture
def written(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text(WRITTEN)
    return str(file)


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def test_where_it_is(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert os.path.basename(config_path({})) == "config.toml"
    assert os.path.basename(os.path.dirname(config_path({}))) == "cvsearch"
    assert config_path({"CVSEARCH_CONFIG": "/x/my.toml"}) == "/x/my.toml"
    with pytest.raises(CvsearchError, match="empty"):
        config_path({"CVSEARCH_CONFIG": ""})


def test_no_file_says_nothing(path):
    assert read_config(path) == {}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (b"rates = 1", "unknown setting 'rates'", "did you mean rate?"),
        (b"max-edge = 1", "unknown setting 'max-edge'", "did you mean max_edge?"),
        (b"[azure]\nkey = 'x'", "unknown setting 'azure'", "settings are: index"),
        (b"jobs = 1\nrate = \n", ": line 2: ", 'a line reads: name = "value"'),
        (b"jobs = 1\nrate = 'a", ": line 2: ", 'a line reads: name = "value"'),
        (b"jobs = 1\njobs = 2\n", ": line 2: ", 'a line reads: name = "value"'),
        (b"jobs = 1\n\nindex = '\xff'\n", ": line 3: not UTF-8", "save the file as UTF-8"),
    ],
)
def test_what_is_refused(tmp_path, text, message, hint):
    file = tmp_path / "config.toml"
    file.write_bytes(text)
    with pytest.raises(CvsearchError) as caught:
        read_config(str(file))
    assert str(file) in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_folder_in_its_place(tmp_path):
    with pytest.raises(CvsearchError, match="cannot be read"):
        read_config(str(tmp_path))


def test_a_new_file_is_private(path):
    write_setting(path, "jobs", "8")
    assert read(path) == "jobs = 8\n"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
    assert os.listdir(os.path.dirname(path)) == ["config.toml"]


def test_other_lines_and_comments_stay(written):
    write_setting(written, "rate", "5")
    write_setting(written, "jobs", "8")
    write_setting(written, "key_command", 'echo "x"')
    write_setting(written, "offline", "yes")
    assert read(written) == (
        "# my settings\n\nrate = 5   # the free tier\n  jobs=8\n"
        'key_command = "echo \\"x\\"" # but this is\noffline = "yes"\n'
    )


def test_unset(written):
    assert unset_setting(written, "rate")
    assert not unset_setting(written, "rate")
    assert read(written) == WRITTEN.replace('rate = "20/m"   # the free tier\n', "")


def test_several_at_once(written):
    write_settings(written, {"jobs": None, "endpoint": "here", "rate": "5", "key": None})
    assert read(written) == WRITTEN.replace('"20/m"', "5").replace("  jobs=4\n", "") + 'endpoint = "here"\n'


def test_several_at_once_are_one_write(written, monkeypatch):
    replaced = []
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda *paths: replaced.append(paths) or replace(*paths))
    write_settings(written, {"jobs": None, "endpoint": "here", "rate": "5"})
    assert len(replaced) == 1


@pytest.mark.parametrize(
    "values",
    [
        {"rate": "5", "jobs": "many"},
        {"jobs": None, "rate": "5", "endpoint": " "},
        {"jobs": None, "rates": "5"},
    ],
)
def test_several_at_once_are_all_or_none(written, values):
    with pytest.raises(CvsearchError):
        write_settings(written, values)
    assert read(written) == WRITTEN
    assert os.listdir(os.path.dirname(written)) == ["config.toml"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_file_as_it_was(written, monkeypatch, step):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(CvsearchError, match="cannot be written: No space left on device"):
        write_settings(written, {"jobs": None, "endpoint": "here", "rate": "5"})
    assert read(written) == WRITTEN
    assert os.listdir(os.path.dirname(written)) == ["config.toml"]


def test_windows_line_ends_stay(tmp_path):
    file = tmp_path / "config.toml"
    file.write_bytes(b"rate = 1\r\njobs = 2\r\n")
    write_setting(str(file), "rate", "3")
    assert file.read_bytes() == b"rate = 3\r\njobs = 2\r\n"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("offline", "true", "offline = true"),
        ("rate", "20/m", 'rate = "20/m"'),
        ("price", "0.2", "price = 0.2"),
        ("jobs", "007", 'jobs = "007"'),
        ("key", "12345678", 'key = "12345678"'),
        ("endpoint", '"x"', r'endpoint = "\"x\""'),
    ],
)
def test_how_a_value_is_written(path, name, value, line):
    write_setting(path, name, value)
    assert read(path) == line + "\n"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("rates", "1", "unknown setting"),
        ("jobs", "many", "jobs cannot be 'many'"),
        ("jobs", "", "cannot be empty"),
        ("index", "/\udcff", "not UTF-8"),
    ],
)
def test_a_refused_value_changes_nothing(written, name, value, message):
    with pytest.raises(CvsearchError, match=message):
        write_setting(written, name, value)
    assert read(written) == WRITTEN
    assert os.listdir(os.path.dirname(written)) == ["config.toml"]


def test_a_value_of_several_lines_is_one_value(tmp_path):
    file = tmp_path / "config.toml"
    text = 'key_command = """\nrate = 1\n"""\nrate = 2\n'
    file.write_text(text)
    write_setting(str(file), "rate", "3")
    assert file.read_text() == text.replace("rate = 2", "rate = 3")
    assert unset_setting(str(file), "key_command")
    assert file.read_text() == "rate = 3\n"


def test_a_link_stays_a_link(tmp_path, written):
    link = tmp_path / "link.toml"
    link.symlink_to(written)
    write_setting(str(link), "jobs", "9")
    assert link.is_symlink()
    assert read_config(written)["jobs"] == 9


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CvsearchError, match="cannot be written"):
        write_setting(str(tmp_path / "file" / "config.toml"), "jobs", "1")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_comes_back(written, value):
    write_setting(written, "endpoint", value)
    with open(written, "rb") as file:
        assert tomllib.load(file)["endpoint"] == value
    assert unset_setting(written, "endpoint")
    assert read(written) == WRITTEN


def test_loading_brings_no_heavy_modules(tmp_path):
    code = (
        "import sys; from cvsearch.providers.registry import load_settings;"
        f"load_settings({{}}, {{'CVSEARCH_CONFIG': {str(tmp_path / 'none.toml')!r}}});"
        "print(*{'numpy', 'httpx', 'PIL', 'rich', 'tomllib', 'tomlkit', 'platformdirs'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
