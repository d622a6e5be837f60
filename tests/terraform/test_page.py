"""The module's page: its commands, pasted in their order, do what stands beside them.

`az` and `terraform` are stand-ins that know these commands and no others.  What Terraform would take for
an empty deployment, a folder without the module, is an error here.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure_double import AzureDouble
from following import ACTIVATE, KEY, LOG, SUBSCRIPTION, follow
from places import PROJECT
from running import COMMAND

PAGE = (PROJECT / "terraform" / "README.md").read_text(encoding="utf-8")
NEW_KEY = "fedcba9876543210-next-key"
ACCOUNT = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/cvsearch/providers/the/account"
FOLDER = "my clone"

AZ = f"""#!/bin/sh
resources="cognitiveservices account" mine="--name cvsearch --resource-group cvsearch"
case "$*" in
  login) touch "$HOME/signed-in" ;;
  "account show --query id --output tsv") [ -e "$HOME/signed-in" ] && echo {SUBSCRIPTION} ;;
  "$resources show --ids {ACCOUNT} --query {{sku:sku.name, state:properties.provisioningState}}")
    echo '{{"sku": "F0", "state": "Succeeded"}}' ;;
  "$resources keys regenerate $mine --key-name Key1 --output none") touch "$HOME/regenerated" ;;
  "$resources purge $mine --location eastus") [ -e "$HOME/destroyed" ] ;;
  *) echo "az does not know: $*" >&2; exit 64 ;;
esac
"""
TERRAFORM = f"""#!/bin/sh
case "$1" in -chdir=*) cd "${{1#-chdir=}}" && shift ;; esac
[ -e main.tf ] || {{ echo "no module in $PWD" >&2; exit 65; }}
case "$*" in
  init) touch .initialized ;;
  "plan -out cvsearch.tfplan")
    [ -e .initialized ] && [ "$ARM_SUBSCRIPTION_ID" = {SUBSCRIPTION} ] && touch cvsearch.tfplan ;;
  "apply cvsearch.tfplan") [ -e cvsearch.tfplan ] && echo {KEY} >.key ;;
  "apply -refresh-only") [ -e .key ] && [ -e "$HOME/regenerated" ] && echo {NEW_KEY} >.key ;;
  destroy) [ -e .key ] && rm .key && touch "$HOME/destroyed" ;;
  output) [ -e .key ] && echo 'cvsearch_key = <sensitive>' ;;
  "output -json" | "output -json -no-color")
    [ -e .key ] && sed "s/THE KEY/$(cat .key)/" "$HOME/outputs.json" ;;
  "output -raw cvsearch_key") cat .key ;;
  "output -raw account_id") [ -e .key ] && printf '%s' {ACCOUNT} ;;
  *) echo "terraform does not know: $*" >&2; exit 64 ;;
esac
"""
LOOK = "cat ~/.config/cvsearch/config.toml"


@pytest.fixture
def double(tmp_path: Path) -> Iterator[AzureDouble]:
    """The resource; it takes the key, and the one that comes after it."""
    (tmp_path / LOG).touch()
    with AzureDouble(key=KEY, log=str(tmp_path / LOG)) as server:
        server.keys.add(NEW_KEY)
        yield server
    assert server.violations == []


@pytest.fixture
def home(tmp_path: Path, double: AzureDouble) -> Path:
    """Somebody with an Azure subscription and a clone in a folder with a space in its name."""
    home = tmp_path / "home"
    clone, tools = home / FOLDER, home / "tools"
    shutil.copytree(PROJECT / "terraform", clone / "terraform", ignore=shutil.ignore_patterns(".*"))
    (home / "clone").symlink_to(clone)
    (clone / ".venv" / "bin").mkdir(parents=True)
    (clone / ".venv" / "bin" / "activate").write_text(ACTIVATE)
    (clone / ".venv" / "bin" / "cvsearch").symlink_to(COMMAND[0])
    tools.mkdir()
    for name, text in (("az", AZ), ("terraform", TERRAFORM)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    every = {"cvsearch_endpoint": double.endpoint + "/", "cvsearch_auth": "key", "cvsearch_key": "THE KEY"}
    shown = {name: {"sensitive": False, "type": "string", "value": value} for name, value in every.items()}
    (home / "outputs.json").write_text(json.dumps(shown))
    return home


def lines() -> list[str]:
    """Every command of the page, in its order, after the one that its first sentence names."""
    assert "given in the clone's root, with `cvsearch` on your path (`. .venv/bin/activate`)" in PAGE
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [". .venv/bin/activate", *"".join(blocks).splitlines()]


def test_the_pages_commands_in_their_order(home: Path, double: AzureDouble) -> None:
    given = []
    for line in lines():
        given.append(line)
        if "cvsearch config" in line:
            given += [LOOK, "cvsearch doctor"]
    steps = follow(given, home)
    for step in steps:
        assert step.code == 0, step
        assert step.line == LOOK or not re.search(f"{KEY}|{NEW_KEY}", step.out + step.err), step
    written = [tomllib.loads(step.out) for step in steps if step.line == LOOK]
    settings = {"endpoint": double.endpoint, "auth": "key"}
    command = f"terraform -chdir='{home / FOLDER}/terraform' output -raw cvsearch_key"
    with_key, with_command = settings | {"key": KEY}, settings | {"key_command": command}
    assert written == [with_key, with_key, with_key, with_command, settings | {"key": NEW_KEY}]
    assert [step.calls for step in steps if step.line == "cvsearch doctor"] == [1] * 7
    assert double.good == double.calls()
    assert (home / "destroyed").exists()


def test_its_commands_need_the_folder(home: Path) -> None:
    """The stand-in would show a command that is meant for another folder."""
    bare = [line.replace(" -chdir=terraform", "") for line in lines() if line.startswith("terraform -chdir")]
    assert len(bare) >= 6
    for step in follow(bare, home):
        assert step.code != 0, step
        assert f"no module in {home / FOLDER}" in step.err


def test_the_key_command_is_refused_no_more_after_a_key(home: Path) -> None:
    """What `--with-key` wrote goes when the key command comes, and that is said."""
    commands = lines()
    recipe = next(line for line in commands if "set key_command" in line)
    steps = follow([*commands[: commands.index("cvsearch doctor") + 1], recipe], home)
    assert f"key removed from {home}/.config/cvsearch/config.toml" in steps[-1].err
    assert steps[-1].code == 0
