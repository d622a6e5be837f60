"""The README's commands do what it says, from a clone to a query with Azure; the tutorial sends nothing."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import stat
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from azure_double import AzureDouble
from following import ACTIVATE, KEY, LOG, SUBSCRIPTION, Step, follow
from PIL import Image
from places import PROJECT
from running import COMMAND
from shell_examples import find_examples, is_export

README = (PROJECT / "README.md").read_text(encoding="utf-8")
PHOTOS = sorted((PROJECT / "docs" / "photos").glob("*.jpg"))
TUTORIAL = (PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")
ACTIVATION = ". .venv/bin/activate"
INSTALLATION = ["python3 -m venv .venv", ACTIVATION, "pip install -q ."]
TOKEN = "a-token-of-entra"

AZ = f"""#!/bin/sh
case "$*" in
  login) touch "$HOME/signed-in" ;;
  "account show --query id --output tsv") [ -e "$HOME/signed-in" ] && echo {SUBSCRIPTION} ;;
  *) exit 64 ;;
esac
"""
TERRAFORM = f"""#!/bin/sh
case "$1" in -chdir=*) cd "${{1#-chdir=}}" && shift ;; esac
[ -e main.tf ] || exit 65
case "$*" in
  init) touch .initialized ;;
  apply) [ -e .initialized ] && [ "$ARM_SUBSCRIPTION_ID" = {SUBSCRIPTION} ] && touch .applied ;;
  "output -json -no-color") [ -e .applied ] && cat "$HOME/outputs.json" ;;
  *) exit 64 ;;
esac
"""
IDENTITY = f"""
import os, time, types

class DefaultAzureCredential:
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass
    def get_token(self, scope):
        os.stat(os.path.expanduser("~/signed-in"))
        return types.SimpleNamespace(token={TOKEN!r}, expires_on=time.time() + 3600)
"""


def blocks(section: str) -> list[str]:
    """The commands of a section, block by block."""
    [text] = re.findall(rf"^## {section}\n(.*?)(?=^## )", README, re.DOTALL | re.MULTILINE)
    return blocks_of(text)


def blocks_of(text: str) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Step]]:
    """A home with a clone in which "Try it" was followed, and its steps; only the installation is ours."""
    home = tmp_path_factory.mktemp("readme") / "home"
    clone = home / "clone"
    (home.parent / LOG).touch()
    shutil.copytree(PROJECT / "docs" / "photos", clone / "docs" / "photos")
    shutil.copytree(PROJECT / "terraform", clone / "terraform", ignore=shutil.ignore_patterns(".*"))
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "activate").write_text(ACTIVATE)
    (clone / ".venv" / "bin" / "cvsearch").symlink_to(COMMAND[0])
    [block] = blocks("Try it")
    steps = block.strip().split(" && ")
    assert steps[:3] == INSTALLATION
    return home, follow([ACTIVATION, *steps[3:]], home)


@pytest.fixture
def double(tmp_path: Path) -> Iterator[AzureDouble]:
    """The resource; each of its calls is a line of the log."""
    (tmp_path / LOG).touch()
    with AzureDouble(key=KEY, tokens=[TOKEN], log=str(tmp_path / LOG)) as server:
        yield server
    assert server.violations == []


@pytest.fixture
def home(tried: tuple[Path, list[Step]], tmp_path: Path) -> Path:
    """That home once more, with photos to look for and somebody who has an Azure subscription."""
    home = tmp_path / "home"
    shutil.copytree(tried[0], home, symlinks=True)
    (home / "Pictures").mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, home / "Pictures")
    with Image.open(PROJECT / "docs" / "photos" / "cat.jpg") as cat:
        cat.resize((cat.width // 2, cat.height // 2)).save(home / "clone" / "sample.jpg")
    tools, azure = home / "tools", home / "packages" / "azure"
    for folder in (tools, azure / "core"):
        folder.mkdir(parents=True)
    for name, text in (("az", AZ), ("terraform", TERRAFORM)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    (azure / "identity.py").write_text(IDENTITY)
    (azure / "core" / "__init__.py").touch()
    (azure / "core" / "exceptions.py").write_text("class AzureError(Exception):\n    pass\n")
    return home


def with_azure(way: str) -> list[str]:
    """The lines of "With Azure" for one of its two ways to a resource."""
    ways = ("config import-terraform", "config set endpoint")
    chosen = [
        block for block in blocks("With Azure") if way in block or not any(one in block for one in ways)
    ]
    assert sum(way in block for block in chosen) == 1
    return "".join(chosen).replace("\\\n", " ").splitlines()


def deploy(home: Path, double: AzureDouble, **outputs: str) -> None:
    """What `terraform output -json` shall print."""
    every = {"cvsearch_endpoint": double.endpoint + "/", **outputs}
    shown = {name: {"sensitive": False, "type": "string", "value": value} for name, value in every.items()}
    (home / "outputs.json").write_text(json.dumps(shown))


def check(steps: Sequence[Step], home: Path, double: AzureDouble) -> dict[str, object]:
    """All went well, each photo was sent once, and no secret was shown; the config file's settings."""
    for step in steps:
        assert step.code == 0, step
        assert not re.search(f"{KEY}|{TOKEN}", step.out + step.err), step
    *before, doctor, dry_run, index, query, by_image = steps
    assert [step.calls for step in before] == [0] * len(before)
    # The sample is an indexed photo at half its size, which lends its vector.
    assert [step.calls for step in steps[len(before) :]] == [1, 0, len(PHOTOS), 1, 0]
    assert double.good == double.calls()
    assert {line[:4] for line in doctor.out.splitlines()} == {"ok  "}
    assert "service: signed in and answered in" in doctor.out
    assert f"{len(PHOTOS)} photos" in dry_run.out + dry_run.err
    assert index.out == ""
    assert {Path(path).parent for path in query.out.splitlines()} == {home / "Pictures"}
    assert by_image.out.splitlines()[0] == str(home / "Pictures" / "cat.jpg")
    config = home / ".config" / "cvsearch" / "config.toml"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    return tomllib.loads(config.read_text())


def test_the_first_command_finds_the_cat(tried: tuple[Path, list[Step]]) -> None:
    home, [_, index, query] = tried
    assert (index.code, index.out) == (0, "")
    assert query.out.splitlines()[0] == str(home / "clone" / "docs" / "photos" / "cat.jpg")


def test_from_terraform_to_a_query(home: Path, double: AzureDouble) -> None:
    deploy(home, double, cvsearch_auth="key", cvsearch_key=KEY)
    steps = follow(with_azure("config import-terraform"), home)
    assert check(steps, home, double) == {"endpoint": double.endpoint, "auth": "key", "key": KEY}


def test_from_terraform_to_a_query_with_keys_switched_off(home: Path, double: AzureDouble) -> None:
    double.keys.clear()
    deploy(home, double, cvsearch_auth="entra")
    steps = follow(with_azure("config import-terraform"), home)
    assert check(steps, home, double) == {"endpoint": double.endpoint, "auth": "entra"}


def test_from_an_endpoint_and_a_key_to_a_query(home: Path, double: AzureDouble) -> None:
    lines = with_azure("config set endpoint")
    mine = [line.replace("https://NAME.cognitiveservices.azure.com", double.endpoint) for line in lines]
    assert mine != lines
    steps = follow(mine, home, typed=KEY + "\n")
    assert check(steps, home, double) == {"endpoint": double.endpoint, "key": KEY}


def test_in_pipelines(home: Path, tmp_path: Path) -> None:
    (tmp_path / LOG).touch()
    if shutil.which("jq", path=os.defpath) is None:
        pytest.skip("jq is not installed")
    [block] = blocks("In pipelines")
    copy, ask_json, ask_csv, mark, again = block.splitlines()
    lines = [ACTIVATION, copy, ask_json, ask_csv, mark, "cp docs/photos/cat.jpg docs/photos/tom.jpg", again]
    steps = follow(lines, home)
    assert [step.code for step in steps] == [0] * len(lines)
    clone = home / "clone"
    photos = {photo.name for photo in PHOTOS}
    assert len({photo.name for photo in (clone / "picked").iterdir()} & photos) == 10
    found = [Path(line) for line in steps[2].out.splitlines()]
    assert len(found) == 3
    assert {path.parent for path in found} == {clone / "docs" / "photos"}
    rows = list(csv.DictReader((clone / "beaches.csv").read_text().splitlines()))
    assert {Path(row["path"]).name for row in rows} == photos
    assert [row["rank"] for row in rows] == [str(rank) for rank in range(1, len(PHOTOS) + 1)]
    assert "reused 1, unchanged 0, forgotten 0, skipped 0 of 1 photo" in steps[-1].err


def test_the_tutorial_sends_nothing_whatever_is_set_up(home: Path, double: AzureDouble) -> None:
    [start] = blocks_of(TUTORIAL)
    install, *lines = start.splitlines()
    assert install.split(" && ") == INSTALLATION
    set_up = [
        f"export CVSEARCH_ENDPOINT={double.endpoint} CVSEARCH_KEY={KEY} CVSEARCH_INDEX=~/photo-index",
        ACTIVATION,
    ]
    commands = [example.command for example in find_examples(TUTORIAL)]
    assert is_export(commands[0])
    asked = [command for command in commands if command.startswith("cvsearch query")][:2]
    steps = follow([*set_up, *lines, commands[0], "cvsearch index photos", *asked], home)
    assert [(step.code, step.calls) for step in steps] == [(0, 0)] * len(steps)
    folder = home / "ten-minutes"
    assert [Path(step.out.splitlines()[0]) for step in steps[-2:]] == [
        folder / "photos" / name for name in ("cat.jpg", "coffee.jpg")
    ]
    assert (folder / "index").is_dir()
    assert not (home / "photo-index").exists()
