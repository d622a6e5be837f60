"""Which index, which provider, which space: what is chosen, and what the user is told about it."""

import json
import os
import re

import album
import pytest
import truth
from azure_double import MODELS
from terminal import run_on_terminal
from truth import check_ranking, cosines, ranked

OLD, NEW = MODELS[1], MODELS[0]


def index_of(cli):
    """Where cvsearch looks for its index."""
    result = cli("status")
    if result.code == 7:
        return re.search(r"there is no index at (.*)\n", result.err)[1]
    return cli.json("status").lines[0]["index"]


# --- Which index -----------------------------------------------------------------------------------


def test_the_users_data_folder_is_the_last_resort(cli, home, monkeypatch, tmp_path):
    assert index_of(cli) == str(home / ".local" / "share" / "cvsearch")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert index_of(cli) == str(tmp_path / "data" / "cvsearch")


def test_the_nearest_folder_above(cli, home, tmp_path):
    for folder in (home, home / "a" / "b"):
        (folder / ".cvsearch").mkdir(parents=True)
    (home / "a" / "b" / "c" / "d").mkdir(parents=True)
    for where, expected in (("a/b/c/d", "a/b"), ("a/b", "a/b"), ("a", ""), ("", "")):
        os.chdir(home / where)
        assert index_of(cli) == os.path.normpath(home / expected / ".cvsearch")


def test_a_file_of_that_name_is_none(cli, home):
    (home / ".cvsearch").write_text("no folder")
    assert index_of(cli).endswith("share/cvsearch")


def test_environment_before_folder_and_flag_before_environment(cli, home, monkeypatch):
    (home / ".cvsearch").mkdir()
    monkeypatch.setenv("CVSEARCH_INDEX", "from/environment")
    assert index_of(cli) == str(home / "from" / "environment")
    for argv in (("--index", "flag", "status"), ("status", "--index", "flag")):
        assert f"there is no index at {home / 'flag'}\n" in cli(*argv).err
    assert f"there is no index at {home}\n" in cli("status", "--index", "x/..").err


def test_the_config_file_names_it_too(cli, home):
    assert cli("config", "set", "index", str(home / "chosen")).code == 0
    assert index_of(cli) == str(home / "chosen")


def test_an_empty_variable_is_an_error(cli, monkeypatch):
    monkeypatch.setenv("CVSEARCH_INDEX", "")
    result = cli("status")
    assert result.code == 2
    assert "index is set but empty (from environment CVSEARCH_INDEX)" in result.err


def test_an_index_within_the_photos_works_wherever_they_are_mounted(cli, double, photos, tmp_path):
    (photos / ".cvsearch").mkdir()
    os.chdir(photos)
    assert cli("index", ".").code == 0
    calls = double.calls()
    found = cli("query", "red").out
    os.rename(photos, tmp_path / "mounted elsewhere")
    os.chdir(tmp_path / "mounted elsewhere")
    assert cli("query", "red").out == found.replace(b"/photos/", b"/mounted elsewhere/")
    assert cli("index").code == 0
    assert double.calls() == calls + 1


def test_a_link_to_the_working_folder_stays_as_typed(cli, double, photos, tmp_path, monkeypatch):
    os.symlink(photos, tmp_path / "link")
    os.chdir(tmp_path / "link")
    monkeypatch.setenv("PWD", str(tmp_path / "link"))
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    assert cli("index", ".").code == 0
    assert cli("query", "red").out.startswith(os.fsencode(tmp_path / "link") + b"/")


# --- Which provider --------------------------------------------------------------------------------


def local():
    """The built-in model; skips the test where it is not there yet."""
    package = pytest.importorskip("cvsearch.providers.local", exc_type=ImportError)
    pytest.importorskip("cvsearch.providers.local.embedder", exc_type=ImportError)
    return package


def without_settings(monkeypatch):
    for name in ("CVSEARCH_ENDPOINT", "CVSEARCH_KEY"):
        monkeypatch.delenv(name)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A new index, named by the environment."""
    monkeypatch.setenv("CVSEARCH_INDEX", str(tmp_path / "index"))
    return tmp_path / "index"


def spaces(cli):
    found = cli.json("status").lines[0]["spaces"]
    return [(space["provider"], space["model"], space["photos"]) for space in found]


def test_with_nothing_set_up_a_new_index_is_local(cli, double, photos, index, monkeypatch):
    space = local().SPACE
    without_settings(monkeypatch)
    result = cli("index", photos)
    assert (result.code, double.calls()) == (0, 0)
    assert re.match(r"using the built-in model \(.+\), as no Azure resource is set up\n", result.err)
    assert spaces(cli) == [("local", space.model, 6)]
    assert cli("query", "red", "--offline").code == 0
    assert double.calls() == 0


def test_microsofts_variables_do_not_choose(cli, double, photos, index, monkeypatch):
    local()
    without_settings(monkeypatch)
    monkeypatch.setenv("VISION_ENDPOINT", double.endpoint)
    monkeypatch.setenv("VISION_KEY", double.key)
    result = cli("index", photos, "--dry-run")
    assert result.code == 0
    assert "using the built-in model" in result.err
    assert double.calls() == 0


def test_microsofts_variables_lend(cli, double, photos, index, monkeypatch):
    without_settings(monkeypatch)
    monkeypatch.setenv("VISION_ENDPOINT", double.endpoint)
    monkeypatch.setenv("VISION_KEY", double.key)
    assert cli("index", photos, "--provider", "azure").code == 0
    assert double.calls() == 6
    assert spaces(cli) == [("azure", NEW, 6)]
    assert cli("query", "red").code == 0  # the provider that made this index


@pytest.mark.parametrize("argv", [(), ("--provider", "azure")])
def test_azure_when_the_settings_name_it(cli, double, photos, index, argv):
    result = cli("index", photos, *argv)
    assert (result.code, double.calls()) == (0, 6)
    told = f"using Azure (127.0.0.1:{double.port}), as your settings name it\n"
    assert result.err.startswith(told) is (not argv)
    assert told not in cli("index", photos).err


def test_azure_from_the_config_file(cli, double, photos, index, monkeypatch):
    without_settings(monkeypatch)
    assert cli("config", "set", "endpoint", double.endpoint).code == 0
    assert cli("config", "set", "key", stdin=double.key.encode() + b"\n").code == 0
    assert cli("index", photos).code == 0
    assert double.calls() == 6


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"CVSEARCH_ENDPOINT": "here"}, "an endpoint (environment CVSEARCH_ENDPOINT) but no key"),
        ({"CVSEARCH_KEY": "0123456789abcdef"}, "a credential but no endpoint"),
        ({"CVSEARCH_KEY_COMMAND": "echo key"}, "a credential but no endpoint"),
        ({"CVSEARCH_ENDPOINT": "here", "CVSEARCH_KEY": ""}, "key is set but empty"),
        ({"CVSEARCH_ENDPOINT": "", "CVSEARCH_KEY": "0123456789abcdef"}, "endpoint is set but empty"),
        (
            {"CVSEARCH_ENDPOINT": "here", "CVSEARCH_KEY": "x", "CVSEARCH_MODEL_VERSION": ""},
            "model_version is set",
        ),
        (
            {"CVSEARCH_ENDPOINT": "here", "CVSEARCH_KEY": "x", "CVSEARCH_KEY_COMMAND": "y"},
            "both a key and a key",
        ),
    ],
)
def test_half_a_configuration_is_an_error_never_a_fallback(
    cli, double, photos, index, monkeypatch, environ, message
):
    without_settings(monkeypatch)
    for name, value in environ.items():
        monkeypatch.setenv(name, double.endpoint if value == "here" else value)
    result = cli("index", photos)
    assert (result.code, result.out, double.calls()) == (4, b"", 0)
    assert message in result.err
    assert "\nhint: " in result.err
    assert not index.exists()
    assert cli("index", photos, "--provider", "azure").code == 4
    assert not index.exists()


def test_azure_by_name_with_nothing_set_up(cli, double, photos, index, monkeypatch):
    without_settings(monkeypatch)
    result = cli("index", photos, "--provider", "azure")
    assert result.code == 4
    assert "Azure is not set up" in result.err
    assert not index.exists()


def test_an_index_made_by_azure_stays_azures(cli, library, double, photos, monkeypatch):
    without_settings(monkeypatch)
    album.fill(photos, 1, first=50)
    before = double.calls()
    result = cli("index", photos)
    assert (result.code, double.calls()) == (4, before)
    assert spaces(cli) == [("azure", NEW, 6)]


def test_offline_sends_nothing(cli, double, photos, index):
    result = cli("index", photos, "--offline")
    assert (result.code, double.calls()) == (4, 0)
    assert "--offline forbids" in result.err


@pytest.mark.parametrize(
    "endpoint", ["http://example.com", "http://10.0.0.1:8080", "ftp://127.0.0.1", "127.0.0.1 x"]
)
def test_an_endpoint_that_would_tell_the_key(cli, double, photos, index, monkeypatch, endpoint):
    monkeypatch.setenv("CVSEARCH_ENDPOINT", endpoint)
    result = cli("index", photos)
    assert result.code in (2, 4)
    assert result.err.splitlines()[-2].startswith("error: ")
    assert double.calls() == 0


# --- Which space -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value"), [("CVSEARCH_MODEL_VERSION", OLD), ("CVSEARCH_MAX_EDGE", "512")]
)
def test_a_second_space_is_not_begun_unasked(cli, library, double, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    before = double.calls()
    result = cli("index")
    assert (result.code, double.calls()) == (0, before)
    assert f"{variable.removeprefix('CVSEARCH_').lower()} set otherwise would mean paying again" in result.err
    assert "--provider azure" in result.err
    assert spaces(cli) == [("azure", NEW, 6)]
    assert cli("query", "red").code == 0
    assert double.requests[-1].query["model-version"] == NEW


def test_a_second_space_by_name_grows_beside_the_first(cli, library, double, photos, monkeypatch):
    monkeypatch.setenv("CVSEARCH_MODEL_VERSION", OLD)
    before = double.calls()
    assert cli("index", "--provider", "azure").code == 0
    assert double.calls() == before + 6
    assert spaces(cli) == [("azure", NEW, 6), ("azure", OLD, 6)]
    assert cli("index", "--provider", "azure").code == 0
    assert double.calls() == before + 6


@pytest.fixture
def two_spaces(cli, library, double, photos, monkeypatch):
    """A second space that covers two photos more than the first; gives the paths of all."""
    more = album.fill(photos, 2, first=60)
    monkeypatch.setenv("CVSEARCH_MODEL_VERSION", OLD)
    assert cli("index", "--provider", "azure").code == 0
    monkeypatch.delenv("CVSEARCH_MODEL_VERSION")
    assert spaces(cli) == [("azure", NEW, 6), ("azure", OLD, 8)]
    return [*library, *more]


def test_a_query_uses_the_space_that_covers_most(cli, two_spaces, double):
    result = cli.json("query", "red")
    assert result.err == ""
    assert double.requests[-1].query["model-version"] == OLD
    check_ranking(result.lines, ranked(two_spaces, cosines(two_spaces, truth.text("red", OLD), OLD)))
    assert {row["model"] for row in result.lines} == {OLD}


def test_and_says_so_on_a_terminal(two_spaces):
    result = run_on_terminal("query", "red", "-0", out=False)
    assert result.err.startswith(f"searching azure/{OLD}/jpeg-1024, which covers most photos")
    assert "searched 8 photos" in result.err
    assert run_on_terminal("query", "red", "-0", "-q", out=False).err == ""


def test_vectors_of_two_spaces_are_never_compared(cli, two_spaces, double):
    """A text, a sample and a score cached in one space are of no use in the other."""
    sample = ("-i", two_spaces[0])
    in_most = cli.json("query", *sample, "--also", "red").lines
    assert len(in_most) == 8
    before = double.calls()
    assert cli("forget", *two_spaces[-2:]).code == 0
    assert spaces(cli) == [("azure", NEW, 6), ("azure", OLD, 6)]
    result = cli.json("query", "red")
    assert {row["model"] for row in result.lines} == {NEW}
    assert double.calls() == before + 1
    library = two_spaces[:6]
    check_ranking(result.lines, ranked(library, cosines(library, truth.text("red"))))


def test_what_the_space_does_not_cover_is_said(cli, two_spaces, photos):
    newest = album.fill(photos, 1, first=70)
    assert cli("index", photos).code == 0
    document = json.loads(cli("query", "red", "--format", "json").out)
    told = {row["path"] for row in document["matches"]}
    assert (newest[0] in told) or sum(document["not_searched"].values()) == 1
    assert document["searched"] + sum(document["not_searched"].values()) == 9


def test_a_query_image_is_prepared_as_its_space_says(cli, double, photos, index, monkeypatch, home):
    import io

    from PIL import Image

    monkeypatch.setenv("CVSEARCH_MAX_EDGE", "64")
    assert cli("index", photos).code == 0
    monkeypatch.delenv("CVSEARCH_MAX_EDGE")
    Image.effect_noise((300, 200), 90).save(home / "big.png")
    assert cli("query", "-i", home / "big.png").code == 0
    sent = double.bodies[double.requests[-1].number]
    assert max(Image.open(io.BytesIO(sent)).size) == 64
